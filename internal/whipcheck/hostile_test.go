package whipcheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestHostile: a server can neither hang nor fill the checker. A test that hangs is ended by the limits of go test.
func TestHostile(t *testing.T) {
	t.Parallel()
	posts := func(do func(w http.ResponseWriter, r *http.Request)) func(f *fake) {
		return func(f *fake) {
			f.early = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPost {
					return false
				}
				_, _ = io.Copy(io.Discard, r.Body)
				do(w, r)
				return true
			}
		}
	}
	lines := func(line string, n int) func(f *fake) {
		return func(f *fake) { f.answer = func(s string) string { return s + strings.Repeat(line, n) } }
	}
	for name, change := range map[string]func(f *fake){
		"no answer": posts(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
		"endless body": posts(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}),
		"body that stalls": posts(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusCreated)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}),
		"endless redirects": posts(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"/x", http.StatusTemporaryRedirect)
		}),
		"large header":        posts(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Link", strings.Repeat("x", maxHeader)) }),
		"thousands of lines":  lines("a=x\r\n", maxLines),
		"too many candidates": lines("a=candidate:1 1 udp 2130706431 192.0.2.1 1 typ host\r\n", 3*maxCandidates),
		"many links": func(f *fake) {
			for range 500 {
				f.link = append(f.link, `<stun:stun.example.net>; rel="ice-server"`)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(true)
			f.wait = time.Second
			change(f)
			server := f.start(t)
			r, err := Check(t.Context(), Options{URL: server.URL + fakePath, Token: f.token, Play: true, Wait: f.wait})
			if err != nil {
				return
			}
			var b bytes.Buffer
			if err := r.PrintJSON(&b); err != nil || b.Len() > 256<<10 {
				t.Errorf("%v, a report of %d bytes", err, b.Len())
			}
		})
	}
}

// TestNoToken: a server that says the token in everything it sends does not get it into a report or an error.
func TestNoToken(t *testing.T) {
	t.Parallel()
	f := newFake(true)
	f.wait = time.Second
	f.bend = func(r *http.Request, x *reply) {
		bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		for _, name := range []string{"ETag", "Allow", "WWW-Authenticate", "Retry-After", "Accept-Post", "Link"} {
			x.header.Set(name, strings.Repeat(" ", len(name))+bearer)
		}
		x.header.Set("X-Location", bearer)
		if x.status != http.StatusCreated {
			x.body = "you said " + bearer
		}
	}
	f.answer = func(s string) string {
		return strings.ReplaceAll(s, "a=mid:", "a=msid:"+fakeToken+"\r\na=mid:"+fakeToken)
	}
	var text, object bytes.Buffer
	r := f.check(t, "")
	if err := r.Print(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.PrintJSON(&object); err != nil {
		t.Fatal(err)
	}
	if r.OK() || !strings.Contains(text.String(), "[token]") {
		t.Errorf("the token was not sent back:\n%s", &text)
	}
	for _, part := range []string{fakeToken, fakeToken[:len(fakeToken)-1], fakeToken[:len(fakeToken)/2]} {
		if strings.Contains(text.String(), part) || strings.Contains(object.String(), part) {
			t.Errorf("%q is in the report", part)
		}
	}
	var again Report
	if err := json.Unmarshal(object.Bytes(), &again); err != nil || len(again.Results) != len(r.Results) {
		t.Errorf("JSON: %v", err)
	}
}

// TestClear: a token for HTTPS does not go out over HTTP, wherever the server sends the checker.
func TestClear(t *testing.T) {
	t.Parallel()
	parse := func(s string) *checker {
		c := &checker{token: "t"}
		var err error
		if c.start, err = url.Parse(s); err != nil {
			t.Fatal(err)
		}
		return c
	}
	secure, plain := parse("https://a.example/"), parse("http://a.example/")
	for _, test := range []struct {
		c    *checker
		r    request
		want string
	}{
		{secure, request{url: secure.start}, "t"},
		{secure, request{url: plain.start}, ""},
		{plain, request{url: plain.start}, "t"},
		{plain, request{url: secure.start}, "t"},
		{plain, request{url: plain.start, auth: noToken}, ""},
		{plain, request{url: plain.start, auth: badToken}, invalid},
		{&checker{start: plain.start}, request{url: plain.start, auth: badToken}, ""},
	} {
		if got := test.c.bearer(test.r); got != test.want {
			t.Errorf("%s from %s: %q, want %q", test.r.url, test.c.start, got, test.want)
		}
	}
}

// TestRedirect: a POST that is redirected as it should is repeated, and all further requests go to where it led.
func TestRedirect(t *testing.T) {
	t.Parallel()
	for _, code := range []int{http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		f := newFake(true)
		f.early = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/" {
				return false
			}
			http.Redirect(w, r, fakePath+"?key=hunter2", code)
			return true
		}
		server := f.start(t)
		r, err := Check(t.Context(), Options{URL: server.URL, Token: f.token, Play: true, without: "media"})
		if err != nil {
			t.Fatal(err)
		}
		if text := print(t, r); r.URL != server.URL+fakePath || !r.OK() || strings.Contains(text, "hunter2") {
			t.Errorf("%d:\n%s", code, text)
		}
	}
}

// TestCounterOffer: a server that makes offers of its own is judged as far as that goes.
func TestCounterOffer(t *testing.T) {
	t.Parallel()
	for until, want := range map[string]Verdict{`; valid-until="Wed, 09 Oct 2024 10:00:00 GMT"`: Passed, "": Passed, "; valid-until=soon": Violated} {
		f := newFake(true)
		f.bend = func(_ *http.Request, x *reply) {
			if x.status == http.StatusCreated {
				x.status = http.StatusNotAcceptable
				x.header.Set("Content-Type", typeSDP+until)
			}
		}
		r := f.check(t, "")
		for _, v := range r.Results {
			if v.Rule == "post.counter-offer" && v.Verdict != want || v.Rule == "post.created" && v.Verdict != NotApplicable {
				t.Errorf("%q: %s is %s: %s", until, v.Rule, v.Verdict, v.Detail)
			}
		}
	}
}

// TestCannot: what is not the server's fault in the eyes of the specification is an error.
func TestCannot(t *testing.T) {
	t.Parallel()
	f := newFake(true)
	f.early = func(w http.ResponseWriter, r *http.Request) bool {
		var code int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &code); err != nil {
			return false
		}
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(code)
		return true
	}
	server := f.start(t)
	for u, want := range map[string]string{
		"://":                           "parsed",
		"ftp://a.example":               "neither http",
		"http:///x":                     "neither http",
		server.URL + "/401?key=hunter2": "401",
		server.URL + "/403":             "403",
		server.URL + "/404":             "404",
		server.URL + "/409":             "nothing is being published",
		server.URL + "/429":             "429",
		server.URL + "/503":             "503",
		"http://127.0.0.1:1/x":          "refused",
	} {
		_, err := Check(t.Context(), Options{URL: u, Token: fakeToken, Play: true})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), fakeToken) {
			t.Errorf("%s: %v", u, err)
		}
	}
}

// TestBusy: a server that asks to come back has to say so in a form that can be read.
func TestBusy(t *testing.T) {
	t.Parallel()
	f := newFake(true)
	f.early = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "soon")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	for _, v := range f.check(t, "").Results {
		if v.Rule == "http.retry-after" && v.Verdict != Violated || v.Rule == "post.created" && v.Verdict != NotApplicable {
			t.Errorf("%s is %s", v.Rule, v.Verdict)
		}
	}
}
