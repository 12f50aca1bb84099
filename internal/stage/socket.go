package stage

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/stage/forward"
	"github.com/rivus-live/rivus/internal/strangers"
	"github.com/rivus-live/rivus/internal/token"
	"github.com/rivus-live/rivus/internal/wsock"
)

// Bounds of an events socket.
const (
	socketQueue    = 256 // messages waiting for a slow client
	socketMessage  = 32 << 10
	verifyPatience = 2 * time.Second // for a token that is exchanged; meanwhile nothing is read
	commandsASec   = 50
	maxRefusals    = 256 // refused clients that are being told why at a time
)

// socket is the events connection of a participant, as its room sees it.
type socket struct {
	*wsock.Socket
	greeted bool // the room's: the client has said what it is
}

// newSocket returns a socket that tells of panics in what its client asks for; nil for nobody.
func newSocket(panicked func(v any)) *socket {
	return &socket{Socket: wsock.New(wsock.Options{
		Queue: socketQueue, Message: socketMessage, Rate: commandsASec, Panicked: panicked,
		Slow: because(slow, "").farewell(), Unfit: because(badFrame, "").farewell(), Broken: because(defective, "").farewell(),
	})}
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
		if !m.enterRefusal() { // they are not let in so far that they could stay
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many sockets are being refused", http.StatusServiceUnavailable)
			return
		}
		defer m.leaveRefusal()
	} else {
		strangers.ProveRequest(r.Context())
	}
	c, err := wsock.Accept(w, r, text)
	if err != nil {
		return // Accept has answered
	}
	defer c.Release()
	if refusal != nil {
		c.Refuse(r.Context(), refused(refusal.Status, string(refusal.Reason)).farewell())
		return
	}
	m.listen(r.Context(), c, claims, client{userAgent: r.UserAgent()})
}

// enterRefusal reports whether one more client can be told why it is refused; leaveRefusal has to follow.
func (m *Manager) enterRefusal() bool {
	select {
	case m.refusing <- struct{}{}:
		return true
	default:
		m.counters.turned.Add(1)
		return false
	}
}

func (m *Manager) leaveRefusal() { <-m.refusing }

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

// listen runs a socket to its end.
func (m *Manager) listen(ctx context.Context, c *wsock.Conn, claims token.Claims, from client) {
	s := newSocket(m.defect)
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
		c.Refuse(ctx, why.farewell())
		return
	}
	m.recheck(ctx, claims)
	s.Serve(ctx, c, func(ctx context.Context, b []byte) bool {
		cmd, ok := parseCommand(b)
		if ok {
			m.command(ctx, cmd, s, r, p)
		}
		return ok
	})
	_ = r.do(context.WithoutCancel(ctx), func() error { r.disconnected(p, s); return nil })
}

// command does what a client asks for.
func (m *Manager) command(ctx context.Context, c command, s *socket, r *room, p *participant) {
	fail := func(code, text string) {
		s.Send(encode(typeError, errorPayload{Code: code, Message: text, Request: c.Type}))
	}
	var do func()
	switch c.Type {
	case typePing:
		s.Send(encode(typePong, nil))
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
		s.Send(encode(typeExchanged, r.view(p)))
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
		p.socket.Close(because(replaced, "").farewell())
	}
	p.socket = s
	from.fill(&p.record)
	r.save(p, true)
	s.Send(r.state())
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
