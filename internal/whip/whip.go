// Package whip is the HTTP side of joining a stage: WHIP (RFC 9725) to publish, and its mirror image WHEP to subscribe.
//
//	POST    <prefix>                             an SDP offer with what will be sent; 201 and the answer
//	POST    <prefix>/subscribe/<participantId>   an SDP offer to receive what a participant sends
//	PATCH   <prefix>/session/<id>                trickle ICE (204) and ICE restart (200)
//	DELETE  <prefix>/session/<id>                the end
//	GET     any of them                          204, with nothing in it (RFC 9725, section 4.1)
//	OPTIONS any of them                          CORS, and Accept-Post
//
// A Handler authenticates, checks the form of requests and keeps the sessions; what a session is, the Joiner knows. A
// session's URL is not a secret: requests to it need the token that made it, or another good one of the participant.
//
// Imports: arn, fault, publicurl, token.
package whip

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/publicurl"
	"github.com/rivus-live/rivus/internal/token"
)

// Request is a wish to publish or to subscribe, from somebody who was authenticated.
type Request struct {
	Claims    token.Claims
	Offer     string // SDP, not looked at yet
	UserAgent string
	Edition   Edition // of a publication
	Gone      func()  // to be called once when the session has ended by itself
}

// Edition tells which of the publications of one page is the newer; the zero value tells nothing.
type Edition struct {
	Page   string
	Number uint64 // higher for a newer one
}

// Before reports whether e is older than other, of the same page.
func (e Edition) Before(other Edition) bool {
	return e.Page != "" && e.Page == other.Page && e.Number < other.Number
}

// Joiner makes sessions. An error that is a *Refusal is shown to the client as it is.
type Joiner interface {
	Publish(ctx context.Context, r Request) (Session, error)
	Subscribe(ctx context.Context, publisherID string, r Request) (Session, error)
}

// Session is one connection that a Joiner has made.
type Session interface {
	// Answer returns the SDP answer.
	Answer() string
	// Trickle takes a fragment of the client (RFC 8840). For one with new credentials it restarts ICE and returns the
	// fragment to answer with; "" otherwise.
	Trickle(ctx context.Context, fragment string) (string, error)
	// Close ends the session because the client asked for it. It returns when others can see that.
	Close(ctx context.Context)
	// Ended is closed when the session is over.
	Ended() <-chan struct{}
}

// Verifier tells what a token says; its error is a *token.Refusal for one that is no good.
type Verifier interface {
	Verify(ctx context.Context, text string) (token.Claims, error)
}

// Refusal is an error with the status that the client gets.
type Refusal struct {
	Status     int
	Message    string
	RetryAfter time.Duration // 0: no such header
}

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// Options configures a Handler. Prefix, Joiner and Verifier are required.
type Options struct {
	Prefix     string // path of the WHIP endpoint, as "/rt/whip"
	Joiner     Joiner
	Verifier   Verifier
	URLs       publicurl.Rule // of the origin of absolute URLs
	ICEServers []string       // values of Link headers, as `<stun:stun.example.net>; rel="ice-server"`
	Logger     *slog.Logger   // nil discards
}

// Handler serves everything below Options.Prefix.
type Handler struct {
	opt Options

	mu       sync.Mutex
	sessions map[string]*entry
}

// entry is a session under its URL.
type entry struct {
	session     Session
	stage       arn.ARN
	participant string
	token       [sha256.Size]byte // hash of the token that made it

	patching sync.Mutex // one PATCH at a time; guards etag
	etag     string
}

// New returns a handler without sessions.
func New(o Options) *Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Handler{opt: o, sessions: make(map[string]*entry)}
}

const (
	typeSDP      = "application/sdp"
	typeFragment = "application/trickle-ice-sdpfrag"

	headerEdition = "Rivus-Publication" // docs/stage-protocol.md

	maxBody  = 64 << 10
	idLength = 24
)

