package resource

import (
	"time"

	"github.com/rivus-live/rivus/internal/arn"
)

// TopicARN returns the ARN of an SNS topic.
func TopicARN(sc arn.Scope, name string) arn.ARN { return arn.ARN{Service: "sns", Scope: sc, ID: name} }

// Topic is the aggregate of an SNS topic. Its key is its name within account and region.
type Topic struct {
	ARN        arn.ARN           `json:"arn"`
	Attributes map[string]string `json:"attributes,omitempty"` // those that were set, under the names of the wire
	Tags       map[string]string `json:"tags,omitempty"`
	CreatedAt  time.Time         `json:"createdAt"`
}

// Subscription is an endpoint that gets the messages of a topic. Its key is the last part of its ARN, "<topic>:<uuid>".
type Subscription struct {
	ARN        arn.ARN           `json:"arn"`
	Topic      arn.ARN           `json:"topic"`
	Protocol   string            `json:"protocol"`   // "http", "https" or "sqs"
	Endpoint   string            `json:"endpoint"`   // a URL, or the ARN of a queue
	Principal  string            `json:"principal"`  // ARN of who subscribed
	BaseURL    string            `json:"baseUrl"`    // of the server, as who subscribed named it: its own URLs in messages begin so
	Attributes map[string]string `json:"attributes"` // those that were set, under the names of the wire
	CreatedAt  time.Time         `json:"createdAt"`

	State SubscriptionState `json:"state"`
	Until time.Time         `json:"until,omitzero"`  // when a pending one is forgotten, and one that is gone
	Nonce []byte            `json:"nonce,omitempty"` // makes the token that confirms it, or takes its end back
	// Authenticated says that who confirmed it had signed; then only who signs may end it, if that was asked for.
	Authenticated             bool `json:"authenticated,omitempty"`
	AuthenticateOnUnsubscribe bool `json:"authenticateOnUnsubscribe,omitempty"`
}

// SubscriptionState says whether a subscription gets messages.
type SubscriptionState string

// The states of a subscription. One that was ended by whoever has its URL can be taken up again for a while.
const (
	SubscriptionPending   SubscriptionState = "PENDING"
	SubscriptionConfirmed SubscriptionState = "CONFIRMED"
	SubscriptionGone      SubscriptionState = "GONE"
)

// Known reports whether the API shows the subscription at a time.
func (s *Subscription) Known(now time.Time) bool {
	return s.State == SubscriptionConfirmed || s.State == SubscriptionPending && now.Before(s.Until)
}

// SigningKey is a private key with its certificate, both made once for all nodes.
type SigningKey struct {
	Certificate string `json:"certificate"` // PEM
	Sealed      []byte `json:"sealed"`      // PKCS #8, encrypted under a key of the store
}
