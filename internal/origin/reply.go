package origin

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/rivus-live/rivus/internal/admission"
	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/origin/playhttp"
)

// Header fields that answers share.
//
//nolint:gochecknoglobals // constant values
var (
	fieldAllow          = playhttp.NewField("Allow", allowed)
	fieldAllowOrigin    = playhttp.NewField("Access-Control-Allow-Origin", "*")
	fieldAllowMethods   = playhttp.NewField("Access-Control-Allow-Methods", allowed)
	fieldAllowHeaders   = playhttp.NewField("Access-Control-Allow-Headers", "*")
	fieldExposeHeaders  = playhttp.NewField("Access-Control-Expose-Headers", "Age, Content-Length, Content-Range, Date, ETag")
	fieldAccessMaxAge   = playhttp.NewField("Access-Control-Max-Age", "86400")
	fieldAcceptRanges   = playhttp.NewField("Accept-Ranges", "bytes")
	fieldNoStore        = playhttp.NewField("Cache-Control", "no-store")
	fieldGzip           = playhttp.NewField("Content-Encoding", "gzip")
	fieldJSON           = playhttp.NewField("Content-Type", "application/json")
	fieldPlaylist       = playhttp.NewField("Content-Type", "application/vnd.apple.mpegurl")
	fieldMP4            = playhttp.NewField("Content-Type", typeMP4)
	fieldTransport      = playhttp.NewField("Content-Type", typeTransport)
	fieldRetryAfter     = playhttp.NewField("Retry-After", "1")
	fieldVary           = playhttp.NewField("Vary", "Accept-Encoding")
	fieldVaryOrigin     = playhttp.NewField("Vary", "Origin")
	fieldVaryBoth       = playhttp.NewField("Vary", "Accept-Encoding, Origin")
	fieldContentOptions = playhttp.NewField("X-Content-Type-Options", "nosniff")
)

const (
	allowed       = "GET, HEAD, OPTIONS"
	typeMP4       = "video/mp4"
	typeTransport = "video/mp2t"
)

// Error codes of the JSON answers (spec ivs.md 9.5), beside those of package admission. Players show them.
const (
	codeNotFound = "not_found"
	codeInvalid  = "bad_request"
	codeBusy     = "unavailable"
)

// reply writes the answer to one request and counts it.
type reply struct {
	*playhttp.Exchange
	h       *Handler
	kind    Kind
	channel arn.ARN         // of a pass
	pass    *admission.Pass // of the session; nil when the request names none
	reader  string          // the one page that may read the answer; "" when every page may
}

// send completes and sends an answer. It may be read by pages of every site (spec ivs.md 9.1) unless the session was let in for
// one; an error must be readable to be shown.
func (o *reply) send(status int, contentType, cache playhttp.Field) {
	o.setAllowOrigin()
	o.Set(fieldExposeHeaders)
	o.Set(contentType)
	o.Set(cache)
	o.out(status)
}

// setAllowOrigin says which page may read the answer. The reader has matched an entry of a list, so it is an origin and nothing
// that could end the line.
func (o *reply) setAllowOrigin() {
	if o.reader == "" {
		o.Set(fieldAllowOrigin)
		return
	}
	o.Set(playhttp.NewField("Access-Control-Allow-Origin", o.reader))
}

// setVary says what else the answer depends on; packed: also on the codings that the client takes.
func (o *reply) setVary(packed bool) {
	switch {
	case packed && o.reader != "":
		o.Set(fieldVaryBoth)
	case packed:
		o.Set(fieldVary)
	case o.reader != "":
		o.Set(fieldVaryOrigin)
	}
}

// out sends what has been set and written. That the viewer is gone interests nobody.
func (o *reply) out(status int) {
	o.h.stats.answered(o.kind, status)
	n, _ := o.Send(status)
	o.h.stats.bytes[o.kind].Add(n)
}

// preflight answers OPTIONS: any page may read, with any header (Range, conditions, what its player adds).
func (o *reply) preflight() {
	o.Set(fieldAllow)
	o.Set(fieldAllowOrigin)
	o.Set(fieldAllowMethods)
	o.Set(fieldAllowHeaders)
	o.Set(fieldAccessMaxAge)
	o.out(http.StatusNoContent)
}

// playbackError is one member of the JSON array that players of the service expect (spec ivs.md 9.5).
type playbackError struct {
	URL   string `json:"url"`
	Error string `json:"error"`
	Code  string `json:"error_code"`
	Type  string `json:"type"`
}

// fail answers with an error. The query is not repeated: it may hold a token.
func (o *reply) fail(status int, code, text string) {
	path := o.Path
	if limit := maxPath + admission.MaxSealed; len(path) > limit {
		path = path[:limit]
	}
	data, err := json.Marshal([]playbackError{{URL: path, Error: text, Code: code, Type: "error"}})
	if err != nil { // four strings always marshal
		data = []byte("[]")
	}
	if status == http.StatusServiceUnavailable {
		o.Set(fieldRetryAfter)
	}
	o.reader = ""
	o.Set(fieldContentOptions)
	o.Write(data)
	o.send(status, fieldJSON, fieldNoStore)
}

// refuse answers a viewer who may not watch, or about whom that cannot be decided now.
func (o *reply) refuse(err error) {
	if r, ok := errors.AsType[*admission.Refusal](err); ok {
		o.fail(r.Status, r.Code, r.Text)
		return
	}
	o.h.log.Warn("playback: a viewer could not be judged", "channel_id", o.channel.ID, "error", err)
	o.fail(http.StatusServiceUnavailable, codeBusy, "it cannot be decided now who may watch this channel")
}

// gone counts a request whose viewer hung up.
func (o *reply) gone() { o.h.stats.answered(o.kind, StatusGone) }
