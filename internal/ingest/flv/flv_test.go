package flv

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/media"
)

// avcRecord is an AVCDecoderConfigurationRecord of Baseline 1280x720.
const avcRecord = "\x01\x42\xc0\x1f\xff\xe1\x00\x09\x67\x42\xc0\x1f\xda\x01\x40\x16\xe4\x01\x00\x04\x68\xce\x38\x80"

func video(ts uint32, body string) Tag {
	return Tag{Type: TypeVideo, Timestamp: ts, Payload: []byte(body)}
}

func audio(ts uint32, body string) Tag {
	return Tag{Type: TypeAudio, Timestamp: ts, Payload: []byte(body)}
}

func videoHeader() Tag { return video(0, "\x17\x00\x00\x00\x00"+avcRecord) }
func audioHeader() Tag { return audio(0, "\xaf\x00\x11\x90") } // AAC-LC, 48 kHz stereo

// picture is one access unit, shown 40 ms after it is decoded.
func picture(ts uint32, key bool) Tag {
	if key {
		return video(ts, "\x17\x01\x00\x00\x28\x00\x00\x00\x03\x65\x01\x02")
	}
	return video(ts, "\x27\x01\x00\x00\x28\x00\x00\x00\x03\x41\x01\x02")
}

func sound(ts uint32) Tag { return audio(ts, "\xaf\x01\x21\x00\x00\x00") }

// take takes tags of which none is of no use, and returns what the last one came to.
func take(t *testing.T, d *Demuxer, tags ...Tag) ingest.Message {
	t.Helper()
	var m ingest.Message
	for i, tag := range tags {
		if d.TakeTag(&tag, &m); m.Err != nil {
			t.Fatalf("tag %d: %v", i, m.Err)
		}
	}
	return m
}

// Tags become settings and frames, which hold what a packager needs.
func TestTagsBecomeFrames(t *testing.T) {
	t.Parallel()
	d, now := NewDemuxer(), time.Unix(1000, 0)
	if m := take(t, d, videoHeader()); !m.Changed || m.Medium != ingest.Video || m.Frame.Track != nil || m.Size != len(avcRecord)+5 {
		t.Errorf("video header: %+v", m)
	}
	if m := take(t, d, audioHeader()); !m.Changed || m.Medium != ingest.Audio {
		t.Errorf("audio header: %+v", m)
	}
	s := d.Settings()
	if s.Video == nil || s.Video.Width != 1280 || s.Audio == nil || s.Audio.SampleRate != 48_000 {
		t.Fatalf("settings: %+v", s)
	}
	first := take(t, d, picture(0, true)).Frame
	tag := picture(40, false)
	tag.Arrived = now
	m := take(t, d, tag)
	f := m.Frame
	if m.Changed || !m.Arrived.Equal(now) || m.At != 40*time.Millisecond || f.Track != s.Video || f.Key || f.DTS != first.DTS+3600 ||
		f.Offset != 3600 || string(f.Data) != "\x00\x00\x00\x03\x41\x01\x02" || !f.Arrived.Equal(now) || !first.Key {
		t.Errorf("picture: %+v", m)
	}
	if f := take(t, d, sound(0)).Frame; f.Track != s.Audio || f.DTS != first.DTS*48/90 || !f.Key || string(f.Data) != "\x21\x00\x00\x00" {
		t.Errorf("sound: %+v", f)
	}
	if m := take(t, d, videoHeader(), audioHeader()); m.Changed || d.Settings() != s {
		t.Errorf("the same headers again: %+v", m)
	}
}

// The encoder's clock is told beyond 2^32, and its jumps are counted.
func TestClockOfTheEncoder(t *testing.T) {
	t.Parallel()
	d := NewDemuxer()
	before := take(t, d, videoHeader(), picture(1<<32-20, true))
	after := take(t, d, picture(20, false))
	if got := after.At - before.At; got != 40*time.Millisecond || after.Jumps != 0 {
		t.Errorf("over 2^32: %v later, %d jumps", got, after.Jumps)
	}
	if m := take(t, d, picture(9_000_000, false)); m.Jumps != 1 || m.Frame.DTS <= after.Frame.DTS {
		t.Errorf("a jump: %+v", m)
	}
}

