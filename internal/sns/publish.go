package sns

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/notification"
)

const (
	maxMessage    = 256 << 10 // bytes, with attributes
	maxSubject    = 100       // characters
	maxAttributes = 100
)

// destination is the topic that a message is for.
func destination(in *PublishInput) string {
	if in.TopicArn != nil {
		return *in.TopicArn
	}
	return restjson.Value(in.TargetArn)
}

// Publish publishes a message to a topic. Every subscription that it is for has it on the disk before the answer.
func (s *Service) Publish(ctx context.Context, c awsapi.Caller, in *PublishInput) (*PublishResponse, error) {
	if restjson.Value(in.PhoneNumber) != "" {
		return nil, invalid("PhoneNumber Reason: this server sends no text messages")
	}
	m, err := messageOf(in)
	if err != nil {
		return nil, err
	}
	t, err := s.named(ctx, c, destination(in))
	if err != nil {
		return nil, err
	}
	if err := s.opts.Publisher.Publish(ctx, t.ARN, m); err != nil {
		return nil, noTopic(err)
	}
	return &PublishResponse{MessageId: &m.ID}, nil
}

// messageOf checks a message.
func messageOf(in *PublishInput) (*notification.Message, error) {
	m := &notification.Message{ID: arn.NewUUID(), Subject: restjson.Value(in.Subject), Text: in.Message}
	switch {
	case m.Text == "":
		return nil, invalid("Empty message")
	case in.Subject != nil && !goodSubject(m.Subject):
		return nil, invalid("Subject")
	case len(in.MessageAttributes) > maxAttributes:
		return nil, invalid("MessageAttributes Reason: there may be up to %d", maxAttributes)
	}
	size := len(m.Text)
	m.Attributes = make(map[string]notification.Attribute, len(in.MessageAttributes))
	for name, v := range in.MessageAttributes {
		a, err := attributeOf(name, &v)
		if err != nil {
			return nil, err
		}
		m.Attributes[name] = a
		size += len(name) + len(a.Type) + len(a.Value)
	}
	if size > maxMessage {
		return nil, invalid("Message too long")
	}
	return m, structure(m, restjson.Value(in.MessageStructure))
}

// structure takes a message apart that has a text for each protocol.
func structure(m *notification.Message, kind string) error {
	switch kind {
	case "":
		return nil
	case "json":
	default:
		return invalid("MessageStructure")
	}
	var texts map[string]json.RawMessage
	if err := json.Unmarshal([]byte(m.Text), &texts); err != nil {
		return invalid("Message Structure - JSON message body failed to parse")
	}
	m.Texts = map[string]string{}
	for name, raw := range texts {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			m.Texts[name] = text
		}
	}
	text, ok := m.Texts["default"]
	if !ok {
		return invalid("Message Structure - No default entry in JSON message body")
	}
	m.Text = text
	return nil
}

// goodSubject reports whether a subject is one line of ASCII that begins with something visible.
func goodSubject(s string) bool {
	if s == "" || len(s) > maxSubject || s[0] == ' ' {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,256}$`)
	attributeType = regexp.MustCompile(`^(String|String\.Array|Number|Binary)(\.[^\x00-\x1f]{1,240})?$`)
)

// attributeOf checks an attribute of a message.
func attributeOf(name string, v *MessageAttributeValue) (notification.Attribute, error) {
	a := notification.Attribute{Type: v.DataType}
	bad := func(why string) (notification.Attribute, error) {
		return a, fault.New(fault.Invalid, "The message attribute '%.256s' %s", name, why)
	}
	if !attributeName.MatchString(name) || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return bad("has a name with invalid characters.")
	}
	if !attributeType.MatchString(v.DataType) {
		return bad("has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.")
	}
	if strings.HasPrefix(v.DataType, "Binary") {
		if len(v.BinaryValue) == 0 {
			return bad("must contain non-empty message attribute value for message attribute type 'Binary'.")
		}
		a.Value = base64.StdEncoding.EncodeToString(v.BinaryValue)
		return a, nil
	}
	a.Value = restjson.Value(v.StringValue)
	switch {
	case a.Value == "" || !utf8.ValidString(a.Value):
		return bad("must contain non-empty message attribute value for message attribute type '" + v.DataType + "'.")
	case strings.HasPrefix(v.DataType, "Number") && !json.Valid([]byte(a.Value)):
		return bad("has a value that is not a number.")
	}
	return a, nil
}
