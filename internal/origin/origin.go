// Package origin delivers channels to viewers over HTTP: multivariant and media playlists, segments, parts.
//
// It is one http.Handler below Prefix. It makes no media and does not know who does: it looks a channel's presentation up in a
// Source, waits on the snapshots of its Lives where RFC 8216bis lets a viewer wait (6.2.5.2 and 6.2.6), and writes bytes that all viewers share. A wait
// lasts as long as its request and ends when the viewer hangs up. Whatever a stranger can grow is bounded: the length of
// a URL, the number of waiting requests, the number of viewers remembered, the time a viewer may take to read an answer.
//
// What is answered is decided here, once; how request and answer travel is playhttp's business. Viewers on plain
// HTTP/1.1 connections are served without net/http once TakeOver has been called; Shutdown ends their goroutines.
//
// A multivariant playlist's URL with the query "status" answers how the channel is, as {"state": "live"}, "offline",
// "private", "refused" or "unknown": for pages that wait for a channel, because browsers report every 404 as an error.
//
// Multivariant playlists are made per viewer and never cached. Everything else has the same bytes for everyone: media
// playlists hold relative URIs without a query, so caches can share all media of a channel.
//
// Who may watch is package admission's to decide. A session about which something must be known on every request has paths of
// its own, in which the session's pass stands: the same bytes, that only the viewer's own cache may keep. A channel without
// restrictions pays two comparisons a request for that.
//
// Imports: admission, arn, fault, hls, origin/playhttp, resource, store, weborigin.
package origin

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/rivus-live/rivus/internal/admission"
	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/origin/playhttp"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// writeLimit is how long a viewer may take to read one answer. A segment of 6 s has to come much faster than that for
// playback to go on, and until it is read the viewer holds its bytes in memory.
const writeLimit = 30 * time.Second

// Prefix is where the handler's URLs begin (spec ivs.md 1.4).
const Prefix = "/api/video/v1/"

// Defaults of Options.
const (
	DefaultMaxWaits   = 1 << 17
	DefaultMaxViewers = 1 << 20
)

// Source finds the broadcast of a channel: one that is live, or ended so recently that viewers may still read it.
type Source interface {
	Presentation(scope arn.Scope, channelID string) (*hls.Presentation, bool)
}

// Channels reads channel records; *store.Table[resource.Channel] is one. It is asked about channels that are not live
// only, so a store that does not answer stops no viewer.
type Channels interface {
	Get(ctx context.Context, key store.Key) (store.Record[resource.Channel], error)
}

// Options configures a Handler. Presentations, Channels, Gate and ViewerKey are required.
type Options struct {
	Presentations Source
	Channels      Channels
	// Gate decides about the viewers of channels that not everybody may watch.
	Gate *admission.Gate
	// ViewerKey proves that a viewer id was minted here. All nodes that serve one channel must have the same.
	ViewerKey []byte
	// Node names this server in the session data that players show.
	Node string
	// MaxWaits bounds the requests that wait at one moment; more are answered 503. Zero means DefaultMaxWaits.
	MaxWaits int
	// MaxViewers bounds the playback sessions that are remembered; more are served and not counted. Zero means
	// DefaultMaxViewers.
	MaxViewers int
	// Proxies are those whose X-Forwarded-For is believed about viewers' addresses.
	Proxies []netip.Prefix
	// Clock is the time of day; nil means time.Now.
	Clock func() time.Time
	// Logger gets one line for each answer that is the server's fault; nil discards.
	Logger *slog.Logger
}

// Handler serves playback URLs. It is safe for any number of requests at once.
type Handler struct {
	presentations Source
	channels      Channels
	gate          *admission.Gate
	mint          mint
	audiences     *audiences
	node          string
	maxWaits      int64
	cache         *cacheRules
	noWait        context.Context // cancelled: asks for what is there now
	clock         func() time.Time
	log           *slog.Logger
	stats         counters
	server        *playhttp.Server
}

