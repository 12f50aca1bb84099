package forward

import "time"

// Audio forwards one publication's audio to one subscriber.
type Audio struct{ stream Stream }

// NewAudio returns a forwarder that sends from the first packet on.
func NewAudio(s Stream) *Audio { return &Audio{stream: s} }

// Forward decides about a packet. Only with Send is out filled.
func (a *Audio) Forward(p *Packet, out *Out) Verdict { return Inactive }

// Pause stops and resumes.
func (a *Audio) Pause(paused bool) {}

// Restart says that the publisher's track has begun anew, with other sequence numbers and timestamps.
func (a *Audio) Restart() {}

// SourceReport takes a sender report of the track.
func (a *Audio) SourceReport(r SenderReport) {}

// Report is Video.Report for audio.
func (a *Audio) Report(now time.Duration, clock *SourceClock) (Report, bool) { return Report{}, false }
