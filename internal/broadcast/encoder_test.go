package broadcast

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/media/amf0"
	"github.com/rivus-live/rivus/internal/rtmp"
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

func videoHeader(ts uint32, width, height uint32) rtmp.Message {
	return message(rtmp.TypeVideo, ts, append([]byte{0x17, 0, 0, 0, 0}, avcConfig(width, height)...))
}

// audioHeader announces 48 kHz stereo AAC-LC.
func audioHeader(ts uint32) rtmp.Message {
	return message(rtmp.TypeAudio, ts, []byte{0xAF, 0, 0x11, 0x90})
}

// picture is one access unit with a slice of some bytes; cts is its composition time.
func picture(ts uint32, cts int32, key bool) rtmp.Message {
	head, nal := byte(0x27), byte(0x41)
	if key {
		head, nal = 0x17, 0x65
	}
	b := []byte{head, 1, byte(cts >> 16), byte(cts >> 8), byte(cts), 0, 0, 0, 40, nal}
	return message(rtmp.TypeVideo, ts, append(b, bytes.Repeat([]byte{0x5A}, 39)...))
}

func sound(ts uint32) rtmp.Message {
	return message(rtmp.TypeAudio, ts, append([]byte{0xAF, 1, 0x21}, make([]byte, 20)...))
}

// foreignSound and foreignPicture are tags of codecs that are not carried, as drones and old cameras send them beside AAC
// and H.264.
func foreignSound(ts uint32) rtmp.Message {
	return message(rtmp.TypeAudio, ts, []byte{0xFF, 1, 2, 3, 4, 5, 6})
}

func foreignPicture(ts uint32) rtmp.Message {
	return message(rtmp.TypeVideo, ts, []byte{0x12, 0, 0, 0, 0})
}

// avcHead is the length of what stands before the access unit in a video message.
const avcHead = 5

// byteStream turns an encoder's pictures into byte streams (H.264, Annex B), keyframes with their parameter sets, as
// phones send them.
func byteStream(messages []rtmp.Message) []rtmp.Message {
	out := slices.Clone(messages)
	for i, m := range out {
		if m.Type != rtmp.TypeVideo || m.Payload[1] != 1 {
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
func glued(messages []rtmp.Message) []rtmp.Message {
	out := slices.Clone(messages)
	for i, m := range out {
		if m.Type != rtmp.TypeVideo || m.Payload[1] != 1 || m.Payload[0] != 0x17 {
			continue
		}
		unit := append([]byte{6, 4, 1, 2, 3, 4, 0x80, 0, 0, 0, 1}, m.Payload[avcHead+4:]...)
		b := binary.BigEndian.AppendUint32(slices.Clone(m.Payload[:avcHead]), uint32(len(unit)))
		out[i].Payload = append(b, unit...)
	}
	return out
}

func script(ts uint32, name string, values ...any) rtmp.Message {
	b, err := amf0.Append(nil, append([]any{name}, values...)...)
	if err != nil {
		panic(err)
	}
	return message(rtmp.TypeData, ts, b)
}

func message(kind uint8, ts uint32, payload []byte) rtmp.Message {
	return rtmp.Message{Type: kind, Timestamp: ts, Payload: payload}
}

// av makes the messages of an encoder with 25 pictures a second, a keyframe every gop pictures and 48 kHz audio, for
// [from, to) milliseconds.
func av(from, to uint32, gop uint32) []rtmp.Message {
	var out []rtmp.Message
	for i := from / 40; i < to/40; i++ {
		out = append(out, picture(i*40, 0, i%gop == 0))
		for n := (uint64(i)*40*48 + 1023) / 1024; n*1024/48 < uint64(i+1)*40; n++ {
			out = append(out, sound(uint32(n*1024/48)))
		}
	}
	return out
}

func headers() []rtmp.Message { return []rtmp.Message{videoHeader(0, 1280, 720), audioHeader(0)} }

// fakeSource is a publication that a test feeds.
type fakeSource struct {
	messages chan rtmp.Message // closed: the encoder ends the stream
	closed   chan struct{}
	once     sync.Once
	accepted atomic.Bool
	read     atomic.Int64
	code     string // of Close; read after closed
	text     string
}

func newFakeSource() *fakeSource {
	return &fakeSource{messages: make(chan rtmp.Message), closed: make(chan struct{})}
}

func (s *fakeSource) Accept() error { s.accepted.Store(true); return nil }

func (s *fakeSource) Close(code, text string) {
	s.once.Do(func() {
		s.code, s.text = code, text
		close(s.closed)
	})
}

func (s *fakeSource) Read() (rtmp.Message, error) {
	select {
	case <-s.closed:
		return rtmp.Message{}, &rtmp.Rejection{Code: s.code, Description: s.text}
	default:
	}
	select {
	case m, ok := <-s.messages:
		if !ok {
			return m, io.EOF
		}
		if m.Arrived.IsZero() {
			m.Arrived = time.Now()
		}
		s.read.Add(1)
		return m, nil
	case <-s.closed:
		return rtmp.Message{}, &rtmp.Rejection{Code: s.code, Description: s.text}
	}
}

// send hands messages over until ctx or the stream ends, and reports whether all were taken.
func (s *fakeSource) send(ctx context.Context, messages ...rtmp.Message) bool {
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
