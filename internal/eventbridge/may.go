package eventbridge

import (
	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
)

// sending returns the action that sends to a target.
func sending(a arn.ARN) string {
	switch a.Service {
	case "sns":
		return "sns:Publish"
	case "sqs":
		return "sqs:SendMessage"
	case "lambda":
		return "lambda:InvokeFunction"
	case "logs":
		return "logs:PutLogEvents"
	}
	if a.Type == typeDestination {
		return "events:InvokeApiDestination"
	}
	return "events:PutEvents"
}

// maySend tells whether the caller may do to the target of a rule what the rule will do to it.
func maySend(c awsapi.Caller, a arn.ARN) error {
	c = c.Doing(sending(a))
	return c.May(a, nil)
}
