package broadcast

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/hlscheck"
	"github.com/rivus-live/rivus/internal/ingest/flv"
	"github.com/rivus-live/rivus/internal/media/amf0"
	"github.com/rivus-live/rivus/internal/resource"
)

// odd is an encoder that does something unusual.
type odd struct {
	name     string
	messages func() []flv.Tag
	length   time.Duration // of what can be played
	breaks   int           // discontinuities
	paced    bool          // messages arrive when their timestamps say, not evenly
	drops    int64
	foreign  int64 // tags of codecs that are not carried
}

func oddities() []odd {
	const s = time.Second
	return []odd{
		{name: "ordinary", length: 12 * s, messages: func() []flv.Tag { return append(headers(), av(0, 12_000, 50)...) }},
		{name: "10 s between keyframes", length: 30 * s, messages: func() []flv.Tag {
			return append(headers(), av(0, 30_000, 250)...)
		}},
		{name: "half a second between keyframes", length: 12 * s, messages: func() []flv.Tag {
			return append(headers(), av(0, 12_000, 12)...)
		}},
		{name: "variable frame rate", length: 12 * s, messages: func() []flv.Tag {
			var out []flv.Tag
			for _, m := range av(0, 12_000, 50) {
				if n := m.Timestamp / 40; m.Type == flv.TypeAudio || m.Payload[0] == 0x17 || n%7 != 3 && n%11 != 5 && n%11 != 6 {
					out = append(out, m)
				}
			}
			return append(headers(), out...)
		}},
		{name: "B-frames", length: 12 * s, messages: func() []flv.Tag {
			var out []flv.Tag
			for _, m := range av(0, 12_000, 50) {
				if m.Type == flv.TypeVideo { // every third one is shown late, the two after it early
					cts := []int32{120, 0, 0}[m.Timestamp/40%3]
					m = picture(m.Timestamp, cts+40, m.Payload[0] == 0x17)
				}
				out = append(out, m)
			}
			return append(headers(), out...)
		}},
		{name: "jump forward", length: 12 * s, messages: func() []flv.Tag {
			return join(headers(), av(0, 6000, 50), base(3_600_000, av(6000, 12_000, 50)))
		}},
		{name: "jump back", length: 12 * s, messages: func() []flv.Tag {
			return join(headers(), base(9_000_000, av(0, 6000, 50)), av(6000, 12_000, 50))
		}},
		{name: "0xFFFFFF", length: 12 * s, messages: func() []flv.Tag {
			return append(headers(), base(0xFFFFFF-5990, av(0, 12_000, 50))...)
		}},
		{name: "2^32", length: 12 * s, messages: func() []flv.Tag {
			return append(headers(), base(0xFFFFFFFF-5990, av(0, 12_000, 50))...)
		}},
		{name: "no audio", length: 12 * s, messages: func() []flv.Tag {
			return append([]flv.Tag{videoHeader(0, 1280, 720)}, pictures(av(0, 12_000, 50))...)
		}},
		{name: "audio header 3 s late", length: 12 * s, drops: 141, messages: func() []flv.Tag {
			return join([]flv.Tag{videoHeader(0, 1280, 720)}, av(0, 3000, 50), []flv.Tag{audioHeader(3000)}, av(3000, 12_000, 50))
		}},
		{name: "audio header 7 s late", length: 16 * s, breaks: 1, drops: 329, messages: func() []flv.Tag {
			return join([]flv.Tag{videoHeader(0, 1280, 720)}, av(0, 7000, 50), []flv.Tag{audioHeader(7000)}, av(7000, 16_000, 50))
		}},
		{name: "audio 1 s ahead", length: 12 * s, messages: func() []flv.Tag {
			var out []flv.Tag
			sounds := sounds(av(1000, 13_000, 50))
			for _, m := range pictures(av(0, 12_000, 50)) {
				for len(sounds) > 0 && sounds[0].Timestamp <= m.Timestamp+1000 {
					out, sounds = append(out, sounds[0]), sounds[1:]
				}
				out = append(out, m)
			}
			return append(headers(), out...)
		}},
		{name: "a minute of audio only", length: 72 * s, paced: true, messages: func() []flv.Tag {
			return join(headers(), av(0, 6000, 50), sounds(av(6000, 66_000, 50)), av(66_000, 72_000, 50))
		}},
		{name: "other parameters", length: 12 * s, breaks: 1, messages: func() []flv.Tag {
			return join(headers(), av(0, 6000, 50), []flv.Tag{videoHeader(6000, 640, 352)}, av(6000, 12_000, 50))
		}},
		{name: "a drone's strange audio", length: 12 * s, foreign: 13, messages: func() []flv.Tag {
			out := []flv.Tag{foreignSound(0)}
			out = append(out, headers()...)
			for at := range uint32(12) {
				out = append(append(out, av(at*1000, at*1000+1000, 25)...), foreignSound(at*1000+1000))
			}
			return out
		}},
		{name: "an old camera's strange video", length: 12 * s, foreign: 14, messages: func() []flv.Tag {
			out := append(headers(), foreignPicture(0), message(flv.TypeVideo, 0, []byte{0x91, 'h', 'v', 'c', '1', 0, 0, 0}))
			for at := range uint32(12) {
				out = append(append(out, av(at*1000, at*1000+1000, 25)...), foreignPicture(at*1000+1000))
			}
			return out
		}},
		{name: "SEI and keyframe in one unit", length: 12 * s, messages: func() []flv.Tag {
			return append(headers(), glued(av(0, 12_000, 50))...)
		}},
		{name: "byte stream", length: 12 * s, messages: func() []flv.Tag {
			return append(headers(), byteStream(av(0, 12_000, 50))...)
		}},
		{name: "byte stream that brings its own parameter sets", length: 12 * s, messages: func() []flv.Tag {
			return join([]flv.Tag{audioHeader(0)}, byteStream(av(0, 12_000, 50)))
		}},
		{name: "60 pictures with the stamps of 30", length: 12 * s, messages: func() []flv.Tag {
			var out []flv.Tag
			for i := range uint32(720) {
				out = append(out, picture(i/2*1000/30, 0, i%120 == 0))
			}
			return append([]flv.Tag{videoHeader(0, 1280, 720)}, out...)
		}},
		{name: "same header again", length: 12 * s, messages: func() []flv.Tag {
			return join(headers(), av(0, 6000, 50), []flv.Tag{videoHeader(6000, 1280, 720), audioHeader(6000)}, av(6000, 12_000, 50))
		}},
	}
}

