package whipcheck

import (
	"io"
	"net/http"
	neturl "net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

// fault is a server that breaks one rule.
type fault struct {
	rule   string
	whip   bool // only a WHIP server can break it; the others are WHEP servers, whose media is there at once
	change func(f *fake)
}

// status answers requests of one method with a status; path is "" for the endpoint and "session" for sessions.
func status(rule, method, path string, code int) fault {
	return bent(rule, method, path, func(x *reply) { *x = reply{status: code, header: http.Header{}} })
}

// bent changes the answers to one method.
func bent(rule, method, path string, change func(x *reply)) fault {
	return fault{rule: rule, change: func(f *fake) {
		f.bend = func(r *http.Request, x *reply) {
			if r.Method == method && (path == "session") == strings.HasPrefix(r.URL.Path, fakePath+"/") {
				change(x)
			}
		}
	}}
}

// made changes what comes beside an answer.
func made(rule string, change func(x *reply)) fault {
	return bent(rule, http.MethodPost, "", func(x *reply) {
		if x.status == http.StatusCreated {
			change(x)
		}
	})
}

// header sets a header of the answer to an offer.
func header(rule, name, value string) fault {
	return made(rule, func(x *reply) { x.header.Set(name, value) })
}

// sdp replaces something in the SDP answer, wherever it stands.
func sdp(rule, old, with string) fault {
	return fault{rule: rule, change: func(f *fake) {
		f.answer = func(s string) string { return strings.ReplaceAll(s, old, with) }
	}}
}

// patched changes the answers to PATCH requests with one If-Match; "tag" stands for the session's first.
func patched(rule, match string, change func(x *reply)) fault {
	if match == "tag" {
		match = `"first"`
	}
	return fault{rule: rule, change: func(f *fake) {
		f.bend = func(r *http.Request, x *reply) {
			if r.Method == http.MethodPatch && r.Header.Get("If-Match") == match && x.status < 300 {
				change(x)
			}
		}
	}}
}

// taken takes requests over before the fake looks at them.
func taken(rule string, which func(r *http.Request) bool, code int) fault {
	return fault{rule: rule, change: func(f *fake) {
		f.early = func(w http.ResponseWriter, r *http.Request) bool {
			if !which(r) {
				return false
			}
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(code)
			return true
		}
	}}
}

func endpointFaults() []fault {
	return []fault{
		{rule: "http.version", change: func(f *fake) { f.early = oldHTTP }},
		{rule: "http.keep-alive", change: func(f *fake) {
			f.bend = func(_ *http.Request, x *reply) { x.header.Set("Connection", "close") }
		}},
		bent("http.redirect", "POST", "", func(x *reply) { x.status = 302; x.header.Set("Location", fakePath) }),
		bent("http.retry-after", "PUT", "", func(x *reply) { x.header.Set("Retry-After", "soon") }),
		status("endpoint.get", "GET", "", 405),
		bent("endpoint.get", "GET", "", func(x *reply) { x.status, x.body = 200, "hello" }),
		status("endpoint.head", "HEAD", "", 405),
		status("endpoint.methods", "PUT", "", 200),
		status("endpoint.methods", "PUT", "", 405), // without Allow
		status("endpoint.options", "OPTIONS", "", 401),
		bent("endpoint.cors", "OPTIONS", "", func(x *reply) { x.header.Del("Access-Control-Allow-Origin") }),
		bent("endpoint.cors", "OPTIONS", "", func(x *reply) { x.header.Set("Access-Control-Allow-Headers", "*") }),
		bent("endpoint.accept-post", "OPTIONS", "", func(x *reply) { x.header.Set("Accept-Post", "text/plain") }),
		{rule: "endpoint.preflight-link", whip: true, change: func(f *fake) {
			f.link = []string{`<stun:stun.example.net>; rel="ice-server"`}
			f.bend = func(r *http.Request, x *reply) {
				if r.Method == http.MethodOptions {
					x.header["Link"] = f.link
				}
			}
		}},
		taken("auth.missing", func(r *http.Request) bool {
			return r.Method == http.MethodPost && r.Header.Get("Authorization") == ""
		}, 403),
		taken("auth.bad", func(r *http.Request) bool { return strings.Contains(r.Header.Get("Authorization"), invalid) }, 401),
		made("post.created", func(x *reply) { x.status = 200 }),
		header("post.type", "Content-Type", "text/plain"),
		made("post.location", func(x *reply) { x.header.Del("Location") }),
		header("post.location", "Location", "urn:session:1"),
		{rule: "post.secret", change: func(f *fake) { f.id = func(n int) string { return "session-" + strconv.Itoa(n) } }},
		header("post.expose", "Access-Control-Expose-Headers", "Location, Link"),
		made("post.etag", func(x *reply) { x.header.Del("ETag") }),
		header("post.etag", "ETag", `W/"first"`),
		header("post.etag", "ETag", `first`),
		header("post.link", "Link", `stun:stun.example.net; rel="ice-server"`),
		header("post.link", "Link", `<stun:stun.example.net>`),
		header("post.ice-servers", "Link", `<https://stun.example.net>; rel="ice-server"`),
		header("post.ice-servers", "Link", `<turn:turn.example.net?transport=udp>; rel="ice-server"; username="me"`),
		made("post.counter-offer", func(x *reply) { x.status = 406; x.header.Del("Location") }),
		taken("post.content-type", func(r *http.Request) bool {
			return r.Method == http.MethodPost && r.Header.Get("Content-Type") == "text/plain"
		}, 200),
		taken("post.415", func(r *http.Request) bool {
			return r.Method == http.MethodPost && r.Header.Get("Content-Type") == "text/plain"
		}, 400),
		bent("post.malformed", "POST", "", func(x *reply) {
			if x.status == http.StatusBadRequest {
				x.status = http.StatusInternalServerError
			}
		}),
		{rule: "post.large", change: func(f *fake) { f.large = true }},
	}
}

// oldHTTP answers GET as a server of HTTP/1.0.
func oldHTTP(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return false
	}
	_, _ = io.WriteString(conn, "HTTP/1.0 204 No Content\r\n\r\n")
	_ = conn.Close()
	return true
}

