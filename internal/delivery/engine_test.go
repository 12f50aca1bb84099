package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/event"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

var scope = arn.Scope{Region: "eu-west-1", Account: "000000000000"} //nolint:gochecknoglobals // a constant

// world is a state engine with the records of rules, and targets that are functions.
type world struct {
	t       testing.TB
	queue   *store.Queue[Delivery]
	records records.Rules
	relay   *event.Relay
	pace    Pace
	conn    *natsd.Conn
	publish func(scope arn.Scope, event []byte)

	mu      sync.Mutex
	targets map[string]Deliverer
}

// deliverFunc is a target.
type deliverFunc func(ctx context.Context, d *Delivery, payload []byte) error

func (f deliverFunc) Deliver(ctx context.Context, d *Delivery, payload []byte) error {
	return f(ctx, d, payload)
}

// quick is a pace for tests: nothing waits long, and what is away is asked often.
func quick() Pace {
	return Pace{Retry: 5 * time.Millisecond, RetryMost: 20 * time.Millisecond, ProbeMost: 20 * time.Millisecond}
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	log := slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	conn, err := natsd.Start(tb.Context(), natsd.Options{Dir: tb.TempDir(), Logger: log})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	s, err := store.Open(tb.Context(), conn, store.Options{Logger: log})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	w := &world{t: tb, targets: map[string]Deliverer{}, pace: quick(), conn: conn}
	if w.records, err = records.OpenRules(tb.Context(), s); err != nil {
		tb.Fatal(err)
	}
	if w.queue, err = OpenQueue(tb.Context(), s); err != nil {
		tb.Fatal(err)
	}
	if w.relay, err = event.NewRelay(tb.Context(), event.Options{Store: s, Logger: log}); err != nil {
		tb.Fatal(err)
	}
	return w
}

// run runs an engine until stop is called, which waits for it.
func (w *world) run() (e *Engine, stop func()) {
	w.t.Helper()
	e = NewEngine(Options{
		Queue: w.queue, Rules: w.records.Rules, Cursors: w.records.Cursors, Outbox: w.relay.Follow, Pace: w.pace, Publish: w.publish,
		Logger: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
		Targets: func(target string) (Deliverer, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if d, ok := w.targets[target]; ok {
				return d, nil
			}
			return nil, &Failure{Code: codeNoResource, Message: "no such target", Final: true}
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			w.t.Errorf("the engine ends with %v", err)
		}
	})
	w.t.Cleanup(stop)
	return e, stop
}

// target makes a target, and a rule that sends it all events with "to" as detail-type.
func (w *world) target(name string, t resource.RuleTarget, f deliverFunc) {
	w.t.Helper()
	t.ID, t.ARN = "t", "arn:aws:sns:eu-west-1:000000000000:"+name
	w.mu.Lock()
	w.targets[t.ARN] = f
	w.mu.Unlock()
	rule := resource.Rule{Name: name, State: resource.RuleEnabled, Pattern: `{"detail-type":["` + name + `"]}`, Targets: []resource.RuleTarget{t}}
	if _, err := w.records.Rules.Create(w.t.Context(), store.Key{Scope: scope, ID: name}, rule); err != nil {
		w.t.Fatal(err)
	}
}

// put puts an event on the bus: the n-th of a resource, for the target of this name.
func (w *world) put(target, res string, n int) {
	w.t.Helper()
	e := store.Event{
		ID: fmt.Sprintf("%s-%s-%d", target, res, n), Type: target, Source: "test", Time: time.Now(), Scope: scope, Resources: []string{res},
		Detail: json.RawMessage(`{"n":` + strconv.Itoa(n) + `}`),
	}
	if err := w.relay.Put(context.Background(), e); err != nil {
		w.t.Error(err)
	}
}

func number(tb testing.TB, payload []byte) int {
	tb.Helper()
	var e struct{ Detail struct{ N int } }
	if err := json.Unmarshal(payload, &e); err != nil {
		tb.Errorf("%s: %v", payload, err)
	}
	return e.Detail.N
}

// until waits for figures of an engine, which nothing tells of.
func until(tb testing.TB, reached func() bool) {
	tb.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !reached() {
		select {
		case <-tick.C:
		case <-tb.Context().Done():
			tb.Fatal("the test is over")
		}
	}
}

var errDown = errors.New("down")

