package hls

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/aac"
	"github.com/rivus-live/rivus/internal/media/h264"
)

// epoch is when the first frame of every test arrives.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant

// videoTrack returns a 1920x1080 track.
func videoTrack(tb testing.TB) *media.Track {
	tb.Helper()
	sps := []byte{
		0x67, 0x42, 0xc0, 0x28, 0xd9, 0x00, 0x78, 0x02, 0x27, 0xe5, 0x84, 0x00, 0x00, 0x03, 0x00, 0x04,
		0x00, 0x00, 0x03, 0x00, 0xf0, 0x3c, 0x60, 0xc9, 0x20,
	}
	pps := []byte{0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0}
	avcc := []byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1, 0, byte(len(sps))}
	avcc = append(avcc, sps...)
	avcc = append(avcc, 1, 0, byte(len(pps)))
	avcc = append(avcc, pps...)
	t, err := h264.ParseConfig(avcc)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// audioTrack returns a 48 kHz stereo track.
func audioTrack(tb testing.TB) *media.Track {
	tb.Helper()
	t, err := aac.ParseConfig([]byte{0x11, 0x90})
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// pattern describes a synthetic stream: what an encoder would send, in the order in which it would arrive.
type pattern struct {
	length  time.Duration
	fps     float64         // frames a second, with times rounded to milliseconds as RTMP has them
	frames  []time.Duration // instead of fps: decode times
	gop     time.Duration   // distance of the keyframes
	keys    []time.Duration // instead of gop
	bytes   int             // of a video frame; 0: 400
	reorder int             // B-frames: pictures that are shown later by this many frames

	video *media.Track
	audio *media.Track
	late  time.Duration                     // how much the sound's arrival is behind its time; negative: ahead
	from  time.Duration                     // when the sound starts
	mute  func(time.Duration) bool          // no sound at that time
	blind func(time.Duration) bool          // no picture at that time
	stall func(time.Duration) time.Duration // how late a picture arrives
}

// base is where the timeline of the tests starts.
const base = 10 * time.Second

// build returns the frames in the order of their arrival.
func (p pattern) build(tb testing.TB) []media.Frame {
	tb.Helper()
	video := p.pictures(tb)
	var audio []media.Frame
	if p.audio != nil {
		audio = p.sound()
	}
	out := make([]media.Frame, 0, len(video)+len(audio))
	for len(video)+len(audio) > 0 {
		if len(audio) == 0 || len(video) > 0 && !video[0].Arrived.After(audio[0].Arrived) {
			out, video = append(out, video[0]), video[1:]
		} else {
			out, audio = append(out, audio[0]), audio[1:]
		}
	}
	return out
}

func (p pattern) pictures(tb testing.TB) []media.Frame {
	tb.Helper()
	track := p.video
	if track == nil {
		track = videoTrack(tb)
	}
	times := p.frames
	if times == nil {
		for i := 0; ; i++ {
			at := time.Duration(float64(i) / p.fps * float64(time.Second)).Round(time.Millisecond)
			if at >= p.length {
				break
			}
			times = append(times, at)
		}
	}
	var out []media.Frame
	keys, nextKey := p.keys, time.Duration(0)
	for i, at := range times {
		key := i == 0
		if p.keys != nil {
			if key = len(keys) > 0 && at >= keys[0]; key {
				keys = keys[1:]
			}
		} else if at+time.Millisecond >= nextKey {
			key = true
			nextKey += p.gop
		}
		if p.blind != nil && p.blind(at) {
			continue
		}
		f := media.Frame{Track: track, DTS: track.Ticks(base + at), Key: key, Data: accessUnit(key, max(p.bytes, 400)), Arrived: epoch.Add(at)}
		if p.stall != nil {
			f.Arrived = f.Arrived.Add(p.stall(at))
		}
		if p.reorder > 0 {
			f.Offset = int32(float64(p.reorder) * second / p.fps)
			if i%2 == 1 {
				f.Offset = 0
			}
		}
		out = append(out, f)
	}
	return out
}

func (p pattern) sound() []media.Frame {
	var out []media.Frame
	for n := int64(0); ; n++ {
		at := p.from + time.Duration(n*1024*int64(time.Second)/p.audio.TimeScale)
		if at >= p.length {
			return out
		}
		if p.mute != nil && p.mute(at) {
			continue
		}
		f := media.Frame{Track: p.audio, DTS: p.audio.Ticks(base+p.from) + n*1024, Key: true, Data: make([]byte, 340), Arrived: epoch.Add(at + p.late)}
		binary.BigEndian.PutUint64(f.Data, uint64(n))
		out = append(out, f)
	}
}

// accessUnit returns an AVCC access unit with one slice.
func accessUnit(key bool, size int) []byte {
	b := make([]byte, size)
	binary.BigEndian.PutUint32(b, uint32(size-4))
	b[4] = 0x41
	if key {
		b[4] = 0x65
	}
	for i := 5; i < size; i++ {
		b[i] = byte(i | 1) // no start codes
	}
	return b
}
