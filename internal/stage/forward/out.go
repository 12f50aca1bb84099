package forward

import "encoding/binary"

// Headroom is the number of bytes that Place may need in front of a packet.
const Headroom = 64

// maxMID is the longest MID that a one-byte extension carries.
const maxMID = 16

// Out is the header of one outgoing packet. It is made by Forward, Resend and Padding and good until the next call.
type Out struct {
	Seq          uint16
	TransportSeq uint16 // set by the caller before Place, when the stream has negotiated it, unless Repeats
	Timestamp    uint32
	Size         int // bytes of the whole packet

	stream  *Stream
	packet  Packet
	head    uint8 // bytes of header
	padding uint8
	rtx     bool
	repeat  bool
	osn     uint16 // original sequence number of a retransmission
	picture uint16
	tl0     uint8

	departed *uint16 // where the transport-wide number is remembered; nil: nowhere
}

// Retransmission reports whether the packet goes out on the RTX stream.
func (o *Out) Retransmission() bool { return o.rtx }

// Repeats reports whether the packet is one that was sent before, with the same number and transport-wide number.
func (o *Out) Repeats() bool { return o.repeat }

// finish computes sizes, once all else is known.
func (o *Out) finish() {
	payload := int(o.packet.End-o.packet.Start) + int(o.padding)
	if o.rtx && o.padding == 0 {
		payload += 2
	}
	elements := o.elements()
	o.head = fixedHeader
	if elements > 0 {
		o.head += 4 + uint8(elements+3)&^3
	}
	o.Size = int(o.head) + payload
}

// writable reports whether a one-byte extension can carry the id.
func writable(id uint8) bool { return id > 0 && id < 15 }

// elements returns the bytes of extension elements.
func (o *Out) elements() int {
	n, ids := 0, &o.stream.Extensions
	if writable(ids.TransportSeq) {
		n += 3
	}
	if writable(ids.AudioLevel) && o.packet.flags&flagLevel != 0 {
		n += 2
	}
	if writable(ids.Orientation) && o.packet.flags&flagOrientation != 0 {
		n += 2
	}
	if writable(ids.CaptureTime) && o.packet.CaptureTime != 0 {
		n += 9
	}
	if mid := len(o.stream.MID); writable(ids.MID) && mid > 0 && mid <= maxMID {
		n += 1 + mid
	}
	return n
}

// Place writes the packet's header into buf so that it ends where the payload begins, and puts the VP8 picture id into
// the payload. The caller has copied the source packet to buf[at:], with at >= Headroom; the header may overwrite the
// source's, the payload stays where it is for the next subscriber. It returns the finished packet, a slice of buf. For
// Padding, the padding is written to buf[at:], over whatever is there.
func (o *Out) Place(buf []byte, at int) []byte {
	begin, end := at+int(o.packet.Start), at+int(o.packet.End)
	if o.padding > 0 {
		end = begin + int(o.padding)
		clear(buf[begin:end])
		buf[end-1] = o.padding
	} else {
		o.counters(buf[begin:end])
		if o.rtx {
			begin -= 2
			binary.BigEndian.PutUint16(buf[begin:], o.osn)
		}
	}
	if o.departed != nil {
		*o.departed = o.TransportSeq
	}
	begin -= int(o.head)
	o.header(buf[begin : begin+int(o.head)])
	return buf[begin:end]
}

// counters writes the VP8 picture id and TL0PICIDX with the widths they have.
func (o *Out) counters(payload []byte) {
	p := &o.packet
	if p.pictureAt != 0 {
		if p.flags&flagWideID != 0 {
			binary.BigEndian.PutUint16(payload[p.pictureAt:], o.picture|0x8000)
		} else {
			payload[p.pictureAt] = uint8(o.picture) & 0x7f
		}
	}
	if p.tl0At != 0 {
		payload[p.tl0At] = o.tl0
	}
}

// header writes the RTP header (RFC 3550, 5.1) with a one-byte extension when there is any element.
func (o *Out) header(b []byte) {
	b[0] = 2 << 6
	if o.padding > 0 {
		b[0] |= 0x20
	}
	b[1] = o.stream.PayloadType
	ssrc := o.stream.SSRC
	if o.rtx {
		b[1], ssrc = o.stream.RTXPayloadType, o.stream.RTXSSRC
	}
	if o.packet.Marker() {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], o.Seq)
	binary.BigEndian.PutUint32(b[4:], o.Timestamp)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	if len(b) > fixedHeader {
		b[0] |= 0x10
		binary.BigEndian.PutUint16(b[12:], profileOneByte)
		binary.BigEndian.PutUint16(b[14:], uint16(len(b)-fixedHeader-4)/4)
		o.extensions(b[16:])
	}
}

// extensions writes the elements, the transport-wide number first, and pads.
func (o *Out) extensions(b []byte) {
	p, ids, n := &o.packet, &o.stream.Extensions, 0
	if writable(ids.TransportSeq) {
		b[0] = ids.TransportSeq<<4 | 1
		binary.BigEndian.PutUint16(b[1:], o.TransportSeq)
		n = 3
	}
	if writable(ids.AudioLevel) && p.flags&flagLevel != 0 {
		b[n], b[n+1] = ids.AudioLevel<<4, p.AudioLevel
		n += 2
	}
	if writable(ids.Orientation) && p.flags&flagOrientation != 0 {
		b[n], b[n+1] = ids.Orientation<<4, p.Orientation
		n += 2
	}
	if writable(ids.CaptureTime) && p.CaptureTime != 0 {
		b[n] = ids.CaptureTime<<4 | 7
		binary.BigEndian.PutUint64(b[n+1:], p.CaptureTime)
		n += 9
	}
	if mid := len(o.stream.MID); writable(ids.MID) && mid > 0 && mid <= maxMID {
		b[n] = ids.MID<<4 | uint8(mid-1)
		n += 1 + copy(b[n+1:], o.stream.MID)
	}
	clear(b[n:])
}
