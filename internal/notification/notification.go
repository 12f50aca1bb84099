// Package notification brings what is published to SNS topics to their subscribers.
//
// A Publisher finds the confirmed subscriptions of a topic whose filter policy lets a message through, and puts a notice for
// each of them into a queue of its own, whole, before it returns: the engine of package delivery goes on from there, with the
// promises that it makes for targets of rules, and a Subscribers delivers for it, over HTTP and to SQS. A Signer signs what is
// sent, so that a receiver can tell it from what a stranger sends (spec neighbours.md 5, errata.md A5).
//
// It is of the state layer: it serves no API, and both the API of topics and the rules of events publish through it.
//
// Imports: arn, delivery, egress, eventpattern, fault, records, resource, seal, store.
package notification

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/delivery"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// Types of messages, as subscribers know them.
const (
	TypeNotification             = "Notification"
	TypeSubscriptionConfirmation = "SubscriptionConfirmation"
	TypeUnsubscribeConfirmation  = "UnsubscribeConfirmation"
)

// Protocols of subscriptions.
const (
	HTTP  = "http"
	HTTPS = "https"
	SQS   = "sqs"
)

// Attribute is an attribute of a message: its type and its value, base64 of a binary one.
type Attribute struct {
	Type  string `json:"Type"`
	Value string `json:"Value"`
}

// Message is what is published.
type Message struct {
	ID         string               // a UUID; a message that is published again under it is sent once
	Resource   string               // messages about one resource are in order; "": it is in no order
	Subject    string               // "" when there is none
	Text       string               //
	Texts      map[string]string    // for single protocols, in place of Text
	Attributes map[string]Attribute //
}

// text returns what a protocol is sent.
func (m *Message) text(protocol string) string {
	if t, ok := m.Texts[protocol]; ok {
		return t
	}
	return m.Text
}

// notice is a message on its way to one subscription: all that is needed to send it, as it was when it was published. What the
// subscription says later counts for later messages; where it has ended, notifications that wait are not sent.
type notice struct {
	Type       string               `json:"type"`
	ID         string               `json:"id"`
	Topic      string               `json:"topic"`
	Subject    string               `json:"subject,omitempty"`
	Text       string               `json:"text"`
	Time       time.Time            `json:"time"`
	Attributes map[string]Attribute `json:"attributes,omitempty"`

	Protocol    string      `json:"protocol"`
	Endpoint    string      `json:"endpoint"`
	BaseURL     string      `json:"baseUrl"`
	Signature   string      `json:"signature,omitempty"` // its version
	Raw         bool        `json:"raw,omitempty"`
	ContentType string      `json:"contentType,omitempty"`
	Retry       RetryPolicy `json:"retry"`
	Rate        int         `json:"rate,omitempty"`  // a second; 0: any
	Nonce       []byte      `json:"nonce,omitempty"` // of the token
}

// newNotice makes a notice of a message for a subscription of a topic.
func newNotice(kind string, m *Message, t *resource.Topic, s *resource.Subscription, now time.Time) (notice, error) {
	policy, err := EffectivePolicy(t.Attributes["DeliveryPolicy"], s.Attributes["DeliveryPolicy"])
	if err != nil {
		return notice{}, err
	}
	n := notice{
		Type: kind, ID: m.ID, Topic: t.ARN.String(), Subject: m.Subject, Text: m.text(s.Protocol), Time: now, Attributes: m.Attributes,
		Protocol: s.Protocol, Endpoint: s.Endpoint, BaseURL: s.BaseURL, Signature: t.Attributes["SignatureVersion"], Nonce: s.Nonce,
		Retry: policy.Retry, ContentType: policy.ContentType,
	}
	if policy.Throttle != nil {
		n.Rate = policy.Throttle.PerSecond
	}
	n.Raw = kind == TypeNotification && s.Attributes["RawMessageDelivery"] == "true"
	return n, nil
}

// delivery makes what the engine delivers of a notice.
func (n *notice) delivery(s *resource.Subscription, about string) (delivery.Delivery, error) {
	data, err := json.Marshal(n)
	if err != nil {
		return delivery.Delivery{}, fmt.Errorf("notification: encode a notice: %w", err)
	}
	if about == "" {
		about = n.ID
	}
	retries := n.Retry.Retries
	maxAge := int(maxHTTPAge / time.Second)
	if n.Protocol == SQS {
		retries, maxAge = queueRetries, int(maxQueueAge/time.Second)
	}
	return delivery.Delivery{
		EventID: n.ID, Event: data, Resource: about, Ingested: n.Time, Matched: n.Time,
		Target: resource.RuleTarget{
			ID: s.ARN.ID, ARN: s.ARN.String(), DeadLetterARN: deadLetters(s), MaxRetries: &retries, MaxAge: &maxAge,
		},
	}, nil
}

// How long and how often is tried: an HTTP policy asks for an hour of retries at most, and what a queue gets is tried for as long as it is kept.
const (
	maxHTTPAge   = 24 * time.Hour
	maxQueueAge  = 13 * 24 * time.Hour
	queueRetries = 100_015
)

// queueName is apart from that of rules' deliveries: the engines do not know each other.
const (
	queueName = "notifications"
	queueAge  = 14 * 24 * time.Hour
)

// OpenQueue opens the queue of notices.
func OpenQueue(ctx context.Context, s *store.Store) (*store.Queue[delivery.Delivery], error) {
	q, err := store.OpenQueue[delivery.Delivery](ctx, s, queueName, queueAge)
	if err != nil {
		return nil, fmt.Errorf("notification: %w", err)
	}
	return q, nil
}

// Pace is how an engine of notices goes about it: a retry comes when the policy of the subscription says so.
func Pace() delivery.Pace {
	const least = 500 * time.Millisecond
	return delivery.Pace{Retry: least, RetryMost: least}
}
