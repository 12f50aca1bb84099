package broadcast

import (
	"testing"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/resource"
)

func TestTakeoverMatch(t *testing.T) {
	t.Parallel()
	hd, sd := &media.Track{Codec: media.H264, Width: 1280, Height: 720}, &media.Track{Codec: media.H264, Width: 852, Height: 480}
	same := &media.Track{Codec: media.H264, Width: 1280, Height: 720, Config: []byte{1}}
	aac := &media.Track{Codec: media.AAC}
	tests := []struct {
		name         string
		running, new ingest.Settings
		ok           bool
	}{
		{"same size, other parameters", ingest.Settings{Video: hd, Audio: aac}, ingest.Settings{Video: same, Audio: aac}, true},
		{"other size", ingest.Settings{Video: hd, Audio: aac}, ingest.Settings{Video: sd, Audio: aac}, false},
		{"audio missing", ingest.Settings{Video: hd, Audio: aac}, ingest.Settings{Video: hd}, false},
		{"audio extra", ingest.Settings{Video: hd}, ingest.Settings{Video: hd, Audio: aac}, false},
		{"video missing", ingest.Settings{Video: hd, Audio: aac}, ingest.Settings{Audio: aac}, false},
		{"audio only both", ingest.Settings{Audio: aac}, ingest.Settings{Audio: aac}, true},
		{"nothing known yet", ingest.Settings{}, ingest.Settings{Video: hd, Audio: aac}, true},
	}
	for _, tt := range tests {
		if err := matchSettings(&tt.running, &tt.new); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestSettingsFillTheSession(t *testing.T) {
	t.Parallel()
	d := ingest.Settings{Audio: &media.Track{Codec: media.AAC, CodecName: "mp4a.40.2", Channels: 2, SampleRate: 48_000}}
	d.AudioBitrate = 160_000
	s := resource.Session{Video: &resource.VideoSetting{}}
	fillSession(&s, &d, "FMLE/3.0")
	if s.Video != nil || s.Encoder != "FMLE/3.0" || *s.Audio != (resource.AudioSetting{
		Codec: "mp4a.40.2", Channels: 2, SampleRate: 48_000, TargetBitrate: 160_000,
	}) {
		t.Errorf("%+v %+v", s, s.Audio)
	}
}
