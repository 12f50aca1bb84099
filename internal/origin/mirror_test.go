package origin

import (
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/resource"
)

// mirrored is a Live of another node: it is handed what a Live here shows, as a relay would, and nothing else.
type mirrored struct {
	*hls.Mirror
	live  *hls.Live
	open  int64 // the segment that was started last
	parts int   // how many of it were handed over
}

// follow hands over what is new in a snapshot.
func (m *mirrored) follow(tb testing.TB, s *hls.Snapshot) {
	tb.Helper()
	if !s.Ready() {
		return
	}
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	first := m.Mirror == nil
	if first {
		var err error
		m.Mirror, m.live, err = hls.NewMirror(s.Format(), s.DiscontinuitySequence())
		must(err)
		m.open = s.Segments()[0].MSN
		must(m.StartSegment(s.Segments()[0].Head))
	}
	hand := func(parts []hls.Part) {
		for ; m.parts < len(parts); m.parts++ {
			must(m.AddPart(parts[m.parts]))
		}
	}
	for g := s.Segment(m.open); g != nil; g = s.Segment(m.open) {
		hand(g.Parts)
		must(m.FinishSegment())
		m.open, m.parts = m.open+1, 0
		next, _ := s.Growing()
		if g = s.Segment(m.open); g != nil {
			next = g.Head
		}
		if next.MSN == m.open {
			must(m.StartSegment(next))
		}
	}
	head, parts := s.Growing()
	if head.MSN == m.open {
		if m.parts == 0 {
			must(m.StartSegment(head)) // a segment that never got a part may have been replaced
		}
		hand(parts)
	}
	msn, part := s.Hint()
	if s.Ended() {
		m.End(s.Info())
	} else {
		m.Publish(msn, part, s.Info())
	}
}

// TestMirror serves a stream from a Live that is fed by a local packager and from one that is fed by a mirror, from its
// start and from its middle. Viewers get the same: status, headers, playlists, delta updates and files.
func TestMirror(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, container string
		low             bool
		joins           time.Duration
	}{
		{"fMP4", resource.ContainerFMP4, true, 0},
		{"TS", resource.ContainerTS, true, 0},
		{"fMP4, NORMAL", resource.ContainerFMP4, false, 0},
		{"fMP4, from the middle", resource.ContainerFMP4, true, 47500 * time.Millisecond},
		{"TS, NORMAL, from the middle", resource.ContainerTS, false, 47500 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEncoder(t, test.container, test.low)
			m := &mirrored{}
			here := newHandler(onAir(e))
			var there *Handler
			for e.at() < 60*time.Second {
				e.feed(t, time.Second/30)
				if e.at() < test.joins {
					continue
				}
				if m.follow(t, e.Snapshot()); m.live != nil && there == nil {
					there = newHandler(&world{channel: &resource.Channel{}, presentation: presentationOf(resource.Channel{}, e.began, m.live)})
				}
				if there != nil && e.pictures%47 == 0 {
					wantServedAlike(t, here, there, e.Snapshot())
				}
			}
			e.End()
			m.follow(t, e.Snapshot())
			wantServedAlike(t, here, there, e.Snapshot())
			if held, kept := m.Bytes(), e.Stats().Bytes; held > kept || held < kept/3 {
				t.Errorf("the mirror holds %d bytes, the packager %d", held, kept)
			}
		})
	}
}

// wantServedAlike asks both handlers for the playlists, the files that they name and some that nobody has.
func wantServedAlike(t *testing.T, here, there *Handler, s *hls.Snapshot) {
	t.Helper()
	paths := []string{testIndex, testIndex + "?_HLS_skip=YES", testIndex + "?_HLS_msn=99", testMain + "?status", testBelow + "seg99.m4s", testBelow + "init9.mp4"}
	for line := range strings.Lines(string(s.Playlist(false).Plain())) {
		name := strings.TrimSpace(line)
		if strings.HasPrefix(name, "#") {
			_, name, _ = strings.Cut(name, `URI="`)
			name, _, _ = strings.Cut(name, `"`)
		}
		if name != "" && !strings.Contains(line, "PRELOAD-HINT") { // for that one both would wait
			paths = append(paths, testBelow+name)
		}
	}
	for _, path := range paths {
		for _, header := range [][]string{nil, {"Accept-Encoding", "gzip"}, {"Range", "bytes=5-40"}} {
			a, b := get(t, here, path, header...), get(t, there, path, header...)
			if a.Code != b.Code || a.Body.String() != b.Body.String() || a.Header().Get("Etag") != b.Header().Get("Etag") ||
				a.Header().Get("Cache-Control") != b.Header().Get("Cache-Control") || a.Header().Get("Content-Type") != b.Header().Get("Content-Type") {
				t.Fatalf("%s: %d and %d, %v and %v\n%.2000s\n%.2000s", path, a.Code, b.Code, a.Header(), b.Header(), a.Body, b.Body)
			}
		}
	}
}
