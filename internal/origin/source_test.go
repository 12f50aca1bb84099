package origin

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/aac"
	"github.com/rivus-live/rivus/internal/media/h264"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// The channel of all tests.
const (
	testChannel = "hT4kPz81QmXc"
	testStream  = "st-0123456789abcdefghijklm"
	testMain    = Prefix + "us-west-2.111122223333.channel." + testChannel + ".m3u8"
	testBelow   = Prefix + "us-west-2.111122223333.channel." + testChannel + "/" + testStream + "/1080p30/"
	testIndex   = testBelow + playlistFile
)

var testScope = arn.Scope{Region: "us-west-2", Account: "111122223333"} //nolint:gochecknoglobals // a constant

// encoder makes frames, 30 pictures and 46.875 sounds a second, and writes them into a packager.
type encoder struct {
	*hls.Packager
	video, audio     *media.Track
	began            time.Time
	pictures, sounds int64
	size             int // of a picture
}

// newEncoder returns an encoder whose packager makes segments of two seconds and parts of 200 ms.
func newEncoder(tb testing.TB, container string, low bool) *encoder {
	tb.Helper()
	avcc := "\x01\x42\xc0\x0d\xff\xe1\x00\x17\x67\x42\xc0\x0d\xda\x05\x06\x7e\x7c\x04\x40\x00\x00\x03\x00\x40\x00\x00\x0f\x03" +
		"\xc5\x0a\xa8\x01\x00\x04\x68\xce\x0f\xc8"
	video, err := h264.ParseConfig([]byte(avcc))
	if err != nil {
		tb.Fatal(err)
	}
	audio, err := aac.ParseConfig([]byte{0x11, 0x90})
	if err != nil {
		tb.Fatal(err)
	}
	p := hls.NewPackager(hls.Options{
		Container: container, LowLatency: low, TargetDuration: 2 * time.Second, PartTarget: 200 * time.Millisecond,
	})
	return &encoder{Packager: p, video: video, audio: audio, began: time.Now(), size: 600}
}

// feed writes the next d of the broadcast.
func (e *encoder) feed(tb testing.TB, d time.Duration) {
	tb.Helper()
	for end := e.at() + d; e.at() < end; {
		if err := e.Write(e.next()); err != nil {
			tb.Error(err)
			return
		}
	}
}

// at is the time of the next picture.
func (e *encoder) at() time.Duration { return time.Duration(e.pictures) * time.Second / 30 }

// next returns the next frame of either track.
func (e *encoder) next() media.Frame {
	if at := time.Duration(e.sounds) * time.Second * 1024 / 48000; at < e.at() {
		f := media.Frame{Track: e.audio, DTS: e.sounds * 1024, Key: true, Data: make([]byte, 340), Arrived: e.began.Add(at)}
		e.sounds++
		return f
	}
	key := e.pictures%60 == 0
	f := media.Frame{Track: e.video, DTS: e.pictures * 3000, Key: key, Data: picture(key, e.size), Arrived: e.began.Add(e.at())}
	e.pictures++
	return f
}

func picture(key bool, size int) []byte {
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

// world is both what is on air and the channel records.
type world struct {
	presentation *hls.Presentation // nil: off air
	channel      *resource.Channel // nil: there is none
	broken       bool              // the store does not answer
}

func (w *world) Presentation(scope arn.Scope, id string) (*hls.Presentation, bool) {
	if w.presentation == nil || scope != testScope || id != testChannel {
		return nil, false
	}
	return w.presentation, true
}

func (w *world) Get(_ context.Context, key store.Key) (store.Record[resource.Channel], error) {
	switch {
	case w.broken:
		return store.Record[resource.Channel]{}, fault.New(fault.Unavailable, "no engine")
	case w.channel == nil || key != (store.Key{Scope: testScope, ID: testChannel}):
		return store.Record[resource.Channel]{}, fault.New(fault.NotFound, "no channel")
	}
	return store.Record[resource.Channel]{Key: key, Value: *w.channel}, nil
}

// onAir returns a world in which the encoder's stream is watched.
func onAir(e *encoder) *world {
	c := resource.Channel{}
	return &world{channel: &c, presentation: presentationOf(c, e.began, e.Packager.Live)}
}

// presentationOf returns a presentation of one variant.
func presentationOf(c resource.Channel, began time.Time, l *hls.Live) *hls.Presentation {
	p := &hls.Presentation{StreamID: testStream, Channel: c, StartedAt: began}
	p.AddVariant("1080p30", l)
	return p
}

func newHandler(w *world) *Handler {
	return New(Options{Presentations: w, Channels: w, Gate: newLaw().gate, ViewerKey: []byte("key"), Node: "test"})
}
