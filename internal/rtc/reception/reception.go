// Package reception is what a receiver of RTP tells the sender: which packets to send again, when each packet arrived,
// and how much was lost.
//
// A Stream follows one RTP stream and writes generic NACKs (RFC 4585, section 6.2.1) and receiver reports (RFC 3550,
// section 6.4.2). A Feedback follows all packets of one connection and writes transport-wide feedback
// (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1). Both only keep books: they do no I/O, start no
// goroutine and read no clock; their times are those of one monotonic clock of the caller. They are not safe for
// concurrent use. Whatever the sender does, a Stream takes at most 16 kB and a Feedback 64 kB, and neither allocates once
// it has seen its stream's rate.
//
// Imports: nothing of Rivus.
package reception

import "encoding/binary"

// Types and formats of RTCP (RFC 3550, section 12.1; RFC 4585, section 6.1).
const (
	rtcpVersion           = 2 << 6
	rtcpPadding           = 1 << 5
	rtcpReceiverReport    = 201
	rtcpTransportFeedback = 205
	formatNack            = 1
	formatTransportCC     = 15
	feedbackHeader        = 12 // bytes, with the two SSRCs
)

// finish completes the RTCP packet that begins at b[start] and is of whole words: its first byte has flags and count,
// which is also the format of feedback (RFC 3550, section 6.4.1).
func finish(b []byte, start int, flags, kind byte) {
	p := b[start:]
	p[0], p[1] = rtcpVersion|flags, kind
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)/4-1))
}
