package origin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/origin/playhttp"
)

// multivariant answers with the multivariant playlist, made for this viewer alone.
//
// The parameters that players of the service send (player_version, pbac, pbar, pblm, allow_audio_only, token on a public
// channel) change nothing.
func (h *Handler) multivariant(out *reply, t target, p *hls.Presentation) {
	viewer := h.mint.new(p.StreamID)
	body := h.multivariantFor(p, viewer, func(v hls.Variant) string {
		return t.name + "/" + p.StreamID + "/" + v.Name + "/" + playlistFile + "?v=" + viewer
	})
	out.multivariant(body)
}

// multivariantFor renders a multivariant playlist, nil while there is nothing to play in it.
func (h *Handler) multivariantFor(p *hls.Presentation, session string, uri func(hls.Variant) string) []byte {
	now := h.clock()
	return p.Multivariant(uri, hls.SessionData{
		Node:           h.node,
		ServerTime:     now,
		StreamTime:     now.Sub(p.StartedAt),
		BroadcastID:    p.StreamID,
		VideoSessionID: session,
	})
}

// multivariant sends a multivariant playlist. Until something can be played the channel counts as offline: an empty playlist
// leaves players stuck (spec ivs.md 9.1).
func (o *reply) multivariant(body []byte) {
	if body == nil {
		o.fail(http.StatusNotFound, codeNotFound, "the channel is offline")
		return
	}
	o.Write(body)
	o.send(http.StatusOK, fieldPlaylist, fieldNoStore)
}

// playlist answers with a media playlist, after waiting for the segment or part that the request names (6.2.5.2).
func (h *Handler) playlist(out *reply, t target, q *hls.Live) {
	query, _ := url.ParseQuery(out.Query) // a pair that cannot be read is as good as none
	directives, err := hls.ParseReload(query)
	if err != nil {
		out.fail(http.StatusBadRequest, codeInvalid, fault.Message(err))
		return
	}
	snapshot := q.Snapshot()
	if !snapshot.Ready() {
		out.fail(http.StatusNotFound, codeNotFound, "the stream has nothing to show yet")
		return
	}
	target := snapshot.TargetDuration()
	h.countViewer(out, &t, query.Get("v"), target)
	blocking := directives.MSN >= 0
	if blocking {
		snapshot, err = waitFor(h, out, target, func(ctx context.Context) (*hls.Snapshot, error) {
			return q.Await(ctx, directives.MSN, directives.Part)
		})
		if err != nil {
			return
		}
	}
	h.writePlaylist(out, snapshot.Playlist(directives.Skip), h.cache.playlist(target, snapshot.Ended(), out.pass != nil), blocking)
}

// writePlaylist sends one of the renderings that all viewers share.
func (h *Handler) writePlaylist(out *reply, body *hls.Body, cache playhttp.Field, blocking bool) {
	out.setVary(true)
	if !blocking { // the answer to a blocking reload is new by its nature
		tag := "W/" + body.ETag()
		out.Set(playhttp.NewField("Etag", tag))
		if matches(out.IfNoneMatch, tag) {
			out.Set(cache)
			out.setAllowOrigin()
			out.out(http.StatusNotModified)
			return
		}
	}
	if acceptsGzip(out.AcceptEncoding) {
		out.Set(fieldGzip)
		out.Write(body.Gzip())
	} else {
		out.Write(body.Plain())
	}
	out.send(http.StatusOK, fieldPlaylist, cache)
}

// countViewer notes that a viewer has asked for a media playlist. Ids that were not minted here count nothing; a pass was.
func (h *Handler) countViewer(out *reply, t *target, viewer string, target time.Duration) {
	if out.pass != nil {
		var id viewerID
		copy(id[:], t.pass)
		if !h.audiences.seen(t.streamID, id) {
			h.audiences.addViewer(t.streamID, id, target)
		}
		return
	}
	id, proof, ok := split(viewer)
	if !ok || h.audiences.seen(t.streamID, id) {
		return
	}
	if h.mint.valid(t.streamID, id, proof) {
		h.audiences.addViewer(t.streamID, id, target)
	}
}

// errAnswered says that waitFor has already written the answer.
var errAnswered = errors.New("answered")

// waitFor returns what get finds. When that is not there yet it waits, for three target durations at most (6.2.5.2) and
// no longer than the viewer does. When there is nothing to return it has written the answer.
func waitFor[T any](h *Handler, out *reply, target time.Duration, get func(context.Context) (T, error)) (T, error) {
	found, err := get(h.noWait)
	if errors.Is(err, context.Canceled) {
		found, err = waitLong(h, out, target, get)
	}
	switch {
	case err == nil:
		return found, nil
	case errors.Is(err, errAnswered):
	case fault.Is(err, fault.Invalid):
		out.fail(http.StatusBadRequest, codeInvalid, fault.Message(err))
	case fault.Is(err, fault.NotFound):
		out.fail(http.StatusNotFound, codeNotFound, "it is not there any more, or never was")
	case errors.Is(err, context.DeadlineExceeded):
		out.fail(http.StatusServiceUnavailable, codeBusy, "nothing new has come for three target durations")
	case errors.Is(err, context.Canceled):
		out.gone()
	default:
		h.log.Error("playback: reading a stream failed", "error", err)
		out.fail(http.StatusInternalServerError, "internal", "the stream cannot be read")
	}
	return found, errAnswered
}

func waitLong[T any](h *Handler, out *reply, target time.Duration, get func(context.Context) (T, error)) (T, error) {
	defer h.stats.waits.Add(-1)
	if h.stats.waits.Add(1) > h.maxWaits {
		out.fail(http.StatusServiceUnavailable, codeBusy, "too many viewers wait")
		var none T
		return none, errAnswered
	}
	ctx, done := out.Wait(3 * target)
	defer done()
	if out.pass == nil {
		return get(ctx)
	}
	ctx, leave := h.gate.Attend(ctx, out.channel, out.pass)
	defer leave()
	found, err := get(ctx)
	if err != nil {
		if revoked := h.gate.CauseOf(ctx); revoked != nil {
			done() // before the answer
			out.refuse(revoked)
			err = errAnswered
		}
	}
	return found, err
}

// matches reports whether an If-None-Match list names the tag. All our tags are weak, so the strength of the other side
// does not matter.
func matches(list, tag string) bool {
	for candidate := range strings.SplitSeq(list, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || candidate != "" && strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// acceptsGzip reads Accept-Encoding (RFC 9110 12.5.3): gzip is welcome when it is named, or "*" is, with a weight that is
// not zero.
func acceptsGzip(list string) bool {
	welcome := false
	for coding := range strings.SplitSeq(list, ",") {
		name, weight, _ := strings.Cut(coding, ";")
		name = strings.TrimSpace(name)
		switch {
		case strings.EqualFold(name, "gzip"):
			return !isZero(weight)
		case name == "*":
			welcome = !isZero(weight)
		}
	}
	return welcome
}

// isZero reports whether a weight is "q=0", however many zeros it is written with.
func isZero(weight string) bool {
	q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(weight)), "q=")
	if !ok {
		return false
	}
	f, err := strconv.ParseFloat(q, 64)
	return err == nil && f <= 0
}