func answerFaults() []fault {
	return []fault{
		sdp("answer.sdp", "s=-", "hello"),
		sdp("answer.sdp", "v=0", "v=1"),
		sdp("answer.sections", "m=audio", "m=text"),
		sdp("answer.mid", "a=mid:1", "a=mid:other"),
		sdp("answer.complete", "m=video 9", "m=video 0"),
		sdp("answer.bundle", "a=group:BUNDLE 0 1", "a=group:BUNDLE 0"),
		sdp("answer.bundle", "a=group:BUNDLE 0 1", "a=group:BUNDLE 0 1 2"),
		sdp("answer.rtcp-mux", "a=rtcp-mux\r\n", ""),
		sdp("answer.rtcp-mux-only", "a=rtcp-mux-only\r\n", ""),
		sdp("answer.direction", "a=sendonly", "a=sendrecv"),
		sdp("answer.setup", "a=setup:active", "a=setup:actpass"),
		sdp("answer.fingerprint", "a=fingerprint:sha-256 ", "a=fingerprint:md5 "),
		sdp("answer.ice", "a=ice-ufrag:", "a=ice-ufrag:?"),
		sdp("answer.candidates", "a=candidate:", "a=x-candidate:"),
		sdp("answer.candidates", " typ host", " host"),
		sdp("answer.codecs", "opus/48000/2", "speex/32000"),
		sdp("answer.payload-types", "102", "122"),
		{rule: "answer.extensions", change: func(f *fake) {
			f.answer = func(s string) string {
				return strings.ReplaceAll(s, "a=mid:0\r\n", "a=mid:0\r\na=extmap:14 urn:none\r\n")
			}
		}},
		sdp("answer.msid", "a=msid:whipcheck audio", "a=msid:other audio"),
		{rule: "offer.sendrecv", change: func(f *fake) {
			f.answer = func(s string) string { return s }
			f.early = refuseOffers("a=sendrecv", 400)
		}},
		{rule: "offer.active", change: func(f *fake) { f.early = refuseOffers("a=setup:active", 403) }},
		{rule: "offer.two-videos", whip: true, change: func(f *fake) { f.early = refuseOffers("a=mid:second", 415) }},
		{rule: "offer.partial", whip: true, change: func(f *fake) { f.early = refuseOffers("X-WHIPCHECK", 500) }},
	}
}

