package forward

import (
	"bytes"
	"slices"
	"testing"

	"github.com/pion/rtp"
)

var publisherIDs = Extensions{TransportSeq: 3, AudioLevel: 1, Orientation: 4, CaptureTime: 13, MID: 9, DependencyDescriptor: 12} //nolint:gochecknoglobals // a constant

type payloadCase struct {
	name       string
	codec      Codec
	payload    []byte
	start, key bool
}

// payloads holds the beginning of packets as encoders write them; it also seeds the fuzz tests.
func payloads() []payloadCase {
	return []payloadCase{
		{"h264 sps", H264, []byte{0x67, 0x42, 0xe0, 0x1f}, true, true},
		{"h264 pps", H264, []byte{0x68, 0xce}, false, false},
		{"h264 sei", H264, []byte{0x06, 0x05, 0x10}, false, false},
		{"h264 delimiter", H264, []byte{0x09, 0x10}, true, false},
		{"h264 idr alone", H264, []byte{0x65, 0x88, 0x84}, true, false},
		{"h264 second idr slice", H264, []byte{0x65, 0x08, 0x84}, false, false},
		{"h264 slice", H264, []byte{0x41, 0x9a, 0x10}, true, false},
		{"h264 stap-a sps pps idr", H264, []byte{24, 0, 3, 0x67, 1, 2, 0, 2, 0x68, 1, 0, 2, 0x65, 0x88}, true, true},
		{"h264 stap-a delimiter sps", H264, []byte{24, 0, 2, 0x09, 0x10, 0, 2, 0x67, 1}, true, true},
		{"h264 stap-a pps sei", H264, []byte{24, 0, 2, 0x68, 1, 0, 2, 0x06, 5}, false, false},
		{"h264 stap-a cut off", H264, []byte{24, 0, 9, 0x67, 1}, false, false},
		{"h264 stap-a empty unit", H264, []byte{24, 0, 0, 0, 2, 0x67, 1}, false, false},
		{"h264 fu-a idr start", H264, []byte{0x7c, 0x85, 0x88}, true, false},
		{"h264 fu-a sps start", H264, []byte{0x7c, 0x87, 0x42}, true, true},
		{"h264 fu-a sps middle", H264, []byte{0x7c, 0x07, 0x42}, false, false},
		{"h264 fu-a cut off", H264, []byte{0x7c}, false, false},

		{"vp8 key, plain", VP8, []byte{0x10, 0x10, 0x02}, true, true},
		{"vp8 delta, plain", VP8, []byte{0x10, 0x11, 0x02}, true, false},
		{"vp8 continuation", VP8, []byte{0x00, 0x10, 0x02}, false, false},
		{"vp8 second partition", VP8, []byte{0x11, 0x10, 0x02}, false, false},
		{"vp8 key, 15-bit id, tl0, tid", VP8, []byte{0x90, 0xe0, 0x81, 0x02, 0x07, 0x40, 0x10}, true, true},
		{"vp8 key, 7-bit id", VP8, []byte{0x90, 0x80, 0x11, 0x10}, true, true},
		{"vp8 descriptor only", VP8, []byte{0x90, 0xe0, 0x81, 0x02, 0x07, 0x40}, true, false},
		{"vp8 cut in the id", VP8, []byte{0x90, 0x80, 0x81}, false, false},
		{"vp8 cut before the id", VP8, []byte{0x90, 0x80}, false, false},
		{"vp8 cut before tl0", VP8, []byte{0x90, 0x40}, false, false},
		{"vp8 cut after x", VP8, []byte{0x90}, false, false},

		{"vp9 key", VP9, []byte{0x88, 0x81, 0x02, 0x00}, true, true},
		{"vp9 delta", VP9, []byte{0xc8, 0x81, 0x02, 0x00}, true, false},
		{"vp9 key, not first", VP9, []byte{0x80, 0x81, 0x02}, false, false},
		{"vp9 key, layer indices", VP9, []byte{0xa8, 0x01, 0x00, 0x05}, true, true},
		{"vp9 upper spatial layer", VP9, []byte{0xa8, 0x01, 0x02, 0x05}, true, false},
		{"vp9 cut off", VP9, []byte{0xa8, 0x81, 0x02}, false, false},
		{"vp9 no id", VP9, []byte{0x08, 0x00}, true, true},

		{"av1 new sequence", AV1, []byte{0x18, 0x0a, 0x0b}, true, true},
		{"av1 delta", AV1, []byte{0x10, 0x32}, true, false},
		{"av1 continuation", AV1, []byte{0x90, 0x32}, false, false},
		{"opus", Opus, []byte{0xfc}, true, true},
		{"unknown", Other, []byte{0}, true, true},
	}
}

func build(tb testing.TB, payload []byte, edit func(*rtp.Packet)) []byte {
	tb.Helper()
	p := rtp.Packet{
		Header:  rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: 7, Timestamp: 1000, SSRC: 5},
		Payload: payload,
	}
	if edit != nil {
		edit(&p)
	}
	b, err := p.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestBarePictures(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"h264 idr alone": true, "h264 fu-a idr start": true, "h264 second idr slice": false, "h264 slice": false, "h264 sps": false,
		"h264 stap-a sps pps idr": false,
	} {
		i := slices.IndexFunc(payloads(), func(c payloadCase) bool { return c.name == name })
		c := payloads()[i]
		var p Packet
		if !Parse(build(t, c.payload, nil), c.codec, &publisherIDs, &p) || p.Bare() != want {
			t.Errorf("%s: bare is %v", name, p.Bare())
		}
	}
}

