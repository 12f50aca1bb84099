package audit

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/store"
)

// apiCall is the detail-type under which rules know calls.
const apiCall = "AWS API Call via CloudTrail"

// cloudTrail is the detail of an event about a call, as CloudTrail writes it. What was asked for and answered is left out.
type cloudTrail struct {
	EventVersion      string    `json:"eventVersion"`
	UserIdentity      identity  `json:"userIdentity"`
	EventTime         string    `json:"eventTime"`
	EventSource       string    `json:"eventSource"`
	EventName         string    `json:"eventName"`
	AWSRegion         string    `json:"awsRegion"`
	SourceIPAddress   string    `json:"sourceIPAddress"`
	UserAgent         string    `json:"userAgent"`
	ErrorCode         string    `json:"errorCode,omitempty"`
	RequestParameters any       `json:"requestParameters"`
	ResponseElements  any       `json:"responseElements"`
	RequestID         string    `json:"requestID"`
	EventID           string    `json:"eventID"`
	ReadOnly          bool      `json:"readOnly"`
	Resources         []touched `json:"resources,omitempty"`
	EventType         string    `json:"eventType"`
	ManagementEvent   bool      `json:"managementEvent"`
	RecipientAccount  string    `json:"recipientAccountId"`
	EventCategory     string    `json:"eventCategory"`
}

type identity struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	AccessKeyID string `json:"accessKeyId"`
	UserName    string `json:"userName,omitempty"`
}

type touched struct {
	ARN       string `json:"ARN"`
	AccountID string `json:"accountId"`
}

// eventOf makes the event of a call.
func eventOf(c *awsapi.Call, r *Record) (store.Event, error) {
	detail := cloudTrail{
		EventVersion: "1.10", UserIdentity: identityOf(&c.Principal), EventTime: r.Time.Format(time.RFC3339),
		EventSource: c.Service + ".amazonaws.com", EventName: c.Operation, AWSRegion: c.Scope.Region, SourceIPAddress: r.Address,
		UserAgent: r.UserAgent, ErrorCode: shortCode(c.Code), RequestID: c.RequestID, EventID: c.RequestID, ReadOnly: c.Kind == awsapi.CallReads,
		EventType: "AwsApiCall", ManagementEvent: true, RecipientAccount: c.Scope.Account, EventCategory: "Management",
	}
	for _, a := range c.Resources {
		detail.Resources = append(detail.Resources, touched{ARN: a, AccountID: c.Scope.Account})
	}
	data, err := json.Marshal(&detail)
	if err != nil {
		return store.Event{}, fmt.Errorf("audit: encode an event: %w", err)
	}
	return store.Event{
		ID: c.RequestID, Type: apiCall, Source: "aws." + c.Service, Time: r.Time, Detail: data,
		Scope: arn.Scope{Account: c.Scope.Account, Region: c.Scope.Region},
	}, nil
}

func identityOf(p *awsapi.Principal) identity {
	i := identity{Type: "Root", PrincipalID: p.UserID(), ARN: p.ARN(), AccountID: p.Account, AccessKeyID: p.AccessKeyID}
	switch p.Kind {
	case awsapi.PrincipalUser:
		i.Type, i.UserName = "IAMUser", p.Name
	case awsapi.PrincipalRole:
		i.Type = "AssumedRole"
	case awsapi.PrincipalRoot, awsapi.PrincipalAnonymous:
	}
	return i
}

// shortCode is an error's code as CloudTrail writes it.
func shortCode(code string) string {
	if code == "AccessDeniedException" {
		return "AccessDenied"
	}
	return code
}
