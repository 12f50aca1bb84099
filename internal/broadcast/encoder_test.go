package broadcast

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/ingest/flv"
	"github.com/rivus-live/rivus/internal/media/amf0"
)

// bits writes the syntax elements of a parameter set.
type bits struct {
	data []byte
	n    int
}

func (b *bits) u(n int, v uint32) {
	for i := n - 1; i >= 0; i-- {
		if b.n%8 == 0 {
			b.data = append(b.data, 0)
		}
		b.data[len(b.data)-1] |= byte(v>>i&1) << (7 - b.n%8)
		b.n++
	}
}

func (b *bits) ue(v uint32) {
	n := 0
	for x := v + 1; x > 1; x >>= 1 {
		n++
	}
	b.u(n, 0)
	b.u(n+1, v+1)
}

// sps is a Baseline sequence parameter set for a size in whole macroblocks.
func sps(width, height uint32) []byte {
	b := bits{}
	b.u(8, 0x67)
	b.u(24, 66<<16|0xC0<<8|31)
	for _, v := range []uint32{0, 0, 2, 1} { // id, log2_max_frame_num-4, pic_order_cnt_type, max_num_ref_frames
		b.ue(v)
	}
	b.u(1, 0)
	b.ue(width/16 - 1)
	b.ue(height/16 - 1)
	b.u(4, 0b1100) // frame_mbs_only, direct_8x8_inference, no cropping, no VUI
	b.u(1, 1)
	return b.data
}

// avcConfig is an AVCDecoderConfigurationRecord.
func avcConfig(width, height uint32) []byte {
	s, p := sps(width, height), []byte{0x68, 0xCE, 0x38, 0x80}
	r := []byte{1, s[1], s[2], s[3], 0xFF, 0xE1}
	r = binary.BigEndian.AppendUint16(r, uint16(len(s)))
	r = append(r, s...)
	r = append(r, 1)
	r = binary.BigEndian.AppendUint16(r, uint16(len(p)))
	return append(r, p...)
}

func videoHeader(ts uint32, width, height uint32) flv.Tag {
	return message(flv.TypeVideo, ts, append([]byte{0x17, 0, 0, 0, 0}, avcConfig(width, height)...))
}

// audioHeader announces 48 kHz stereo AAC-LC.
func audioHeader(ts uint32) flv.Tag {
	return message(flv.TypeAudio, ts, []byte{0xAF, 0, 0x11, 0x90})
}

// picture is one access unit with a slice of some bytes; cts is its composition time.
func picture(ts uint32, cts int32, key bool) flv.Tag {
	head, nal := byte(0x27), byte(0x41)
	if key {
		head, nal = 0x17, 0x65
	}
	b := []byte{head, 1, byte(cts >> 16), byte(cts >> 8), byte(cts), 0, 0, 0, 40, nal}
	return message(flv.TypeVideo, ts, append(b, bytes.Repeat([]byte{0x5A}, 39)...))
}

func sound(ts uint32) flv.Tag {
	return message(flv.TypeAudio, ts, append([]byte{0xAF, 1, 0x21}, make([]byte, 20)...))
}

// foreignSound and foreignPicture are tags of codecs that are not carried, as drones and old cameras send them beside AAC
// and H.264.
func foreignSound(ts uint32) flv.Tag {
	return message(flv.TypeAudio, ts, []byte{0xFF, 1, 2, 3, 4, 5, 6})
}

func foreignPicture(ts uint32) flv.Tag {
	return message(flv.TypeVideo, ts, []byte{0x12, 0, 0, 0, 0})
}

// avcHead is the length of what stands before the access unit in a video message.
const avcHead = 5

// byteStream turns an encoder's pictures into byte streams (H.264, Annex B), keyframes with their parameter sets, as
// phones send them.
func byteStream(messages []flv.Tag) []flv.Tag {
	out := slices.Clone(messages)
	for i, m := range out {
		if m.Type != flv.TypeVideo || m.Payload[1] != 1 {
			continue
		}
		b := slices.Clone(m.Payload[:avcHead])
		if m.Payload[0] == 0x17 {
			b = append(append(b, 0, 0, 0, 1), sps(1280, 720)...)
			b = append(b, 0, 0, 0, 1, 0x68, 0xCE, 0x38, 0x80)
		}
		b = append(b, 0, 0, 0, 1)
		out[i].Payload = append(b, m.Payload[avcHead+4:]...)
	}
	return out
}

