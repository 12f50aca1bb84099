package origin

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/rivus-live/rivus/internal/admission"
	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/weborigin"
)

// judgeLimit is how long a decision about the first request of a session may take: it verifies a signature, and may have to
// write a record.
const judgeLimit = 10 * time.Second

// restricted answers for a channel that not everybody may watch, and for a path with a pass.
func (h *Handler) restricted(out *reply, t target, p *hls.Presentation) {
	if t.file == "" {
		h.begin(out, t, p)
		return
	}
	out.channel = t.channel()
	if err := h.named(out, t, &p.Channel); err != nil {
		out.refuse(err)
		return
	}
	if t.streamID != p.StreamID {
		out.fail(http.StatusNotFound, codeNotFound, "this stream is over")
		return
	}
	h.rendition(out, t, p)
}

// named decides about a request for media.
func (h *Handler) named(out *reply, t target, c *resource.Channel) error {
	if t.pass == "" {
		return h.gate.Unnamed(out.Context(), c)
	}
	pass, err := h.gate.Open(t.pass, t.streamID)
	if err != nil {
		return err
	}
	origin := weborigin.Of(out.Origin, out.Referer)
	if err := h.gate.Check(out.channel, c.Authorized, pass, origin); err != nil {
		return err
	}
	out.pass = pass
	out.allowReader(pass.AllowOrigin(origin))
	return nil
}

// allowReader takes over which page may read the answers.
func (o *reply) allowReader(origin string) {
	if origin != weborigin.Any {
		o.reader = origin
	}
}

// visit decides whether a session may begin.
func (h *Handler) visit(out *reply, t target, c *resource.Channel) (admission.Entry, error) {
	out.channel = t.channel()
	query, _ := url.ParseQuery(out.Query) // a pair that cannot be read is as good as none
	ctx, cancel := context.WithTimeout(out.Context(), judgeLimit)
	defer cancel()
	return h.gate.Enter(ctx, admission.Visit{
		Channel: out.channel, Record: c, Token: query.Get("token"), Origin: weborigin.Of(out.Origin, out.Referer), Client: out.Client,
	})
}

// enter is visit that answers when the session may not begin.
func (h *Handler) enter(out *reply, t target, c *resource.Channel) (admission.Entry, error) {
	entry, err := h.visit(out, t, c)
	if err != nil {
		out.refuse(err)
	}
	return entry, err
}

// begin answers the first request of a session with a multivariant playlist that has what the viewer may see.
func (h *Handler) begin(out *reply, t target, p *hls.Presentation) {
	entry, err := h.enter(out, t, &p.Channel)
	if err != nil {
		return
	}
	if entry.Pass == nil {
		out.allowReader(entry.AllowOrigin)
		out.setVary(false)
		h.multivariant(out, t, p)
		return
	}
	sealed, err := h.gate.Seal(entry.Pass, p.StreamID)
	if err != nil {
		out.refuse(err)
		return
	}
	hidden := false
	body := h.multivariantFor(p, sealed[:admission.IDLength], func(v hls.Variant) string {
		if !mayHave(entry.Pass, v.Live) {
			hidden = true
			return ""
		}
		return t.name + "/" + passPrefix + sealed + "/" + p.StreamID + "/" + v.Name + "/" + playlistFile
	})
	if body == nil && hidden {
		out.refuse(h.gate.RefuseResolution(entry.Pass.MaximumResolution))
		return
	}
	if body != nil && out.Method == http.MethodGet { // a token is used up by who gets something for it
		ctx, cancel := context.WithTimeout(out.Context(), judgeLimit)
		defer cancel()
		if err := h.gate.Begin(ctx, entry); err != nil {
			out.refuse(err)
			return
		}
	}
	out.allowReader(entry.AllowOrigin)
	out.setVary(false)
	out.multivariant(body)
}

// mayHave reports whether a session may have a variant. Of one that is not ready nothing is known, and nothing sent.
func mayHave(p *admission.Pass, l *hls.Live) bool {
	if p.MaximumResolution == "" {
		return true
	}
	info := l.Snapshot().Info()
	return p.Allows(info.Width, info.Height)
}
