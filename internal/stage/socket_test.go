package stage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/rivus-live/rivus/internal/token"
)

// FuzzFrames: whatever a client sends on the events socket, it gets one answer at most, stays who it is, and what is not
// known is passed over.
func FuzzFrames(f *testing.F) {
	e := newEnv(f, nil)
	claims := token.Claims{ParticipantID: "alice", StageARN: e.stage, Topic: e.stage.ID, Publish: true, Subscribe: true}
	s := newSocket(nil)
	var p *participant
	r, err := e.in(context.Background(), e.stage, true, func(r *room) (err error) {
		p, err = r.connect(claims, s, client{})
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		`{"type":"PING"}`, `{"type":"PONG"}`, `{"type":"MUTE","payload":{"audioMuted":true}}`, `{"type":1}`, `[]`, `{"type":""}`,
		`{"type":"SELECT_LAYER","payload":{"id":"a","layer":"hi"}}`, `{"type":"PAUSE","payload":{"id":"a","audio":true}}`,
		`{"type":"EXCHANGE_TOKEN","payload":{"token":"a.b.c"}}`, `{"type":"HELLO","payload":{"sdkVersion":"1","osName":"x"}}`,
		`{"type":"OF_TOMORROW","payload":{"id":[]}}`, `{"type":"PING","payload":null}`, `{"type":"MUTE","payload":{"id":7}}`,
	} {
		f.Add([]byte(text))
	}
	known := map[string]bool{typePing: true, typeSelect: true, typePause: true, typeExchange: true}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, ok := parseCommand(b)
		if !ok {
			return
		}
		e.command(t.Context(), c, s, r, p)
		answers := 0
		for b, waits := s.Take(); waits; b, waits = s.Take() {
			var g got
			if err := json.Unmarshal(b, &g); err != nil {
				t.Fatal(err)
			}
			switch g.Type {
			case typePong, typeError, typeExchanged:
				answers++
			}
		}
		if answers > 1 || answers > 0 && !known[c.Type] {
			t.Fatalf("%d answers to %q", answers, c.Type)
		}
		_ = r.do(t.Context(), func() error {
			if r.participants["alice"] != p || p.socket != s || len(p.record.SDKVersion) > maxDetail || len(r.participants) != 1 {
				t.Errorf("%+v", p)
			}
			return nil
		})
	})
}

// TestSilentClient: one that does not answer pings is told things all the same, until it is given up.
func TestSilentClient(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	conn, frames := rawSocket(t, e, e.token("alice", nil))
	const opText, opPing = 1, 9
	for op, _ := readFrame(t, frames); op != opPing; op, _ = readFrame(t, frames) { // and no answer
	}
	ask := []byte(`{"type":"PING"}`)
	if _, err := conn.Write(append([]byte{0x81, 0x80 | byte(len(ask)), 0, 0, 0, 0}, ask...)); err != nil {
		t.Fatal(err)
	}
	for { // a writer that waits for its ping never gets to say it
		op, payload := readFrame(t, frames)
		if op == opText && strings.Contains(string(payload), typePong) {
			break
		}
	}
	eventually(t, "it is gone", func() bool { return e.Stats().Participants == 0 })
}

// TestEndlessMessage: neither a stranger nor a participant stays for as long as a message of theirs goes on.
func TestEndlessMessage(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	for name, tok := range map[string]string{"stranger": "x", "participant": e.token("alice", nil)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, _ := rawSocket(t, e, tok)
			head := []byte{0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0} // a terabyte, masked with zeros
			_, err := conn.Write(head)
			for more := make([]byte, 1<<16); err == nil; {
				_, err = conn.Write(more)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("it is still read")
			}
		})
	}
}

// rawSocket opens an events socket on a bare connection.
func rawSocket(t *testing.T, e *env, tok string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.url+"/rt/events/"+e.stage.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
		"Sec-WebSocket-Protocol": tok,
	} {
		req.Header.Set(k, v)
	}
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	b := bufio.NewReader(conn)
	resp, err := http.ReadResponse(b, req)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	return conn, b
}

