package flv

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/rivus-live/rivus/internal/media/amf0"
)

type videoCase struct {
	name  string
	bytes string
	want  VideoTag
	codec string // of the UnsupportedError, "" if none
	bad   bool   // another error
}

func videoTable() []videoCase {
	return []videoCase{
		{name: "header", bytes: "\x17\x00\x00\x00\x00cfg", want: VideoTag{SequenceHeader, KeyFrame, AVC, 0, []byte("cfg")}},
		{name: "key frame", bytes: "\x17\x01\x00\x00\x42au", want: VideoTag{NALUs, KeyFrame, AVC, 66, []byte("au")}},
		{name: "inter", bytes: "\x27\x01\x00\x00\x00au", want: VideoTag{NALUs, InterFrame, AVC, 0, []byte("au")}},
		{name: "disposable", bytes: "\x37\x01\xff\xff\xdfau", want: VideoTag{NALUs, DisposableInterFrame, AVC, -33, []byte("au")}},
		{name: "largest offset", bytes: "\x27\x01\x7f\xff\xff", want: VideoTag{NALUs, InterFrame, AVC, 1<<23 - 1, []byte{}}},
		{name: "smallest offset", bytes: "\x27\x01\x80\x00\x00", want: VideoTag{NALUs, InterFrame, AVC, -1 << 23, []byte{}}},
		{name: "end", bytes: "\x17\x02\x00\x00\x00", want: VideoTag{EndOfSequence, KeyFrame, AVC, 0, nil}},
		{name: "short end", bytes: "\x17\x02", want: VideoTag{EndOfSequence, KeyFrame, AVC, 0, nil}},
		{name: "command", bytes: "\x57\x00", want: VideoTag{Other, CommandFrame, AVC, 0, nil}},
		{name: "enhanced header", bytes: "\x90avc1cfg", want: VideoTag{SequenceHeader, KeyFrame, AVC, 0, []byte("cfg")}},
		{name: "enhanced frame", bytes: "\xa1avc1\xff\xff\xffau", want: VideoTag{NALUs, InterFrame, AVC, -1, []byte("au")}},
		{name: "enhanced frame X", bytes: "\x93avc1au", want: VideoTag{NALUs, KeyFrame, AVC, 0, []byte("au")}},
		{name: "enhanced end", bytes: "\x92avc1", want: VideoTag{EndOfSequence, KeyFrame, AVC, 0, nil}},
		{name: "enhanced metadata", bytes: "\x94avc1xyz", want: VideoTag{Other, KeyFrame, AVC, 0, nil}},
		{name: "enhanced command", bytes: "\xd1\x00", want: VideoTag{Other, CommandFrame, 0, 0, nil}},
		{name: "nanoseconds", bytes: "\x97\x02\x00\x01\x02\x01avc1\x00\x00\x21au", want: VideoTag{NALUs, KeyFrame, AVC, 33, []byte("au")}},
		{
			name: "long modifier", bytes: "\x97\xff\x00\xff" + string(make([]byte, 256)) + "\x03avc1au",
			want: VideoTag{NALUs, KeyFrame, AVC, 0, []byte("au")},
		},
		{name: "first of one track", bytes: "\x96\x00avc1\x00cfg", want: VideoTag{SequenceHeader, KeyFrame, AVC, 0, []byte("cfg")}},
		{name: "second track", bytes: "\x96\x00avc1\x01cfg", codec: "multitrack"},
		{name: "many tracks", bytes: "\x96\x11avc1\x00", codec: "multitrack"},
		{name: "many codecs", bytes: "\x96\x21\x00", codec: "multitrack"},
		{name: "HEVC", bytes: "\x90hvc1cfg", codec: "HEVC (hvc1)"},
		{name: "AV1", bytes: "\x90av01cfg", codec: "AV1 (av01)"},
		{name: "VP9", bytes: "\x90vp09cfg", codec: "VP9 (vp09)"},
		{name: "legacy HEVC", bytes: "\x1c\x00\x00\x00\x00", codec: "HEVC (legacy id 12)"},
		{name: "H.263", bytes: "\x12", codec: "Sorenson H.263"},
		{name: "unknown id", bytes: "\x1f", codec: "id 15"},
		{name: "unknown FourCC", bytes: "\x90abcd", codec: "abcd"},
		{name: "unprintable FourCC", bytes: "\x90ab\n\xff", codec: "0x61620aff"},
		{name: "empty", bytes: "", bad: true},
		{name: "frame type 0", bytes: "\x07\x01\x00\x00\x00", bad: true},
		{name: "frame type 6", bytes: "\x67\x01\x00\x00\x00", bad: true},
		{name: "enhanced frame type 0", bytes: "\x80avc1cfg", want: VideoTag{SequenceHeader, 0, AVC, 0, []byte("cfg")}},
		{name: "enhanced frame type 6", bytes: "\xe1avc1\x00\x00\x00", bad: true},
		{name: "cut", bytes: "\x17\x01\x00\x00", bad: true},
		{name: "packet type", bytes: "\x17\x03\x00\x00\x00", bad: true},
		{name: "FourCC cut", bytes: "\x90avc", bad: true},
		{name: "offset cut", bytes: "\x91avc1\x00\x00", bad: true},
		{name: "modifier cut", bytes: "\x97\x05\x00", bad: true},
		{name: "modifier length cut", bytes: "\x97\xff\x00", bad: true},
		{name: "modifier missing", bytes: "\x97", bad: true},
		{name: "multitrack cut", bytes: "\x96", bad: true},
		{name: "track id cut", bytes: "\x96\x00avc1", bad: true},
		{name: "enhanced packet type", bytes: "\x9favc1", bad: true},
	}
}

