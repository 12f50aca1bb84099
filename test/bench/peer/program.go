package peer

import (
	"encoding/binary"
	"time"
)

// Shape of made-up media: 30 pictures a second with a keyframe every two seconds and when one is asked for, and Opus in
// packets of 20 ms.
const (
	pictureTime   = time.Second / 30
	pictureTicks  = 3000 // of the 90 kHz clock
	keyframeEvery = 60
	soundTime     = 20 * time.Millisecond
	soundTicks    = 960 // of the 48 kHz clock
	soundBytes    = 80
	payloadBytes  = 1168 // with header and extensions a packet has at most 1200
)

// Layer is one encoding of a Program's video.
type Layer struct {
	RID      string // "" without simulcast
	Picture  int    // bytes of a picture
	Keyframe int    // bytes of a keyframe
	Width    int
	Height   int
}

// HD is 720p30 at 2.5 Mbit/s in 279 packets a second.
func HD(rid string) Layer {
	return Layer{RID: rid, Picture: 10_000, Keyframe: 30_000, Width: 1280, Height: 720}
}

// Simulcast returns three layers of 150 kbit/s, 500 kbit/s and 2.5 Mbit/s, lowest first, named as browsers name them.
func Simulcast() []Layer {
	return []Layer{
		{RID: "q", Picture: 600, Keyframe: 3_000, Width: 320, Height: 180},
		{RID: "h", Picture: 2_000, Keyframe: 8_000, Width: 640, Height: 360},
		HD("f"),
	}
}

// Program is what a publisher sends: sound and one or more layers of video.
type Program struct {
	ID     uint16        // of the publisher, in its stamps
	Phase  time.Duration // how much later than others it sends its pictures
	Layers []Layer       // lowest first
}

// Source says of which stream of which program a packet is: 0 is sound, layers count from 1.
func (p *Program) source(stream int) uint32 { return uint32(p.ID)<<8 | uint32(stream) }

// Simulcast reports whether the layers are sent side by side under names.
func (p *Program) simulcast() bool { return p.Layers[0].RID != "" }

// Stamp is what every packet carries at its end.
type Stamp struct {
	Source uint32
	Number uint64 // counts the packets of the source
	Sent   int64  // nanoseconds since 1970
}

const (
	stampMagic = 0x72767374
	stampSize  = 24
)

// put writes a stamp over the end of a payload.
func (s Stamp) put(payload []byte) {
	b := payload[len(payload)-stampSize:]
	binary.BigEndian.PutUint32(b, stampMagic)
	binary.BigEndian.PutUint32(b[4:], s.Source)
	binary.BigEndian.PutUint64(b[8:], s.Number)
	binary.BigEndian.PutUint64(b[16:], uint64(s.Sent))
}

// stampOf reads the stamp of a payload.
func stampOf(payload []byte) (Stamp, bool) {
	if len(payload) < stampSize {
		return Stamp{}, false
	}
	b := payload[len(payload)-stampSize:]
	if binary.BigEndian.Uint32(b) != stampMagic {
		return Stamp{}, false
	}
	return Stamp{binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint64(b[8:]), int64(binary.BigEndian.Uint64(b[16:]))}, true
}

// Parameter sets of 720p constrained baseline video, and the head of a message for decoders to skip (H.264 D.1.7).
var (
	sps  = []byte{0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x2a} //nolint:gochecknoglobals // constant
	pps  = []byte{0x68, 0xcb, 0x83, 0xcb, 0x20}                                                                                                                   //nolint:gochecknoglobals // constant
	skip = append([]byte{0x06, 0x05, 16 + stampSize}, "rivus-bench-time"...)                                                                                      //nolint:gochecknoglobals // constant
)

// NAL unit types of RFC 6184.
const (
	nalSlice = 1
	nalIDR   = 5
	nalSPS   = 7
	nalSTAPA = 24
	nalFUA   = 28
)

// parameterSets returns the aggregation packet that begins a keyframe.
func parameterSets() []byte {
	b := []byte{0x60 | nalSTAPA}
	for _, unit := range [][]byte{sps, pps, append(skip[:len(skip):len(skip)], make([]byte, stampSize)...)} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(unit)))
		b = append(b, unit...)
	}
	return b
}

// beginsKeyframe reports whether a payload is one of parameterSets.
func beginsKeyframe(payload []byte) bool {
	return len(payload) > 3 && payload[0]&0x1f == nalSTAPA && payload[3]&0x1f == nalSPS
}

// fragments cuts a picture of so many bytes into the payloads of its packets and calls send with each; room holds one.
func fragments(size int, keyframe bool, room []byte, send func(payload []byte, last bool)) {
	kind, importance := byte(nalSlice), byte(0x40)
	if keyframe {
		kind, importance = nalIDR, 0x60
	}
	for done := 0; done < size; {
		n := min(size-done, payloadBytes)
		room = room[:max(n, 3+stampSize)]
		room[0], room[1] = importance|nalFUA, kind
		if done == 0 {
			room[1] |= 0x80
			room[2] = 0x80 // first_mb_in_slice is 0
		}
		done += n
		if done == size {
			room[1] |= 0x40
		}
		send(room, done == size)
	}
}
