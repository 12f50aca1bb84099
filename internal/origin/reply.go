package origin

import (
	"encoding/json"
	"net/http"
	"net/url"

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
	fieldContentOptions = playhttp.NewField("X-Content-Type-Options", "nosniff")
)

const (
	allowed       = "GET, HEAD, OPTIONS"
	typeMP4       = "video/mp4"
	typeTransport = "video/mp2t"
)

// Error codes of the JSON answers (spec ivs.md 9.5). Players show them; only the one for tokens is known.
const (
	codeToken    = "invalid_playback_auth_token"
	codeNotFound = "not_found"
	codeInvalid  = "bad_request"
	codeBusy     = "unavailable"
)

// reply writes the answer to one request and counts it.
type reply struct {
	*playhttp.Exchange
	h    *Handler
	kind Kind
}

// send completes and sends an answer. Every answer may be read by pages of every site: channels without a token are
// public (spec ivs.md 9.1), and an error must be readable to be shown.
func (o *reply) send(status int, contentType, cache playhttp.Field) {
	o.Set(fieldAllowOrigin)
	o.Set(fieldExposeHeaders)
	o.Set(contentType)
	o.Set(cache)
	o.out(status)
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
	if len(path) > maxPath {
		path = path[:maxPath]
	}
	data, err := json.Marshal([]playbackError{{URL: path, Error: text, Code: code, Type: "error"}})
	if err != nil { // four strings always marshal
		data = []byte("[]")
	}
	if status == http.StatusServiceUnavailable {
		o.Set(fieldRetryAfter)
	}
	o.Set(fieldContentOptions)
	o.Write(data)
	o.send(status, fieldJSON, fieldNoStore)
}

// forbidden answers for a private channel.
func (o *reply) forbidden() {
	text := "token is missing"
	query, _ := url.ParseQuery(o.Query) // a pair that cannot be read is as good as none
	if query.Get("token") != "" {
		text = "token is not signed by a playback key of this channel's account"
	}
	o.fail(http.StatusForbidden, codeToken, text)
}

// gone counts a request whose viewer hung up.
func (o *reply) gone() { o.h.stats.answered(o.kind, StatusGone) }
