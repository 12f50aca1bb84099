package peer

import (
	"time"

	"github.com/pion/rtcp"
)

// How often a receiver speaks: as browsers do.
const (
	feedbackInterval = 100 * time.Millisecond
	reportInterval   = time.Second
	keyframePatience = 300 * time.Millisecond
	linkRate         = 100e6 // bits a second that the receiver's link carries, for REMB
)

// deadlines are when a peer speaks next.
type deadlines struct{ consent, feedback, report time.Time }

// Tick does what is due; a reader does so by itself while packets come.
func (p *Peer) Tick(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tick(now)
}

// tick is Tick for who holds the lock.
func (p *Peer) tick(now time.Time) {
	if p.out == nil {
		return
	}
	if now.After(p.due.consent) {
		p.due.consent = now.Add(consentInterval)
		_ = p.sendCheck() // the next one tells whether the socket is alive
	}
	for _, s := range p.heard {
		p.ask(s, now)
	}
	if now.After(p.due.feedback) {
		p.due.feedback = now.Add(feedbackInterval)
		if packets := p.twcc.BuildFeedbackPacket(); len(packets) > 0 {
			p.count.Feedbacks += int64(len(packets))
			p.say(packets...)
		}
	}
	if now.After(p.due.report) {
		p.due.report = now.Add(reportInterval)
		p.report(now)
	}
}

// ask asks for what is missing of a stream.
func (p *Peer) ask(s *stream, now time.Time) {
	if s.nack && len(s.missing) > 0 {
		if seqs := s.nacks(now); len(seqs) > 0 {
			p.count.Asked += int64(len(seqs))
			p.say(&rtcp.TransportLayerNack{SenderSSRC: ownSSRC, MediaSSRC: s.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(seqs)})
		}
	}
	if s.video && !s.repair && s.keyframe.complete.IsZero() && now.Sub(s.began) > keyframePatience && now.Sub(s.asked) > 2*keyframePatience {
		s.asked = now
		p.say(&rtcp.PictureLossIndication{SenderSSRC: ownSSRC, MediaSSRC: s.ssrc})
	}
}

// report sends a receiver report, or the sender reports of a publisher.
func (p *Peer) report(now time.Time) {
	if p.opt.Program != nil {
		p.sendReports(now)
		return
	}
	r := &rtcp.ReceiverReport{SSRC: ownSSRC}
	remb := &rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: ownSSRC, Bitrate: linkRate}
	for _, s := range p.heard {
		if s.repair {
			continue
		}
		r.Reports = append(r.Reports, s.reception(now))
		remb.SSRCs = append(remb.SSRCs, s.ssrc)
		if len(r.Reports) == 31 { // as many as fit (RFC 3550, section 6.4.2)
			p.say(r)
			r = &rtcp.ReceiverReport{SSRC: ownSSRC}
		}
	}
	if len(r.Reports) > 0 {
		p.say(r)
	}
	for i := range p.remote.sections {
		if p.remote.sections[i].remb && len(remb.SSRCs) > 0 {
			p.say(remb)
			return
		}
	}
}

// say sends RTCP.
func (p *Peer) say(packets ...rtcp.Packet) {
	for _, packet := range packets {
		b, err := packet.Marshal()
		if err == nil {
			b, err = p.out.EncryptRTCP(p.sealed[:0], b, nil)
		}
		if err == nil {
			_, _ = p.conn.Write(b) // lost on the way or here
		}
	}
}

// feedback takes what a receiver asks of a publisher. The caller holds the lock.
func (p *Peer) feedback(packet rtcp.Packet) {
	switch packet := packet.(type) {
	case *rtcp.PictureLossIndication:
		p.refresh(packet.MediaSSRC)
	case *rtcp.FullIntraRequest:
		for _, entry := range packet.FIR {
			p.refresh(entry.SSRC)
		}
	case *rtcp.TransportLayerNack:
		for _, pair := range packet.Nacks {
			for _, seq := range pair.PacketList() {
				p.repeat(packet.MediaSSRC, seq)
			}
		}
	case *rtcp.ReceiverReport:
		for _, r := range packet.Reports {
			for _, o := range p.sends {
				o.known = o.known || o.ssrc == r.SSRC
			}
		}
	}
}
