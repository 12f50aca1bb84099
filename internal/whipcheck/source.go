package whipcheck

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
)

// One second of a colour gradient, 160x120, beginning with a keyframe, made by ffmpeg's source "gradients" with x264
// (constrained baseline, one slice a picture) and libvpx.
var (
	//go:embed gradient.h264
	gradientH264 []byte
	//go:embed gradient.ivf
	gradientVP8 []byte
)

// silence is 20 ms of it in Opus (RFC 6716): CELT, stereo, one frame.
const silence = "\xfc\xff\xfe"

// splitH264 cuts an Annex B stream with one slice a picture into pictures.
func splitH264(stream []byte) (pictures [][]byte) {
	begin := 0
	for i := 0; i+3 < len(stream); i++ {
		if stream[i] != 0 || stream[i+1] != 0 || stream[i+2] != 1 {
			continue
		}
		if kind := stream[i+3] & 0x1f; kind != 1 && kind != 5 {
			continue
		}
		end := len(stream)
		for j := i + 3; j+3 < len(stream); j++ {
			if stream[j] == 0 && stream[j+1] == 0 && (stream[j+2] == 1 || stream[j+2] == 0 && stream[j+3] == 1) {
				end = j
				break
			}
		}
		pictures = append(pictures, stream[begin:end])
		begin, i = end, end-1
	}
	return pictures
}

// splitIVF returns the frames of an IVF file: a header of 32 bytes, then size, timestamp and data of each.
func splitIVF(file []byte) (frames [][]byte) {
	for rest := file[min(32, len(file)):]; len(rest) >= 12; {
		size := int(binary.LittleEndian.Uint32(rest))
		if rest = rest[12:]; size > len(rest) {
			break
		}
		frames = append(frames, rest[:size])
		rest = rest[size:]
	}
	return frames
}

// source is a track of the checker's. It sends in the first negotiated codec that it has media for.
type source struct {
	kind webrtc.RTPCodecType

	mu         sync.Mutex
	out        webrtc.TrackLocalWriter // nil until it is bound
	packetizer rtp.Packetizer
	frames     [][]byte
	next       int
	ssrc       uint32
	last       uint16 // sequence number that was sent last
}

var _ webrtc.TrackLocal = (*source)(nil)

var errCodec = errors.New("no codec of the answer is one we have media for")

// Bind is called when the codecs are negotiated and the transport is there.
func (s *source) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, codec := range c.CodecParameters() {
		var payloader rtp.Payloader
		switch strings.ToLower(codec.MimeType) {
		case "audio/opus":
			payloader, s.frames = &codecs.OpusPayloader{}, [][]byte{[]byte(silence)}
		case "video/h264":
			payloader, s.frames = &codecs.H264Payloader{}, splitH264(gradientH264)
		case "video/vp8":
			payloader, s.frames = &codecs.VP8Payloader{EnablePictureID: true}, splitIVF(gradientVP8)
		default:
			continue
		}
		s.ssrc, s.out = uint32(c.SSRC()), c.WriteStream()
		s.packetizer = rtp.NewPacketizer(mtu, uint8(codec.PayloadType), s.ssrc, payloader, rtp.NewRandomSequencer(), codec.ClockRate)
		return codec, nil
	}
	return webrtc.RTPCodecParameters{}, errCodec
}

const mtu = 1200

// Unbind stops the track.
func (s *source) Unbind(webrtc.TrackLocalContext) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = nil
	return nil
}

// ID names the track, RID no layer of it, StreamID the MediaStream, and Kind says what it is.
func (s *source) ID() string                { return s.kind.String() }
func (s *source) RID() string               { return "" }
func (s *source) StreamID() string          { return "whipcheck" }
func (s *source) Kind() webrtc.RTPCodecType { return s.kind }

// run sends until stop is closed.
func (s *source) run(stop <-chan struct{}) {
	period, samples := 20*time.Millisecond, uint32(960)
	if s.kind == webrtc.RTPCodecTypeVideo {
		period, samples = time.Second/30, 3000
	}
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.send(samples)
		case <-stop:
			return
		}
	}
}

// send sends the next frame. Errors are those of a transport that is not up, or no longer.
func (s *source) send(samples uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil || len(s.frames) == 0 {
		return
	}
	for _, p := range s.packetizer.Packetize(s.frames[s.next], samples) {
		if _, err := s.out.WriteRTP(&p.Header, p.Payload); err == nil {
			s.last = p.SequenceNumber
		}
	}
	s.next = (s.next + 1) % len(s.frames)
}

// rewind makes the next frame a keyframe.
func (s *source) rewind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = 0
}

// sent returns the track's SSRC and the sequence number that was sent last; false before there is one.
func (s *source) sent() (ssrc uint32, last uint16, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ssrc, s.last, s.out != nil
}

// isKeyframe reports whether an RTP payload begins a picture that can be decoded alone.
func isKeyframe(mimeType string, payload []byte) bool {
	if len(payload) < 2 {
		return false
	}
	switch strings.ToLower(mimeType) {
	case "video/h264":
		return h264Keyframe(payload)
	case "video/vp8":
		var p codecs.VP8Packet
		frame, err := p.Unmarshal(payload)
		return err == nil && p.S == 1 && p.PID == 0 && len(frame) > 0 && frame[0]&1 == 0
	case "video/vp9": // the descriptor: not inter-predicted, begin of a frame
		return payload[0]&0x40 == 0 && payload[0]&0x08 != 0
	case "video/av1": // the aggregation header: first packet of a coded video sequence
		return payload[0]&0x08 != 0
	}
	return false
}

// h264Keyframe looks for a sequence parameter set or an IDR slice (RFC 6184, section 5).
func h264Keyframe(payload []byte) bool {
	key := func(header byte) bool { return header&0x1f == 5 || header&0x1f == 7 }
	switch payload[0] & 0x1f {
	case 24: // STAP-A
		for rest := payload[1:]; len(rest) > 2; {
			size := int(binary.BigEndian.Uint16(rest))
			if key(rest[2]) {
				return true
			}
			if size+2 > len(rest) {
				return false
			}
			rest = rest[size+2:]
		}
		return false
	case 28: // FU-A
		return payload[1]&0x80 != 0 && key(payload[1])
	}
	return key(payload[0])
}
