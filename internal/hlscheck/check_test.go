package hlscheck

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const fakeMultivariant = `#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=500000,AVERAGE-BANDWIDTH=400000,RESOLUTION=320x180,CODECS="avc1.42C00D,mp4a.40.2",FRAME-RATE=30.000
index.m3u8
`

// TestGood: servers that keep every rule pass without a warning, and all media is loaded.
func TestGood(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		ts, plain, noBlock bool
		parts              int
	}{
		{name: "low latency, fMP4", parts: 60},
		{name: "low latency, TS", ts: true, parts: 60},
		{name: "blocking reload without parts", plain: true},
		{name: "plain", plain: true, noBlock: true},
		{name: "plain, TS", plain: true, noBlock: true, ts: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newFake()
			s.ts, s.plain, s.noBlock, s.multivariant = test.ts, test.plain, test.noBlock, fakeMultivariant
			r := s.check(t, "/main.m3u8")
			var text strings.Builder
			if err := r.Print(&text); err != nil || len(r.Violations)+len(r.Warnings) > 0 || !r.Ended || len(r.Renditions) != 1 {
				t.Fatalf("%v\n%s", err, &text)
			}
			// Three Target Durations before the end: segments 6 (5 when parts had begun) to the last.
			if q := r.Renditions[0]; q.Segments < 6 || q.Segments > 7 || q.Parts < test.parts || q.Bytes == 0 {
				t.Errorf("loaded too little:\n%s", &text)
			}
		})
	}
}

// segmentBend returns a bend that changes one segment wherever it is listed as complete.
func segmentBend(msn int64, change func(g *segment)) func(*mediaPlaylist) {
	return func(p *mediaPlaylist) {
		if g := p.segment(msn); g != nil && g.uri != "" {
			change(g)
		}
	}
}

// bad is a server that breaks one rule, and the clause that must be reported.
type bad struct {
	clause string
	change func(s *fake)
}

func bend(clause string, f func(p *mediaPlaylist)) bad {
	return bad{clause, func(s *fake) { s.bend = f }}
}

func files(clause string, m fakeMedia) bad {
	return bad{clause, func(s *fake) { s.files = m }}
}

func tsFiles(clause string, m fakeMedia) bad {
	return bad{clause, func(s *fake) { s.ts, s.files = true, m }}
}

func header(clause, name, key, value string) bad {
	return bad{clause, func(s *fake) {
		s.header = func(h http.Header, path, _ string) {
			if strings.Contains(path, name) {
				h.Set(key, value)
			}
		}
	}}
}

func multivariant(old, with string) bad {
	return bad{"4.4.6.2", func(s *fake) { s.multivariant = replace(old, with)(fakeMultivariant) }}
}

