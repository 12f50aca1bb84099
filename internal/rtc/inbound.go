package rtc

import (
	"time"

	"github.com/rivus-live/rivus/internal/rtc/transport"
)

// Inbound is the connection of a publisher.
type Inbound struct {
	*Peer
	intake *intake
}

// SenderReport ties the clocks of a layer together (RFC 3550, section 6.4.1).
type SenderReport struct {
	NTP uint64 // 32.32 fixed point seconds
	RTP uint32
}

// Feed takes what comes of one layer. It is called by one goroutine at a time, which serves others too: it must not
// block, not close the connection, and keep nothing.
type Feed interface {
	// Packet takes an RTP packet, in the order of arrival. What came as a retransmission is what it was at first.
	Packet(b []byte)
	// Report takes a sender report.
	Report(r SenderReport)
}

// receiveExtensions are what we ask publishers for.
var receiveExtensions = map[Kind][]string{ //nolint:gochecknoglobals // a constant table
	Audio: {uriMID, uriTransportSeq, uriAudioLevel},
	Video: {uriMID, uriRID, uriRepairedRID, uriTransportSeq, uriOrientation, uriCaptureTime, uriDescriptor},
}

// Receive answers a publisher's offer with one codec of each kind: audio and video are what the caller chose from the
// offer's sections, nil for none.
func (e *Engine) Receive(o *Offer, audio, video *Codec) (*Inbound, error) {
	sections := receiving(o, audio, video)
	if a, v := sections[Audio], sections[Video]; a != nil && v != nil && overlap(a.codec, v.codec) {
		return nil, refuse("a payload type stands for two codecs")
	}
	in, begin := &Inbound{}, time.Now()
	in.intake = newIntake(o, sections, func(b []byte) { _ = in.conn.WriteRTCP(nil, b) }) // what cannot be sent is lost
	peer, err := e.newPeer(o, sections, transport.Config{
		Media:   func(b []byte) { in.intake.media(b, time.Since(begin)) },
		Control: func(b []byte) { in.intake.control(b, time.Since(begin)) },
		Beat:    func() { in.intake.beat(time.Since(begin)) },
	})
	if err != nil {
		return nil, err
	}
	in.Peer = peer
	return in, nil
}

// overlap tells whether packets of two codecs cannot be told apart.
func overlap(a, b *Codec) bool {
	return a.PayloadType == b.PayloadType || a.PayloadType == b.RTXPayloadType || a.RTXPayloadType == b.PayloadType ||
		a.RTXPayloadType != 0 && a.RTXPayloadType == b.RTXPayloadType
}

// receiving is what the answer says of the sections that were chosen.
func receiving(o *Offer, audio, video *Codec) (sections [2]*accepted) {
	if audio != nil && o.Audio != nil {
		sections[Audio] = &accepted{codec: audio, known: receiveExtensions[Audio]}
	}
	if video != nil && o.Video != nil {
		sections[Video] = &accepted{codec: video, known: receiveExtensions[Video], rids: o.Video.layers()}
	}
	return sections
}

// Run hands on what comes until the connection is over. begin is told of each layer before its first packet and returns
// who takes it, nil for nobody; it is called as a Feed is. Nothing is called any more when Run has returned. What comes
// before Run is lost.
func (in *Inbound) Run(begin func(*Layer) Feed) {
	in.intake.open(begin)
	<-in.Ended()
	in.intake.open(nil)
}

// Layer is one RTP stream of a publisher: its audio, its video, or one simulcast layer of its video.
type Layer struct {
	Kind  Kind
	Codec Codec
	RID   string // "" without simulcast

	received
}