func TestKeyframes(t *testing.T) {
	t.Parallel()
	for _, c := range payloads() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var p Packet
			if !Parse(build(t, c.payload, nil), c.codec, &publisherIDs, &p) {
				t.Fatal("refused")
			}
			if p.FrameStart() != c.start || p.Keyframe() != c.key {
				t.Errorf("start %v, keyframe %v; want %v, %v", p.FrameStart(), p.Keyframe(), c.start, c.key)
			}
		})
	}
}

func TestParseVP8Counters(t *testing.T) {
	t.Parallel()
	var p Packet
	Parse(build(t, []byte{0x90, 0xf0, 0x81, 0x02, 0x07, 0x80, 0x10}, nil), VP8, &publisherIDs, &p)
	if p.PictureID != 0x102 || p.TL0 != 7 || p.Temporal != 2 || p.pictureAt != 2 || p.tl0At != 4 || p.flags&flagWideID == 0 {
		t.Errorf("15-bit: %+v", p)
	}
	Parse(build(t, []byte{0x90, 0xc0, 0x7f, 0xff, 0x10}, nil), VP8, &publisherIDs, &p)
	if p.PictureID != 0x7f || p.TL0 != 0xff || p.pictureAt != 2 || p.tl0At != 3 || p.flags&flagWideID != 0 {
		t.Errorf("7-bit: %+v", p)
	}
}

func TestParseHeader(t *testing.T) {
	t.Parallel()
	capture := []byte{1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0}
	for name, profile := range map[string]uint16{"one byte": rtp.ExtensionProfileOneByte, "two bytes": rtp.ExtensionProfileTwoByte} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := build(t, []byte{0xfc, 1, 2}, func(p *rtp.Packet) {
				p.Marker, p.CSRC, p.Extension, p.ExtensionProfile = true, []uint32{1, 2}, true, profile
				p.Padding, p.PaddingSize = true, 9
				for id, v := range map[uint8][]byte{1: {0x85}, 4: {3}, 13: capture, 9: []byte("video"), 5: {9, 9}} {
					if err := p.SetExtension(id, v); err != nil {
						t.Fatal(err)
					}
				}
			})
			var p Packet
			if !Parse(b, Opus, &publisherIDs, &p) {
				t.Fatal("refused")
			}
			if !p.Marker() || p.Seq != 7 || p.Timestamp != 1000 || p.PayloadType != 96 || !bytes.Equal(b[p.Start:p.End], []byte{0xfc, 1, 2}) {
				t.Errorf("header: %+v", p)
			}
			if p.AudioLevel != 0x85 || p.Orientation != 3 || p.CaptureTime != 0x0102030405060708 {
				t.Errorf("extensions: %+v", p)
			}
		})
	}
}

func TestDependencyDescriptor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		descriptor []byte
		key        bool
	}{
		"structure at a start": {[]byte{0x80, 0, 1, 0x80, 0}, true},
		"structure, no start":  {[]byte{0x00, 0, 1, 0x80, 0}, false},
		"no structure":         {[]byte{0x80, 0, 1, 0x00}, false},
		"mandatory only":       {[]byte{0xc0, 0, 1}, false},
	} {
		b := build(t, []byte{0x10, 0x32}, func(p *rtp.Packet) {
			if err := p.SetExtension(12, c.descriptor); err != nil {
				t.Fatal(err)
			}
		})
		var p Packet
		if !Parse(b, AV1, &publisherIDs, &p) || p.Keyframe() != c.key {
			t.Errorf("%s: keyframe %v", name, p.Keyframe())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := build(t, []byte{1, 2, 3}, nil)
	with := func(at int, v byte) []byte {
		b := bytes.Clone(good)
		b[at] = v
		return b
	}
	for name, b := range map[string][]byte{
		"nothing":                 nil,
		"short":                   good[:11],
		"version 1":               with(0, 0x40),
		"sources beyond the end":  with(0, 0x8f),
		"extension cut off":       with(0, 0x90),
		"padding of 0":            with(0, 0xa0)[:12+2], // ends in the payload's 2, then cut below
		"padding beyond its size": append(with(0, 0xa0), 200),
		"extension beyond":        append(with(0, 0x90)[:12], 0xbe, 0xde, 0, 2, 0, 0, 0, 0),
	} {
		if name == "padding of 0" {
			b = append(b, 0)
		}
		var p Packet
		if Parse(b, H264, &publisherIDs, &p) {
			t.Errorf("%s: parsed as %+v", name, p)
		}
	}
}

// FuzzParse: whatever the bytes, no panic, and the payload lies within the packet.
func FuzzParse(f *testing.F) {
	for _, c := range payloads() {
		f.Add(build(f, c.payload, nil), uint8(c.codec))
		f.Add(build(f, c.payload, func(p *rtp.Packet) {
			_ = p.SetExtension(12, []byte{0x80, 0, 1, 0x80})
			_ = p.SetExtension(13, make([]byte, 8))
			p.Padding, p.PaddingSize = true, 3
		}), uint8(c.codec))
	}
	f.Fuzz(func(t *testing.T, b []byte, codec uint8) {
		var p Packet
		if !Parse(b, Codec(codec%6), &publisherIDs, &p) {
			return
		}
		if p.Start < 12 || p.Start > p.End || int(p.End) > len(b) {
			t.Fatalf("payload [%d, %d) of %d bytes", p.Start, p.End, len(b))
		}
		size := int(p.End - p.Start)
		if int(p.pictureAt) >= max(size, 1) || int(p.tl0At) >= max(size, 1) || p.flags&flagWideID != 0 && int(p.pictureAt)+2 > size {
			t.Fatalf("counters outside of the payload: %+v", p)
		}
		var h rtp.Header
		if n, err := h.Unmarshal(b); err == nil && n != int(p.Start) {
			t.Fatalf("payload at %d, want %d", p.Start, n)
		}
	})
}