func join(parts ...[]flv.Tag) []flv.Tag {
	var out []flv.Tag
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func sounds(messages []flv.Tag) []flv.Tag {
	var out []flv.Tag
	for _, m := range messages {
		if m.Type == flv.TypeAudio {
			out = append(out, m)
		}
	}
	return out
}

// Whatever an encoder does, the playlists hold against the specification and the media's length is what it should be.
func TestOddInputs(t *testing.T) {
	t.Parallel()
	for _, o := range oddities() {
		for _, container := range []string{resource.ContainerFMP4, resource.ContainerTS} {
			for _, low := range []bool{true, false} {
				name := o.name + "/" + container + "/low=" + strconv.FormatBool(low)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					checkOdd(t, o, hls.Options{Container: container, LowLatency: low, Window: 60})
				})
			}
		}
	}
}

func checkOdd(t *testing.T, o odd, opts hls.Options) {
	t.Helper()
	in, c := newFLVIntake(opts, nil, slog.New(slog.DiscardHandler))
	now := time.Now().Add(-2 * time.Minute)
	messages := o.messages()
	for i, m := range messages {
		m.Arrived = now.Add(o.length * time.Duration(i) / time.Duration(len(messages)))
		if o.paced {
			m.Arrived = now.Add(time.Duration(m.Timestamp) * time.Millisecond)
		}
		if err := in.take(m); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		in.playable(time.Now, m.Arrived)
	}
	in.packager.End()
	if got := c.drops.Load(); got != o.drops {
		t.Errorf("%d messages dropped, want %d", got, o.drops)
	}
	if got := c.foreignAudio.Load() + c.foreignVideo.Load(); got != o.foreign {
		t.Errorf("%d messages of foreign codecs, want %d", got, o.foreign)
	}
	text := string(in.packager.Snapshot().Playlist(false).Plain())
	if got := strings.Count(text, "#EXT-X-DISCONTINUITY\n"); got != o.breaks {
		t.Errorf("%d discontinuities, want %d", got, o.breaks)
	}
	if got := playlistLength(t, text); got < o.length-200*time.Millisecond || got > o.length+200*time.Millisecond {
		t.Errorf("%v can be played, want %v\n%s", got, o.length, text)
	}
	srv := httptest.NewServer(serve(in.packager))
	defer srv.Close()
	report, err := hlscheck.Check(t.Context(), hlscheck.Options{URL: srv.URL + "/index.m3u8", Duration: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() {
		var b bytes.Buffer
		if err := report.Print(&b); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%s\n%s", b.String(), text)
	}
}

// playlistLength adds up the segments.
func playlistLength(t *testing.T, text string) time.Duration {
	t.Helper()
	var sum float64
	for _, m := range regexp.MustCompile(`#EXTINF:([0-9.]+)`).FindAllStringSubmatch(text, -1) {
		s, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += s
	}
	return time.Duration(sum * float64(time.Second))
}

// playable is what can be played: what a packager makes, or a Live that has it.
type playable interface {
	Snapshot() *hls.Snapshot
	Resource(ctx context.Context, name string) (hls.Resource, error)
}

// serve is the least HTTP that a reader of one rendition needs.
func serve(p playable) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		if name == "index.m3u8" {
			w.Header().Set("Content-Type", "application/vnd.apple.mpegurl")
			_, _ = w.Write(p.Snapshot().Playlist(false).Plain())
			return
		}
		res, err := p.Resource(r.Context(), name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", res.ContentType)
		for _, b := range res.Data {
			_, _ = w.Write(b)
		}
	})
}