// refuseOffers answers offers that hold a text with a status.
func refuseOffers(text string, code int) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		b, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
		if err != nil {
			return false
		}
		if strings.Contains(string(b), text) && r.Header.Get("Authorization") == "Bearer "+fakeToken {
			w.WriteHeader(code)
			return true
		}
		r.Body = io.NopCloser(strings.NewReader(string(b)))
		return false
	}
}

func patchFaults() []fault {
	ok := func(x *reply) { x.status, x.body = 200, "" }
	return []fault{
		status("session.get", "GET", "session", 404),
		status("session.methods", "PUT", "session", 405),
		status("session.methods", "POST", "session", 204),
		bent("session.cors", "OPTIONS", "session", func(x *reply) { x.header.Set("Access-Control-Allow-Methods", "POST") }),
		taken("session.auth", func(r *http.Request) bool { return r.Method == http.MethodPatch && r.Header.Get("Authorization") == "" }, 403),
		patched("patch.trickle", "tag", ok),
		patched("patch.trickle-bare", "tag", func(x *reply) { x.header.Set("ETag", `"first"`) }),
		{rule: "patch.discard", change: func(f *fake) { f.early = refuseFragments(".invalid") }},
		{rule: "patch.overlap", change: func(f *fake) {
			var n atomic.Int64 // one, one with the new entity-tag, one to be discarded, then those that overlap
			f.bend = func(r *http.Request, x *reply) {
				if r.Method == http.MethodPatch && x.status == http.StatusNoContent && n.Add(1) == 5 {
					x.status = http.StatusConflict
				}
			}
		}},
		taken("patch.missing", func(r *http.Request) bool { return r.Method == http.MethodPatch && r.Header.Get("If-Match") == "" }, 204),
		taken("patch.stale", func(r *http.Request) bool {
			return r.Method == http.MethodPatch && r.Header.Get("If-Match") == staleTag
		}, 204),
		taken("patch.content-type", func(r *http.Request) bool {
			return r.Method == http.MethodPatch && r.Header.Get("Content-Type") == "text/plain"
		}, 204),
		bent("patch.malformed", "PATCH", "session", func(x *reply) {
			if x.status == http.StatusBadRequest {
				x.status = http.StatusNoContent
			}
		}),
		taken("patch.unsupported", func(r *http.Request) bool { return r.Header.Get("If-Match") == "*" }, 501),
		patched("restart.status", "*", func(x *reply) { x.status = 204; x.body = "" }),
		patched("restart.status", "*", func(x *reply) { x.header.Set("Content-Type", typeSDP) }),
		patched("restart.credentials", "*", func(x *reply) { x.body = strings.ReplaceAll(x.body, "a=ice-pwd:", "a=x:") }),
		patched("restart.candidates", "*", func(x *reply) { x.body = strings.ReplaceAll(x.body, "a=candidate:", "a=x:") }),
		patched("restart.attributes", "*", func(x *reply) { x.body = "a=ice-lite\r\n" + x.body }),
		patched("restart.attributes", "*", func(x *reply) { x.body = strings.ReplaceAll(x.body, "a=ice-options:trickle\r\n", "") }),
		patched("restart.etag", "*", func(x *reply) { x.header.Set("ETag", `"first"`) }),
		patched("restart.etag", "*", func(x *reply) { x.header.Del("ETag") }),
		{rule: "restart.implied", change: func(f *fake) { f.literal = true }},
		{rule: "restart.stale", change: func(f *fake) { f.anyTag = true }},
		status("delete.status", "DELETE", "session", 500),
		status("delete.200", "DELETE", "session", 202),
		taken("delete.etag", func(r *http.Request) bool { return r.Method == http.MethodDelete && r.Header.Get("If-Match") != "" }, 412),
		{rule: "delete.gone", change: func(f *fake) { f.forgetful = true }},
		{rule: "delete.again", change: func(f *fake) { f.forgetful = true }},
		taken("session.unknown", func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "00000000") }, 200),
	}
}

