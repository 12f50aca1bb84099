package forward

// Headroom is the number of bytes that Place may need in front of a packet.
const Headroom = 64

// Out is the header of one outgoing packet. It is made by Forward, Resend and Padding and good until the next call.
type Out struct {
	Seq          uint16
	TransportSeq uint16 // set by the caller before Place, when the stream has negotiated it
	Timestamp    uint32
	Size         int // bytes of the whole packet

	stream  *Stream
	packet  Packet
	rtx     bool
	osn     uint16 // original sequence number of a retransmission
	padding uint8
	picture uint16
	tl0     uint8
}

// Place writes the packet's header into buf so that it ends where the payload begins, and puts the VP8 picture id into
// the payload. The caller has copied the source packet to buf[at:], with at >= Headroom; the header may overwrite the
// source's, the payload stays where it is for the next subscriber. It returns the finished packet, a slice of buf.
func (o *Out) Place(buf []byte, at int) []byte { return nil }