func TestParseVideo(t *testing.T) {
	t.Parallel()
	for _, c := range videoTable() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseVideo([]byte(c.bytes))
			checkError(t, err, c.codec, c.bad)
			if err == nil && !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

type audioCase struct {
	name  string
	bytes string
	want  AudioTag
	codec string
	bad   bool
}

func audioTable() []audioCase {
	return []audioCase{
		{name: "header", bytes: "\xaf\x00\x11\x90", want: AudioTag{SequenceHeader, AAC, []byte("\x11\x90")}},
		{name: "frame", bytes: "\xaf\x01au", want: AudioTag{Raw, AAC, []byte("au")}},
		{name: "enhanced header", bytes: "\x90mp4acfg", want: AudioTag{SequenceHeader, AAC, []byte("cfg")}},
		{name: "enhanced frame", bytes: "\x91mp4aau", want: AudioTag{Raw, AAC, []byte("au")}},
		{name: "enhanced end", bytes: "\x92mp4a", want: AudioTag{EndOfSequence, AAC, nil}},
		{name: "channel layout", bytes: "\x94mp4a\x01\x02", want: AudioTag{Other, AAC, nil}},
		{name: "nanoseconds", bytes: "\x97\x02\x00\x01\x02\x01mp4aau", want: AudioTag{Raw, AAC, []byte("au")}},
		{name: "first of one track", bytes: "\x95\x01mp4a\x00au", want: AudioTag{Raw, AAC, []byte("au")}},
		{name: "second track", bytes: "\x95\x01mp4a\x02au", codec: "multitrack"},
		{name: "Opus", bytes: "\x90Opuscfg", codec: "Opus (Opus)"},
		{name: "MP3", bytes: "\x2f", codec: "MP3"},
		{name: "Speex", bytes: "\xb2x", codec: "Speex"},
		{name: "device-specific", bytes: "\xf0x", codec: "device-specific sound"},
		{name: "empty", bytes: "", bad: true},
		{name: "cut", bytes: "\xaf", bad: true},
		{name: "packet type", bytes: "\xaf\x02", bad: true},
		{name: "FourCC cut", bytes: "\x91mp", bad: true},
		{name: "enhanced packet type", bytes: "\x9fmp4a", bad: true},
	}
}

func TestParseAudio(t *testing.T) {
	t.Parallel()
	for _, c := range audioTable() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseAudio([]byte(c.bytes))
			checkError(t, err, c.codec, c.bad)
			if err == nil && !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func checkError(t *testing.T, err error, codec string, bad bool) {
	t.Helper()
	unsupported, is := errors.AsType[*UnsupportedError](err)
	switch {
	case codec != "" && (!is || unsupported.Codec != codec):
		t.Errorf("error %v, want codec %q to be unsupported", err, codec)
	case codec == "" && is:
		t.Errorf("unexpected %v", err)
	case codec == "" && bad != (err != nil):
		t.Errorf("error %v, want one: %v", err, bad)
	}
}

func TestParseScript(t *testing.T) {
	t.Parallel()
	const array = "\x08\x00\x00\x00\x01\x00\x05width\x00\x40\x9e\x00\x00\x00\x00\x00\x00\x00\x00\x09"
	const name = "\x02\x00\x0aonMetaData"
	want := Script{"onMetaData", []any{amf0.ECMAArray{{Name: "width", Value: 1920.0}}}}
	for _, b := range []string{name + array, "\x02\x00\x0d@setDataFrame" + name + array} {
		got, err := ParseScript([]byte(b))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v", b, got, err)
		}
		if v, ok := got.Properties().Get("width"); !ok || v != 1920.0 {
			t.Errorf("width is %v, %v", v, ok)
		}
	}
	if p := (Script{Name: "x"}).Properties(); p != nil {
		t.Errorf("a script without values has properties %v", p)
	}
	for _, b := range []string{"", "\x02\x00\x0d@setDataFrame", "\x05", "\x02\x00\x0aon", "\x11"} {
		if got, err := ParseScript([]byte(b)); err == nil {
			t.Errorf("%q: got %+v", b, got)
		}
	}
}

func TestParseAllocatesNothing(t *testing.T) { // not parallel: testing.AllocsPerRun counts the whole process
	video, audio := []byte("\x17\x01\x00\x00\x42au"), []byte("\xaf\x01au")
	if testing.AllocsPerRun(100, func() { _, _ = ParseVideo(video) }) != 0 {
		t.Error("ParseVideo allocates")
	}
	if testing.AllocsPerRun(100, func() { _, _ = ParseAudio(audio) }) != 0 {
		t.Error("ParseAudio allocates")
	}
}

// FuzzParse holds that payloads are the tail of their tag and that every kind keeps its promises.
func FuzzParse(f *testing.F) {
	for _, c := range videoTable() {
		f.Add([]byte(c.bytes))
	}
	for _, c := range audioTable() {
		f.Add([]byte(c.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := ParseVideo(b); err == nil {
			if !bytes.HasSuffix(b, v.Payload) {
				t.Errorf("payload %q is not the tail of %q", v.Payload, b)
			}
			if v.Codec != AVC && v.Kind != Other {
				t.Errorf("kind %d with codec %v", v.Kind, v.Codec)
			}
			if v.CompositionTime < -1<<23 || v.CompositionTime >= 1<<23 {
				t.Errorf("composition time %d", v.CompositionTime)
			}
		}
		if a, err := ParseAudio(b); err == nil && (a.Codec != AAC || !bytes.HasSuffix(b, a.Payload)) {
			t.Errorf("%+v from %q", a, b)
		}
		if s, err := ParseScript(b); err == nil && len(s.Name) > len(b) {
			t.Errorf("name %q from %q", s.Name, b)
		}
	})
}
