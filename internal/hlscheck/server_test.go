package hlscheck

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/aac"
	"github.com/rivus-live/rivus/internal/media/h264"
	"github.com/rivus-live/rivus/internal/media/mp4"
	"github.com/rivus-live/rivus/internal/media/mpegts"
)

// The broadcast that the fake server shows: one-second segments of ten parts, thirty pictures a second.
const (
	partsPerSegment = 10
	framesPerPart   = 3
	fakeSegments    = 12 // then it ends
	fakeStart       = 8  // segments there when the checker comes
	fakeWindow      = 7
)

// fakeMedia is the media of the fake server, by file name.
type fakeMedia map[string][]byte

// fakeTracks returns a 320x180 baseline video track and a stereo audio track.
func fakeTracks(tb testing.TB) (video, audio *media.Track) {
	tb.Helper()
	avcc := "\x01\x42\xc0\x0d\xff\xe1\x00\x17\x67\x42\xc0\x0d\xda\x05\x06\x7e\x7c\x04\x40\x00\x00\x03\x00\x40\x00\x00\x0f\x03" +
		"\xc5\x0a\xa8\x01\x00\x04\x68\xce\x0f\xc8"
	video, err := h264.ParseConfig([]byte(avcc))
	if err != nil {
		tb.Fatal(err)
	}
	if audio, err = aac.ParseConfig([]byte{0x11, 0x90}); err != nil {
		tb.Fatal(err)
	}
	return video, audio
}

// shape says what is wrong with the media that newMedia makes; its zero value is good media.
type shape struct {
	jump     int64 // ticks of 90 kHz by which video runs ahead from segment 9 on
	noKey    bool  // segments do not start with an IDR picture
	lostPart bool  // the third part of segment 9 carries nothing of what it should
}

func newMedia(tb testing.TB, ts bool, s shape) fakeMedia {
	tb.Helper()
	video, audio := fakeTracks(tb)
	files := fakeMedia{"init.mp4": mp4.AppendInit(nil, []*media.Track{video, audio})}
	mux := mpegts.NewMuxer(video, audio)
	var heard int64 // audio frames so far
	for n := range fakeSegments {
		var whole []byte
		for p := range partsPerSegment {
			pictures := s.pictures(video, n, p)
			var sounds []media.Frame
			for end := int64(n*partsPerSegment+p+1) * 4800; heard*1024 < end; heard++ {
				sounds = append(sounds, media.Frame{Track: audio, DTS: heard * 1024, Key: true, Data: []byte{0x21, 0x10, 5, byte(heard)}})
			}
			if s.lostPart && n == 9 && p == 2 {
				pictures, sounds = pictures[:1], sounds[:1]
			}
			var body []byte
			if ts {
				body = tsPart(mux, pictures, sounds)
			} else {
				body = mp4Part(uint32(n*partsPerSegment+p), pictures, sounds)
			}
			files[partName(int64(n), p)] = body
			whole = append(whole, body...)
		}
		files[segmentName(int64(n))] = whole
	}
	return files
}

// pictures returns the video frames of a part.
func (s shape) pictures(video *media.Track, n, p int) (frames []media.Frame) {
	for i := range framesPerPart {
		index := int64((n*partsPerSegment+p)*framesPerPart + i)
		key := p == 0 && i == 0 && !s.noKey
		dts := index * 3000
		if n >= 9 {
			dts += s.jump
		}
		frames = append(frames, media.Frame{Track: video, DTS: dts, Key: key, Data: picture(key, byte(index))})
	}
	return frames
}

// picture makes an access unit of one slice.
func picture(key bool, fill byte) []byte {
	header := byte(0x41)
	if key {
		header = 0x65
	}
	return append([]byte{0, 0, 0, 60, header, 0x88}, strings.Repeat(string(rune(fill|1)), 58)[:58]...)
}

func mp4Part(sequence uint32, pictures, sounds []media.Frame) []byte {
	f := mp4.Fragment{Sequence: sequence, Video: run(pictures, 3000), Audio: run(sounds, 1024)}
	return f.Append(nil)
}

func run(frames []media.Frame, duration uint32) mp4.Run {
	r := mp4.Run{Track: frames[0].Track, BaseTime: frames[0].DTS}
	for _, f := range frames {
		r.Samples = append(r.Samples, mp4.Sample{Data: f.Data, Duration: duration, Key: f.Key})
	}
	return r
}

func tsPart(mux *mpegts.Muxer, pictures, sounds []media.Frame) []byte {
	body := mux.AppendTables(nil)
	for i := range pictures {
		body = mux.AppendVideo(body, &pictures[i], false)
	}
	return mux.AppendAudio(body, sounds)
}

func segmentName(n int64) string     { return fmt.Sprintf("seg%d.m4s", n) }
func partName(n int64, p int) string { return fmt.Sprintf("seg%d.%d.m4s", n, p) }

// fake is a server of the broadcast. It has no clock: the broadcast advances when a viewer asks for what does not exist
// yet, so a check of all of it takes as long as its requests do. Its fields change what it serves; none set, it keeps
// every rule.
type fake struct {
	ts, plain, noBlock bool
	files              fakeMedia
	multivariant       string
	bend               func(p *mediaPlaylist)                            // changes each playlist before it is written
	bendText           func(text string) string                          // and after
	answer             func(w http.ResponseWriter, r *http.Request) bool // answers in the server's place
	header             func(h http.Header, name string, query string)    // changes the headers
	lenient            bool                                              // nothing is a bad request
	duration           time.Duration                                     // of the check; 0 means 20 s
	early              bool                                              // blocking reloads do not wait

	mu      sync.Mutex
	edge    int // parts published
	changed chan struct{}
}