// What is not carried is told apart from what is damaged, and from what may only be missing yet.
func TestTagsOfNoUse(t *testing.T) {
	t.Parallel()
	const heAAC = "\xaf\x00\x2b\x11\x88"
	headers := []Tag{videoHeader(), audioHeader()}
	type foreign = ingest.UnsupportedError
	tests := []struct {
		name   string
		before []Tag
		tag    Tag
		want   *foreign // nil: damage
	}{
		{"HEVC", nil, video(0, "\x90hvc1x"), &foreign{Medium: ingest.Video, Codec: "HEVC (hvc1)"}},
		{"a camera's H.263", headers, video(0, "\x12\x00\x00\x00\x00"), &foreign{Medium: ingest.Video, Codec: "Sorenson H.263"}},
		{"a second track", headers, video(0, "\x96\x00avc1\x01cfg"), &foreign{Medium: ingest.Video, Codec: "multitrack", Multitrack: true}},
		{"MP3", headers, audio(0, "\x2f\x00"), &foreign{Medium: ingest.Audio, Codec: "MP3"}},
		{"HE-AAC", nil, audio(0, heAAC), &foreign{Medium: ingest.Audio, Variant: true}},
		{"HE-AAC later", headers, audio(0, heAAC), &foreign{Medium: ingest.Audio, Variant: true}},
		{"parameters that make no sense", nil, video(0, "\x17\x00\x00\x00\x00\x01\x02\x03"), &foreign{Medium: ingest.Video, Variant: true}},
		{"the same later", headers, video(0, "\x17\x00\x00\x00\x00\x01\x02\x03"), nil},
		{"an audio header that is cut", nil, audio(0, "\xaf\x00\x11"), nil},
		{"a picture before its parameters", nil, picture(0, true), nil},
		{"sound before its parameters", nil, sound(0), nil},
		{"sound after a header of another kind", append(headers[:2:2], audio(0, heAAC)), sound(0), nil},
		{"an empty picture", headers, video(0, "\x27\x01\x00\x00\x00"), nil},
		{"a NAL unit that leaves its tag", headers, video(0, "\x27\x01\x00\x00\x00\x00\x00\x00\x09\x41"), nil},
		{"an empty tag", headers, audio(0, ""), nil},
		{"script data without a name", headers, Tag{Type: TypeData, Payload: []byte{5}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := NewDemuxer()
			var m ingest.Message
			for _, tag := range append(tt.before, tt.tag) {
				d.TakeTag(&tag, &m)
			}
			u, ok := errors.AsType[*ingest.UnsupportedError](m.Err)
			if m.Err == nil || ok != (tt.want != nil) || m.Frame.Track != nil || m.Changed || m.Err.Error() == "" {
				t.Fatalf("became %+v", m)
			}
			if !ok {
				return
			}
			if u.Variant { // a sentence of the codec's package
				tt.want.Codec = u.Codec
			}
			if *u != *tt.want {
				t.Errorf("%+v, want %+v", *u, *tt.want)
			}
		})
	}
}

// Whatever comes: a tag is a frame of the settings' tracks, or text, or of no use, or nothing; and frames grow strictly.
func FuzzDemuxer(f *testing.F) {
	pack := func(tags ...Tag) []byte {
		var b []byte
		for _, t := range tags {
			b = append(b, t.Type)
			b = binary.BigEndian.AppendUint32(b, t.Timestamp)
			b = binary.BigEndian.AppendUint16(b, uint16(len(t.Payload)))
			b = append(b, t.Payload...)
		}
		return b
	}
	f.Add(pack(videoHeader(), audioHeader(), picture(0, true), sound(0), picture(40, false), sound(21)))
	f.Add(pack(video(0, "\x90avc1"+avcRecord), video(0, "\x91avc1\x00\x00\x00\x00\x00\x00\x02\x65\x01"), video(9, "\x93avc1\x00\x00\x01\x41\x01")))
	f.Add(pack(audioHeader(), sound(5), sound(5), sound(4_000_000_000), audio(0, "\xaf\x00\x2b\x11\x88"), sound(9)))
	f.Add(pack(Tag{Type: TypeData, Payload: []byte("\x02\x00\x0aonTextData\x02\x00\x03a\xffb")}, Tag{Type: TypeData, Payload: []byte("\x02\x00\x0aonMetaData\x08\x00\x00\x00\x00")}))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := NewDemuxer()
		last := map[media.Codec]time.Duration{}
		var m ingest.Message
		for len(data) >= 7 {
			n := min(int(binary.BigEndian.Uint16(data[5:])), len(data)-7)
			d.TakeTag(&Tag{Type: data[0], Timestamp: binary.BigEndian.Uint32(data[1:]), Payload: data[7 : 7+n : 7+n]}, &m)
			data = data[7+n:]
			if m.Size != n || len(m.Text) > maxInband || !utf8.Valid(m.Text) || m.Err != nil && (m.Text != nil || m.Frame.Track != nil) {
				t.Fatalf("became %+v", m)
			}
			fr, s := m.Frame, d.Settings()
			if fr.Track == nil {
				continue
			}
			if fr.Track != s.Video && fr.Track != s.Audio || len(fr.Data) == 0 || fr.DTS < 0 {
				t.Fatalf("a frame %+v with settings %+v", fr, s)
			}
			if before, ok := last[fr.Track.Codec]; ok && fr.Time() <= before {
				t.Fatalf("%v after %v", fr.Time(), before)
			}
			last[fr.Track.Codec] = fr.Time()
		}
	})
}

// One picture and one piece of sound, without the packaging.
func BenchmarkTakeTag(b *testing.B) {
	d, v, a := NewDemuxer(), videoHeader(), audioHeader()
	var m ingest.Message
	d.TakeTag(&v, &m)
	d.TakeTag(&a, &m)
	p, s := picture(0, false), sound(0)
	b.ReportAllocs()
	for b.Loop() {
		p.Timestamp += 33
		s.Timestamp += 33
		if d.TakeTag(&p, &m); m.Err != nil {
			b.Fatal(m.Err)
		}
		if d.TakeTag(&s, &m); m.Err != nil {
			b.Fatal(m.Err)
		}
	}
}
