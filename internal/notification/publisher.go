package notification

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/delivery"
	"github.com/rivus-live/rivus/internal/eventpattern"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// Publisher publishes to topics. It is safe for concurrent use.
type Publisher struct {
	Records records.Topics
	Queue   *store.Queue[delivery.Delivery]
	Clock   func() time.Time
	Logger  *slog.Logger

	mu      sync.Mutex
	filters map[store.Key]filter
}

var _ delivery.TopicPublisher = (*Publisher)(nil)

// Publish puts a message into the queue of every subscription of a topic that it is for. All of them have it on the disk when
// it returns nil; after an error some may. fault.NotFound: there is no such topic.
func (p *Publisher) Publish(ctx context.Context, topic arn.ARN, m *Message) error {
	t, err := p.Records.Topics.Get(ctx, store.Key{Scope: topic.Scope, ID: topic.ID})
	if err != nil {
		return err
	}
	now := p.Clock()
	q := store.Query{Scope: topic.Scope, Index: "confirmed", Value: topic.ID, Limit: 1000}
	shown := newExhibit(m)
	for {
		page, err := p.Records.Subscriptions.List(ctx, q)
		if err != nil {
			return fmt.Errorf("notification: list subscriptions: %w", err)
		}
		for _, s := range page.Records {
			if !p.filter(s).admits(shown, s.Value.Protocol) {
				continue
			}
			if err := p.enqueue(ctx, TypeNotification, m, &t.Value, &s.Value, now); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		q.After = page.Records[len(page.Records)-1].Key.ID
	}
}

// PublishEvent publishes an event. Events about one resource are in order.
func (p *Publisher) PublishEvent(ctx context.Context, topicARN, id string, message []byte) error {
	topic, err := arn.ParseAny(topicARN)
	if err != nil {
		return err
	}
	var about struct {
		Resources []string `json:"resources"`
	}
	_ = json.Unmarshal(message, &about) // what a rule makes of an event may be anything
	m := &Message{ID: id, Text: string(message)}
	if len(about.Resources) > 0 {
		m.Resource = about.Resources[0]
	}
	return p.Publish(ctx, topic, m)
}

// AskToConfirm sends the endpoint of a subscription that is pending what confirms it.
func (p *Publisher) AskToConfirm(ctx context.Context, t *resource.Topic, s *resource.Subscription) error {
	m := &Message{ID: arn.NewUUID(), Text: confirmationText(s.Topic.String())}
	return p.enqueue(ctx, TypeSubscriptionConfirmation, m, t, s, p.Clock())
}

// SayGoodbye tells the endpoint of a subscription that it has ended, and how to take that back.
func (p *Publisher) SayGoodbye(ctx context.Context, t *resource.Topic, s *resource.Subscription) error {
	m := &Message{ID: arn.NewUUID(), Text: farewellText(s.ARN.String())}
	return p.enqueue(ctx, TypeUnsubscribeConfirmation, m, t, s, p.Clock())
}

func (p *Publisher) enqueue(ctx context.Context, kind string, m *Message, t *resource.Topic, s *resource.Subscription, now time.Time) error {
	n, err := newNotice(kind, m, t, s, now)
	if err != nil {
		return err
	}
	d, err := n.delivery(s, m.Resource)
	if err != nil {
		return err
	}
	at := delivery.FirstPlace(records.SubscriptionKey(*s), m.ID)
	if err := p.Queue.PutOnce(ctx, at, d); err != nil {
		return fmt.Errorf("notification: put a message into the queue of %s: %w", s.ARN.ID, err)
	}
	return nil
}

// filter is the compiled filter policy of a subscription, as of a revision of its record.
type filter struct {
	revision uint64
	none     bool // everything passes
	body     bool // it looks at the body
	pattern  *eventpattern.Pattern
}

// maxFilters bounds the filters that are kept compiled.
const maxFilters = 20_000

func (p *Publisher) filter(s store.Record[resource.Subscription]) filter {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.filters[s.Key]; ok && f.revision == s.Revision {
		return f
	}
	if p.filters == nil || len(p.filters) >= maxFilters {
		p.filters = map[store.Key]filter{}
	}
	f, err := compileFilter(s.Value.Attributes["FilterPolicy"], s.Value.Attributes["FilterPolicyScope"])
	if err != nil { // it was checked when it was set, by another version
		p.Logger.Error("a filter policy cannot be read: nothing passes it", "subscription", s.Key.ID, "error", err)
		f = filter{pattern: &eventpattern.Pattern{}}
	}
	f.revision = s.Revision
	p.filters[s.Key] = f
	return f
}

// Scopes of a filter policy.
const (
	ScopeAttributes = "MessageAttributes"
	ScopeBody       = "MessageBody"
)

// compileFilter compiles a filter policy; "" and "{}" let everything pass. Errors are *eventpattern.Error.
func compileFilter(policy, scope string) (filter, error) {
	if policy == "" {
		return filter{none: true}, nil
	}
	f := filter{body: scope == ScopeBody}
	dialect := eventpattern.AttributeFilterPolicy()
	if f.body {
		dialect = eventpattern.FilterPolicy()
	}
	var err error
	f.pattern, err = eventpattern.Compile([]byte(policy), dialect)
	return f, err
}

// CheckFilter checks a filter policy. Errors are *eventpattern.Error.
func CheckFilter(policy, scope string) error {
	_, err := compileFilter(policy, scope)
	return err
}

// exhibit is a message as filters look at it, made when the first one does.
type exhibit struct {
	message    *Message
	attributes *eventpattern.Event
	bodies     map[string]*eventpattern.Event // by text; nil: it is no object
}

func newExhibit(m *Message) *exhibit {
	return &exhibit{message: m, bodies: map[string]*eventpattern.Event{}}
}

func (f filter) admits(x *exhibit, protocol string) bool {
	if f.none {
		return true
	}
	if f.body {
		e := x.body(x.message.text(protocol))
		return e != nil && f.pattern.Match(*e)
	}
	if len(x.message.Attributes) == 0 {
		return false
	}
	if x.attributes == nil {
		all := make(map[string]eventpattern.Attribute, len(x.message.Attributes))
		for name, a := range x.message.Attributes {
			all[name] = eventpattern.Attribute(a)
		}
		x.attributes = new(eventpattern.Attributes(all))
	}
	return f.pattern.Match(*x.attributes)
}

func (x *exhibit) body(text string) *eventpattern.Event {
	e, ok := x.bodies[text]
	if !ok {
		if parsed, err := eventpattern.ParseEvent([]byte(text)); err == nil {
			e = &parsed
		}
		x.bodies[text] = e
	}
	return e
}

// Sweep deletes the subscriptions that were not confirmed in time, and those that have been gone for long enough, now and
// whenever some are due, until ctx ends. One node of a cluster is enough.
func (p *Publisher) Sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		p.sweep(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err() //nolint:wrapcheck // the caller's own
		}
	}
}

const sweepEvery = 10 * time.Minute

func (p *Publisher) sweep(ctx context.Context) {
	over := func(s resource.Subscription) bool {
		return s.State != resource.SubscriptionConfirmed && !p.Clock().Before(s.Until)
	}
	for _, s := range p.Records.Subscriptions.All() {
		if !over(s.Value) {
			continue
		}
		_, err := p.Records.Subscriptions.Delete(ctx, s.Key, func(now resource.Subscription) error {
			if !over(now) {
				return fault.New(fault.Conflict, "it was taken up again")
			}
			return nil
		})
		if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Conflict) && ctx.Err() == nil {
			p.Logger.Warn("a subscription that is over stays for now", "subscription", s.Key.ID, "error", err)
			return
		}
	}
}
