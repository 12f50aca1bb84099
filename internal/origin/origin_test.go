package origin

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rivus-live/rivus/internal/resource"
)

// ask sends a GET request to the handler.
func ask(tb testing.TB, h http.Handler, u *url.URL) *httptest.ResponseRecorder {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, "/", nil)
	r.URL = u
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// get asks for a path and query. Headers come in pairs.
func get(tb testing.TB, h *Handler, target string, header ...string) *httptest.ResponseRecorder {
	tb.Helper()
	return do(tb, h, http.MethodGet, target, header...)
}

// do sends a request to the handler, and checks that it is answered in the same way without net/http.
func do(tb testing.TB, h *Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	wantSame(tb, h, w, method, target, header...)
	return w
}

// wantError checks the JSON array of an error (spec ivs.md 9.5).
func wantError(t *testing.T, w *httptest.ResponseRecorder, status int, code, path string) {
	t.Helper()
	var list []map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list) != 1 {
		t.Fatalf("status %d, body %q: %v", w.Code, w.Body, err)
	}
	keys := slices.Sorted(maps.Keys(list[0]))
	if w.Code != status || list[0]["error_code"] != code || list[0]["url"] != path || list[0]["type"] != "error" ||
		!slices.Equal(keys, []string{"error", "error_code", "type", "url"}) {
		t.Errorf("status %d, body %v; want %d, %s", w.Code, list, status, code)
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", w.Header())
	}
}

// live returns a handler whose channel has been on air for six seconds.
func live(tb testing.TB) (*Handler, *encoder) {
	tb.Helper()
	e := newEncoder(tb, resource.ContainerFMP4, true)
	e.feed(tb, 6500*time.Millisecond)
	return newHandler(onAir(e)), e
}

func TestOffline(t *testing.T) {
	t.Parallel()
	silent := onAir(newEncoder(t, resource.ContainerFMP4, true)) // an encoder that has sent nothing yet
	tests := []struct {
		name   string
		world  *world
		path   string
		status int
		code   string
	}{
		{"no channel", &world{}, testMain, 404, codeNotFound},
		{"off air", &world{channel: &resource.Channel{}}, testMain, 404, codeNotFound},
		{"off air, media", &world{channel: &resource.Channel{}}, testIndex, 404, codeNotFound},
		{"private", &world{channel: &resource.Channel{Authorized: true}}, testMain, 403, wrongToken},
		{"private, token", &world{channel: &resource.Channel{Authorized: true}}, testMain + "?token=a.b.c", 403, wrongToken},
		{"store down", &world{broken: true}, testMain, 503, codeBusy},
		{"not ready", silent, testMain, 404, codeNotFound},
		{"not ready, media", silent, testIndex, 404, codeNotFound},
		{"other account", silent, strings.Replace(testMain, "1111", "2222", 1), 404, codeNotFound},
		{"other stream", silent, strings.Replace(testIndex, "st-0", "st-1", 1), 404, codeNotFound},
		{"other rendition", silent, strings.Replace(testIndex, "1080p30", "720p30", 1), 404, codeNotFound},
		{"nothing", silent, Prefix + "x", 404, codeNotFound},
	}
	for _, test := range tests {
		w := get(t, newHandler(test.world), test.path)
		path, _, _ := strings.Cut(test.path, "?")
		t.Run(test.name, func(t *testing.T) { wantError(t, w, test.status, test.code, path) })
	}
}

// TestStatus: a page learns how its channel is from an answer that is no error.
func TestStatus(t *testing.T) {
	t.Parallel()
	onAirFor := func(d time.Duration, private, ended bool) *world {
		e := newEncoder(t, resource.ContainerFMP4, true)
		e.feed(t, d)
		if ended {
			e.End()
		}
		w := onAir(e)
		w.presentation.Channel.Authorized = private
		w.channel = &resource.Channel{Authorized: private}
		return w
	}
	deleted := onAirFor(6*time.Second, false, true)
	deleted.channel = nil
	tests := []struct {
		name  string
		world *world
		want  string
	}{
		{"live", onAirFor(6*time.Second, false, false), statusLive},
		{"too new", onAirFor(0, false, false), statusOffline},
		{"ended", onAirFor(6*time.Second, false, true), statusOffline},
		{"deleted after it ended", deleted, statusUnknown},
		{"private", onAirFor(6*time.Second, true, false), statusPrivate},
		{"private, ended", onAirFor(6*time.Second, true, true), statusPrivate},
		{"off air", &world{channel: &resource.Channel{}}, statusOffline},
		{"private, off air", &world{channel: &resource.Channel{Authorized: true}}, statusPrivate},
		{"no channel", &world{}, statusUnknown},
	}
	for _, test := range tests {
		w := get(t, newHandler(test.world), testMain+"?status")
		if w.Code != http.StatusOK || w.Body.String() != test.want || w.Header().Get("Cache-Control") != "no-store" ||
			w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %q, want %s; %v", test.name, w.Code, w.Body, test.want, w.Header())
		}
	}
	wantError(t, get(t, newHandler(&world{broken: true}), testMain+"?status"), http.StatusServiceUnavailable, codeBusy, testMain)
	wantError(t, get(t, newHandler(&world{}), testIndex+"?status"), http.StatusNotFound, codeNotFound, testIndex)
}

