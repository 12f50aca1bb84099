package origin

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Names of headers in canonical form, so that they can be set without being brought into it each time.
const (
	headerAllow          = "Allow"
	headerAllowOrigin    = "Access-Control-Allow-Origin"
	headerAllowMethods   = "Access-Control-Allow-Methods"
	headerAllowHeaders   = "Access-Control-Allow-Headers"
	headerExposeHeaders  = "Access-Control-Expose-Headers"
	headerAccessMaxAge   = "Access-Control-Max-Age"
	headerAcceptRanges   = "Accept-Ranges"
	headerCacheControl   = "Cache-Control"
	headerContentCoding  = "Content-Encoding"
	headerContentLength  = "Content-Length"
	headerContentRange   = "Content-Range"
	headerContentType    = "Content-Type"
	headerETag           = "Etag"
	headerRetryAfter     = "Retry-After"
	headerVary           = "Vary"
	headerContentOptions = "X-Content-Type-Options"
)

// Header values are shared by all answers: net/http reads the slices and never changes them.
//
//nolint:gochecknoglobals // constant values
var (
	valueAny       = []string{"*"}
	valueAllow     = []string{"GET, HEAD, OPTIONS"}
	valueExpose    = []string{"Age, Content-Length, Content-Range, Date, ETag"}
	valueDay       = []string{"86400"}
	valueBytes     = []string{"bytes"}
	valueNoStore   = []string{"no-store"}
	valueNoSniff   = []string{"nosniff"}
	valueGzip      = []string{"gzip"}
	valueEncoding  = []string{"Accept-Encoding"}
	valueSecond    = []string{"1"}
	valueJSON      = []string{"application/json"}
	valuePlaylist  = []string{"application/vnd.apple.mpegurl"}
	valueMP4       = []string{"video/mp4"}
	valueTransport = []string{"video/mp2t"}
)

// Error codes of the JSON answers (spec ivs.md 9.5). Players show them; only the one for tokens is known.
const (
	codeToken    = "invalid_playback_auth_token"
	codeNotFound = "not_found"
	codeInvalid  = "bad_request"
	codeBusy     = "unavailable"
)

// writeLimit is how long a viewer may take to read one file. A segment of 6 s has to come much faster than that for
// playback to go on, and until it is read the viewer holds its bytes in memory.
const writeLimit = 30 * time.Second

// reply writes the answer to one request and counts it.
type reply struct {
	w    http.ResponseWriter
	r    *http.Request
	h    *Handler
	kind Kind
}

// header sets a header to a shared value.
func (o *reply) header(name string, value []string) { o.w.Header()[name] = value }

// start writes status line and headers. Every answer may be read by pages of every site: channels without a token are
// public (spec ivs.md 9.1), and an error must be readable to be shown.
func (o *reply) start(status int, contentType, cache []string, size int64) {
	header := o.w.Header()
	header[headerAllowOrigin] = valueAny
	header[headerExposeHeaders] = valueExpose
	header[headerContentType] = contentType
	header[headerCacheControl] = cache
	header[headerContentLength] = []string{strconv.FormatInt(size, 10)}
	o.h.stats.answered(o.kind, status)
	o.w.WriteHeader(status)
}

// body sends bytes, unless the method is HEAD. An error means that the viewer is gone; nobody is left to be told.
func (o *reply) body(data []byte) error {
	if o.r.Method == http.MethodHead {
		return nil
	}
	n, err := o.w.Write(data)
	o.h.stats.bytes[o.kind].Add(int64(n))
	return err
}

// preflight answers OPTIONS: any page may read, with any header (Range, conditions, what its player adds).
func (o *reply) preflight() {
	o.header(headerAllow, valueAllow)
	o.header(headerAllowOrigin, valueAny)
	o.header(headerAllowMethods, valueAllow)
	o.header(headerAllowHeaders, valueAny)
	o.header(headerAccessMaxAge, valueDay)
	o.h.stats.answered(o.kind, http.StatusNoContent)
	o.w.WriteHeader(http.StatusNoContent)
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
	path := o.r.URL.Path
	if len(path) > maxPath {
		path = path[:maxPath]
	}
	data, err := json.Marshal([]playbackError{{URL: path, Error: text, Code: code, Type: "error"}})
	if err != nil { // four strings always marshal
		data = []byte("[]")
	}
	if status == http.StatusServiceUnavailable {
		o.header(headerRetryAfter, valueSecond)
	}
	o.header(headerContentOptions, valueNoSniff)
	o.start(status, valueJSON, valueNoStore, int64(len(data)))
	_ = o.body(data) // the viewer is gone
}

// forbidden answers for a private channel.
func (o *reply) forbidden() {
	text := "token is missing"
	if o.r.URL.Query().Get("token") != "" {
		text = "token is not signed by a playback key of this channel's account"
	}
	o.fail(http.StatusForbidden, codeToken, text)
}

// gone counts a request whose viewer hung up.
func (o *reply) gone() { o.h.stats.answered(o.kind, StatusGone) }

// limit bounds the time that the viewer may take to read, and returns what lifts the bound again: the connection may
// serve more requests.
func (o *reply) limit() (lift func()) {
	c := http.NewResponseController(o.w)
	if c.SetWriteDeadline(time.Now().Add(writeLimit)) != nil {
		return func() {} // a writer without deadlines: a test's, or one that has its own bounds
	}
	return func() { _ = c.SetWriteDeadline(time.Time{}) } // fails only on a dead connection
}