// glued puts an SEI unit and a start code in front of every keyframe, all in one NAL unit, as boards send them.
func glued(messages []flv.Tag) []flv.Tag {
	out := slices.Clone(messages)
	for i, m := range out {
		if m.Type != flv.TypeVideo || m.Payload[1] != 1 || m.Payload[0] != 0x17 {
			continue
		}
		unit := append([]byte{6, 4, 1, 2, 3, 4, 0x80, 0, 0, 0, 1}, m.Payload[avcHead+4:]...)
		b := binary.BigEndian.AppendUint32(slices.Clone(m.Payload[:avcHead]), uint32(len(unit)))
		out[i].Payload = append(b, unit...)
	}
	return out
}

func script(ts uint32, name string, values ...any) flv.Tag {
	b, err := amf0.Append(nil, append([]any{name}, values...)...)
	if err != nil {
		panic(err)
	}
	return message(flv.TypeData, ts, b)
}

func message(kind uint8, ts uint32, payload []byte) flv.Tag {
	return flv.Tag{Type: kind, Timestamp: ts, Payload: payload}
}

// av makes the messages of an encoder with 25 pictures a second, a keyframe every gop pictures and 48 kHz audio, for
// [from, to) milliseconds.
func av(from, to uint32, gop uint32) []flv.Tag {
	var out []flv.Tag
	for i := from / 40; i < to/40; i++ {
		out = append(out, picture(i*40, 0, i%gop == 0))
		for n := (uint64(i)*40*48 + 1023) / 1024; n*1024/48 < uint64(i+1)*40; n++ {
			out = append(out, sound(uint32(n*1024/48)))
		}
	}
	return out
}

func headers() []flv.Tag { return []flv.Tag{videoHeader(0, 1280, 720), audioHeader(0)} }

// fakeSource is an encoder that a test feeds with the tags it sends.
type fakeSource struct {
	*flv.Demuxer
	messages chan flv.Tag // closed: the encoder ends the stream
	closed   chan struct{}
	once     sync.Once
	accepted atomic.Bool
	read     atomic.Int64
	refusal  *ingest.Refusal // of Close; read after closed
}

func newFakeSource() *fakeSource {
	return &fakeSource{Demuxer: flv.NewDemuxer(), messages: make(chan flv.Tag), closed: make(chan struct{})}
}

func (s *fakeSource) Accept() error { s.accepted.Store(true); return nil }

func (s *fakeSource) Close(r *ingest.Refusal) {
	s.once.Do(func() {
		s.refusal = r
		close(s.closed)
	})
}

func (s *fakeSource) Read(m *ingest.Message) error {
	select {
	case <-s.closed:
		return s.refusal
	default:
	}
	select {
	case tag, ok := <-s.messages:
		if !ok {
			return io.EOF
		}
		if tag.Arrived.IsZero() {
			tag.Arrived = time.Now()
		}
		s.read.Add(1)
		s.TakeTag(&tag, m)
		return nil
	case <-s.closed:
		return s.refusal
	}
}

// send hands messages over until ctx or the stream ends, and reports whether all were taken.
func (s *fakeSource) send(ctx context.Context, messages ...flv.Tag) bool {
	for _, m := range messages {
		select {
		case s.messages <- m:
		case <-s.closed:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// flvIntake is an intake that is fed with tags.
type flvIntake struct {
	*intake
	demuxer *flv.Demuxer
	message ingest.Message
}

// take takes a tag as a publisher's loop does.
func (in *flvIntake) take(t flv.Tag) error {
	m := &in.message
	if in.demuxer.TakeTag(&t, m); m.Changed {
		in.settings, in.changed = in.demuxer.Settings(), true
	}
	return in.takeMessage(m)
}

func newFLVIntake(o hls.Options, metadata <-chan string, log *slog.Logger) (*flvIntake, *counters) {
	c := new(counters)
	return &flvIntake{intake: newIntake(hls.NewPackager(o), metadata, c, log), demuxer: flv.NewDemuxer()}, c
}
