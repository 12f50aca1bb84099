package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/rivus-live/rivus/internal/fault"
)

// Topic carries values of one type to whoever subscribes to it, on every node, this one included. It keeps nothing: a value
// reaches those who are subscribed when it comes, and of them not those who are too slow, or cut off meanwhile. What must
// arrive is a record.
//
// Values of one publisher arrive in the order in which they were published.
type Topic[T any] struct {
	node    *Node
	subject string
	dropped atomic.Int64
	strange atomic.Int64
}

// topicPrefix is where topics live among the subjects of the engine.
const topicPrefix = "rivus.topic."

// NewTopic returns the topic of a name: words of letters, digits, "-" and "_" with dots between them.
func NewTopic[T any](n *Node, name string) (*Topic[T], error) {
	for word := range strings.SplitSeq(name, ".") {
		if word == "" || strings.ContainsFunc(word, notInTopic) {
			return nil, fmt.Errorf("cluster: %q cannot name a topic", name)
		}
	}
	return &Topic[T]{node: n, subject: topicPrefix + name}, nil
}

func notInTopic(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// Publish sends a value to all who are subscribed now, and waits for none of them. fault.Unavailable when the engine cannot be
// reached, fault.Invalid when the value is larger than the engine carries.
func (t *Topic[T]) Publish(value T) error {
	data, err := json.Marshal(parcel[T]{Version: parcelVersion, Value: value})
	if err != nil {
		return fmt.Errorf("cluster: encode for %s: %w", t.subject, err)
	}
	err = t.node.opt.Conn.NATS().Publish(t.subject, data)
	if errors.Is(err, nats.ErrMaxPayload) {
		return fault.Wrap(fault.Invalid, err, "it is too large to be told")
	}
	return fault.Wrap(fault.Unavailable, err, "the state engine does not answer")
}

// Subscription receives the values of a topic until it is closed.
type Subscription[T any] struct {
	topic   *Topic[T]
	sub     *nats.Subscription
	once    sync.Once
	mu      sync.Mutex // no value comes behind closed
	closed  bool
	unbind  func() // from the contexts that end it
	values  chan T
	dropped atomic.Int64
}

// Subscribe receives what is published from now on. queue is how many values wait for the subscriber; those that find it full
// are dropped, and counted. The subscription ends with ctx, with Close, or with the node.
func (t *Topic[T]) Subscribe(ctx context.Context, queue int) (*Subscription[T], error) {
	s := &Subscription[T]{topic: t, values: make(chan T, max(1, queue))}
	nc := t.node.opt.Conn.NATS()
	var err error
	if s.sub, err = nc.Subscribe(t.subject, s.take); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the state engine does not answer")
	}
	// From here on the engine must know of it: what others publish next is to arrive.
	if err := nc.FlushTimeout(requestTimeout); err != nil && !errors.Is(err, nats.ErrConnectionReconnecting) {
		t.node.opt.Logger.Warn("a subscription may be late", "subject", t.subject, "error", err)
	}
	stop, stopToo := context.AfterFunc(ctx, s.Close), context.AfterFunc(t.node.ctx, s.Close)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unbind = func() { stop(); stopToo() }
	if s.closed {
		s.unbind()
	}
	return s, nil
}

// Values is where the values come; it is closed when the subscription has ended.
func (s *Subscription[T]) Values() <-chan T { return s.values }

// Dropped is how many values this subscriber was too slow for.
func (s *Subscription[T]) Dropped() int64 { return s.dropped.Load() }

// Close ends the subscription. Values that wait can still be read.
func (s *Subscription[T]) Close() {
	s.once.Do(func() {
		_ = s.sub.Unsubscribe()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed = true
		close(s.values)
		if s.unbind != nil {
			s.unbind()
		}
	})
}

func (s *Subscription[T]) take(m *nats.Msg) {
	var p parcel[T]
	err := json.Unmarshal(m.Data, &p)
	if err != nil || p.Version > parcelVersion {
		if s.topic.strange.Add(1) == 1 { // the first is enough: all nodes are to be of one version soon
			s.topic.node.opt.Logger.Warn("what was published cannot be read", "subject", m.Subject, "version", p.Version, "error", err)
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	select {
	case s.values <- p.Value:
	default:
		s.dropped.Add(1)
		s.topic.dropped.Add(1)
	}
}

// TopicStats are figures of a topic on this node since it was made.
type TopicStats struct {
	Dropped int64 // values that subscribers were too slow for
	Strange int64 // that could not be read: another version sent them
}

// Stats returns the figures.
func (t *Topic[T]) Stats() TopicStats {
	return TopicStats{Dropped: t.dropped.Load(), Strange: t.strange.Load()}
}

// parcelVersion is the version of what travels between nodes. It is raised when the meaning of something that was there
// changes; members that are added do not raise it (see store/DESIGN.md, "Versions").
const parcelVersion = 1

// parcel is a value on its way to another node.
type parcel[T any] struct {
	Version int `json:"v"`
	Value   T   `json:"value"`
}