// refuseFragments answers fragments that hold a text with 400.
func refuseFragments(text string) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPatch {
			return false
		}
		b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err == nil && strings.Contains(string(b), text) {
			w.WriteHeader(http.StatusBadRequest)
			return true
		}
		r.Body = io.NopCloser(strings.NewReader(string(b)))
		return false
	}
}

func mediaFaults() []fault {
	return []fault{
		{rule: "media.connect", change: func(f *fake) {
			f.answer = func(s string) string { // nobody listens there
				var b strings.Builder
				for line := range strings.Lines(s) {
					if words := strings.Fields(line); strings.HasPrefix(line, "a=candidate:") {
						words[5] = "9"
						line = strings.Join(words, " ") + "\r\n"
					}
					if strings.HasPrefix(line, "a=ice-pwd:") { // so that nobody finds us, either
						line = "a=ice-pwd:0123456789012345678901234\r\n"
					}
					b.WriteString(line)
				}
				return b.String()
			}
		}},
		{rule: "media.reports", whip: true, change: func(f *fake) { f.silent = true }},
		{rule: "media.flow", change: func(f *fake) { f.mute = true }},
		{rule: "media.keyframe", change: func(f *fake) { f.source = func(s *source) webrtc.TrackLocal { return keyless{s} } }},
		{rule: "media.survives", change: func(f *fake) {
			f.closes = func(r *http.Request) bool {
				return r.Method == http.MethodPatch && r.Header.Get("If-Match") == staleTag
			}
		}},
		{rule: "media.restart", change: func(f *fake) { f.fakeRestart = true }},
		{rule: "media.end", change: func(f *fake) { f.keepsOn = true }},
	}
}

// keyless is a track without keyframes.
type keyless struct{ *source }

// Bind is that of the source, which loses its first picture.
func (k keyless) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	p, err := k.source.Bind(c)
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.frames) > 1 {
		k.frames = k.frames[1:]
	}
	return p, err
}

// faults returns all of them.
func faults() []fault {
	return append(append(append(endpointFaults(), answerFaults()...), patchFaults()...), mediaFaults()...)
}

// TestFaults: each rule is found broken in a server that breaks it.
func TestFaults(t *testing.T) {
	t.Parallel()
	levels := map[string]Verdict{}
	for _, r := range rules() {
		levels[r.id] = r.level
	}
	for _, test := range faults() {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			f := newFake(!test.whip)
			test.change(f)
			without := "media"
			if strings.HasPrefix(test.rule, "media.") {
				without, f.wait = "variants", 2*time.Second
			}
			r := f.check(t, without)
			for _, v := range r.Results {
				if v.Rule == test.rule && v.Verdict == levels[test.rule] {
					return
				}
			}
			t.Error(print(t, r))
		})
	}
}

// TestEveryRuleCanBreak: no rule is without a fault. "https" cannot be broken on this machine; TestHTTPS does it.
func TestEveryRuleCanBreak(t *testing.T) {
	t.Parallel()
	broken := map[string]bool{"https": true}
	for _, f := range faults() {
		broken[f.rule] = true
	}
	for _, r := range rules() {
		if !broken[r.id] {
			t.Errorf("no fault breaks %s", r.id)
		}
	}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]Verdict{
		"http://media.example/whip": Violated, "https://media.example/whip": Passed, "http://localhost/whip": NotApplicable,
		"http://[::1]:80/whip": NotApplicable,
	} {
		c := &checker{results: map[string]*Result{}}
		var err error
		if c.start, err = neturl.Parse(url); err != nil {
			t.Fatal(err)
		}
		if err := c.prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := c.results["https"].Verdict; got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}
