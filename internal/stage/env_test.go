package stage

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/rtc"
	"github.com/rivus-live/rivus/internal/rtc/rtctest"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/token"
	"github.com/rivus-live/rivus/internal/whip"
)

// env is a node with one stage, reached over HTTP as clients reach it.
type env struct {
	*Manager
	remote *Remote
	whip   *whip.Handler
	url    string
	stage  arn.ARN
	stop   func()

	mu     sync.Mutex
	tokens map[string]token.Claims
}

func newEnv(tb testing.TB, change func(*Options)) *env {
	tb.Helper()
	return newEnvOn(tb, natsd.Options{Dir: tb.TempDir()}, change)
}

// newEnvOn is newEnv with a state engine of the test's choice.
func newEnvOn(tb testing.TB, engineOptions natsd.Options, change func(*Options)) *env {
	tb.Helper()
	return newEnvWith(tb, engineOptions, change, func(*store.Store, *natsd.Conn) {})
}

// newEnvWith is newEnvOn that shows the state to the test.
func newEnvWith(tb testing.TB, engineOptions natsd.Options, change func(*Options), show func(*store.Store, *natsd.Conn)) *env {
	tb.Helper()
	ctx, log := context.Background(), slog.New(slog.DiscardHandler)
	check := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	engineOptions.Logger = log
	conn, err := natsd.Start(ctx, engineOptions)
	check(err)
	st, err := store.Open(ctx, conn, store.Options{Logger: log})
	check(err)
	show(st, conn)
	member, err := cluster.Join(ctx, cluster.Options{Store: st, Conn: conn, NodeID: "one", Renew: 100 * time.Millisecond, Logger: log})
	check(err)
	port, err := rtc.Listen(ctx, "127.0.0.1:0", nil)
	check(err)
	engine, err := rtc.NewEngine(rtc.Options{Port: port, Logger: log})
	check(err)
	e := &env{tokens: map[string]token.Claims{}}
	o := Options{Engine: engine, Node: member, Verifier: e, Logger: log}
	o.Records, err = records.OpenStages(ctx, st, member, store.DefaultLogAge)
	check(err)
	rec := o.Records
	e.stage = newStage(tb, rec.Stages)
	if change != nil {
		change(&o)
	}
	e.Manager = NewManager(o)
	e.remote = &Remote{Node: member, Sessions: rec.Sessions.Table, Participants: rec.Participants}
	e.whip = whip.New(whip.Options{Prefix: "/rt/whip", Joiner: e.Manager, Verifier: e, Logger: log})
	mux := http.NewServeMux()
	mux.Handle("/rt/whip", e.whip)
	mux.Handle("/rt/whip/", e.whip)
	mux.HandleFunc("/rt/events/{stage}", func(w http.ResponseWriter, r *http.Request) { e.ServeEvents(w, r, r.PathValue("stage")) })
	srv := httptest.NewServer(mux)
	e.url = srv.URL
	running, cancel := context.WithCancel(ctx)
	var run sync.WaitGroup
	part := func(name string, do func(context.Context) error) {
		run.Go(func() {
			if err := do(running); err != nil {
				tb.Errorf("%s: %v", name, err)
			}
		})
	}
	part("run", e.Run)
	part("node", member.Run)
	part("reaper", func(ctx context.Context) error { return member.Reap(ctx, e.Reap) })
	e.stop = sync.OnceFunc(func() {
		cancel()
		run.Wait()
		srv.Close()
		member.Close()
		_ = port.Close()
		st.Close()
		conn.Close()
	})
	tb.Cleanup(e.stop)
	return e
}

// newStage makes a stage.
func newStage(tb testing.TB, stages *store.Table[resource.Stage]) arn.ARN {
	tb.Helper()
	a := resource.StageARN(arn.Scope{Region: "us-west-2", Account: "000000000000"}, arn.NewID())
	if _, err := stages.Create(context.Background(), store.Key{Scope: a.Scope, ID: a.ID}, resource.Stage{ARN: a}); err != nil {
		tb.Fatal(err)
	}
	return a
}

// Verify knows the tokens that token made.
func (e *env) Verify(_ context.Context, text string) (token.Claims, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, ok := e.tokens[text]
	if !ok {
		return token.Claims{}, &token.Refusal{Status: 401, Reason: token.WrongSignature}
	}
	return c, nil
}

// token makes a token of a participant.
func (e *env) token(id string, change func(*token.Claims)) string {
	c := token.Claims{
		ParticipantID: id, StageARN: e.stage, Topic: e.stage.ID, UserID: "user-" + id,
		Attributes: map[string]string{"name": id}, Publish: true, Subscribe: true,
	}
	if change != nil {
		change(&c)
	}
	text := "a.b." + arn.Random(20)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tokens[text] = c
	return text
}