// badPlaylists break rules that one playlist shows.
func badPlaylists() map[string]bad {
	return map[string]bad{
		"no target duration":       {"4.4.3.1", func(s *fake) { s.bendText = cut("#EXT-X-TARGETDURATION:1\n") }},
		"segment too long":         bend("4.4.3.1", segmentBend(9, func(g *segment) { g.duration = 1.6 })),
		"no version":               bend("8", func(p *mediaPlaylist) { p.version = 0 }),
		"version too low for skip": bend("8", func(p *mediaPlaylist) { p.version = 6 }),
		"no part-inf":              bend("4.4.3.7", func(p *mediaPlaylist) { p.partTarget = 0 }),
		"part target grows":        bend("4.4.3.7", func(p *mediaPlaylist) { p.partTarget = 0.1 + float64(p.end())/1000 }),
		"no part-hold-back":        bend("4.4.3.8", func(p *mediaPlaylist) { p.control.partHoldBack = 0 }),
		"part-hold-back too low":   bend("4.4.3.8", func(p *mediaPlaylist) { p.control.partHoldBack = 0.15 }),
		"part-hold-back tight":     bend("4.4.3.8", func(p *mediaPlaylist) { p.control.partHoldBack = 0.25 }),
		"hold-back too low":        bend("4.4.3.8", func(p *mediaPlaylist) { p.control.holdBack = 2 }),
		"skip boundary too near":   bend("4.4.3.8", func(p *mediaPlaylist) { p.control.skipUntil = 5 }),
		"no server control": {"4.4.3.8", func(s *fake) {
			s.noBlock, s.duration, s.bend = true, time.Second, func(p *mediaPlaylist) { p.control = nil }
		}},
		"no blocking reload":       {"B.1", func(s *fake) { s.noBlock, s.duration = true, time.Second }},
		"part too long":            bend("4.4.4.9", partBend(2, func(q *part) { q.duration = 0.12 })),
		"part too short":           bend("4.4.4.9", partBend(2, func(q *part) { q.duration = 0.06 })),
		"parts do not sum up":      bend("4.4.4.9", segmentBend(9, func(g *segment) { g.parts = g.parts[:min(8, len(g.parts))] })),
		"no dates":                 bend("B.1", undated),
		"date jumps":               bend("4.4.4.6", segmentBend(9, func(g *segment) { g.date = g.date.Add(400e6) })),
		"late tags":                bend("4.4.4.9", segmentBend(9, func(g *segment) { g.lateTags = true })),
		"window too short":         bend("6.2.2", func(p *mediaPlaylist) { p.cutFront(2) }),
		"hint after the end":       bend("4.4.5.3", func(p *mediaPlaylist) { p.hints = []preloadHint{{kind: "PART", uri: "x", length: -1}} }),
		"two hints":                bend("6.2.6", func(p *mediaPlaylist) { p.hints = append(p.hints, p.hints...) }),
		"no hint":                  bend("B.1", func(p *mediaPlaylist) { p.hints = nil }),
		"no map":                   bend("4.4.4.5", func(p *mediaPlaylist) { p.segments[0].initMap = nil }),
		"daterange without an id":  {"4.4.5.1", func(s *fake) { s.bendText = appendLine("#EXT-X-DATERANGE:CLASS=\"x\"\n") }},
		"report with absolute uri": {"4.4.5.4", func(s *fake) { s.bendText = appendLine("#EXT-X-RENDITION-REPORT:URI=\"http://x/y\",LAST-MSN=1\n") }},
		"gap between tag and value": {"4.4.3.8", func(s *fake) {
			s.duration, s.bendText = time.Second, replace("CAN-BLOCK-RELOAD=YES,", "CAN-BLOCK-RELOAD=YES, ")
		}},
		"byte order mark": {"4.1", func(s *fake) { s.bendText = func(text string) string { return "\ufeff" + text } }},
	}
}

// badUpdates break rules that the next version of the playlist shows.
func badUpdates() map[string]bad {
	var reloads atomic.Int64 // the servers run side by side
	next := func() string { return "?" + strconv.FormatInt(reloads.Add(1), 10) }
	return map[string]bad{
		"target duration changes":   bend("6.2.1", func(p *mediaPlaylist) { p.target = 1 + p.end()%2 }),
		"media sequence goes back":  bend("6.2.2", back),
		"discontinuity not counted": bend("6.2.2", func(p *mediaPlaylist) { p.discontinuity = p.sequence }),
		"uri changes":               bend("6.2.1", segmentBend(6, func(g *segment) { g.uri += next() })),
		"part changes":              bend("6.2.1", partBend(1, func(q *part) { q.uri += next() })),
		"date changes":              bend("6.2.1", segmentBend(6, func(g *segment) { g.date = g.date.Add(time.Duration(reloads.Add(1)) * time.Millisecond) })),
		"hint is not kept":          bend("4.4.5.3", hintElsewhere),
		"delta skips too much":      bend("6.2.5.1", func(p *mediaPlaylist) { skipMore(p, 3) }),
		"delta differs":             bend("6.2.5.1", deltaDiffers),
		"delta not asked for":       bend("6.2.5.1", func(p *mediaPlaylist) { skipMore(p, 1) }),
		"blocking reload too early": {"6.2.5.2", func(s *fake) { s.early, s.duration = true, time.Second }},
	}
}

