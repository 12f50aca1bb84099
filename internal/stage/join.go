package stage

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/rtc"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/token"
	"github.com/rivus-live/rivus/internal/whip"
)

// failure is a refusal together with the error code that the participant's events show (spec ivs-realtime.md 10.3).
type failure struct {
	whip.Refusal
	code string
}

func (f *failure) Unwrap() error { return &f.Refusal }

// codeOf returns the error code of a failure, that of a fault of ours for any other error.
func codeOf(err error) string {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.code
	}
	return resource.ErrorInternal
}

func fail(status int, code, text string) error {
	return &failure{Refusal: whip.Refusal{Status: status, Message: text}, code: code}
}

var (
	errFull        = fail(http.StatusTooManyRequests, resource.ErrorQuotaExceeded, "the stage is full")
	errRegionFull  = fail(http.StatusTooManyRequests, resource.ErrorQuotaExceeded, "the account has as many as it may in this region")
	errNoPublisher = fail(http.StatusNotFound, resource.ErrorPublisherNotFound, "the participant does not publish")
	errOvertaken   = &whip.Refusal{Status: http.StatusConflict, Message: "the page has a newer publication already"}
	errReplaced    = &whip.Refusal{Status: http.StatusServiceUnavailable, Message: "the publisher begins anew", RetryAfter: time.Second}
)

// Publish implements whip.Joiner.
func (m *Manager) Publish(ctx context.Context, q whip.Request) (whip.Session, error) {
	s, err := m.publish(ctx, q)
	return s, m.refusal(ctx, q, resource.EventPublishError, "", err)
}

// Subscribe implements whip.Joiner.
func (m *Manager) Subscribe(ctx context.Context, publisherID string, q whip.Request) (whip.Session, error) {
	s, err := m.subscribe(ctx, publisherID, q)
	return s, m.refusal(ctx, q, resource.EventSubscribeError, publisherID, err)
}

// refusal records an error of a participant while a session is under way, and returns what the client is told.
func (m *Manager) refusal(ctx context.Context, q whip.Request, name, remote string, err error) error {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return err
	}
	_, _ = m.in(ctx, q.Claims.StageARN, false, func(r *room) error {
		r.failed(q.Claims.ParticipantID, q.Claims.UserID, resource.ParticipantEvent{Name: name, RemoteParticipantID: remote, ErrorCode: f.code})
		return nil
	})
	return &f.Refusal
}

// maxErrors is how many errors a room records in a second, and repeats of the same it does not: clients try again.
const maxErrors = 100

// errorLimit holds the errors that were recorded in this second.
type errorLimit map[string]struct{}

// failed records an error of somebody who may be on the stage or not. Without a session there is no place for it.
func (r *room) failed(id, user string, e resource.ParticipantEvent) {
	key := id + " " + e.Name + " " + e.RemoteParticipantID + " " + e.ErrorCode
	if _, again := r.errors[key]; again || !r.opened || len(r.errors) >= maxErrors {
		return
	}
	r.errors[key] = struct{}{}
	r.eventOf(id, user, e)
}

// publish makes a publication of an offer.
func (m *Manager) publish(ctx context.Context, q whip.Request) (whip.Session, error) {
	if !q.Claims.Publish {
		return nil, fail(http.StatusForbidden, resource.ErrorInsufficientCapabilities, "the token does not allow to publish")
	}
	offer, err := parse(q.Offer)
	if err != nil {
		return nil, err
	}
	audio, video, err := m.offered(offer)
	if err != nil {
		return nil, err
	}
	in, err := m.opt.Engine.Receive(offer, audio, video)
	if err != nil {
		return nil, badOffer(err)
	}
	var labels []string
	if offer.Video != nil && video != nil {
		labels = order(offer.Video)
	}
	pub := newPublication(
		m.env, &peerSource{Inbound: in, offer: offer, rids: labels},
		[kinds]*Format{Audio: formatOf(audio), Video: formatOf(video)}, labels, q.Gone)
	pub.edition = q.Edition
	var p *participant
	r, err := m.in(ctx, q.Claims.StageARN, true, func(r *room) (err error) {
		p, err = r.publish(q.Claims, pub, client{userAgent: q.UserAgent, protocol: resource.ProtocolWHIP})
		return err
	})
	if err != nil {
		in.Close()
		return nil, err
	}
	m.recheck(ctx, q.Claims)
	return &session{
		peer: in.Peer, room: r, ended: pub.over,
		end: func() { r.unpublish(p, pub); r.leave(p) },
	}, nil
}

