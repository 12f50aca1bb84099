package broadcast

import (
	"math"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/amf0"
	"github.com/rivus-live/rivus/internal/resource"
)

func TestScriptText(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 512)
	tests := []struct {
		name   string
		values []any
		want   string
	}{
		{"a string", []any{"goal"}, "goal"},
		{"1024 bytes of UTF-8", []any{long}, long},
		{"an object", []any{amf0.Object{{Name: "score", Value: 2.0}, {Name: "team", Value: "red"}}}, `{"score":2,"team":"red"}`},
		{"an array of kinds", []any{amf0.ECMAArray{{Name: "list", Value: amf0.StrictArray{1.0, nil, true, amf0.Undefined{}}}}}, `{"list":[1,null,true,null]}`},
		{"several values", []any{"a", 1.5}, `["a",1.5]`},
		{"a date", []any{amf0.Date(1000)}, `1000`},
		{"not a number", []any{math.NaN()}, `null`},
		{"bad UTF-8", []any{"a\xffb"}, "a\uFFFDb"},
		{"nothing", nil, ""},
	}
	for _, tt := range tests {
		got, err := scriptText(tt.values)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q (%v), want %q", tt.name, got, err, tt.want)
		}
	}
	if _, err := scriptText([]any{strings.Repeat("x", maxInband+1)}); err == nil {
		t.Error("no bound on the size")
	}
}

func TestOnMetaData(t *testing.T) {
	t.Parallel()
	got := parseOnMetaData(amf0.ECMAArray{
		{Name: "encoder", Value: "Lavf58.45.100"},
		{Name: "framerate", Value: 60.0},
		{Name: "videodatarate", Value: 8789.0625},
		{Name: "audiodatarate", Value: 46.875},
	})
	if want := (onMetaData{encoder: "Lavf58.45.100", frameRate: 60, videoBitrate: 8789062, audioBitrate: 46875}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	bad := parseOnMetaData(amf0.Object{
		{Name: "encoder", Value: 7.0},
		{Name: "framerate", Value: math.Inf(1)},
		{Name: "videodatarate", Value: math.NaN()},
		{Name: "audiodatarate", Value: -1.0},
	})
	if bad != (onMetaData{}) {
		t.Errorf("nonsense became %+v", bad)
	}
	if parseOnMetaData("x") != (onMetaData{}) {
		t.Error("a string is no announcement")
	}
}

func TestTakeoverMatch(t *testing.T) {
	t.Parallel()
	hd, sd := &media.Track{Codec: media.H264, Width: 1280, Height: 720}, &media.Track{Codec: media.H264, Width: 852, Height: 480}
	same := &media.Track{Codec: media.H264, Width: 1280, Height: 720, Config: []byte{1}}
	aac := &media.Track{Codec: media.AAC}
	tests := []struct {
		name         string
		running, new description
		ok           bool
	}{
		{"same size, other parameters", description{video: hd, audio: aac}, description{video: same, audio: aac}, true},
		{"other size", description{video: hd, audio: aac}, description{video: sd, audio: aac}, false},
		{"audio missing", description{video: hd, audio: aac}, description{video: hd}, false},
		{"audio extra", description{video: hd}, description{video: hd, audio: aac}, false},
		{"video missing", description{video: hd, audio: aac}, description{audio: aac}, false},
		{"audio only both", description{audio: aac}, description{audio: aac}, true},
		{"nothing known yet", description{}, description{video: hd, audio: aac}, true},
	}
	for _, tt := range tests {
		if err := tt.running.match(tt.new); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestDescriptionFillsTheSession(t *testing.T) {
	t.Parallel()
	d := description{audio: &media.Track{Codec: media.AAC, CodecName: "mp4a.40.2", Channels: 2, SampleRate: 48_000}}
	d.script.audioBitrate = 160_000
	s := resource.Session{Video: &resource.VideoSetting{}}
	d.fill(&s, "FMLE/3.0")
	if s.Video != nil || s.Encoder != "FMLE/3.0" || *s.Audio != (resource.AudioSetting{
		Codec: "mp4a.40.2", Channels: 2, SampleRate: 48_000, TargetBitrate: 160_000,
	}) {
		t.Errorf("%+v %+v", s, s.Audio)
	}
}
