package media_test

import (
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/aac"
	"github.com/rivus-live/rivus/internal/media/h264"
)

// TestCodecs holds the entries of the table to what their readers rely on.
func TestCodecs(t *testing.T) {
	t.Parallel()
	names, types := map[string]bool{}, map[byte]bool{}
	for _, c := range media.Codecs() {
		d := c.Describe()
		if d.Name == "" || names[d.Name] || c.String() != d.Name {
			t.Errorf("codec %d is called %q", c, d.Name)
		}
		names[d.Name] = true
		if d.InTS() && types[d.StreamType] && d.Descriptors == "" {
			t.Errorf("%v has the stream type %#x of another codec and no descriptor", c, d.StreamType)
		}
		types[d.StreamType] = true
		if d.Video != (d.ClockRate == media.VideoTimeScale) || d.Video == (d.FrameSamples > 0) {
			t.Errorf("%v: video %v, clock rate %d, %d samples in a frame", c, d.Video, d.ClockRate, d.FrameSamples)
		}
		if !d.InMP4() && !d.InTS() || len(d.SampleEntry) != len(d.ConfigBox) || d.InMP4() && len(d.SampleEntry) != 4 {
			t.Errorf("%v cannot be served: %+v", c, d)
		}
		if track := (media.Track{Codec: c}); track.IsVideo() != d.Video {
			t.Errorf("a track of %v carries pictures: %v", c, track.IsVideo())
		}
	}
	for _, c := range []media.Codec{0, media.Codec(len(names) + 1), 255} {
		if d := c.Describe(); c.String() != "unknown" || d.InMP4() || d.InTS() {
			t.Errorf("codec %d is %+v", c, d)
		}
	}
}

// TestCodecNames: what parsers call a track in CODECS begins with its codec's sample entry.
func TestCodecNames(t *testing.T) {
	t.Parallel()
	video, err := h264.ParseConfig([]byte("\x01\x42\xc0\x0d\xff\xe1\x00\x17\x67\x42\xc0\x0d\xda\x05\x06\x7e\x7c\x04\x40\x00\x00\x03\x00\x40\x00\x00\x0f\x03" +
		"\xc5\x0a\xa8\x01\x00\x04\x68\xce\x0f\xc8"))
	if err != nil {
		t.Fatal(err)
	}
	audio, err := aac.ParseConfig([]byte{0x11, 0x90})
	if err != nil {
		t.Fatal(err)
	}
	if audio.FrameTicks() != aac.FrameSamples {
		t.Errorf("a frame of AAC has %d samples", audio.FrameTicks())
	}
	for _, track := range []*media.Track{video, audio} {
		if d := track.Codec.Describe(); !strings.HasPrefix(track.CodecName, d.SampleEntry+".") || d.ClockRate != 0 && d.ClockRate != track.TimeScale {
			t.Errorf("%+v is of %+v", track, d)
		}
	}
}