// TestPrivateLive: a private channel on air answers 403 to every path.
func TestPrivateLive(t *testing.T) {
	t.Parallel()
	e := newEncoder(t, resource.ContainerFMP4, true)
	e.feed(t, 5*time.Second)
	w := onAir(e)
	w.presentation.Channel.Authorized = true
	h := newHandler(w)
	for _, path := range []string{testMain, testIndex, testBelow + "seg0.m4s", testBelow + "init1.mp4"} {
		wantError(t, get(t, h, path), http.StatusForbidden, wrongToken, path)
	}
}

// TestEscape: a path with an escape names nothing.
func TestEscape(t *testing.T) {
	t.Parallel()
	h, _ := live(t)
	wantError(t, get(t, h, strings.Replace(testMain, "-", "%2D", 1)), http.StatusNotFound, codeNotFound, testMain)
}

func TestMultivariant(t *testing.T) {
	t.Parallel()
	h, _ := live(t)
	one := get(t, h, testMain+"?player_version=1.2&pbac=1&pblm=LOW&allow_audio_only=true")
	two := get(t, h, testMain)
	if one.Code != http.StatusOK || one.Header().Get("Cache-Control") != "no-store" ||
		one.Header().Get("Content-Type") != "application/vnd.apple.mpegurl" {
		t.Fatalf("status %d, headers %v", one.Code, one.Header())
	}
	for _, want := range []string{`DATA-ID="NODE",VALUE="test"`, "SERVER-TIME", `VALUE="` + testStream, "VIDEO-SESSION-ID", `NAME="180p"`} {
		if !strings.Contains(one.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, one.Body)
		}
	}
	if one.Body.String() == two.Body.String() {
		t.Error("two viewers got one playlist")
	}
}

// mediaURL returns the media playlist's path and query from the multivariant playlist.
func mediaURL(t *testing.T, h *Handler) string {
	t.Helper()
	text := strings.TrimSpace(get(t, h, testMain).Body.String())
	base, _ := url.Parse(testMain)
	u, err := base.Parse(text[strings.LastIndexByte(text, '\n')+1:])
	if err != nil {
		t.Fatal(err)
	}
	return u.String()
}

func TestPlaylist(t *testing.T) {
	t.Parallel()
	h, e := live(t)
	index := mediaURL(t, h)
	w := get(t, h, index)
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), "#EXTM3U\n") {
		t.Fatalf("status %d\n%s", w.Code, w.Body)
	}
	want := map[string]string{
		"Content-Type": "application/vnd.apple.mpegurl", "Cache-Control": "public, max-age=0, s-maxage=1", "Vary": "Accept-Encoding",
		"Access-Control-Allow-Origin": "*", "Content-Length": strconv.Itoa(w.Body.Len()),
	}
	for name, value := range want {
		if got := w.Header().Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if strings.Contains(w.Body.String(), "?") || strings.Contains(w.Body.String(), "/") {
		t.Errorf("URIs are not relative, or have a query:\n%s", w.Body)
	}
	packed := get(t, h, index, "Accept-Encoding", "br, gzip;q=0.5")
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || !bytes.Equal(text, w.Body.Bytes()) {
		t.Errorf("the packed playlist differs: %v", err)
	}
	same := get(t, h, index, "If-None-Match", `"x", `+w.Header().Get("Etag"))
	if same.Code != http.StatusNotModified || same.Body.Len() > 0 {
		t.Errorf("status %d with a fresh ETag", same.Code)
	}
	blocking := get(t, h, index+"&_HLS_msn="+strconv.FormatInt(e.Snapshot().LastMSN(), 10)+"&_HLS_part=0")
	if got := blocking.Header().Get("Cache-Control"); blocking.Code != http.StatusOK || got != "public, max-age=0, s-maxage=1" {
		t.Errorf("blocking reload: status %d, Cache-Control %q", blocking.Code, got)
	}
	head := do(t, h, http.MethodHead, index)
	if head.Code != http.StatusOK || head.Body.Len() > 0 || head.Header().Get("Content-Length") != want["Content-Length"] {
		t.Errorf("HEAD: status %d, %d bytes, headers %v", head.Code, head.Body.Len(), head.Header())
	}
	e.End()
	if got := get(t, h, index); got.Header().Get("Cache-Control") != "public, max-age=12" || !strings.Contains(got.Body.String(), "ENDLIST") {
		t.Errorf("at the end: %v\n%s", got.Header(), got.Body)
	}
}