// badMedia break rules that the media shows.
func badMedia(t *testing.T) map[string]bad {
	t.Helper()
	good, goodTS := newMedia(t, false, shape{}), newMedia(t, true, shape{})
	return map[string]bad{
		"part not there":           {"6.2.1", func(s *fake) { s.files = good.without(partName(10, 4)) }},
		"segment not there":        {"6.2.1", func(s *fake) { s.files = good.without(segmentName(10)) }},
		"segment gone too soon":    {"6.2.2", goneSoon},
		"segment unlike its parts": files("3.2", good.with(segmentName(10), good[segmentName(9)])),
		"timestamps jump":          files("4.4.4.3", newMedia(t, false, shape{jump: 90000})),
		"timestamps jump back":     files("4.4.4.3", newMedia(t, false, shape{jump: -45000})),
		"frames lost":              files("4.4.4.9", newMedia(t, false, shape{jump: 15000})),
		"part is empty":            files("4.4.4.3", newMedia(t, false, shape{lostPart: true})),
		"no independent frame":     files("4.4.4.9", newMedia(t, false, shape{noKey: true})),
		"segments not independent": files("4.4.2.1", newMedia(t, false, shape{noKey: true})),
		"unmarked key frame":       bend("4.4.4.9", partBend(0, func(q *part) { q.independent = false })),
		"no moof":                  files("3.1.2", good.with(partName(10, 1), []byte("\x00\x00\x00\x08free"))),
		"box cut short":            files("3.1.2", good.with(partName(10, 1), good[partName(10, 1)][:100])),
		"init is no init":          files("3.1.2", good.with("init.mp4", []byte("\x00\x00\x00\x08ftyp"))),
		"codecs differ":            multivariant("avc1.42C00D", "avc1.64002A"),
		"resolution differs":       multivariant("320x180", "640x360"),
		"TS: no tables":            tsFiles("3.1.1", goodTS.with(partName(10, 1), goodTS[partName(10, 1)][2*tsPacket:])),
		"TS: packet lost":          tsFiles("3.1.1", goodTS.with(partName(10, 1), goodTS[partName(10, 1)][:4*tsPacket])),
		"TS: timestamps jump":      tsFiles("4.4.4.3", newMedia(t, true, shape{jump: 90000})),
		"TS: no independent frame": tsFiles("4.4.4.9", newMedia(t, true, shape{noKey: true})),
		"TS: codecs differ": {"4.4.6.2", func(s *fake) {
			s.ts, s.files, s.multivariant = true, goodTS, replace("avc1.42C00D", "avc1.64002A")(fakeMultivariant)
		}},
		"TS: resolution differs": {"4.4.6.2", func(s *fake) {
			s.ts, s.files, s.multivariant = true, goodTS, replace("320x180", "640x360")(fakeMultivariant)
		}},
	}
}

// badHTTP break rules that HTTP shows.
func badHTTP() map[string]bad {
	return map[string]bad{
		"playlist type":            header("4", ".m3u8", "Content-Type", "application/octet-stream"),
		"media type":               header("3.1.2", ".m4s", "Content-Type", "application/octet-stream"),
		"no CORS":                  header("HTTP", ".m4s", "Access-Control-Allow-Origin", "https://other.invalid"),
		"playlist kept too long":   header("B.1", ".m3u8", "Cache-Control", "public, max-age=60"),
		"media not kept":           header("B.1", ".m4s", "Cache-Control", "no-store"),
		"far ahead is not refused": {"6.2.5.2", func(s *fake) { s.duration, s.lenient, s.bendText = time.Second, true, cut("#EXT-X-ENDLIST\n") }},
		"reload fails": {"6.2.1", func(s *fake) {
			s.answer = func(w http.ResponseWriter, r *http.Request) bool {
				failed := strings.Contains(r.URL.RawQuery, "_HLS_msn=10")
				if failed {
					w.WriteHeader(http.StatusInternalServerError)
				}
				return failed
			}
		}},
	}
}