// Redirect sends an offer that was posted to the root of the origin to the endpoint, as the service's global endpoint
// does (spec ivs-realtime.md 7.1). Locations are absolute, here and of sessions: there are clients that take them as they
// are.
func (h *Handler) Redirect(w http.ResponseWriter, r *http.Request) {
	cors(w)
	if r.Method == http.MethodOptions { // a page's preflight comes here too
		h.options(w, r, "POST, OPTIONS")
		return
	}
	http.Redirect(w, r, h.opt.URLs.Of(r)+h.opt.Prefix, http.StatusTemporaryRedirect)
}

// ServeHTTP routes.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	cors(w)
	w.Header().Set("Cache-Control", "no-store")
	rest, ok := strings.CutPrefix(strings.TrimSuffix(r.URL.Path, "/"), h.opt.Prefix)
	publisher, subscribes := strings.CutPrefix(rest, "/subscribe/")
	id, isSession := strings.CutPrefix(rest, "/session/")
	switch {
	case !ok:
		http.NotFound(w, r)
	case rest == "":
		h.endpoint(w, r, func(ctx context.Context, q Request) (Session, error) { return h.opt.Joiner.Publish(ctx, q) })
	case subscribes && participantID(publisher):
		h.endpoint(w, r, func(ctx context.Context, q Request) (Session, error) {
			return h.opt.Joiner.Subscribe(ctx, publisher, q)
		})
	case isSession:
		h.resource(w, r, id)
	default:
		http.NotFound(w, r)
	}
}

// participantID reports whether s may be one (spec ivs-realtime.md 2).
func participantID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// cors lets pages of any origin use the endpoint: what protects it is the token.
func cors(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Expose-Headers", "Location, ETag, Link, Accept-Post, Accept-Patch, Retry-After, WWW-Authenticate")
}

// options answers a preflight, and a client that asks what it may send. The first is not told of ICE servers, since
// anybody's page can ask (RFC 9725, section 4.6).
func (h *Handler) options(w http.ResponseWriter, r *http.Request, methods string) {
	w.Header().Set("Access-Control-Allow-Methods", methods)
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, Prefer, "+headerEdition)
	w.Header().Set("Access-Control-Max-Age", "86400")
	if r.Header.Get("Access-Control-Request-Method") == "" {
		h.link(w)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *Handler) link(w http.ResponseWriter) {
	for _, l := range h.opt.ICEServers {
		w.Header().Add("Link", l)
	}
}

// endpoint serves the URL that makes sessions.
func (h *Handler) endpoint(w http.ResponseWriter, r *http.Request, join func(context.Context, Request) (Session, error)) {
	w.Header().Set("Accept-Post", typeSDP)
	const methods = "POST, GET, HEAD, OPTIONS"
	switch r.Method {
	case http.MethodOptions:
		h.options(w, r, methods)
		return
	case http.MethodGet, http.MethodHead:
		w.WriteHeader(http.StatusNoContent)
		return
	case http.MethodPost:
	default:
		notAllowed(w, methods)
		return
	}
	text, claims, ok := h.authenticate(w, r)
	if !ok {
		return
	}
	offer, ok := body(w, r, typeSDP)
	if !ok {
		return
	}
	edition, err := parseEdition(r.Header.Get(headerEdition))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id := arn.Random(idLength)
	session, err := join(r.Context(), Request{
		Claims: claims, Offer: offer, UserAgent: r.UserAgent(), Edition: edition, Gone: func() { h.forget(id) },
	})
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	e := &entry{
		session: session, stage: claims.StageARN, participant: claims.ParticipantID,
		token: sha256.Sum256([]byte(text)), etag: newETag(),
	}
	h.keep(id, e)
	w.Header().Set("Location", h.opt.URLs.Of(r)+h.opt.Prefix+"/session/"+id)
	w.Header().Set("ETag", e.etag)
	w.Header().Set("Accept-Patch", typeFragment)
	w.Header().Set("Content-Type", typeSDP)
	h.link(w)
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write([]byte(session.Answer()))
}

func newETag() string { return `"` + arn.Random(16) + `"` }

// keep lists a session, unless it has ended already.
func (h *Handler) keep(id string, e *entry) {
	h.mu.Lock()
	h.sessions[id] = e
	h.mu.Unlock()
	select {
	case <-e.session.Ended():
		h.forget(id)
	default:
	}
}

func (h *Handler) forget(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, id)
}