func TestBadDirectives(t *testing.T) {
	t.Parallel()
	h, e := live(t)
	far := strconv.FormatInt(e.Snapshot().LastMSN()+3, 10)
	for _, query := range []string{
		"_HLS_msn=x", "_HLS_msn=-1", "_HLS_part=1", "_HLS_msn=1&_HLS_msn=2", "_HLS_msn=" + far, "_HLS_msn=" + far + "&_HLS_part=0",
		"_HLS_msn=3&_HLS_part=99", "_HLS_skip=maybe", "_HLS_msn=99999999999999999999",
	} {
		wantError(t, get(t, h, testIndex+"?"+query), http.StatusBadRequest, codeInvalid, testIndex)
	}
	long := get(t, h, testMain+"?token="+strings.Repeat("x", 9000))
	wantError(t, long, http.StatusRequestURITooLong, "uri_too_long", testMain)
}

func TestMethods(t *testing.T) {
	t.Parallel()
	h, _ := live(t)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, "BREW"} {
		w := do(t, h, method, testMain)
		wantError(t, w, http.StatusMethodNotAllowed, "method_not_allowed", testMain)
		if w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("Allow is %q", w.Header().Get("Allow"))
		}
	}
	w := do(t, h, http.MethodOptions, testIndex, "Origin", "https://a.example", "Access-Control-Request-Headers", "range")
	if w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Origin") != "*" ||
		w.Header().Get("Access-Control-Allow-Headers") != "*" || w.Header().Get("Access-Control-Max-Age") == "" {
		t.Errorf("preflight: status %d, %v", w.Code, w.Header())
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	h, e := live(t)
	for file, kind := range map[string]string{"init1.mp4": "video/mp4", "seg2.m4s": "video/mp4", "seg2.1.m4s": "video/mp4"} {
		w := get(t, h, testBelow+file)
		want, err := e.Resource(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), bytes.Join(want.Data, nil)) || w.Body.Len() == 0 {
			t.Errorf("%s: status %d, %d bytes of %d", file, w.Code, w.Body.Len(), want.Size)
		}
		if got := w.Header(); got.Get("Content-Type") != kind || got.Get("Cache-Control") != "public, max-age=40, immutable" ||
			got.Get("Accept-Ranges") != "bytes" || got.Get("Content-Length") != strconv.FormatInt(want.Size, 10) {
			t.Errorf("%s: %v", file, got)
		}
	}
	for _, file := range []string{"seg99.m4s", "seg2.99.m4s", "init9.mp4", "seg2.ts", "x"} {
		wantError(t, get(t, h, testBelow+file), http.StatusNotFound, codeNotFound, testBelow+file)
	}
}