// New returns a Handler.
func New(o Options) *Handler {
	if o.MaxWaits == 0 {
		o.MaxWaits = DefaultMaxWaits
	}
	if o.MaxViewers == 0 {
		o.MaxViewers = DefaultMaxViewers
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	noWait, cancel := context.WithCancel(context.Background())
	cancel()
	h := &Handler{
		presentations: o.Presentations,
		channels:      o.Channels,
		gate:          o.Gate,
		mint:          mint{o.ViewerKey},
		audiences:     newAudiences(int64(o.MaxViewers), o.Clock),
		node:          o.Node,
		maxWaits:      int64(o.MaxWaits),
		cache:         newCacheRules(),
		noWait:        noWait,
		clock:         o.Clock,
		log:           o.Logger,
	}
	h.server = playhttp.New(playhttp.Options{Prefix: Prefix, Handle: h.answer, WriteLimit: writeLimit, Proxies: o.Proxies, Logger: o.Logger})
	return h
}

// Viewers returns how many playback sessions watch a stream now: the viewer ids minted here whose media playlist was
// asked for lately. A new one counts at once; one that has gone is forgotten within a minute.
func (h *Handler) Viewers(streamID string) int64 { return h.audiences.count(streamID) }

// ServeHTTP answers a playback request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.server.ServeHTTP(w, r) }

// TakeOver makes the handler serve viewers on plain HTTP/1.1 connections by itself, for a part of what that costs
// otherwise. The http.Server whose connections they are must serve the listener that is returned beside its own, for
// the requests on them that are not for playback; and Shutdown must be called before its Shutdown.
func (h *Handler) TakeOver() net.Listener { return h.server.TakeOver() }

// Shutdown closes the connections that were taken over, those with a request under way after its answer. When ctx ends
// it cuts them and returns ctx's error. It returns when all of them are done.
func (h *Handler) Shutdown(ctx context.Context) error { return h.server.Shutdown(ctx) }

// answer answers a request, whichever way it came.
func (h *Handler) answer(x *playhttp.Exchange) {
	out := &reply{Exchange: x, h: h}
	switch out.Method {
	case http.MethodGet, http.MethodHead:
		h.serve(out)
	case http.MethodOptions:
		out.preflight()
	default:
		out.Set(fieldAllow)
		out.fail(http.StatusMethodNotAllowed, "method_not_allowed", "playback URLs are read with GET")
	}
}

// serve routes a GET or HEAD request.
func (h *Handler) serve(out *reply) {
	if len(out.Query) > maxQuery {
		out.fail(http.StatusRequestURITooLong, "uri_too_long", "the query is too long")
		return
	}
	t, ok := parsePath(out.Path)
	if !ok || out.Escaped { // no path needs an escape
		out.fail(http.StatusNotFound, codeNotFound, "there is nothing at this path")
		return
	}
	out.kind = t.kind()
	p, found := h.presentations.Presentation(t.scope, t.channelID)
	switch {
	case t.file == "" && asksStatus(out.Query):
		h.status(out, t, p)
	case !found:
		h.offline(out, t)
	case t.pass != "" || admission.Restricts(&p.Channel):
		h.restricted(out, t, p)
	case t.file == "":
		h.multivariant(out, t, p)
	case t.streamID != p.StreamID:
		out.fail(http.StatusNotFound, codeNotFound, "this stream is over")
	default:
		h.rendition(out, t, p)
	}
}

// offline answers for a channel without a presentation. One that not everybody may watch says so before it tells whether it is
// live, as it would if it were.
func (h *Handler) offline(out *reply, t target) {
	record, err := h.channels.Get(out.Context(), store.Key{Scope: t.scope, ID: t.channelID})
	switch {
	case err == nil && admission.Restricts(&record.Value):
		if _, err := h.enter(out, t, &record.Value); err == nil {
			out.fail(http.StatusNotFound, codeNotFound, "the channel is offline")
		}
	case err == nil:
		out.fail(http.StatusNotFound, codeNotFound, "the channel is offline")
	case fault.Is(err, fault.NotFound):
		out.fail(http.StatusNotFound, codeNotFound, "the channel does not exist")
	default:
		h.unreadable(out, t, err)
	}
}

// unreadable answers when the store does not say whether there is a channel.
func (h *Handler) unreadable(out *reply, t target, err error) {
	h.log.Warn("playback: reading a channel failed", "channel_id", t.channelID, "error", err)
	out.fail(http.StatusServiceUnavailable, "unavailable", "the channel cannot be looked up now")
}

// rendition answers for what lies below a stream: the media playlist or a file that it names.
func (h *Handler) rendition(out *reply, t target, p *hls.Presentation) {
	for _, v := range p.Variants() {
		if v.Name != t.rendition {
			continue
		}
		if out.pass != nil && !mayHave(out.pass, v.Live) {
			out.refuse(h.gate.RefuseResolution(out.pass.MaximumResolution))
			return
		}
		if t.file == playlistFile {
			h.playlist(out, t, v.Live)
		} else {
			h.media(out, t, v.Live)
		}
		return
	}
	out.fail(http.StatusNotFound, codeNotFound, "the stream has no such rendition")
}