// TestOrderAroundPoison: first attempts are in order for each resource, one that fails steps aside after three, those behind
// it pass, and it arrives when it can.
func TestOrderAroundPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const resources, events, poison = 3, 12, 4
	var mu sync.Mutex
	first, poisoned, healed := map[string][]int{}, 0, false
	arrived := make(chan string, 1000)
	w.target("a", resource.RuleTarget{}, func(_ context.Context, d *Delivery, payload []byte) error {
		mu.Lock()
		defer mu.Unlock()
		n := number(t, payload)
		if d.Attempts == 0 {
			first[d.Resource] = append(first[d.Resource], n)
		}
		if d.Resource == "r1" && n == poison && !healed {
			poisoned++
			return errDown
		}
		arrived <- d.EventID
		return nil
	})
	e, _ := w.run()
	for n := range events {
		for r := range resources {
			w.put("a", fmt.Sprint("r", r), n)
		}
	}
	seen := map[string]bool{}
	for len(seen) < resources*events-1 {
		seen[<-arrived] = true
	}
	mu.Lock()
	if poisoned < 3 {
		t.Errorf("the poisoned event was passed after %d attempts", poisoned)
	}
	healed = true
	mu.Unlock()
	if id := <-arrived; id != "a-r1-4" {
		t.Errorf("%s came, and the poisoned event was due", id)
	}
	mu.Lock()
	defer mu.Unlock()
	for r, got := range first {
		if !slices.IsSorted(got) || len(got) != events {
			t.Errorf("first attempts of %s: %v", r, got)
		}
	}
	if s := e.Stats(); s.Aside != 1 || s.Failed != 0 {
		t.Errorf("%+v", s)
	}
}