// Sessions returns how many there are.
func (h *Handler) Sessions() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sessions)
}

// resource serves the URL of a session.
func (h *Handler) resource(w http.ResponseWriter, r *http.Request, id string) {
	const methods = "PATCH, DELETE, GET, HEAD, OPTIONS"
	switch r.Method {
	case http.MethodOptions:
		w.Header().Set("Accept-Patch", typeFragment)
		h.options(w, r, methods)
		return
	case http.MethodPatch, http.MethodDelete, http.MethodGet, http.MethodHead:
	default:
		notAllowed(w, methods)
		return
	}
	h.mu.Lock()
	e := h.sessions[id]
	h.mu.Unlock()
	if e == nil {
		gone(w, r, "there is no such session")
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if !h.owns(w, r, e) {
		return
	}
	if r.Method == http.MethodDelete {
		h.forget(id)
		e.session.Close(r.Context())
		w.WriteHeader(http.StatusOK)
		return
	}
	h.patch(w, r, e)
}

// owns tells whether the request comes from the session's participant. The token that made the session is good for it
// after its end too.
func (h *Handler) owns(w http.ResponseWriter, r *http.Request, e *entry) bool {
	if text, ok := bearer(r); ok {
		sum := sha256.Sum256([]byte(text))
		if subtle.ConstantTimeCompare(sum[:], e.token[:]) == 1 {
			return true
		}
	}
	_, claims, ok := h.authenticate(w, r)
	if ok && (claims.StageARN != e.stage || claims.ParticipantID != e.participant) {
		http.Error(w, "the session is another participant's", http.StatusForbidden)
		return false
	}
	return ok
}

// patch takes a fragment (RFC 9725, section 4.3). New credentials in it are a restart, whatever tag it names.
func (h *Handler) patch(w http.ResponseWriter, r *http.Request, e *entry) {
	fragment, ok := body(w, r, typeFragment)
	if !ok {
		return
	}
	match := tags(r.Header.Get("If-Match"))
	anyTag := slices.Contains(match, "*") || slices.Contains(match, `"*"`) // figure 4 of the RFC has it in quotes
	e.patching.Lock()
	defer e.patching.Unlock()
	switch {
	case r.Header.Get("If-Match") == "":
		http.Error(w, "If-Match is required", http.StatusPreconditionRequired)
		return
	case !anyTag && !slices.Contains(match, e.etag):
		http.Error(w, "the session has another entity tag by now", http.StatusPreconditionFailed)
		return
	}
	answer, err := e.session.Trickle(r.Context(), fragment)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if answer == "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	e.etag = newETag()
	w.Header().Set("ETag", e.etag)
	w.Header().Set("Content-Type", typeFragment)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(answer))
}

// tags splits the value of If-Match. Our entity tags hold no commas.
func tags(value string) []string {
	list := strings.Split(value, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// refuse answers an error of the joiner.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if own, ok := errors.AsType[*Refusal](err); ok {
		if own.Status == http.StatusNotFound {
			gone(w, r, own.Message)
			return
		}
		if own.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(max(own.RetryAfter, time.Second).Seconds())))
		}
		http.Error(w, own.Message, own.Status)
		return
	}
	if fault.Is(err, fault.Unavailable) {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "try again in a moment", http.StatusServiceUnavailable)
		return
	}
	if r.Context().Err() == nil {
		h.opt.Logger.Error("join failed", "error", err)
	}
	http.Error(w, "the server failed", http.StatusInternalServerError)
}