// readFrame reads a frame of a server (RFC 6455, section 5.2).
func readFrame(t *testing.T, b *bufio.Reader) (op byte, payload []byte) {
	t.Helper()
	next := func(n int) []byte {
		out := make([]byte, n)
		for i := range out {
			c, err := b.ReadByte()
			if err != nil {
				t.Fatal(err)
			}
			out[i] = c
		}
		return out
	}
	head := next(2)
	n := int(head[1] & 0x7f)
	if n == 126 {
		long := next(2)
		n = int(long[0])<<8 | int(long[1])
	}
	return head[0] & 0x0f, next(n)
}

// TestFlood: who sends more than it may is sent away, and what comes after that has no effect.
func TestFlood(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	watcher := e.connect(t, e.token("bob", nil))
	socket := e.connect(t, e.token("alice", nil))
	for range 3 * commandsASec {
		socket.say(typePing, nil)
	}
	if code, why := socket.closed(); code != 4006 || why != "PROTOCOL_ERROR" {
		t.Errorf("%d %s", code, why)
	}
	watcher.wait(typeLeft, nil)
	other := e.connect(t, e.token("carol", nil))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := other.Write(ctx, 1, []byte("no JSON")); err != nil {
		t.Fatal(err)
	}
	if code, _ := other.closed(); code != 4006 {
		t.Errorf("%d", code)
	}
}

// TestLongFrame: a frame over the limit is told of like any other that is no message.
func TestLongFrame(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	for name, n := range map[string]int{"by one": socketMessage + 1, "by far": 4 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket := e.connect(t, e.token("alice"+strings.ReplaceAll(name, " ", "-"), nil))
			long := append([]byte(`{"type":"PING"}`), bytes.Repeat([]byte{' '}, n)...)[:n]
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_ = socket.Write(ctx, websocket.MessageText, long) // the server may hang up before all of it is out
			if code, why := socket.closed(); code != 4006 || why != "PROTOCOL_ERROR" {
				t.Errorf("%d %s", code, why)
			}
		})
	}
	socket := e.connect(t, e.token("bob", nil))
	fits := append([]byte(`{"type":"PING"}`), bytes.Repeat([]byte{' '}, socketMessage)...)[:socketMessage]
	if err := socket.Write(t.Context(), websocket.MessageText, fits); err != nil {
		t.Fatal(err)
	}
	socket.wait(typePong, nil)
}

// TestMalformedToken: what is offered instead of a token is told of by the close code, which pages can see.
func TestMalformedToken(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	for name, offer := range map[string][]string{"no token": {"chat"}, "half a token": {"a.b"}, "a stranger's": {"chat", "x.y.z"}, "nothing": nil} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(e.url, "http")+"/rt/events/"+e.stage.ID, &websocket.DialOptions{Subprotocols: offer}) //nolint:bodyclose // Dial has taken it over
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(offer) > 0 && c.Subprotocol() != offer[len(offer)-1] {
			t.Errorf("%s: the server selected %q", name, c.Subprotocol())
		}
		if code, why := (&events{Conn: c, tb: t}).closed(); code != 4401 || why != "TOKEN_REFUSED" {
			t.Errorf("%s: %d %s", name, code, why)
		}
	}
}

// TestRefusedSocketsAreBounded: those who come without a good token are told why, a bounded number of them at a time.
func TestRefusedSocketsAreBounded(t *testing.T) {
	t.Parallel()
	e := newEnv(t, nil)
	e.refusing = make(chan struct{}, 2)
	e.refusing <- struct{}{}
	status := func(tok string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.url+"/rt/events/"+e.stage.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
			"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": tok,
		} {
			r.Header.Set(name, value)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp.StatusCode
	}
	if got := status("x"); got != http.StatusSwitchingProtocols {
		t.Fatalf("the first: %d", got)
	}
	if got := status("x"); got != http.StatusServiceUnavailable || e.Totals().Turned != 1 {
		t.Errorf("one too many: %d, %d turned away", got, e.Totals().Turned)
	}
	if got := status(e.token("alice", nil)); got != http.StatusSwitchingProtocols {
		t.Errorf("one with a token: %d", got)
	}
	eventually(t, "the first is gone", func() bool { return len(e.refusing) == 1 })
	if got := status("x"); got != http.StatusSwitchingProtocols {
		t.Errorf("after that: %d", got)
	}
}
