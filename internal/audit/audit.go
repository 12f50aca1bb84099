// Package audit keeps a record of what callers have done, and of what they were refused.
//
// Every call that changes something, and every refused call of a principal who has proved who it is, leaves one Record: who,
// from where, what, on which resources, with which result. There is no member of a request or an answer in it, so no secret
// either. Records are on the disk, in order, for as long as the operator says, and in no more bytes than that; the oldest
// go first. Each is told on the event bus too, as CloudTrail does, so that rules can match it. Calls that move data
// (PutEvents, Publish, PutMetadata, participant tokens) are recorded when the operator asks for it, and never told: what
// rules do with them would tell again.
//
// Who calls without a proven principal is counted, and once a minute one such call of an address is recorded.
//
// A Trail writes on a goroutine of its own, a moment after the answer.
//
// Imports: arn, awsapi, policy, store.
package audit

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/store"
)

// Record is what is kept of a call.
type Record struct {
	Time      time.Time `json:"time"`
	RequestID string    `json:"requestId"`
	Account   string    `json:"account,omitempty"`
	Region    string    `json:"region,omitempty"`
	Principal string    `json:"principal,omitempty"` // its ARN; "" when nobody has proved to be anybody
	AccessKey string    `json:"accessKeyId,omitempty"`
	Address   string    `json:"address,omitempty"`
	UserAgent string    `json:"userAgent,omitempty"`
	Action    string    `json:"action,omitempty"` // for instance "ivs:CreateChannel"
	Resources []string  `json:"resources,omitempty"`
	Status    int       `json:"status"`
	Error     string    `json:"error,omitempty"` // its code
}

// Bus takes events.
type Bus interface {
	// Put is on the disk when it returns nil, and does nothing about an event that is there already.
	Put(ctx context.Context, events ...store.Event) error
}

// Options of a Trail. Queue and Bus are required.
type Options struct {
	Queue *store.Queue[Record]
	Bus   Bus
	// DataCalls has calls recorded that move data.
	DataCalls bool
	Clock     func() time.Time // nil: the system's
	Logger    *slog.Logger     // nil: discard
}

// Limits.
const (
	maxWaiting   = 4096            // records that are not on the disk yet; more than that are said in the log alone
	maxSampled   = 4096            // addresses that are remembered to have been sampled
	sampleEvery  = time.Minute     // a record of an address without a principal
	finalTime    = 2 * time.Second // for what waits when the server stops
	retryFirst   = 100 * time.Millisecond
	retryLongest = 5 * time.Second
	maxText      = 512 // characters of what callers choose
)

// Trail takes calls and keeps records of them. It is safe for concurrent use.
type Trail struct {
	opts    Options
	waiting chan entry

	mu      sync.Mutex
	sampled map[netip.Addr]time.Time

	written, dropped, unproven, data atomic.Int64
}

// entry is a record on its way to the disk.
type entry struct {
	record Record
	event  *store.Event // nil: it is not told
}

// New returns a Trail.
func New(o Options) *Trail {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Trail{opts: o, waiting: make(chan entry, maxWaiting), sampled: map[netip.Addr]time.Time{}}
}

// Stats are figures since the start.
type Stats struct {
	Written  int64 // records
	Dropped  int64 // records that found no room because the state engine was away for long: they are in the log
	Unproven int64 // calls without a proven principal
	Data     int64 // calls that move data
}

// Stats returns the figures.
func (t *Trail) Stats() Stats {
	return Stats{Written: t.written.Load(), Dropped: t.dropped.Load(), Unproven: t.unproven.Load(), Data: t.data.Load()}
}

// Note takes a call that has been answered. It does not wait.
func (t *Trail) Note(c awsapi.Call) {
	e := entry{record: t.record(&c)}
	switch {
	case !c.Proven:
		t.unproven.Add(1)
		if !t.sample(c.Request.Address) {
			return
		}
	case c.Kind == awsapi.CallMovesData:
		t.data.Add(1)
		if !t.opts.DataCalls && c.Code == "" {
			return
		}
	case c.Operation != "":
		event, err := eventOf(&c, &e.record)
		if err != nil {
			t.opts.Logger.Error("a call cannot be told as an event", "request_id", c.RequestID, "error", err)
			break
		}
		e.event = &event
	}
	select {
	case t.waiting <- e:
	default:
		t.dropped.Add(1)
		t.opts.Logger.Error("a record of the audit found no room", "request_id", c.RequestID, "principal", e.record.Principal,
			"action", e.record.Action, "resources", e.record.Resources, "status", c.Status, "error", c.Code)
	}
}

// record makes the record of a call.
func (t *Trail) record(c *awsapi.Call) Record {
	r := Record{
		Time: t.opts.Clock().UTC(), RequestID: c.RequestID, Account: c.Scope.Account, Region: c.Scope.Region, AccessKey: c.Principal.AccessKeyID,
		UserAgent: cut(c.Request.UserAgent), Resources: c.Resources, Status: c.Status, Error: c.Code,
	}
	if c.Proven {
		r.Principal = c.Principal.ARN()
	}
	if c.Request.Address.IsValid() {
		r.Address = c.Request.Address.String()
	}
	if c.Operation != "" {
		r.Action = c.Service + ":" + c.Operation
	}
	for i := range r.Resources {
		r.Resources[i] = cut(r.Resources[i])
	}
	return r
}

func cut(s string) string {
	if len(s) > maxText {
		return s[:maxText]
	}
	return s
}

// sample reports whether it is time for a record of an address.
func (t *Trail) sample(a netip.Addr) bool {
	now := t.opts.Clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, ok := t.sampled[a]; ok && now.Sub(last) < sampleEvery {
		return false
	}
	if len(t.sampled) >= maxSampled {
		for known, last := range t.sampled {
			if now.Sub(last) >= sampleEvery {
				delete(t.sampled, known)
			}
		}
		if len(t.sampled) >= maxSampled { // more strangers than are told apart: they share what there is
			return false
		}
	}
	t.sampled[a] = now
	return true
}

// Run writes records until ctx ends, and what waits then if that is quickly done.
func (t *Trail) Run(ctx context.Context) error {
	for {
		select {
		case e := <-t.waiting:
			t.write(ctx, &e)
		case <-ctx.Done():
			t.flush(context.WithoutCancel(ctx))
			return ctx.Err() //nolint:wrapcheck // the caller's own
		}
	}
}

func (t *Trail) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, finalTime)
	defer cancel()
	for {
		select {
		case e := <-t.waiting:
			t.write(ctx, &e)
		default:
			return
		}
	}
}

// write puts a record on the disk and tells of it, again and again while the engine does not answer. Both do nothing when it
// was done before.
func (t *Trail) write(ctx context.Context, e *entry) {
	at := store.Place{Key: keyOf(e.record.Account, e.record.Region), Lane: lane, ID: e.record.RequestID}
	for pause := retryFirst; ; pause = min(2*pause, retryLongest) {
		err := t.opts.Queue.PutOnce(ctx, at, e.record)
		if err == nil && e.event != nil {
			err = t.opts.Bus.Put(ctx, *e.event)
		}
		if err == nil {
			t.written.Add(1)
			return
		}
		if pause == retryFirst {
			t.opts.Logger.Warn("a record of the audit waits for the state engine", "request_id", e.record.RequestID, "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			t.dropped.Add(1)
			return
		}
	}
}

// keyOf names where the records of an account and region are. Those of nobody have a place too.
func keyOf(account, region string) store.Key {
	return store.Key{Scope: arn.Scope{Account: account, Region: region}, ID: "calls"}
}

const lane = "done"
