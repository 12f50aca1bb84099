package notification

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/delivery"
	"github.com/rivus-live/rivus/internal/egress"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// Subscribers delivers notices. It is what an engine of the queue of notices takes for its Targets.
type Subscribers struct {
	Records records.Topics
	Signer  *Signer
	Tokens  *Tokens
	Egress  *egress.Client
	Queues  *delivery.Targets // for SQS queues, those of dead letters too
	Clock   func() time.Time

	rates delivery.Rates
}

// Of returns who delivers to a subscription, or to the queue of its dead letters.
func (s *Subscribers) Of(target string) (delivery.Deliverer, error) {
	if strings.HasPrefix(target, "arn:aws:sqs:") {
		return letters{s}, nil
	}
	return s, nil
}

// timeout is how long an endpoint may take (spec neighbours.md 5).
const timeout = 15 * time.Second

// Deliver sends a notice once.
func (s *Subscribers) Deliver(ctx context.Context, d *delivery.Delivery, payload []byte) error {
	n, err := readNotice(payload)
	if err != nil {
		return err
	}
	if over, err := s.over(ctx, d, n); over || err != nil {
		return err
	}
	if n.Protocol == SQS {
		return s.toQueue(ctx, d, n, n.Endpoint)
	}
	if err := s.rates.Wait(ctx, d.Target.ARN, n.Rate, s.Clock); err != nil {
		return err
	}
	err = s.post(ctx, d, n)
	if f, ok := errors.AsType[*delivery.Failure](err); ok && !f.Final {
		f.After = max(f.After, n.Retry.delay(d.Attempts))
	}
	return err
}

func readNotice(payload []byte) (*notice, error) {
	n := new(notice)
	if err := json.Unmarshal(payload, n); err != nil {
		return nil, &delivery.Failure{Code: "INVALID_JSON", Message: "the notice cannot be read", Final: true}
	}
	return n, nil
}

// over tells whether nobody waits for a notice any more: the subscription ended, or was confirmed while the question was on its
// way.
func (s *Subscribers) over(ctx context.Context, d *delivery.Delivery, n *notice) (bool, error) {
	if n.Type == TypeUnsubscribeConfirmation {
		return false, nil
	}
	want := resource.SubscriptionConfirmed
	if n.Type == TypeSubscriptionConfirmation {
		want = resource.SubscriptionPending
	}
	page, err := s.find(ctx, d.Target.ARN)
	if fault.Is(err, fault.NotFound) {
		return true, nil
	}
	return err == nil && page.State != want, err
}

func (s *Subscribers) find(ctx context.Context, subscription string) (resource.Subscription, error) {
	key, err := SubscriptionKeyOf(subscription)
	if err != nil {
		return resource.Subscription{}, err
	}
	r, err := s.Records.Subscriptions.Get(ctx, key)
	return r.Value, err
}

// post sends a notice to an HTTP endpoint.
func (s *Subscribers) post(ctx context.Context, d *delivery.Delivery, n *notice) error {
	body, err := s.bodies().body(ctx, n, d.Target.ARN)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.Endpoint, bytes.NewReader(body))
	if err != nil {
		return &delivery.Failure{Code: "SDK_CLIENT_ERROR", Message: "the endpoint is no URL", Final: true}
	}
	r.Header = header(n, d.Target.ARN)
	answer, err := s.Egress.Do(ctx, r)
	if err != nil {
		return delivery.SendFailure(err)
	}
	return judge(answer, s.Clock())
}

func (s *Subscribers) bodies() *bodies { return &bodies{s.Signer, s.Tokens} }

// header returns the headers of a notice (spec neighbours.md 5, errata.md A5).
func header(n *notice, subscription string) http.Header {
	h := http.Header{}
	h.Set("User-Agent", "Amazon Simple Notification Service Agent")
	h.Set("Accept-Encoding", "gzip,deflate")
	h.Set("Content-Type", defaultContentType)
	set := func(name, value string) { h["X-Amz-Sns-"+name] = []string{value} }
	set("Message-Type", n.Type)
	set("Message-Id", n.ID)
	set("Topic-Arn", n.Topic)
	if n.Type != TypeNotification {
		return h
	}
	set("Subscription-Arn", subscription)
	if n.ContentType != "" {
		h.Set("Content-Type", n.ContentType)
	}
	if n.Raw {
		set("Rawdelivery", "true")
	}
	return h
}

// judge says what an answer means: errors that are the client's are not repeated, but for too many requests.
func judge(a egress.Answer, now time.Time) error {
	if a.Status >= 200 && a.Status < 300 {
		return nil
	}
	f := &delivery.Failure{Code: "HTTP_" + strconv.Itoa(a.Status), Message: "the endpoint answered " + strconv.Itoa(a.Status)}
	f.Final = a.Status < 500 && a.Status != http.StatusTooManyRequests
	if text := a.Header.Get("Retry-After"); text != "" && !f.Final {
		f.After, f.Final = delivery.RetryAfter(text, now)
	}
	return f
}

// toQueue sends a notice to an SQS queue.
func (s *Subscribers) toQueue(ctx context.Context, d *delivery.Delivery, n *notice, queue string) error {
	body, err := s.bodies().body(ctx, n, d.Target.ARN)
	if err != nil {
		return err
	}
	to, err := s.Queues.Of(queue)
	if err != nil {
		return err
	}
	as := *d
	as.Target.ARN = queue
	if n.Raw {
		as.Attributes = queueAttributes(n.Attributes)
	}
	return to.Deliver(ctx, &as, body)
}

// maxQueueAttributes is how many attributes a message of SQS may have; with more, a raw one is sent without any.
const maxQueueAttributes = 10

func queueAttributes(all map[string]Attribute) map[string]delivery.Attribute {
	if len(all) > maxQueueAttributes {
		return nil
	}
	out := make(map[string]delivery.Attribute, len(all))
	for name, a := range all {
		out[name] = delivery.Attribute{Type: a.Type, Value: a.Value}
	}
	return out
}

// letters delivers what was given up to the queue that the subscription names for it.
type letters struct{ *Subscribers }

func (l letters) Deliver(ctx context.Context, d *delivery.Delivery, _ []byte) error {
	n, err := readNotice(d.Event)
	if err != nil {
		return err
	}
	return l.toQueue(ctx, d, n, d.Target.DeadLetterARN)
}

// deadLetters returns the ARN of the queue for what cannot be delivered, "" for none.
func deadLetters(s *resource.Subscription) string {
	queue, err := ParseRedrivePolicy(s.Attributes["RedrivePolicy"])
	if err != nil {
		return ""
	}
	return queue
}

// ParseRedrivePolicy reads a RedrivePolicy; "" for one that names no queue. Errors are fault.Invalid.
func ParseRedrivePolicy(text string) (queue string, err error) {
	if text == "" {
		return "", nil
	}
	var p struct {
		DeadLetterTargetArn string `json:"deadLetterTargetArn"` //nolint:revive,staticcheck // the wire's name
	}
	if json.Unmarshal([]byte(text), &p) != nil || p.DeadLetterTargetArn == "" {
		return "", fault.New(fault.Invalid, "Invalid parameter: RedrivePolicy: failed to parse JSON.")
	}
	return p.DeadLetterTargetArn, nil
}

// SubscriptionKeyOf returns the key of the subscription that an ARN names; fault.Invalid when it names none.
func SubscriptionKeyOf(text string) (store.Key, error) {
	a, err := parseSubscriptionARN(text)
	return store.Key{Scope: a.Scope, ID: a.ID}, err
}
