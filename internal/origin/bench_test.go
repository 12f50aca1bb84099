package origin

import (
	"net/http"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/resource"
)

// sink is a ResponseWriter that costs nothing, so that what is measured is the handler.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header              { return s.header }
func (s *sink) Write(b []byte) (int, error)      { return len(b), nil }
func (s *sink) WriteHeader(int)                  {}
func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkHandler measures what the handler adds to a request of each kind, beside what net/http costs.
func BenchmarkHandler(b *testing.B) {
	e := newEncoder(b, resource.ContainerFMP4, true)
	e.feed(b, 9*time.Second)
	h := newHandler(onAir(e))
	viewer := h.mint.new(testStream)
	for name, target := range map[string]string{
		"multivariant": testMain,
		"playlist":     testIndex + "?v=" + viewer + "&_HLS_msn=3&_HLS_part=3",
		"part":         testBelow + "seg3.3.m4s",
		"segment":      testBelow + "seg2.m4s",
	} {
		b.Run(name, func(b *testing.B) {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, target, nil)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Accept-Encoding", "gzip, deflate, br")
			w := &sink{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, r)
			}
		})
	}
}