// parse reads an offer.
func parse(text string) (*rtc.Offer, error) {
	offer, err := rtc.ParseOffer(text)
	if err != nil {
		return nil, badOffer(err)
	}
	return offer, nil
}

// badOffer is the refusal of an offer that cannot be used; other errors stay what they are.
func badOffer(err error) error {
	if errors.Is(err, rtc.ErrOffer) {
		return fail(http.StatusBadRequest, resource.ErrorInvalidInput, err.Error())
	}
	return err
}

// offered chooses the codecs in which a publisher sends: its own first choice among those that are allowed.
func (m *Manager) offered(o *rtc.Offer) (audio, video *rtc.Codec, err error) {
	if max(o.Sending[rtc.Audio], o.Sending[rtc.Video]) > 1 { // a part of it must not go unsaid (RFC 9725, section 4.4.2)
		return nil, nil, fail(http.StatusUnprocessableEntity, resource.ErrorInvalidInput, "a publication is one audio and one video at most")
	}
	if s := o.Audio; s != nil && s.Sends {
		if len(s.Codecs) == 0 {
			return nil, nil, fail(http.StatusUnprocessableEntity, resource.ErrorInvalidAudioCodec, "audio must be Opus")
		}
		audio = &s.Codecs[0]
	}
	if s := o.Video; s != nil && s.Sends {
		i := slices.IndexFunc(s.Codecs, func(c rtc.Codec) bool {
			return m.opt.Codecs == nil || slices.Contains(m.opt.Codecs, c.Name)
		})
		if i < 0 {
			return nil, nil, fail(http.StatusUnprocessableEntity, resource.ErrorInvalidVideoCodec, "the offer has no video codec that is allowed here")
		}
		video = &s.Codecs[i]
	}
	if audio == nil && video == nil {
		return nil, nil, fail(http.StatusUnprocessableEntity, resource.ErrorInvalidInput, "the offer sends nothing")
	}
	return audio, video, nil
}

// answers is how many publications a subscriber's offer is answered for, one after the other, while the publisher replaces
// them.
const answers = 5

// subscribe makes a subscription of an offer.
func (m *Manager) subscribe(ctx context.Context, publisherID string, q whip.Request) (whip.Session, error) {
	if !q.Claims.Subscribe {
		return nil, fail(http.StatusForbidden, resource.ErrorInsufficientCapabilities, "the token does not allow to subscribe")
	}
	offer, err := parse(q.Offer)
	if err != nil {
		return nil, err
	}
	for range answers {
		s, err := m.answer(ctx, offer, publisherID, q)
		if !errors.Is(err, errReplaced) {
			return s, err
		}
	}
	return nil, errReplaced
}

// answer subscribes to what a participant publishes now; errReplaced when that is another publication before it is done,
// for which the answer is not good.
func (m *Manager) answer(ctx context.Context, offer *rtc.Offer, publisherID string, q whip.Request) (whip.Session, error) {
	pub, err := m.publication(ctx, q.Claims.StageARN, publisherID)
	if err != nil {
		return nil, err
	}
	audio, video, err := wanted(offer, pub)
	if err != nil {
		return nil, err
	}
	h := &hearing{}
	out, err := m.opt.Engine.Send(offer, audio, video, h.raw)
	if err != nil {
		return nil, badOffer(err)
	}
	sink := newPeerSink(out, randomName())
	s := newSubscription(
		m.subscriptions.Add(1), publisherID, pub, sink, [kinds]bool{Audio: audio != nil, Video: video != nil}, q.Gone)
	s.lacks = [kinds]bool{Audio: audio == nil && asks(offer.Audio), Video: video == nil && asks(offer.Video)}
	var p *participant
	r, err := m.in(ctx, q.Claims.StageARN, false, func(r *room) (err error) {
		p, err = r.subscribe(q.Claims, s, client{userAgent: q.UserAgent})
		return err
	})
	if err == nil && r == nil {
		err = m.nobody()
	}
	if err != nil {
		out.Close()
		return nil, err
	}
	h.attach(sink, s)
	m.recheck(ctx, q.Claims)
	return &session{
		peer: out.Peer, room: r, ended: s.over,
		end: func() { r.unsubscribe(p, s); r.leave(p) },
	}, nil
}

