package origin

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/resource"
)

// cache is as much of RFC 9111 as our answers need: a private cache that a browser has, or a shared one. Both keep what they
// may and answer from it while it is fresh (4.2); the shared one prefers s-maxage (5.2.2.10).
type cache struct {
	shared bool
	now    time.Time
	kept   map[string]kept
}

type kept struct {
	answer *httptest.ResponseRecorder
	until  time.Time
}

func (c *cache) get(tb testing.TB, h *Handler, target string) (w *httptest.ResponseRecorder, hit bool) {
	tb.Helper()
	if k, ok := c.kept[target]; ok && c.now.Before(k.until) {
		return k.answer, true
	}
	w = get(tb, h, target)
	lifetime, special := time.Duration(0), false
	for d := range strings.SplitSeq(w.Header().Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(d), "=")
		n, _ := strconv.Atoi(value) // 0 when the directive has no value
		switch {
		case name == "no-store", name == "private" && c.shared:
			return w, false
		case name == "s-maxage" && c.shared:
			lifetime, special = time.Duration(n)*time.Second, true
		case name == "max-age" && !special:
			lifetime = time.Duration(n) * time.Second
		}
	}
	c.kept[target] = kept{w, c.now.Add(lifetime)}
	return w, false
}

// TestCaches asks through both kinds of caches as players do. A player that repeats the directives of an earlier blocking
// reload a segment later must get news; viewers who come at the same moment may share an answer; media stays.
func TestCaches(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{false, true} {
		e := newEncoder(t, resource.ContainerFMP4, true)
		e.feed(t, 9*time.Second)
		h := newHandler(onAir(e))
		c := &cache{shared: shared, now: e.began, kept: map[string]kept{}}
		reload := testIndex + "?_HLS_msn=" + strconv.FormatInt(e.Snapshot().LastMSN(), 10) + "&_HLS_part=0"
		for _, target := range []string{reload, testIndex} {
			first, _ := c.get(t, h, target)
			if _, hit := c.get(t, h, target); hit != shared {
				t.Errorf("shared %v: a second viewer of %s is answered from the cache: %v", shared, target, hit)
			}
			e.feed(t, 2*time.Second)
			c.now = c.now.Add(2 * time.Second)
			if again, hit := c.get(t, h, target); hit || again.Body.String() == first.Body.String() {
				t.Errorf("shared %v: %s brings nothing new a segment later", shared, target)
			}
		}
		for target, want := range map[string]bool{testBelow + "init1.mp4": true, testBelow + "seg2.m4s": true, testBelow + "seg99.m4s": false, testMain: false} {
			c.get(t, h, target)
			c.now = c.now.Add(10 * time.Second)
			if _, hit := c.get(t, h, target); hit != want {
				t.Errorf("shared %v: %s is kept: %v, want %v", shared, target, hit, want)
			}
		}
	}
}