// Metadata from the API and from the encoder is in the media, whole, under the owner that tells them apart; what
// encoders announce and caption is not metadata.
func TestMetadataReachesTheMedia(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("äöü€", 1024/9) + "0123456"
	if len(long) != 1024 {
		t.Fatalf("the text has %d bytes", len(long))
	}
	for _, container := range []string{resource.ContainerFMP4, resource.ContainerTS} {
		inbox := make(chan string, 1)
		in, c := newFLVIntake(hls.Options{Container: container}, inbox, slog.New(slog.DiscardHandler))
		media := av(0, 6000, 50)
		messages := join(headers(), media[:100], []flv.Tag{
			script(1000, "@setDataFrame", "onMetaData", amf0.ECMAArray{{Name: "encoder", Value: "not-metadata"}}),
			script(1000, "onCaptionInfo", amf0.Object{{Name: "data", Value: "not-metadata"}}),
			script(1000, "onTextData", "from the encoder"),
		}, media[100:])
		for i, m := range messages {
			if i == 40 {
				inbox <- long
			}
			if err := in.take(m); err != nil {
				t.Fatal(err)
			}
		}
		in.packager.End()
		all := everything(t, in.packager)
		for _, want := range []string{ownerAPI + "\x00" + long, ownerEncoder + "\x00from the encoder"} {
			if container == resource.ContainerFMP4 && bytes.Count(all, []byte(want)) != 1 {
				t.Errorf("%s: %q is there %d times", container, want[:40], bytes.Count(all, []byte(want)))
			}
		}
		if bytes.Contains(all, []byte("not-metadata")) {
			t.Errorf("%s: announcements became metadata", container)
		}
		if in.settings.Encoder != "not-metadata" || c.drops.Load() != 0 {
			t.Errorf("%s: %+v, %d dropped", container, in.settings, c.drops.Load())
		}
	}
}

// everything returns the bytes of all segments.
func everything(t *testing.T, p playable) []byte {
	t.Helper()
	var all []byte
	for line := range strings.Lines(string(p.Snapshot().Playlist(false).Plain())) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		res, err := p.Resource(context.Background(), strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, bytes.Join(res.Data, nil)...)
	}
	return all
}
