package awsapi

import (
	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
)

// Target is a resource that a request touches.
type Target struct {
	Type        string            // for instance "channel"
	ARN         arn.ARN           // zero when the resource is yet to be made, or when a list is asked for
	RequestTags map[string]string // the tags that the request wants to give it
}

// Targets returns the resources that a request names by ARN. An ARN that does not parse names none: the handler says
// what is wrong with it. An empty type stands for whatever the ARN says.
func Targets(kind string, tags map[string]string, arns ...string) []Target {
	out := make([]Target, 0, len(arns))
	for _, text := range arns {
		a, err := arn.Parse(text)
		if err != nil {
			continue
		}
		t := Target{Type: kind, ARN: a, RequestTags: tags}
		if kind == "" {
			t.Type = a.Type
		}
		out = append(out, t)
	}
	return out
}

// Own parses an ARN and checks that it is the caller's. Errors as those of arn.Parse and Owns.
func (c Caller) Own(text string) (arn.ARN, error) {
	a, err := arn.Parse(text)
	if err != nil {
		return arn.ARN{}, err
	}
	return a, c.Owns(Target{ARN: a})
}

// Owns returns an error when a target is of another account (fault.Denied) or of another region (fault.NotFound).
func (c Caller) Owns(t Target) error {
	switch {
	case t.ARN.IsZero() || t.ARN.Scope == c.Scope:
		return nil
	case t.ARN.Account != c.Account:
		return fault.New(fault.Denied, "User: arn:aws:iam::%s:root is not authorized to perform: %s on resource: %s", c.Account, c.Action, t.ARN)
	}
	return fault.New(fault.NotFound, "Resource: %s not found in %s", t.ARN, c.Region)
}

// NotFound returns the fault.NotFound of a resource, by what the caller named it.
func NotFound(name string) error { return fault.New(fault.NotFound, "Resource: %s not found", name) }

// Naming makes a fault.NotFound tell which resource the caller asked for. Other errors, and nil, stay as they are.
func Naming(err error, name string) error {
	if fault.Is(err, fault.NotFound) {
		return NotFound(name)
	}
	return err
}
