package hls

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/resource"
)

var update = flag.Bool("update", false, "write the golden files") //nolint:gochecknoglobals // a flag

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant\n%s", path, got, want)
	}
}

// changing returns a stream whose parameters change at 16 s.
func changing(tb testing.TB) []media.Frame {
	tb.Helper()
	audio := audioTrack(tb)
	frames := pattern{length: 27 * time.Second, fps: 30, gop: 2 * time.Second, audio: audio}.build(tb)
	other := *videoTrack(tb)
	for i := range frames {
		if f := &frames[i]; f.Track.IsVideo() && f.Time() >= base+16*time.Second {
			f.Track = &other
		}
	}
	return frames
}

func TestGoldenPlaylists(t *testing.T) {
	t.Parallel()
	reports := func() []Report {
		return []Report{{URI: "../720p30/index.m3u8", LastMSN: 13, LastPart: 4}, {URI: "../audio/index.m3u8", LastMSN: 12, LastPart: -1}}
	}
	tests := []struct {
		name  string
		opts  Options
		end   bool
		delta bool

		reports bool
	}{
		{name: "fmp4-low", opts: Options{Container: resource.ContainerFMP4, LowLatency: true}, reports: true},
		{name: "fmp4-low-delta", opts: Options{Container: resource.ContainerFMP4, LowLatency: true}, delta: true, reports: true},
		{name: "fmp4-normal", opts: Options{Container: resource.ContainerFMP4}},
		{name: "ts-low", opts: Options{Container: resource.ContainerTS, LowLatency: true}},
		{name: "ts-normal", opts: Options{Container: resource.ContainerTS}},
		{name: "ended", opts: Options{Container: resource.ContainerFMP4, LowLatency: true}, end: true, delta: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := NewPackager(test.opts)
			if test.reports {
				p.reports.Store(&reports)
			}
			for _, f := range changing(t) {
				if err := p.Write(f); err != nil {
					t.Fatal(err)
				}
			}
			if test.end {
				p.End()
			}
			golden(t, test.name+".m3u8", p.Snapshot().Playlist(test.delta).Plain())
		})
	}
}

func TestGoldenMultivariant(t *testing.T) {
	t.Parallel()
	source := NewPackager(Options{Container: resource.ContainerFMP4, LowLatency: true})
	p := &Presentation{}
	p.AddVariant("source", source.Live)
	p.AddVariant("later", NewPackager(Options{}).Live)
	uri := func(v Variant) string { return "/v/st-1/" + v.Name + "/index.m3u8?v=1" }
	if got := p.Multivariant(uri, SessionData{}); got != nil {
		t.Fatalf("%s", got)
	}
	for _, f := range changing(t) {
		if err := source.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "multivariant.m3u8", p.Multivariant(uri, SessionData{
		Node: "node \"1\"\n", ServerTime: epoch, StreamTime: 12300 * time.Millisecond, BroadcastID: "st-1", VideoSessionID: "v1",
	}))
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat([]byte("é…"), 200)
	for _, test := range []struct{ container, name string }{{resource.ContainerFMP4, "seg1.m4s"}, {resource.ContainerTS, "seg1.ts"}} {
		p := NewPackager(Options{Container: test.container, LowLatency: true})
		p.Metadata("metadata.live-video.net", []byte("before the first picture"))
		for _, f := range changing(t) {
			if f.Track.IsVideo() && (f.Time() == base+time.Second || f.Time() == base+3*time.Second) {
				p.Metadata("metadata.live-video.net", text)
			}
			if err := p.Write(f); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"seg0", "seg1"} {
			r, err := p.Resource(t.Context(), name+test.name[4:])
			if err != nil {
				t.Fatal(err)
			}
			all := bytes.Join(r.Data, nil)
			if test.container == resource.ContainerFMP4 {
				if n := bytes.Count(all, []byte("https://aomedia.org/emsg/ID3")); n != 1 || !bytes.Contains(all, text) {
					t.Errorf("%s has %d messages", name, n)
				}
			}
			if !bytes.Contains(all, []byte("PRIV")) || bytes.Contains(all, []byte("before the first")) {
				t.Errorf("%s has no tag", name)
			}
		}
	}
}