// request sends a request and returns status, header and body.
func (e *env) request(tb testing.TB, method, url, tok, contentType, body string, header map[string]string) (answer, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	if tok != "" {
		req.Header.Set("Authorization", "Bearer "+tok)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return answer{StatusCode: resp.StatusCode, Header: resp.Header}, string(b)
}

// answer is a response without its body.
type answer struct {
	StatusCode int
	Header     http.Header
}

const sdpType = "application/sdp"

// joined is a client with its session.
type joined struct {
	url string
	tok string
}

// offerer is a publisher or a subscriber of rtctest.
type offerer interface {
	Offer(tb testing.TB) string
	Answer(tb testing.TB, sdp string)
}

func (e *env) join(tb testing.TB, path, tok string, c offerer) joined {
	tb.Helper()
	resp, body := e.request(tb, http.MethodPost, e.url+path, tok, sdpType, c.Offer(tb), nil)
	if resp.StatusCode != http.StatusCreated {
		tb.Fatalf("%s: %d %s", path, resp.StatusCode, body)
	}
	c.Answer(tb, body)
	return joined{url: resp.Header.Get("Location"), tok: tok}
}

// publish makes alice publish.
func (e *env) publish(tb testing.TB, o rtctest.Options) (*rtctest.Publisher, joined) {
	tb.Helper()
	p := rtctest.NewPublisher(tb, o)
	return p, e.join(tb, "/rt/whip", e.token("alice", nil), p)
}

// subscribe makes a participant subscribe to alice.
func (e *env) subscribe(tb testing.TB, id string, o rtctest.Options) (*rtctest.Subscriber, joined) {
	tb.Helper()
	s := rtctest.NewSubscriber(tb, o)
	return s, e.join(tb, "/rt/whip/subscribe/alice", e.token(id, nil), s)
}

// events is an events socket of a client.
type events struct {
	*websocket.Conn
	tb       testing.TB
	selected string // label of the layer last told of
}

func (e *env) connect(tb testing.TB, tok string) *events {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, resp, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(e.url, "http")+"/rt/events/"+e.stage.ID,
		&websocket.DialOptions{Subprotocols: []string{tok}})
	if err != nil {
		tb.Fatal(err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	c.SetReadLimit(1 << 20)
	if c.Subprotocol() != tok {
		tb.Errorf("the server selected %q", c.Subprotocol())
	}
	tb.Cleanup(func() { _ = c.CloseNow() })
	return &events{Conn: c, tb: tb}
}

type got struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// next reads one message.
func (c *events) next() (got, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	_, b, err := c.Read(ctx)
	if err != nil {
		return got{}, err //nolint:wrapcheck // of a test
	}
	var g got
	err = json.Unmarshal(b, &g)
	if g.Type == typeSelected {
		var p selectedPayload
		_ = json.Unmarshal(g.Payload, &p)
		c.selected = p.Label
	}
	return g, err //nolint:wrapcheck // of a test
}

// wait reads until a message of a type comes that pred accepts.
func (c *events) wait(kind string, pred func(json.RawMessage) bool) json.RawMessage {
	c.tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		g, err := c.next()
		if err != nil || time.Now().After(deadline) {
			c.tb.Fatalf("no %s: %v", kind, err)
		}
		if g.Type == kind && (pred == nil || pred(g.Payload)) {
			return g.Payload
		}
	}
}

// closed reads until the socket ends and returns the close code and the reason told before.
func (c *events) closed() (code websocket.StatusCode, reason string) {
	c.tb.Helper()
	for {
		g, err := c.next()
		if err != nil {
			return websocket.CloseStatus(err), reason
		}
		if g.Type == typeDisconnected {
			var p reasonPayload
			_ = json.Unmarshal(g.Payload, &p)
			reason = p.Reason
		}
	}
}

func (c *events) say(kind string, payload any) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, encode(kind, payload)); err != nil {
		c.tb.Fatal(err)
	}
}

// eventually polls a condition.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("not in time: %s", what)
		}
	}
}

// history returns a participant's events in a session, oldest first: their names, with a space and the code of an error.
func (e *env) history(tb testing.TB, session, id string) []string {
	tb.Helper()
	return e.historyOn(tb, e.stage, session, id)
}

func (e *env) historyOn(tb testing.TB, stage arn.ARN, session, id string) []string {
	tb.Helper()
	list, err := e.opt.Records.ParticipantEvents.ListNewestFirst(context.Background(), records.ParticipantKey(stage, session, id), id, 0, 100)
	if err != nil {
		tb.Fatal(err)
	}
	var names []string
	for _, entry := range slices.Backward(list) {
		names = append(names, strings.TrimSpace(entry.Value.Name+" "+entry.Value.ErrorCode))
	}
	return names
}

// wantHistory polls until a participant of the open session has these events.
func (e *env) wantHistory(tb testing.TB, id string, want ...string) {
	tb.Helper()
	var got []string
	eventually(tb, "the events of "+id, func() bool {
		session, _ := e.presence()
		got = e.history(tb, session, id)
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		tb.Errorf("events of %s: %q, want %q", id, got, want)
	}
}

// presence returns the open session and its participants by id.
func (e *env) presence() (string, map[string]resource.Participant) {
	s, err := e.opt.Records.Sessions.Find(context.Background(), "stage", e.stage.ID)
	if err != nil {
		return "", nil
	}
	out := map[string]resource.Participant{}
	for _, p := range e.opt.Records.Participants.All() {
		if p.Value.SessionID == s.Value.SessionID {
			out[p.Value.ParticipantID] = p.Value
		}
	}
	return s.Value.SessionID, maps.Clone(out)
}
