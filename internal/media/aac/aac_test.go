package aac_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/aac"
)

type accepted struct {
	name           string
	asc            []byte
	rate, channels int
	config         []byte
}

// configs returns AudioSpecificConfigs that ParseConfig accepts.
func configs() []accepted {
	return []accepted{
		{"48 kHz stereo", []byte{0x11, 0x90}, 48000, 2, []byte{0x11, 0x90}},
		{"44.1 kHz mono", []byte{0x12, 0x08}, 44100, 1, []byte{0x12, 0x08}},
		{"8 kHz 7.1", []byte{0x15, 0xB8}, 8000, 8, []byte{0x15, 0xB8}},
		{"96 kHz 5.1", []byte{0x10, 0x30}, 96000, 6, []byte{0x10, 0x30}},
		{"rate written out", []byte{0x17, 0x80, 0x56, 0x22, 0x10}, 44100, 2, []byte{0x12, 0x10}},
		{"no SBR, said explicitly", []byte{0x12, 0x10, 0x56, 0xE5, 0x00}, 44100, 2, []byte{0x12, 0x10}},
		{"SBR behind the core", []byte{0x13, 0x10, 0x56, 0xE5, 0x98}, 24000, 2, []byte{0x13, 0x10}},
	}
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	for _, test := range configs() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			track, err := aac.ParseConfig(test.asc)
			if err != nil {
				t.Fatal(err)
			}
			if track.Codec != media.AAC || track.TimeScale != int64(test.rate) || track.SampleRate != test.rate ||
				track.Channels != test.channels || !bytes.Equal(track.Config, test.config) || track.CodecName != "mp4a.40.2" {
				t.Errorf("track is %+v", track)
			}
		})
	}
}

type refusal struct {
	word string // which the error must say
	asc  []byte
}

// refused returns AudioSpecificConfigs that it does not.
func refused() []refusal {
	return []refusal{
		{"short", nil},
		{"short", []byte{0x12}},
		{"HE-AAC;", []byte{0x2B, 0x11, 0x88}},
		{"HE-AAC v2;", []byte{0xEB, 0x09, 0x88}},
		{"xHE-AAC", []byte{0xF9, 0x46, 0x40}},
		{"AAC Main", []byte{0x0A, 0x10}},
		{"AAC LTP", []byte{0x22, 0x10}},
		{"AAC-LD", []byte{0xBA, 0x10}},
		{"AAC-ELD", []byte{0xF8, 0xE4, 0x20}},
		{"object type 44", []byte{0xF9, 0x80, 0x00}},
		{"rate of 44000 Hz", []byte{0x17, 0x80, 0x55, 0xF0, 0x10}},
		{"not valid", []byte{0x16, 0x90}},       // rate index 13
		{"not valid", []byte{0x12, 0x40}},       // channel configuration 8
		{"not valid", []byte{0x17, 0x80, 0x56}}, // cut off
		{"not valid", []byte{0x12, 0x11}},       // extension flag
		{"layouts", []byte{0x12, 0x00}},
		{"960", []byte{0x12, 0x14}},
		{"scalable", []byte{0x12, 0x12, 0x00, 0x00}},
	}
}

func TestParseConfigRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range refused() {
		_, err := aac.ParseConfig(test.asc)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), test.word) {
			t.Errorf("%x: error is %v, want one with %q", test.asc, err, test.word)
		}
	}
}

// TestADTS has the stranger read the headers back.
func TestADTS(t *testing.T) {
	t.Parallel()
	for _, test := range configs() {
		track, err := aac.ParseConfig(test.asc)
		if err != nil {
			t.Fatal(err)
		}
		checkADTS(t, track)
	}
}

func checkADTS(t *testing.T, track *media.Track) {
	t.Helper()
	for _, size := range []int{1, 2041, 2042, aac.MaxFrame} {
		au := bytes.Repeat([]byte{0xA5}, size)
		stream := append(aac.AppendADTS(nil, track, size), au...)
		if len(stream) != aac.HeaderSize+size {
			t.Fatalf("header of %d bytes", len(stream)-size)
		}
		var packets mpeg4audio.ADTSPackets
		if size > mpeg4audio.MaxAccessUnitSize {
			continue // more than the stranger reads
		}
		if err := packets.Unmarshal(stream); err != nil {
			t.Fatal(err)
		}
		p := packets[0]
		if len(packets) != 1 || p.SampleRate != track.SampleRate || p.ChannelConfig != track.Config[1]>>3&15 || !bytes.Equal(p.AU, au) {
			t.Fatalf("%d packets of %d bytes, %d Hz, layout %d", len(packets), len(p.AU), p.SampleRate, p.ChannelConfig)
		}
	}
}

func TestCheckFrame(t *testing.T) {
	t.Parallel()
	for size, ok := range map[int]bool{0: false, 1: true, aac.MaxFrame: true, aac.MaxFrame + 1: false} {
		if err := aac.CheckFrame(make([]byte, size)); (err == nil) != ok {
			t.Errorf("frame of %d bytes: %v", size, err)
		}
	}
}

// FuzzParseConfig: what is accepted is AAC-LC, parses again to the same track, and makes ADTS headers that a stranger
// reads as the same format.
func FuzzParseConfig(f *testing.F) {
	for _, c := range configs() {
		f.Add(c.asc)
	}
	for _, c := range refused() {
		f.Add(c.asc)
	}
	f.Fuzz(func(t *testing.T, asc []byte) {
		track, err := aac.ParseConfig(asc)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatalf("kind of %v", err)
			}
			return
		}
		again, err := aac.ParseConfig(track.Config)
		if err != nil || !bytes.Equal(again.Config, track.Config) || again.SampleRate != track.SampleRate ||
			again.Channels != track.Channels {
			t.Fatalf("%+v parses again to %+v, %v", track, again, err)
		}
		checkADTS(t, track)
	})
}

func BenchmarkAppendADTS(b *testing.B) {
	track, err := aac.ParseConfig([]byte{0x11, 0x90})
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, aac.HeaderSize)
	b.ReportAllocs()
	for b.Loop() {
		buf = aac.AppendADTS(buf[:0], track, 340)
	}
}
