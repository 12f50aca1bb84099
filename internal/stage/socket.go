package stage

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/stage/forward"
	"github.com/rivus-live/rivus/internal/strangers"
	"github.com/rivus-live/rivus/internal/token"
)

// Bounds of an events socket.
const (
	socketQueue    = 256 // messages waiting for a slow client
	socketMessage  = 32 << 10
	socketPing     = 4 * time.Second // between pings of ours
	socketSilence  = 4 * time.Second // for the answer to one
	socketWrite    = 5 * time.Second
	socketFarewell = time.Second     // for the last message
	socketGoodbye  = 2 * time.Second // from the reason to the end, whatever the client does
	verifyPatience = 2 * time.Second // for a token that is exchanged; meanwhile nothing is read
	commandsASec   = 50
	maxRefusals    = 256 // refused clients that are being told why at a time
)

// socket is the events connection of a participant, as its room sees it.
type socket struct {
	out     chan []byte
	closing chan struct{} // closed with why set
	once    sync.Once
	why     reason
	greeted bool // the room's: the client has said what it is
}

func newSocket() *socket {
	return &socket{out: make(chan []byte, socketQueue), closing: make(chan struct{})}
}

// send queues a message; a client that has not read the last 256 is let go.
func (s *socket) send(b []byte) {
	select {
	case s.out <- b:
	default:
		s.close(because(slow, ""))
	}
}

// close ends the socket. The first reason counts.
func (s *socket) close(why reason) {
	s.once.Do(func() {
		s.why = why
		close(s.closing)
	})
}

// over reports whether the socket is being closed.
func (s *socket) over() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// ServeEvents serves the events socket of a stage: GET with the participant token as WebSocket subprotocol. A token
// that is no good is told by the close code, because pages cannot see the status of a handshake.
func (m *Manager) ServeEvents(w http.ResponseWriter, r *http.Request, stageID string) {
	m.sockets.Add(1)
	defer m.sockets.Done()
	text := offered(r) // "" is malformed as well
	claims, err := m.opt.Verifier.Verify(r.Context(), text)
	refusal, isRefusal := errors.AsType[*token.Refusal](err)
	if err != nil && !isRefusal {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "tokens cannot be verified now", http.StatusServiceUnavailable)
		return
	}
	if err == nil && claims.StageARN.ID != stageID {
		refusal = &token.Refusal{Status: http.StatusUnauthorized, Reason: token.WrongTopic}
	}
	if refusal != nil {
		if !m.refuse() { // they are not let in so far that they could stay
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many sockets are being refused", http.StatusServiceUnavailable)
			return
		}
		defer m.refused()
	} else {
		strangers.ProveRequest(r.Context())
	}
	// Any origin may connect: what lets in is the token, not a cookie.
	options := &websocket.AcceptOptions{InsecureSkipVerify: true}
	if text != "" {
		options.Subprotocols = []string{text}
	}
	conn, err := websocket.Accept(w, r, options)
	if err != nil {
		return // Accept has answered
	}
	c := &wire{Conn: conn, control: http.NewResponseController(w)}
	defer func() { _ = c.CloseNow() }()
	c.SetReadLimit(-1) // message has the limit, and tells of it
	if refusal != nil {
		farewell(r.Context(), c, refused(refusal.Status, string(refusal.Reason)))
		return
	}
	m.listen(r.Context(), c, claims, client{userAgent: r.UserAgent()})
}

// refuse reports whether one more client can be told why it is refused; refused has to follow.
func (m *Manager) refuse() bool {
	select {
	case m.refusing <- struct{}{}:
		return true
	default:
		m.counters.turned.Add(1)
		return false
	}
}

func (m *Manager) refused() { <-m.refusing }

// offered returns the token among the offered subprotocols, or the first of them when none looks like a token: the client is
// told what is wrong with it only on a socket that has selected something. "" when nothing is offered.
func offered(r *http.Request) (first string) {
	for _, h := range r.Header.Values("Sec-WebSocket-Protocol") {
		for part := range strings.SplitSeq(h, ",") {
			if part = strings.TrimSpace(part); strings.Count(part, ".") == 2 {
				return part
			}
			first = cmp.Or(first, part)
		}
	}
	return first
}

