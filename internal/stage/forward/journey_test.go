package forward

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/rivus-live/rivus/internal/stage/packetring"
)

// FuzzJourney sends arbitrary packets the way that the stage does: parsed, put into a layer's ring, taken out again,
// forwarded, and asked for again. Nothing panics, numbers are given once and never jump further than the source's did, and
// what is sent again is what was sent.
func FuzzJourney(f *testing.F) {
	for _, c := range payloads() {
		f.Add(append([]byte{1, 1, 0x11, 2, 1, 0, 1, 0x81}, c.payload...), uint8(c.codec))
	}
	f.Add([]byte{1, 5, 1, 1, 0xfe, 1, 0x12, 1, 0xc0, 7, 0x91, 1, 0x22, 3, 0xa0, 200, 1, 1, 0x10, 9, 0x90, 0xe0, 0x81, 2, 7, 0x40, 0x10}, uint8(VP8))
	f.Fuzz(func(t *testing.T, script []byte, codec uint8) {
		j := newJourney(t, Codec(codec%6))
		for len(script) > 2 {
			op, arg := script[0], script[1]
			script = script[2:]
			j.step(op, arg, script[:min(len(script), 40)])
		}
	})
}

type journey struct {
	t       *testing.T
	codec   Codec
	video   *Video
	rings   [MaxLayers]*packetring.Ring
	seq     [MaxLayers]uint16
	now     time.Duration
	high    uint64
	begun   bool
	sent    map[uint16][]byte // payloads by number, of the last ones
	buf     [Headroom + packetring.SlotSize]byte
	answers int
}

func newJourney(t *testing.T, codec Codec) *journey {
	t.Helper()
	j := &journey{t: t, codec: codec, video: NewVideo(testStream(codec)), sent: map[uint16][]byte{}}
	for i := range j.rings {
		j.rings[i] = packetring.New(64)
		j.seq[i] = uint16(i) * 21845
	}
	return j
}

// step reads what to do from the high bits of op, and the layer from the low ones.
func (j *journey) step(op, arg byte, rest []byte) {
	layer := int(op&3) % MaxLayers
	j.now += time.Duration(arg) * time.Millisecond
	switch op >> 5 {
	case 4:
		j.video.Select(int(arg%4) - 1)
	case 5:
		j.answer(uint16(j.high) - uint16(arg))
	case 6:
		j.video.Pause(arg&1 != 0)
	case 7:
		j.video.Cut()
	default:
		j.seq[layer] += uint16(int8(arg) / 16) // mostly small steps, back now and then
		j.packet(layer, rest)
		j.seq[layer]++
	}
}

// packet is what the reader of a layer and a writer do.
func (j *journey) packet(layer int, payload []byte) {
	b, err := (&rtp.Packet{
		Header:  rtp.Header{Version: 2, SequenceNumber: j.seq[layer], Timestamp: uint32(j.now/time.Millisecond) * 90, Marker: len(payload)%2 == 0},
		Payload: payload,
	}).Marshal()
	if err != nil {
		j.t.Fatal(err)
	}
	var p Packet
	if !Parse(b, j.codec, &publisherIDs, &p) {
		j.t.Fatal("refused")
	}
	seq, outcome := j.rings[layer].Put(b, j.now, 0)
	if outcome != packetring.Stored && outcome != packetring.Late && outcome != packetring.Restarted {
		return
	}
	stored, ok := j.rings[layer].Get(seq, j.buf[Headroom:])
	if !ok || !bytes.Equal(j.buf[Headroom:Headroom+stored.Size], b) {
		j.t.Fatalf("packet %d is not in the ring", seq)
	}
	p.Seq, p.Arrived = seq, j.now
	var out Out
	if j.video.Forward(layer, &p, &out) == Send {
		j.check(&out)
	}
}

// check looks at a packet that goes out.
func (j *journey) check(out *Out) {
	var p rtp.Packet
	if err := p.Unmarshal(out.Place(j.buf[:], Headroom)); err != nil || p.SSRC != 0xaaaa {
		j.t.Fatalf("output does not parse: %v", err)
	}
	if !j.begun {
		j.begun, j.high = true, 1<<20|uint64(p.SequenceNumber)
	}
	ahead := int16(p.SequenceNumber - uint16(j.high))
	if ahead > maxGap+1 || ahead <= -window {
		j.t.Fatalf("number %d after %d", p.SequenceNumber, uint16(j.high))
	}
	j.high = max(j.high, j.high+uint64(int64(ahead)))
	if _, twice := j.sent[p.SequenceNumber]; twice && len(j.sent) < 1<<15 {
		j.t.Fatalf("number %d is sent twice", p.SequenceNumber)
	}
	j.sent[p.SequenceNumber] = bytes.Clone(p.Payload)
}

// answer asks for a packet again.
func (j *journey) answer(seq uint16) {
	ref, ok := j.video.Answer(seq, j.now)
	if !ok {
		return
	}
	if j.answers++; j.answers > answerCredit/answerSize+len(j.sent) {
		j.t.Fatalf("%d answers to %d packets", j.answers, len(j.sent))
	}
	stored, ok := j.rings[ref.Layer].Get(ref.Seq, j.buf[Headroom:])
	if !ok {
		return // lost before us, or too old
	}
	var p Packet
	if !Parse(j.buf[Headroom:Headroom+stored.Size], j.codec, &publisherIDs, &p) {
		j.t.Fatal("what was stored is refused")
	}
	p.Seq = ref.Seq
	var out Out
	if !j.video.Resend(seq, &p, &out) {
		j.t.Fatalf("%d is answered but not sent again", seq)
	}
	var r rtp.Packet
	if err := r.Unmarshal(out.Place(j.buf[:], Headroom)); err != nil || r.SSRC != 0xbbbb || len(r.Payload) < 2 {
		j.t.Fatalf("%d is sent again as %+v, %v", seq, r, err)
	}
	if want, known := j.sent[seq]; known && !bytes.Equal(r.Payload[2:], want) {
		j.t.Fatalf("%d is sent again as %x, it was %x", seq, r.Payload[2:], want)
	}
}
