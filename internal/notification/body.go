package notification

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// timeLayout is how messages write times: milliseconds, UTC.
const timeLayout = "2006-01-02T15:04:05.000Z"

// envelope is a message as a subscriber gets it (spec neighbours.md 5). The order of its members is that of the service.
type envelope struct {
	Type              string
	MessageId         string //nolint:revive,staticcheck // the wire's name
	Token             string `json:",omitempty"`
	TopicArn          string //nolint:revive,staticcheck // the wire's name
	Subject           string `json:",omitempty"`
	Message           string
	SubscribeURL      string `json:",omitempty"`
	Timestamp         string
	SignatureVersion  string
	Signature         string
	SigningCertURL    string
	UnsubscribeURL    string               `json:",omitempty"`
	MessageAttributes map[string]Attribute `json:",omitempty"`
}

// body returns what is sent of a notice: the message alone, or the signed envelope.
func (b *bodies) body(ctx context.Context, n *notice, subscription string) ([]byte, error) {
	if n.Raw {
		return []byte(n.Text), nil
	}
	e := envelope{
		Type: n.Type, MessageId: n.ID, TopicArn: n.Topic, Subject: n.Subject, Message: n.Text, //nolint:staticcheck // the wire's names
		Timestamp: n.Time.UTC().Format(timeLayout), SignatureVersion: "1", MessageAttributes: n.Attributes,
	}
	if n.Signature == "2" {
		e.SignatureVersion = "2"
	}
	if n.Type == TypeNotification {
		e.UnsubscribeURL = n.BaseURL + "/?" + query("Unsubscribe", "SubscriptionArn", subscription)
	} else {
		e.Token = b.tokens.make(n.Topic, subscription, n.Nonce)
		e.SubscribeURL = n.BaseURL + "/?" + query("ConfirmSubscription", "TopicArn", n.Topic, "Token", e.Token)
	}
	var path string
	var err error
	if e.Signature, path, err = b.signer.sign(ctx, e.SignatureVersion, e.signed()); err != nil {
		return nil, err
	}
	e.SigningCertURL = n.BaseURL + path
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // receivers read it, and some compare it
	if err := enc.Encode(&e); err != nil {
		return nil, fmt.Errorf("notification: encode a message: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// signed returns the text that the signature is about (errata.md A5).
func (e *envelope) signed() string {
	var b strings.Builder
	add := func(name, value string) { b.WriteString(name + "\n" + value + "\n") }
	add("Message", e.Message)
	add("MessageId", e.MessageId)
	if e.Type == TypeNotification {
		if e.Subject != "" {
			add("Subject", e.Subject)
		}
	} else {
		add("SubscribeURL", e.SubscribeURL)
	}
	add("Timestamp", e.Timestamp)
	if e.Type != TypeNotification {
		add("Token", e.Token)
	}
	add("TopicArn", e.TopicArn)
	add("Type", e.Type)
	return b.String()
}

// query returns the query of one of the two requests that need no signature.
func query(action string, members ...string) string {
	out := "Action=" + action
	for i := 0; i < len(members); i += 2 {
		out += "&" + members[i] + "=" + url.QueryEscape(members[i+1])
	}
	return out
}

// bodies makes what is sent.
type bodies struct {
	signer *Signer
	tokens *Tokens
}

// confirmationText is what a confirmation says (errata.md A5).
func confirmationText(topic string) string {
	return "You have chosen to subscribe to the topic " + topic + ".\nTo confirm the subscription, visit the SubscribeURL included in this message."
}

// farewellText is what an endpoint is told whose subscription has ended.
func farewellText(subscription string) string {
	return "You have chosen to deactivate subscription " + subscription + ".\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
}

// PendingTime is how long a subscription waits for its confirmation, and one that has ended for being taken up again.
const PendingTime = 3 * 24 * time.Hour