// wire is a WebSocket that can be cut off.
type wire struct {
	*websocket.Conn
	control *http.ResponseController // of the request that it came with
}

// cut makes every read and write fail. CloseNow is not enough while Close runs: it waits for that, and Close, once it is in a
// message of the client, for the message's end, which may never come.
func (c *wire) cut() {
	past := time.Unix(1, 0)
	_ = c.control.SetReadDeadline(past)
	_ = c.control.SetWriteDeadline(past)
}

// farewell tells the client why and closes. It does not wait long for one that does not answer.
func farewell(ctx context.Context, c *wire, why reason) {
	late := time.AfterFunc(socketGoodbye, c.cut)
	defer late.Stop()
	ctx, cancel := context.WithTimeout(ctx, socketFarewell)
	defer cancel()
	_ = c.Write(ctx, websocket.MessageText, encode(typeDisconnected, reasonPayload{Reason: why.name, Message: why.text}))
	_ = c.Close(websocket.StatusCode(why.code), why.name)
}

// listen runs a socket to its end.
func (m *Manager) listen(ctx context.Context, c *wire, claims token.Claims, from client) {
	s := newSocket()
	var p *participant
	r, err := m.in(ctx, claims.StageARN, true, func(r *room) (err error) {
		p, err = r.connect(claims, s, from)
		return err
	})
	if err != nil {
		why := because(busy, err.Error())
		if f, ok := errors.AsType[*failure](err); ok && f.code == resource.ErrorQuotaExceeded {
			why = because(full, err.Error())
		}
		farewell(ctx, c, why)
		return
	}
	m.recheck(ctx, claims)
	reading, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	for _, part := range [...]func(context.Context, *wire, *socket){write, ping} {
		group.Go(func() {
			defer stop()
			defer r.guard(s)
			part(reading, c, s)
		})
	}
	func() {
		defer r.guard(s)
		m.read(reading, c, s, r, p)
	}()
	stop()
	group.Wait()
	_ = r.do(context.WithoutCancel(ctx), func() error { r.disconnected(p, s); return nil })
}

// write sends what is queued until the socket is closed or the client is gone.
func write(ctx context.Context, c *wire, s *socket) {
	for {
		select {
		case b := <-s.out:
			writing, cancel := context.WithTimeout(ctx, socketWrite)
			err := c.Write(writing, websocket.MessageText, b)
			cancel()
			if err != nil {
				return
			}
		case <-s.closing:
			farewell(ctx, c, s.why)
			return
		case <-ctx.Done():
			return
		}
	}
}

// ping finds out whether the client is still there, and cuts off one that does not take its leave. What the client is to
// be told does not wait for its answers.
func ping(ctx context.Context, c *wire, s *socket) {
	every := time.NewTicker(socketPing)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			pinging, cancel := context.WithTimeout(ctx, socketSilence)
			err := c.Ping(pinging)
			cancel()
			if err != nil {
				return
			}
		case <-s.closing: // write says goodbye, to a client that reads
			select {
			case <-time.After(socketGoodbye):
			case <-ctx.Done():
			}
			return
		case <-ctx.Done():
			return
		}
	}
}

// read takes commands until the connection ends.
func (m *Manager) read(ctx context.Context, c *wire, s *socket, r *room, p *participant) {
	window, count := time.Now(), 0
	for {
		kind, reader, err := c.Reader(ctx)
		if err != nil {
			return
		}
		b, err := io.ReadAll(io.LimitReader(reader, socketMessage+1))
		if err != nil {
			return
		}
		if now := time.Now(); now.Sub(window) > time.Second {
			window, count = now, 0
		}
		count++
		if s.over() { // what comes now comes too late
			_, _ = io.Copy(io.Discard, reader)
			continue
		}
		cmd, ok := parseCommand(b)
		if !ok || len(b) > socketMessage || kind != websocket.MessageText || count > commandsASec {
			s.close(because(badFrame, ""))
			_, _ = io.Copy(io.Discard, reader) // until the goodbye is over
			continue
		}
		m.command(ctx, cmd, s, r, p)
	}
}

