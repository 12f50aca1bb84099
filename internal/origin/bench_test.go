package origin

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rivus-live/rivus/internal/admission"
	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/resource"
)

// sink is a ResponseWriter that costs nothing, so that what is measured is the handler.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header              { return s.header }
func (s *sink) Write(b []byte) (int, error)      { return len(b), nil }
func (s *sink) WriteHeader(int)                  {}
func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// BenchmarkHandler measures what the handler adds to a request of each kind, beside what net/http costs: of a public channel, and
// of a private one whose viewer can be revoked.
func BenchmarkHandler(b *testing.B) {
	e := newEncoder(b, resource.ContainerFMP4, true)
	e.feed(b, 9*time.Second)
	public := newHandler(onAir(e))
	w := onAir(e)
	w.presentation.Channel.Authorized = true
	l := newLaw()
	private := New(Options{Presentations: w, Channels: w, Gate: l.gate, ViewerKey: []byte("key"), Node: "test"})
	query := l.sign(b, jwt.MapClaims{"aws:viewer-id": "u-1042", "aws:viewer-session-version": 3})
	sealed, err := l.gate.Seal(&admission.Pass{ViewerID: "u-1042", SessionVersion: 3}, testStream)
	if err != nil {
		b.Fatal(err)
	}
	named := strings.Replace(testBelow, "/"+testStream, "/v/"+sealed+"/"+testStream, 1)
	viewer := public.mint.new(testStream)
	for _, c := range []struct {
		name   string
		h      *Handler
		target string
	}{
		{"public multivariant", public, testMain},
		{"private multivariant", private, testMain + query},
		{"public playlist", public, testIndex + "?v=" + viewer + "&_HLS_msn=3&_HLS_part=3"},
		{"private playlist", private, named + playlistFile + "?_HLS_msn=3&_HLS_part=3"},
		{"public part", public, testBelow + "seg3.3.m4s"},
		{"private part", private, named + "seg3.3.m4s"},
		{"public segment", public, testBelow + "seg2.m4s"},
	} {
		b.Run(c.name, func(b *testing.B) {
			h, target := c.h, c.target
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

// BenchmarkPublic measures what a request of a public channel pays because others are restricted.
func BenchmarkPublic(b *testing.B) {
	p := &hls.Presentation{}
	t := target{streamID: testStream, file: "seg1.m4s"}
	restricted := 0
	b.ReportAllocs()
	for b.Loop() {
		if t.pass != "" || admission.Restricts(&p.Channel) {
			restricted++
		}
	}
	if restricted > 0 {
		b.Fatal("it is restricted")
	}
}