func TestRange(t *testing.T) {
	t.Parallel()
	h, e := live(t)
	file, err := e.Resource(t.Context(), "seg1.m4s")
	if err != nil {
		t.Fatal(err)
	}
	all := bytes.Join(file.Data, nil)
	n := int64(len(all))
	if len(file.Data) < 2 {
		t.Fatal("the segment is not made of parts")
	}
	edge := int64(len(file.Data[0]))
	tests := []struct {
		header   string
		status   int
		from, to int64
	}{
		{"bytes=0-0", 206, 0, 1},
		{"bytes=0-", 206, 0, n},
		{"bytes=100-199", 206, 100, 200},
		{"bytes=-5", 206, n - 5, n},
		{"bytes=-999999999", 206, 0, n},
		{"bytes=" + strconv.FormatInt(edge-2, 10) + "-" + strconv.FormatInt(edge+1, 10), 206, edge - 2, edge + 2},
		{"bytes=5-9007199254740991", 206, 5, n},
		{"bytes=" + strconv.FormatInt(n, 10) + "-", 416, 0, 0},
		{"bytes=-0", 416, 0, 0},
		{"bytes=5-4", 200, 0, n},
		{"bytes=0-1,3-4", 200, 0, n},
		{"bytes=x", 200, 0, n},
		{"items=0-1", 200, 0, n},
	}
	for _, test := range tests {
		w := get(t, h, testBelow+"seg1.m4s", "Range", test.header)
		if w.Code != test.status {
			t.Errorf("%s: status %d, want %d", test.header, w.Code, test.status)
			continue
		}
		size := strconv.FormatInt(n, 10)
		switch test.status {
		case 416:
			if got := w.Header().Get("Content-Range"); got != "bytes */"+size {
				t.Errorf("%s: Content-Range %q", test.header, got)
			}
			continue
		case 206:
			want := "bytes " + strconv.FormatInt(test.from, 10) + "-" + strconv.FormatInt(test.to-1, 10) + "/" + size
			if got := w.Header().Get("Content-Range"); got != want {
				t.Errorf("%s: Content-Range %q, want %q", test.header, got, want)
			}
		}
		if !bytes.Equal(w.Body.Bytes(), all[test.from:test.to]) {
			t.Errorf("%s: wrong bytes (%d)", test.header, w.Body.Len())
		}
	}
	if w := get(t, h, testBelow+"seg1.m4s", "Range", "bytes=0-1", "If-Range", `"x"`); w.Code != http.StatusOK {
		t.Errorf("with If-Range: status %d", w.Code)
	}
}

// ways are net/http and connections that were taken over.
func ways() map[string]beginner {
	return map[string]beginner{"net/http": begin, "taken over": beginDirect}
}

// asked is a request that is being answered.
type asked struct {
	w      *httptest.ResponseRecorder
	cancel context.CancelFunc
}

// beginner starts a request; all ends with the test's group.
type beginner func(t *testing.T, h *Handler, all *sync.WaitGroup, target string) *asked

func beginDirect(t *testing.T, h *Handler, all *sync.WaitGroup, target string) *asked {
	t.Helper()
	d := newDirect(h)
	if _, err := d.ask(http.MethodHead, testBelow+"init1.mp4"); err != nil { // after which it is taken over
		t.Fatal(err)
	}
	a := &asked{httptest.NewRecorder(), func() { _ = d.Close() }}
	all.Go(func() {
		defer d.stop()
		if w, err := d.ask(http.MethodGet, target); err == nil {
			a.w = w
		}
	})
	return a
}

func begin(t *testing.T, h *Handler, all *sync.WaitGroup, target string) *asked {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	a := &asked{httptest.NewRecorder(), cancel}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	all.Go(func() { h.ServeHTTP(a.w, r) })
	return a
}

// TestWait: a playlist and a part that are asked for before they exist are answered when they do.
func TestWait(t *testing.T) {
	t.Parallel()
	for name, begin := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, e := live(t)
				var all sync.WaitGroup
				s := e.Snapshot()
				msn, part := strconv.FormatInt(s.LastMSN(), 10), strconv.Itoa(s.LastPart()+1)
				reload := begin(t, h, &all, testIndex+"?_HLS_msn="+msn+"&_HLS_part="+part)
				whole := begin(t, h, &all, testIndex+"?_HLS_msn="+msn)
				hinted := begin(t, h, &all, testBelow+"seg"+msn+"."+part+".m4s")
				gone := begin(t, h, &all, testIndex+"?_HLS_msn="+msn+"&_HLS_part="+part)
				synctest.Wait()
				if got := h.Stats().Waits; got != 4 {
					t.Errorf("%d requests wait, want 4", got)
				}
				gone.cancel()
				<-time.After(1100 * time.Millisecond) // it may be noticed a little later
				synctest.Wait()
				if got := h.Stats().Waits; got != 3 {
					t.Errorf("%d requests wait after one viewer hung up, want 3", got)
				}
				e.feed(t, 250*time.Millisecond)
				synctest.Wait()
				if got := h.Stats().Waits; got != 1 {
					t.Errorf("%d requests wait after a part came, want 1", got)
				}
				e.feed(t, 2*time.Second)
				all.Wait()
				name := "seg" + msn + "." + part + ".m4s"
				if !strings.Contains(reload.w.Body.String(), name) || !strings.Contains(whole.w.Body.String(), "\nseg"+msn+".m4s") {
					t.Errorf("the playlists lack what was asked for:\n%s\n%s", reload.w.Body, whole.w.Body)
				}
				if hinted.w.Code != http.StatusOK || hinted.w.Body.Len() == 0 {
					t.Errorf("the hinted part: status %d, %d bytes", hinted.w.Code, hinted.w.Body.Len())
				}
				if gone.w.Body.Len() > 0 {
					t.Error("an answer to a viewer who hung up")
				}
				if !slices.Contains(h.Stats().Requests, RequestCount{Playlist, StatusGone, 1}) {
					t.Errorf("counted %v", h.Stats().Requests)
				}
			})
		})
	}
}

