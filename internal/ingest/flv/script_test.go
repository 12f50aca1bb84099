package flv

import (
	"math"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/media/amf0"
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
	announce := func(value any) ingest.Settings {
		b, err := amf0.Append(nil, "onMetaData", value)
		if err != nil {
			t.Fatal(err)
		}
		d := NewDemuxer()
		var m ingest.Message
		if d.TakeTag(&Tag{Type: TypeData, Payload: b}, &m); !m.Changed || m.Err != nil || m.Text != nil {
			t.Errorf("became %+v", m)
		}
		return d.Settings()
	}
	got := announce(amf0.ECMAArray{
		{Name: "encoder", Value: "Lavf58.45.100"},
		{Name: "framerate", Value: 60.0},
		{Name: "videodatarate", Value: 8789.0625},
		{Name: "audiodatarate", Value: 46.875},
	})
	if want := (ingest.Settings{Encoder: "Lavf58.45.100", FrameRate: 60, VideoBitrate: 8789062, AudioBitrate: 46875}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	bad := announce(amf0.Object{
		{Name: "encoder", Value: 7.0},
		{Name: "framerate", Value: math.Inf(1)},
		{Name: "videodatarate", Value: math.NaN()},
		{Name: "audiodatarate", Value: -1.0},
	})
	if bad != (ingest.Settings{}) {
		t.Errorf("nonsense became %+v", bad)
	}
	if announce("x") != (ingest.Settings{}) {
		t.Error("a string is no announcement")
	}
}
