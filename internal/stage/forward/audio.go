package forward

import "time"

// Audio forwards one publication's audio to one subscriber. It lives as long as its outgoing SSRC.
type Audio struct {
	line   line
	paused bool
	open   bool // the stream is being fed
}

// NewAudio returns a forwarder that sends from the first packet on.
func NewAudio(s Stream) *Audio { return &Audio{line: newLine(s)} }

// Forward decides about a packet. Only with Send is out filled.
func (a *Audio) Forward(p *Packet, out *Out) Verdict {
	if p.Seq == 0 {
		return Inactive
	}
	if a.line.see(0, p) {
		a.open = false
	}
	if a.paused {
		return Paused
	}
	if !a.open {
		if !a.line.begins(0, p) {
			return Late
		}
		a.open = true
		a.line.join(0, p)
	}
	return a.line.deliver(0, p, out)
}

// Pause stops and resumes. What was left out leaves no hole in the numbers, but the time it took in the timestamps.
func (a *Audio) Pause(paused bool) {
	a.paused = paused
	if paused {
		a.open = false
	}
}

// Restart says that the publisher's track has begun anew, with another ring.
func (a *Audio) Restart() {
	a.open = false
	a.line.restart()
}

// SourceReport takes a sender report of the track.
func (a *Audio) SourceReport(r SenderReport) { a.line.sourceReport(0, r) }

// Report is Video.Report for audio.
func (a *Audio) Report(now time.Duration, clock *SourceClock) (Report, bool) {
	return a.line.report(now, clock)
}

// Answer is Video.Answer for audio.
func (a *Audio) Answer(seq uint16, now time.Duration) (Ref, bool) { return a.line.answer(seq, now) }

// Translate is Video.Translate for audio, where a subscriber asks for retransmission at all.
func (a *Audio) Translate(seq uint16) (Ref, bool) { return a.line.translate(seq) }

// Resend is Video.Resend for audio.
func (a *Audio) Resend(seq uint16, p *Packet, out *Out) bool { return a.line.resend(seq, p, out) }
