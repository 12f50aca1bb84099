package h264_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/h264"
)

// config is an AVCDecoderConfigurationRecord as x264 makes it, and what it says.
type config struct {
	name                  string
	record                string // hex
	codec, profile, level string
	width, height         int
	fps                   float64
	display               h264.Display
}

func configs() []config {
	square := h264.Display{SARWidth: 1, SARHeight: 1}
	return []config{
		{
			"baseline", "0142c02affe1001a6742c02ad900780227e5c044000003000400000301e03c60c92001000568cb83cb20",
			"avc1.42C02A", "Baseline", "4.2", 1920, 1080, 60, square,
		},
		{
			"main at 29.97", "014d401fffe10017674d401feca02802dd808800001f480007530078c18cb001000568ebe3cb20",
			"avc1.4D401F", "Main", "3.1", 1280, 720, 30000.0 / 1001, square,
		},
		{
			"high with colours", "0164001effe1001e6764001eacd940a02ff97016a02020280000030008000003019078b16cb0" +
				"01000668ebe3cb22c0fdf8f800",
			"avc1.64001E", "High", "3.0", 640, 360, 25,
			h264.Display{SARWidth: 1, SARHeight: 1, Colour: true, Primaries: 1, Transfer: 1, Matrix: 1},
		},
		{
			"interlaced, wide pixels", "0164001effe100186764001eacd940b424d8208000000300800000190f8a14cb01000668fba3cb22c0fdf8f800",
			"avc1.64001E", "High", "3.0", 720, 576, 25,
			h264.Display{SARWidth: 16, SARHeight: 11},
		},
		{
			"10 bits 4:2:2", "017a0015ffe10019677a0015b6cd94141fb011000003000100000300640f162d9601000668ebe3cb22c0fefafa00",
			"avc1.7A0015", "High 4:2:2", "2.1", 320, 240, 50, square,
		},
		{
			"cropped, id 3", "0164000cffe1001b6764000c22cd94150878888c0440000003004000000783c50a658001000768212be3cb22c0fdf8f800",
			"avc1.64000C", "High", "1.2", 322, 242, 15, square,
		},
		{
			"level 1b", "0142d00bffe100166742d00bd902c4ec0440000003004000000503c4899201000568cb83cb20",
			"avc1.42D00B", "Baseline", "1b", 176, 144, 10, square,
		},
		{
			"4:4:4", "01f40015ffe1001967f40015919b28283f602d90000003001000000640f162d96001000668ebe3c44844fff8f800",
			"avc1.F40015", "High 4:4:4 Predictive", "2.1", 320, 240, 50, square,
		},
	}
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// track parses the config of a name.
func track(tb testing.TB, name string) *media.Track {
	tb.Helper()
	for _, c := range configs() {
		if c.name == name {
			t, err := h264.ParseConfig(unhex(tb, c.record))
			if err != nil {
				tb.Fatal(err)
			}
			return t
		}
	}
	tb.Fatalf("no config %q", name)
	return nil
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	for _, test := range configs() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			record := unhex(t, test.record)
			track, err := h264.ParseConfig(record)
			if err != nil {
				t.Fatal(err)
			}
			if track.Codec != media.H264 || track.TimeScale != 90000 || track.CodecName != test.codec ||
				track.Width != test.width || track.Height != test.height || math.Abs(track.FrameRate-test.fps) > 1e-9 {
				t.Errorf("track is %+v", track)
			}
			if h264.Profile(track) != test.profile || h264.Level(track) != test.level {
				t.Errorf("profile %q, level %q", h264.Profile(track), h264.Level(track))
			}
			if h264.ParseDisplay(track.SPS) != test.display {
				t.Errorf("display is %+v", h264.ParseDisplay(track.SPS))
			}
			if !bytes.Equal(track.Config, record) || h264.LengthSize(record) != 4 {
				t.Errorf("record is %x, want it unchanged", track.Config)
			}
		})
	}
}

