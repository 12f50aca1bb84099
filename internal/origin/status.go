package origin

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/rivus-live/rivus/internal/admission"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// statusQuery is the query with which a page asks a playback URL how its channel is, alone or with a token behind it. Players of
// the service never send it; they learn from 403 and 404, which a browser writes into its console as errors.
const statusQuery = "status"

// asksStatus reports whether a query asks for the status.
func asksStatus(query string) bool {
	rest, ok := strings.CutPrefix(query, statusQuery)
	return ok && (rest == "" || strings.HasPrefix(rest, "&token="))
}

// The bodies of the answers. A private channel does not tell whether it is live, unless to the bearer of a token; who may not
// watch is told why.
const (
	statusLive    = `{"state":"live"}`
	statusOffline = `{"state":"offline"}`
	statusPrivate = `{"state":"private"}`
	statusUnknown = `{"state":"unknown"}` // there is no such channel, or no more
)

// refused is the body of the answer to who may not watch.
type refused struct {
	State  string `json:"state"` // "refused"
	Reason string `json:"reason"`
}

// status answers how a channel is, always with 200 when that is known.
func (h *Handler) status(out *reply, t target, p *hls.Presentation) {
	body := statusLive
	var channel *resource.Channel
	if p != nil {
		channel = &p.Channel
	}
	if p == nil || !isLive(p) {
		record, err := h.channels.Get(out.Context(), store.Key{Scope: t.scope, ID: t.channelID})
		switch {
		case fault.Is(err, fault.NotFound):
			body = statusUnknown
		case err != nil:
			h.unreadable(out, t, err)
			return
		default:
			body, channel = statusOffline, &record.Value
		}
	}
	if channel != nil && admission.Restricts(channel) {
		why, err := h.refusal(out, t, channel)
		if err != nil {
			out.refuse(err)
			return
		}
		body = cmp.Or(why, body)
	}
	out.Set(fieldContentOptions)
	out.Write([]byte(body))
	out.send(http.StatusOK, fieldJSON, fieldNoStore)
}

// refusal returns the status of a channel for somebody who may not watch it, "" for who may.
func (h *Handler) refusal(out *reply, t target, c *resource.Channel) (string, error) {
	if c.Authorized && out.Query == statusQuery {
		return statusPrivate, nil
	}
	_, err := h.visit(out, t, c)
	r, ok := errors.AsType[*admission.Refusal](err)
	if !ok {
		return "", err
	}
	body, err := json.Marshal(refused{"refused", r.Text})
	return string(body), err
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