// TestDeadBesideLive: with 10,000 deliveries waiting for a target that hangs and for one that refuses, a live one gets its own
// as they come, and what waits is not in memory.
func TestDeadBesideLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const waiting, events = 5000, 50
	live := make(chan int, events)
	w.target("hangs", resource.RuleTarget{}, func(ctx context.Context, _ *Delivery, _ []byte) error {
		<-ctx.Done()
		return ctx.Err()
	})
	w.target("refuses", resource.RuleTarget{}, func(context.Context, *Delivery, []byte) error { return errDown })
	w.target("live", resource.RuleTarget{}, func(_ context.Context, _ *Delivery, payload []byte) error {
		live <- number(t, payload)
		return nil
	})
	var filling sync.WaitGroup
	for _, name := range []string{"hangs", "refuses"} {
		rule := must(w.records.Rules.Get(t.Context(), store.Key{Scope: scope, ID: name}))(t).Value
		for part := range 10 {
			filling.Go(func() {
				for i := range waiting / 10 {
					id := fmt.Sprint(part, "-", i)
					d := Delivery{
						EventID: id, Event: json.RawMessage(`{}`), Resource: fmt.Sprint("r", i%5), Matched: time.Now(), RuleName: name, Target: rule.Targets[0],
					}
					if err := w.queue.PutOnce(t.Context(), store.Place{Key: store.Key{Scope: scope, ID: name + "/t"}, Lane: laneFront, ID: id}, d); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	filling.Wait()
	e, _ := w.run()
	for n := range events {
		w.put("live", "r", n)
		if got := <-live; got != n {
			t.Fatalf("event %d came, and %d was due", got, n)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, wk := range e.workers {
		if n := len(wk.results); n > windowSize {
			t.Errorf("%s holds %d", key.ID, n)
		}
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// TestNothingIsLost: engines come and go while events are put and the target fails now and then; all arrive.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const events = 120
	var mu sync.Mutex
	calls, seen := 0, map[int]int{}
	all := make(chan struct{})
	w.target("a", resource.RuleTarget{}, func(_ context.Context, _ *Delivery, payload []byte) error {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls%4 == 0 {
			return errDown
		}
		n := number(t, payload)
		if seen[n]++; seen[n] == 1 && len(seen) == events {
			close(all)
		}
		return nil
	})
	var putting sync.WaitGroup
	putting.Go(func() {
		for n := range events {
			w.put("a", fmt.Sprint("r", n%3), n)
		}
	})
	for range 4 {
		e, stop := w.run()
		for e.Stats().Delivered < 10 && e.Stats().Routed < events { // each engine does something
			select {
			case <-all:
			case <-time.After(time.Millisecond):
			}
		}
		stop()
	}
	putting.Wait()
	w.run()
	<-all
	mu.Lock()
	defer mu.Unlock()
	for n, times := range seen {
		if times != 1 {
			t.Errorf("event %d came %d times, and nothing crashed", n, times)
		}
	}
}

// TestGivenUp: what is final, too old, or tried too often goes to the dead-letter queue, which gets it again until it takes it,
// or to the list, from which an operator sends it again.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, queueARN := 1, "arn:aws:sqs:eu-west-1:000000000000:dead"
	letters, refusals := make(chan *Delivery, 10), 2
	w.targets[queueARN] = deliverFunc(func(_ context.Context, d *Delivery, _ []byte) error {
		if refusals--; refusals >= 0 {
			return errDown
		}
		letters <- d
		return nil
	})
	w.target("tried", resource.RuleTarget{MaxRetries: &one, DeadLetterARN: queueARN}, func(context.Context, *Delivery, []byte) error { return errDown })
	mended, again := make(chan struct{}), make(chan struct{}, 1)
	w.target("final", resource.RuleTarget{}, func(context.Context, *Delivery, []byte) error {
		select {
		case <-mended:
			again <- struct{}{}
			return nil
		default:
			return &Failure{Code: codeNoResource, Message: "gone", Final: true}
		}
	})
	zero := 0
	w.target("old", resource.RuleTarget{MaxAge: &zero}, func(context.Context, *Delivery, []byte) error {
		t.Error("an event that is too old was sent")
		return nil
	})
	e, _ := w.run()
	w.put("tried", "r", 1)
	d := <-letters
	if d.Attempts != 2 || d.Exhausted != exhaustedAttempts || !d.Dead || d.Code != codeClientError {
		t.Errorf("%+v", d)
	}
	w.put("final", "r", 1)
	w.put("old", "r", 1)
	list := List{Queue: w.queue}
	var page []Failed
	for len(page) < 2 || e.Stats().Failed < 2 {
		page = must(list.Page(t.Context(), "", scope.Account, 0))(t)
	}
	byRule := map[string]Failed{}
	for _, f := range page {
		byRule[f.Delivery.RuleName] = f
	}
	if f := byRule["final"].Delivery; f.Code != codeNoResource || f.Message != "gone" || f.Exhausted != "" || f.Attempts != 1 {
		t.Errorf("%+v", f)
	}
	if f := byRule["old"].Delivery; f.Exhausted != exhaustedAge || f.Attempts != 0 {
		t.Errorf("%+v", f)
	}
	close(mended)
	if err := list.Resend(t.Context(), scope.Region, scope.Account, byRule["final"].ID); err != nil {
		t.Fatal(err)
	}
	<-again
	if page = must(list.Page(t.Context(), scope.Region, "", 0))(t); len(page) != 1 || page[0].Delivery.RuleName != "old" {
		t.Errorf("%+v", page)
	}
}

// TestRecoveryIsPaced: a target that was away is asked one attempt at a time, and gets more only as it takes them.
func TestRecoveryIsPaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const events = 60
	var mu sync.Mutex
	now, back, most, done := 0, false, 0, 0
	whileAway, taken := 0, make(chan struct{}, events)
	w.target("a", resource.RuleTarget{}, func(context.Context, *Delivery, []byte) error {
		mu.Lock()
		now++
		up := back
		if up && done < 1 {
			most = max(most, now)
		}
		mu.Unlock()
		mu.Lock()
		defer mu.Unlock()
		now--
		if !up {
			whileAway++
			return errDown
		}
		done++
		taken <- struct{}{}
		return nil
	})
	e, _ := w.run()
	for n := range events {
		w.put("a", fmt.Sprint("r", n), n)
	}
	until(t, func() bool { return e.Stats().Away > 0 })
	until(t, func() bool { return e.Stats().InFlight <= 1 })
	mu.Lock()
	back = true
	mu.Unlock()
	for range events {
		<-taken
	}
	mu.Lock()
	defer mu.Unlock()
	if most > 1 {
		t.Errorf("%d attempts at once when the target had just come back", most)
	}
}

// TestRulesChange: a rule that is disabled or changed later changes nothing about what it matched.
func TestRulesChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	open, got := make(chan struct{}), make(chan string, 10)
	w.target("a", resource.RuleTarget{Input: `"before"`}, func(_ context.Context, _ *Delivery, payload []byte) error {
		select {
		case <-open:
			got <- string(payload)
			return nil
		default:
			return errDown
		}
	})
	e, _ := w.run()
	w.put("a", "r", 1)
	until(t, func() bool { return e.Stats().Retried > 0 })
	_, err := w.records.Rules.Update(t.Context(), store.Key{Scope: scope, ID: "a"}, func(r resource.Rule) (resource.Rule, error) {
		r.Targets[0].Input = `"after"`
		return r, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.put("a", "r2", 2)
	until(t, func() bool { return e.Stats().Matched == 2 })
	close(open)
	both := []string{<-got, <-got}
	slices.Sort(both)
	if !slices.Equal(both, []string{`"after"`, `"before"`}) {
		t.Error(both)
	}
}