// TestWaitEnds: no wait is longer than three target durations, and the end of the stream ends all.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	for name, begin := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, e := live(t)
				var all sync.WaitGroup
				msn := strconv.FormatInt(e.Snapshot().LastMSN(), 10)
				start := time.Now()
				slow := begin(t, h, &all, testIndex+"?_HLS_msn="+msn)
				all.Wait()
				if passed := time.Since(start).Round(time.Second / 10); slow.w.Code != http.StatusServiceUnavailable || passed != 6*time.Second {
					t.Errorf("status %d after %v", slow.w.Code, passed)
				}
				if slow.w.Header().Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
				last := begin(t, h, &all, testIndex+"?_HLS_msn="+msn)
				synctest.Wait()
				e.End()
				all.Wait()
				if !strings.HasSuffix(last.w.Body.String(), "#EXT-X-ENDLIST\n") {
					t.Errorf("status %d\n%s", last.w.Code, last.w.Body)
				}
			})
		})
	}
}

// TestMaxWaits: beyond the bound a request is refused at once instead of waiting.
func TestMaxWaits(t *testing.T) {
	t.Parallel()
	for name, begin := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newEncoder(t, resource.ContainerFMP4, true)
				e.feed(t, 5*time.Second)
				w := onAir(e)
				h := New(Options{Presentations: w, Channels: w, Gate: newLaw().gate, MaxWaits: 2})
				msn := strconv.FormatInt(e.Snapshot().LastMSN(), 10)
				var all sync.WaitGroup
				for range 2 {
					begin(t, h, &all, testIndex+"?_HLS_msn="+msn)
				}
				synctest.Wait()
				wantError(t, get(t, h, testIndex+"?_HLS_msn="+msn), http.StatusServiceUnavailable, codeBusy, testIndex)
				e.End()
				all.Wait()
				if got := h.Stats().Waits; got != 0 {
					t.Errorf("%d requests wait, want none", got)
				}
			})
		})
	}
}

// TestViewers: what was minted counts when its media playlist is asked for; nothing else counts.
func TestViewers(t *testing.T) {
	t.Parallel()
	h, _ := live(t)
	one, two := mediaURL(t, h), mediaURL(t, h)
	if got := h.Viewers(testStream); got != 0 {
		t.Errorf("%d viewers before anyone plays", got)
	}
	for range 3 {
		get(t, h, one)
		get(t, h, two+"&_HLS_msn=1&_HLS_part=0")
	}
	get(t, h, testIndex)
	get(t, h, testIndex+"?v=")
	get(t, h, testIndex+"?v=AAAAAAAAAAAAAAAABBBBBBBB")
	get(t, h, one[:len(one)-1]+"?")
	if got := h.Viewers(testStream); got != 2 {
		t.Errorf("%d viewers, want 2", got)
	}
	if got := h.Viewers("st-other"); got != 0 {
		t.Errorf("%d viewers of another stream", got)
	}
}

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"gzip": true, "GZIP": true, "deflate, gzip;q=0.1": true, "*": true, "gzip;q=1.0, *;q=0": true,
		"": false, "identity": false, "gzip;q=0": false, "gzip; q=0.000": false, "gzip;q=0, *": false, "x-gzip": false,
	} {
		if got := acceptsGzip(value); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}