// command does what a client asks for.
func (m *Manager) command(ctx context.Context, c command, s *socket, r *room, p *participant) {
	fail := func(code, text string) {
		s.send(encode(typeError, errorPayload{Code: code, Message: text, Request: c.Type}))
	}
	var do func()
	switch c.Type {
	case typePing:
		s.send(encode(typePong, nil))
		return
	case typePong:
		return
	case typeHello:
		do = func() { r.greet(p, s, c.Payload.hello) }
	case typeMute:
		do = func() { r.mute(p, c.Payload.AudioMuted, c.Payload.VideoStopped) }
	case typeSelect:
		do = func() {
			if !r.selectLayer(p, c.Payload.ID, c.Payload.Layer) {
				fail("UNAVAILABLE", "there is no such subscription or layer")
			}
		}
	case typePause:
		do = func() {
			list := p.subscriptions(c.Payload.ID)
			for _, sub := range list {
				sub.pause(Audio, c.Payload.Audio)
				sub.pause(Video, c.Payload.Video)
			}
			if len(list) == 0 {
				fail("UNAVAILABLE", "there is no such subscription")
			}
		}
	case typeExchange:
		m.exchange(ctx, c.Payload.Token, s, r, p, fail)
		return
	default:
		return // of a later version, or somebody's own
	}
	_ = r.do(ctx, func() error {
		if p.socket == s {
			do()
		}
		return nil
	})
}

// exchange swaps the token of a connected participant (spec ivs-realtime.md 5.6).
func (m *Manager) exchange(ctx context.Context, text string, s *socket, r *room, p *participant, fail func(code, text string)) {
	verifying, cancel := context.WithTimeout(ctx, verifyPatience)
	claims, err := m.opt.Verifier.Verify(verifying, text)
	cancel()
	if err != nil {
		text := "tokens cannot be verified now"
		if refusal, ok := errors.AsType[*token.Refusal](err); ok {
			text = refusal.Error()
		}
		fail("TOKEN_EXCHANGE_FAILED", text)
		return
	}
	_ = r.do(ctx, func() error {
		old := p.claims
		if p.socket != s || claims.StageARN != old.StageARN || claims.ParticipantID != old.ParticipantID ||
			claims.Topic != old.Topic || claims.EventsURL != old.EventsURL || claims.WHIPURL != old.WHIPURL {
			fail("TOKEN_EXCHANGE_FAILED", "the new token is another participant's")
			return nil
		}
		r.exchanged(p, claims)
		s.send(encode(typeExchanged, r.view(p)))
		return nil
	})
}

// connect makes s the participant's socket; an earlier one is told that it was replaced.
func (r *room) connect(c token.Claims, s *socket, from client) (*participant, error) {
	p, err := r.enter(c)
	if err != nil {
		return nil, err
	}
	if p.socket != nil {
		p.socket.close(because(replaced, ""))
	}
	p.socket = s
	from.fill(&p.record)
	r.save(p, true)
	s.send(r.state())
	clear(p.lastSelected)
	return p, nil
}

// disconnected is called when a socket has ended.
func (r *room) disconnected(p *participant, s *socket) {
	if p.socket == s {
		p.socket = nil
		r.leave(p)
	}
}

// mute notes which tracks the publisher does not fill, for others to show.
func (r *room) mute(p *participant, audio, video bool) {
	if p.muted == [kinds]bool{Audio: audio, Video: video} {
		return
	}
	p.muted = [kinds]bool{Audio: audio, Video: video}
	if !r.listed(p) {
		return
	}
	r.tell(nil, typeMuteChanged, mutePayload{ID: p.id, AudioMuted: audio, VideoStopped: video})
	r.changed = true
}

// selectLayer pins a layer by its label, "" for none.
func (r *room) selectLayer(p *participant, publisher, label string) bool {
	list := p.subscriptions(publisher)
	if len(list) == 0 || label != "" && !slices.Contains(list[0].pub.Load().labels, label) {
		return false
	}
	for _, s := range list {
		s.pinned = label
		s.choose(s.layer())
	}
	return true
}

// layer returns the layer that the subscriber wants, forward.None for any, and for one that there is no more.
func (s *subscription) layer() int {
	if s.pinned == "" {
		return forward.None
	}
	return slices.Index(s.pub.Load().labels, s.pinned)
}

// greet takes down what a client says of itself, once a socket: every change is written.
func (r *room) greet(p *participant, s *socket, h hello) {
	if !s.greeted && h.fill(&p.record) {
		r.save(p, true)
	}
	s.greeted = true
}
