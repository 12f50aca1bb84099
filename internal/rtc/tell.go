package rtc

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/rivus-live/rivus/internal/rtc/reception"
)

// How often a publisher is told what has come, and in how many bytes at most.
const (
	feedbackEvery = 50 * time.Millisecond
	reportEvery   = time.Second
	feedbackBytes = 1000
	feedbackParts = 4 // packets of feedback at once
)

// Types of RTCP (RFC 3550, section 12.1; RFC 4585, section 6.1) and formats of payload-specific feedback.
const (
	typeSenderReport    = 200
	typePayloadFeedback = 206
	formatPLI           = 1
	formatFIR           = 4
)

// tell sends what is due of the streams' requests for retransmission, of feedback about arrivals, and of reports. The
// feedback is about all streams and names one of them: libwebrtc passes over what names none of its own. The caller holds
// the lock.
func (in *intake) tell(now time.Duration, streams ...*reception.Stream) {
	b := in.scratch[:0]
	for _, s := range streams {
		b = s.AppendNack(b, in.ssrc, now)
	}
	feedback := in.arrivals.Waiting() > 0 && now-in.told >= feedbackEvery
	if feedback {
		in.told = now
		b = in.arrivals.Append(b, in.ssrc, in.source, feedbackBytes)
	}
	if in.scratch = in.flush(b, now); !feedback {
		return
	}
	for range feedbackParts - 1 {
		if in.arrivals.Waiting() == 0 {
			return
		}
		in.scratch = in.flush(in.arrivals.Append(in.scratch[:0], in.ssrc, in.source, feedbackBytes), now)
	}
}

// flush sends a compound packet that has b in it, and the report if it is due or has to be there. It returns the buffer.
func (in *intake) flush(b []byte, now time.Duration) []byte {
	due := now-in.reported >= reportEvery && len(in.states) > 0
	switch {
	case due:
		in.reported = now
		in.report = reception.AppendReceiverReport(in.report[:0], in.ssrc, now, in.states)
	case len(b) == 0:
		return b
	case !in.reduced:
		in.report = reception.AppendReceiverReport(in.report[:0], in.ssrc, now, nil)
	default:
		in.send(b)
		return b
	}
	// The report is the first of a compound (RFC 3550, section 6.1).
	in.report = append(in.report, b...)
	in.send(in.report)
	return b
}

// beat tells what no packet has given occasion to.
func (in *intake) beat(now time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.begin != nil {
		in.tell(now, in.states...)
	}
}

// control takes a compound RTCP packet.
func (in *intake) control(b []byte, now time.Duration) {
	const senderReport = 28 // bytes without blocks
	in.mu.Lock()
	defer in.mu.Unlock()
	for len(b) >= 4 && b[0]>>6 == 2 {
		size := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if size > len(b) {
			return
		}
		if b[1] == typeSenderReport && size >= senderReport {
			in.heard(binary.BigEndian.Uint32(b[4:]), SenderReport{
				NTP: binary.BigEndian.Uint64(b[8:]), RTP: binary.BigEndian.Uint32(b[16:]),
			}, now)
		}
		b = b[size:]
	}
}

// heard takes the sender report of a stream. The caller holds the lock.
func (in *intake) heard(ssrc uint32, r SenderReport, now time.Duration) {
	i := slices.IndexFunc(in.layers, func(l *Layer) bool { return l.ssrc.Load() == ssrc })
	if i < 0 || in.begin == nil {
		return
	}
	in.states[i].SenderReport(r.NTP, now)
	if f := in.layers[i].feed; f != nil {
		f.Report(r)
	}
}

// RequestKeyframe asks the publisher for a picture that needs no other (RFC 4585, section 6.3.1; RFC 5104, section
// 4.3.1). It may be called from anywhere.
func (l *Layer) RequestKeyframe() {
	in := l.intake
	var b []byte
	if !in.reduced {
		b = reception.AppendReceiverReport(nil, in.ssrc, 0, nil)
	}
	media := l.ssrc.Load()
	if slices.Contains(l.Codec.Feedback, "nack pli") || !slices.Contains(l.Codec.Feedback, "ccm fir") {
		b = append(b, 2<<6|formatPLI, typePayloadFeedback, 0, 2)
		b = binary.BigEndian.AppendUint32(b, in.ssrc)
		b = binary.BigEndian.AppendUint32(b, media)
	} else {
		b = append(b, 2<<6|formatFIR, typePayloadFeedback, 0, 4)
		b = binary.BigEndian.AppendUint32(b, in.ssrc)
		b = append(b, 0, 0, 0, 0)
		b = binary.BigEndian.AppendUint32(b, media)
		b = append(b, byte(l.fir.Add(1)), 0, 0, 0) // an equal number is a repetition
	}
	in.send(b)
}