func newFake() *fake {
	return &fake{edge: fakeStart*partsPerSegment + 3, changed: make(chan struct{})}
}

// advance publishes all parts up to and including the one with the index.
func (s *fake) advance(index int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if edge := min(index+1, fakeSegments*partsPerSegment); edge > s.edge {
		s.edge = edge
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

// wait returns when the part with the index is there, false when the viewer does not wait for that.
func (s *fake) wait(ctx context.Context, index int) bool {
	for {
		s.mu.Lock()
		edge, changed := s.edge, s.changed
		s.mu.Unlock()
		if index < edge {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// playlist returns the playlist of the moment.
func (s *fake) playlist() *mediaPlaylist {
	s.mu.Lock()
	edge := s.edge
	s.mu.Unlock()
	complete := int64(edge / partsPerSegment)
	p := &mediaPlaylist{
		version: 9, target: 1, sequence: max(complete-fakeWindow, 0), ended: complete == fakeSegments, independent: true,
		control: &serverControl{block: !s.noBlock, holdBack: 3},
	}
	if !s.plain {
		p.partTarget = 0.1
		p.control.partHoldBack, p.control.skipUntil = 0.3, 6
	}
	for n := p.sequence; n < complete; n++ {
		g := s.segment(n, partsPerSegment)
		if n < complete-3 || s.plain {
			g.parts = nil
		}
		g.uri, g.duration = segmentName(n), 1
		if n == p.sequence && !s.ts {
			g.initMap = &mapTag{uri: "init.mp4"}
		}
		p.segments = append(p.segments, g)
	}
	if n := edge % partsPerSegment; n > 0 && !s.plain {
		open := s.segment(complete, n)
		p.open = &open
	}
	if !s.plain && !p.ended {
		p.hints = []preloadHint{{kind: "PART", uri: partName(complete, edge%partsPerSegment), length: -1}}
	}
	return p
}

func (s *fake) segment(n int64, parts int) segment {
	g := segment{date: time.Date(2026, 1, 1, 0, 0, int(n), 0, time.UTC)}
	for i := range parts {
		g.parts = append(g.parts, part{uri: partName(n, i), duration: 0.1, independent: i == 0})
	}
	return g
}

func (s *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.answer != nil && s.answer(w, r) {
		return
	}
	name := r.URL.Path[1:]
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "max-age=1")
	switch {
	case strings.HasSuffix(name, ".m3u8"):
		h.Set("Content-Type", "application/vnd.apple.mpegurl")
	case s.ts:
		h.Set("Content-Type", "video/mp2t")
	default:
		h.Set("Content-Type", "video/mp4")
	}
	if s.header != nil {
		s.header(h, name, r.URL.RawQuery)
	}
	switch name {
	case "main.m3u8":
		_, _ = w.Write([]byte(s.multivariant))
	case "index.m3u8":
		s.servePlaylist(w, r)
	default:
		s.serveFile(w, r, name)
	}
}

func (s *fake) servePlaylist(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	msn, errMSN := strconv.Atoi(query.Get("_HLS_msn"))
	part, errPart := strconv.Atoi(query.Get("_HLS_part"))
	switch {
	case !s.lenient && (errMSN != nil && query.Has("_HLS_part") || msn > fakeSegments+5):
		w.WriteHeader(http.StatusBadRequest)
		return
	case errMSN == nil && !s.early:
		if errPart != nil {
			part = partsPerSegment - 1
		}
		s.advance(msn*partsPerSegment + part)
	case s.noBlock:
		s.advance(s.edge + partsPerSegment - 1)
	}
	p := s.playlist()
	if query.Get("_HLS_skip") == "YES" && p.control.skipUntil > 0 {
		s.skip(p)
	}
	if s.bend != nil {
		s.bend(p)
	}
	text := (&playlist{media: p}).marshal()
	if s.bendText != nil {
		text = s.bendText(text)
	}
	_, _ = w.Write([]byte(text))
}

// skip makes a delta update of p.
func (s *fake) skip(p *mediaPlaylist) {
	n := int64(len(p.segments)) - 6
	if n > 0 && !p.ended {
		p.skip = &skipTag{segments: n}
		p.segments = p.segments[n:]
	}
}

func (s *fake) serveFile(w http.ResponseWriter, r *http.Request, name string) {
	var n, p int
	if _, err := fmt.Sscanf(name, "seg%d.%d.m4s", &n, &p); err == nil && !s.wait(r.Context(), n*partsPerSegment+p) {
		return
	}
	body, ok := s.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(body)
}

// check runs the checker against the fake from the given path.
func (s *fake) check(t *testing.T, path string) *Report {
	t.Helper()
	if s.files == nil {
		s.files = newMedia(t, s.ts, shape{})
	}
	server := httptest.NewServer(s)
	defer server.Close()
	report, err := Check(t.Context(), Options{URL: server.URL + path, Duration: cmp.Or(s.duration, 20*time.Second), Client: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// without returns the files but for one.
func (m fakeMedia) without(name string) fakeMedia {
	m = maps.Clone(m)
	delete(m, name)
	return m
}

// with returns the files with one changed.
func (m fakeMedia) with(name string, body []byte) fakeMedia {
	m = maps.Clone(m)
	m[name] = body
	return m
}