// record writes a record of the given NAL length size with the sets of two configs.
func record(tb testing.TB, size byte, tail ...byte) []byte {
	tb.Helper()
	a, b := track(tb, "high with colours"), track(tb, "cropped, id 3")
	out := []byte{1, a.SPS[1], a.SPS[2], a.SPS[3], 0xFC | (size - 1), 0xE2}
	for _, set := range [][]byte{a.SPS, b.SPS} {
		out = append(append(out, 0, byte(len(set))), set...)
	}
	out = append(out, 3)
	for _, set := range [][]byte{a.PPS, b.PPS, append(bytes.Clone(b.PPS), 0x80)} {
		out = append(append(out, 0, byte(len(set))), set...)
	}
	return append(out, tail...)
}

func TestParseConfigKeepsAllSets(t *testing.T) {
	t.Parallel()
	want := record(t, 4, 0xFD, 0xF8, 0xF8, 0)
	for name, in := range map[string][]byte{
		"complete":             want,
		"no extension":         record(t, 4),
		"short extension":      record(t, 4, 0xFD, 0xF8),
		"damaged extension":    record(t, 4, 0xFD, 0xF8, 0xF8, 1, 0, 9),
		"wrong bit depth":      record(t, 4, 0xFD, 0xFA, 0xFA, 0),
		"lengths of 1 byte":    record(t, 1),
		"lengths of 2 bytes":   record(t, 2, 0xFD, 0xF8, 0xF8, 0),
		"bytes after its end":  record(t, 4, 0xFD, 0xF8, 0xF8, 0, 1, 2, 3),
		"unset reserved bits":  append([]byte{1, 0, 0, 0, 3, 2}, record(t, 4)[6:]...),
		"other profile before": append([]byte{1, 66, 0, 9}, record(t, 4)[4:]...),
	} {
		track, err := h264.ParseConfig(in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !bytes.Equal(track.Config, want) {
			t.Errorf("%s: record is\n%x, want\n%x", name, track.Config, want)
		}
	}
	ext := record(t, 4, 0xFD, 0xF8, 0xF8, 1, 0, 3, 0x6D, 0x80, 0x80)
	if track, err := h264.ParseConfig(ext); err != nil || !bytes.Equal(track.Config, ext) {
		t.Errorf("with a parameter set extension: %v", err)
	}
}

func TestParseConfigRefuses(t *testing.T) {
	t.Parallel()
	good := record(t, 4)
	change := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] = v
		return b
	}
	tests := []struct {
		word   string
		record []byte
	}{
		{"length size", nil},
		{"length size", good[:5]},
		{"length size", change(0, 2)},
		{"length size", change(4, 0xFE)},
		{"are needed", []byte{1, 66, 0, 9, 0xFF, 0xE0, 0}},
		{"sequence parameter set 0", change(8, 0x68)},
		{"sequence parameter set 0", change(6, 0xFF)},
		{"sequence parameter set 0", change(7, 0)},
		{"sequence parameter set", change(5, 0xFF)},
	}
	for i, test := range tests {
		_, err := h264.ParseConfig(test.record)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.word) {
			t.Errorf("%d: error is %v, want one with %q", i, err, test.word)
		}
	}
	for n := range good {
		if _, err := h264.ParseConfig(good[:n]); err == nil {
			t.Errorf("record cut at %d of %d bytes is accepted", n, len(good))
		}
	}
}

// FuzzParseConfig: what is accepted is a fixed point, so parsing its Config changes nothing, and its numbers are sane.
func FuzzParseConfig(f *testing.F) {
	for _, c := range configs() {
		f.Add(unhex(f, c.record))
	}
	f.Add(record(f, 2, 0xFD, 0xF8, 0xF8, 1, 0, 3, 0x6D, 0x80, 0x80))
	f.Fuzz(func(t *testing.T, in []byte) {
		track, err := h264.ParseConfig(in)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		if track.Width < 1 || track.Width > 16384 || track.Height < 1 || track.Height > 32768 || track.FrameRate < 0 ||
			track.FrameRate > 1000 || len(track.Config) > len(in)+4 {
			t.Fatalf("track is %+v", track)
		}
		again, err := h264.ParseConfig(track.Config)
		if err != nil || !bytes.Equal(again.Config, track.Config) || again.Width != track.Width || again.CodecName != track.CodecName {
			t.Fatalf("%+v parses again to %+v, %v", track, again, err)
		}
		h264.ParseDisplay(track.SPS)
		if h264.Profile(track) == "" || h264.Level(track) == "" {
			t.Fatal("no name")
		}
	})
}