// badMultivariants break rules that the Multivariant Playlist shows.
func badMultivariants() map[string]bad {
	return map[string]bad{
		"no bandwidth":  multivariant("BANDWIDTH=500000,", ""),
		"no codecs":     multivariant(`,CODECS="avc1.42C00D,mp4a.40.2"`, ""),
		"no such group": multivariant("FRAME-RATE", `VIDEO="x",FRAME-RATE`),
		"no uri":        multivariant("\nindex", "\n#index"),
		"media tags in it": {"4.4.6", func(s *fake) {
			s.duration, s.multivariant = time.Second, fakeMultivariant+"#EXT-X-TARGETDURATION:1\n"
		}},
	}
}

// TestBad: each way of breaking a rule is reported with its clause.
func TestBad(t *testing.T) {
	t.Parallel()
	all := badPlaylists()
	for _, more := range []map[string]bad{badUpdates(), badMedia(t), badHTTP(), badMultivariants()} {
		maps.Copy(all, more)
	}
	for name, bad := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFake()
			s.multivariant, s.duration = fakeMultivariant, 3*time.Second
			bad.change(s)
			r := s.check(t, "/main.m3u8")
			for _, v := range append(r.Violations, r.Warnings...) {
				if v.Clause == bad.clause {
					return
				}
			}
			var text strings.Builder
			_ = r.Print(&text)
			t.Errorf("want a breach of %s, got\n%s", bad.clause, &text)
		})
	}
}

func cut(line string) func(string) string { return replace(line, "") }

func replace(old, with string) func(string) string {
	return func(text string) string { return strings.ReplaceAll(text, old, with) }
}

func appendLine(line string) func(string) string {
	return func(text string) string { return text + line }
}

// partBend returns a bend that changes one part of segment 9 wherever it is listed.
func partBend(index int, change func(q *part)) func(*mediaPlaylist) {
	return func(p *mediaPlaylist) {
		if g := p.segment(9); g != nil && len(g.parts) > index {
			change(&g.parts[index])
		}
	}
}

func undated(p *mediaPlaylist) {
	for i := range p.segments {
		p.segments[i].date = time.Time{}
	}
	if p.open != nil {
		p.open.date = time.Time{}
	}
}

// cutFront leaves the last n segments in the playlist.
func (p *mediaPlaylist) cutFront(n int) {
	gone := max(len(p.segments)-n, 0)
	p.sequence += int64(gone)
	p.segments = p.segments[gone:]
	if len(p.segments) > 0 {
		p.segments[0].initMap = &mapTag{uri: "init.mp4"}
	}
}

// back starts the playlist later than it may, for a while.
func back(p *mediaPlaylist) {
	if p.end() == 9 && p.skip == nil && p.open != nil && len(p.open.parts) < 5 {
		p.cutFront(4)
	}
}

func hintElsewhere(p *mediaPlaylist) {
	for i := range p.hints {
		p.hints[i].uri = "seg0.0.m4s?" + p.hints[i].uri
	}
}

// skipMore makes a delta update that skips n segments more than it may, asked for or not.
func skipMore(p *mediaPlaylist, n int64) {
	if p.skip == nil {
		p.skip = &skipTag{}
	}
	p.skip.segments += n
	p.segments = p.segments[n:]
}

// deltaDiffers changes a segment in delta updates only.
func deltaDiffers(p *mediaPlaylist) {
	if p.skip != nil {
		p.segments[0].title, p.segments[0].gap = "x", true
	}
}

// goneSoon deletes segments the moment they leave the playlist.
func goneSoon(s *fake) {
	s.answer = func(w http.ResponseWriter, r *http.Request) bool {
		first := s.playlist().sequence
		for n := range first {
			if r.URL.Path == "/"+segmentName(n) {
				http.NotFound(w, r)
				return true
			}
		}
		return false
	}
}