// publication finds what a participant publishes.
func (m *Manager) publication(ctx context.Context, stage arn.ARN, publisherID string) (*publication, error) {
	var pub *publication
	r, err := m.in(ctx, stage, false, func(r *room) error {
		if p := r.participants[publisherID]; p != nil {
			pub = p.publication
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if r == nil || pub == nil {
		return nil, m.nobody()
	}
	return pub, nil
}

// nobody is why there is no publisher.
func (m *Manager) nobody() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.draining {
		return errShutdown
	}
	return errNoPublisher
}

// asks reports whether a section of an offer wants media.
func asks(s *rtc.Section) bool { return s != nil && s.Receives }

// wanted chooses the codecs of the offer in which a publication can be received.
func wanted(o *rtc.Offer, pub *publication) (audio, video *rtc.Codec, err error) {
	pick := func(s *rtc.Section, f *Format) (*rtc.Codec, error) {
		if !asks(s) || f == nil {
			return nil, nil //nolint:nilnil // not wanted, or not there
		}
		c := f.codec()
		match, ok := c.Match(s.Codecs)
		if !ok {
			return nil, fail(http.StatusNotAcceptable, resource.ErrorInvalidInput, "the publisher sends "+f.Name+", which the offer has not")
		}
		return &match, nil
	}
	if audio, err = pick(o.Audio, pub.formats[Audio]); err != nil {
		return nil, nil, err
	}
	if video, err = pick(o.Video, pub.formats[Video]); err != nil {
		return nil, nil, err
	}
	if audio == nil && video == nil {
		return nil, nil, fail(http.StatusNotAcceptable, resource.ErrorInvalidInput, "the offer receives nothing that the publisher sends")
	}
	return audio, video, nil
}

// recheck ends a participant who was burnt, or whose stage was deleted, between the verification of the token and its
// entry. Later ones are watched.
func (m *Manager) recheck(ctx context.Context, c token.Claims) {
	burnt, err := m.opt.Records.Disconnected.Find(ctx, "participant", records.DisconnectedValue(c.StageARN, c.ParticipantID))
	if err == nil {
		_, _ = m.obey(ctx, directive{Stage: c.StageARN, Participant: c.ParticipantID, Reason: burnt.Value.Reason})
		return
	}
	_, err = m.opt.Records.Stages.Get(ctx, store.Key{Scope: c.StageARN.Scope, ID: c.StageARN.ID})
	if fault.Is(err, fault.NotFound) {
		_, _ = m.obey(ctx, directive{Stage: c.StageARN})
	}
}

// exchanged applies the claims of a new token: lost capabilities take effect at once.
func (r *room) exchanged(p *participant, c token.Claims) {
	r.event(p, resource.ParticipantEvent{
		Name: resource.EventTokenExchanged, PreviousToken: exchangedToken(p.claims), NewToken: exchangedToken(c),
	})
	r.renew(p, c)
	if !c.Publish {
		r.unpublishAll(p)
	}
	if !c.Subscribe {
		r.unsubscribeAll(p)
	}
}

func exchangedToken(c token.Claims) *resource.ExchangedToken {
	return &resource.ExchangedToken{
		Publish: c.Publish, Subscribe: c.Subscribe, Attributes: c.Attributes, UserID: c.UserID, Expires: c.Expires,
	}
}

// session is a connection as its HTTP resource sees it.
type session struct {
	peer  *rtc.Peer
	room  *room
	ended <-chan struct{}
	end   func() // on the room's goroutine
}

// closePatience is how long a DELETE waits for the end of the connection.
const closePatience = 2 * time.Second

func (s *session) Answer() string         { return s.peer.Answer() }
func (s *session) Ended() <-chan struct{} { return s.ended }

// Trickle implements whip.Session. The client's checks tell where it is; its candidates say nothing new and are not
// looked up.
func (s *session) Trickle(_ context.Context, text string) (string, error) {
	f, err := rtc.ParseFragment(text)
	if err != nil {
		return "", &whip.Refusal{Status: http.StatusBadRequest, Message: err.Error()}
	}
	if f.Ufrag == "" || f.Ufrag == s.peer.RemoteUfrag() {
		return "", nil
	}
	if _, err := s.peer.Restart(f.Ufrag, f.Password); err != nil {
		if errors.Is(err, rtc.ErrOffer) {
			return "", &whip.Refusal{Status: http.StatusBadRequest, Message: err.Error()}
		}
		return "", err //nolint:wrapcheck // says what failed
	}
	answer, err := s.peer.Candidates()
	return answer.String(), err //nolint:wrapcheck // says what failed
}

// Close implements whip.Session.
func (s *session) Close(ctx context.Context) {
	_ = s.room.do(ctx, func() error { s.end(); return nil })
	ctx, cancel := context.WithTimeout(ctx, closePatience)
	defer cancel()
	select {
	case <-s.ended:
	case <-ctx.Done():
	}
}
