package origin

import (
	"net/http"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/store"
)

// statusQuery is the query with which a page asks a playback URL how its channel is. Players of the service never send
// it; they learn from 403 and 404, which a browser writes into its console as errors.
const statusQuery = "status"

// The bodies of the answers. A private channel does not tell whether it is live.
const (
	statusLive    = `{"state":"live"}`
	statusOffline = `{"state":"offline"}`
	statusPrivate = `{"state":"private"}`
	statusUnknown = `{"state":"unknown"}` // there is no such channel, or no more
)

// status answers how a channel is, always with 200 when that is known.
func (h *Handler) status(out *reply, t target, p *hls.Presentation) {
	body := statusLive
	if p == nil || !isLive(p) {
		var err error
		if body, err = h.unwatched(out, t); err != nil {
			h.unreadable(out, t, err)
			return
		}
	}
	if p != nil && p.Channel.Authorized {
		body = statusPrivate
	}
	out.Set(fieldContentOptions)
	out.Write([]byte(body))
	out.send(http.StatusOK, fieldJSON, fieldNoStore)
}

// isLive reports whether a presentation can be watched and goes on: it may be too new or too old.
func isLive(p *hls.Presentation) bool {
	for _, v := range p.Variants() {
		if s := v.Snapshot(); s.Ready() && !s.Ended() {
			return true
		}
	}
	return false
}

// unwatched is the status of a channel that is not live.
func (h *Handler) unwatched(out *reply, t target) (string, error) {
	record, err := h.channels.Get(out.Context(), store.Key{Scope: t.scope, ID: t.channelID})
	switch {
	case fault.Is(err, fault.NotFound):
		return statusUnknown, nil
	case err != nil:
		return "", err
	case record.Value.Authorized:
		return statusPrivate, nil
	}
	return statusOffline, nil
}
