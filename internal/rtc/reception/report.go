package reception

import (
	"encoding/binary"
	"math"
	"time"
)

// counts are a stream's numbers of packets (RFC 3550, A.3), which begin anew with its numbering.
type counts struct {
	base     uint64 // lowest number that is expected
	origin   uint64 // beginning of the first number's epoch; cycles count from there
	received uint64 // in the stream itself, without duplicates

	expectedBefore, receivedBefore uint64 // as of the last report
}

func (c *counts) reset(first uint64) {
	*c = counts{base: first, origin: first &^ math.MaxUint16}
}

// lost returns the fraction lost since the last report, in 1/256, and the cumulative number of packets lost as 24 bits
// with a sign, and begins the interval of the next report.
func (c *counts) lost(high uint64) (fraction uint8, cumulative uint32) {
	expected := high - c.base + 1
	due, got := int64(expected-c.expectedBefore), int64(c.received-c.receivedBefore)
	c.expectedBefore, c.receivedBefore = expected, c.received
	if due > got {
		fraction = uint8(min(255, (due-got)<<8/due))
	}
	total := max(-1<<23, min(1<<23-1, int64(expected)-int64(c.received)))
	return fraction, uint32(total) & 0xffffff
}

// jitter estimates the interarrival jitter (RFC 3550, A.8).
type jitter struct {
	rate    int64 // Hz
	transit uint32
	known   bool
	scaled  int64 // the estimate, times 16
}

func (j *jitter) reset() { j.known = false }

// packet notes a packet. One that is seconds off does not vary in its way but has another clock, or was paused.
func (j *jitter) packet(timestamp uint32, now time.Duration) {
	clock := int64(now/time.Second)*j.rate + int64(now%time.Second)*j.rate/int64(time.Second)
	transit := uint32(clock) - timestamp
	d := int64(int32(transit - j.transit))
	if d < 0 {
		d = -d
	}
	if j.known && d < 5*j.rate {
		j.scaled += d - (j.scaled+8)>>4
	}
	j.transit, j.known = transit, true
}

// senderReport is what a receiver report repeats of a sender report.
type senderReport struct {
	middle uint32 // bits of the NTP timestamp
	at     time.Duration
	known  bool
}

// delay is the time since, in 1/65,536 s.
func (r senderReport) delay(now time.Duration) uint32 {
	if !r.known || now <= r.at {
		return 0
	}
	d := now - r.at
	units := int64(d/time.Second)<<16 + int64(d%time.Second)<<16/int64(time.Second)
	return uint32(min(units, math.MaxUint32))
}

// A receiver report (RFC 3550, section 6.4.2) has a count of five bits.
const (
	reportHeader    = 8
	maxReportBlocks = 31
)

// AppendReceiverReport appends a receiver report about the streams that have had a packet, the first 31 of them; with
// none, a report without blocks, as a compound packet must begin with a report (RFC 3550, section 6.1). Each stream's
// fraction lost is that since the last report about it.
func AppendReceiverReport(b []byte, sender uint32, now time.Duration, streams []*Stream) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(append(b, 0, 0, 0, 0), sender)
	blocks := byte(0)
	for _, s := range streams {
		if !s.numbers.started {
			continue
		}
		if blocks == maxReportBlocks {
			break
		}
		b = s.appendBlock(b, now)
		blocks++
	}
	finish(b, start, blocks, rtcpReceiverReport)
	return b
}

// appendBlock appends a report block (RFC 3550, section 6.4.1).
func (s *Stream) appendBlock(b []byte, now time.Duration) []byte {
	fraction, lost := s.counts.lost(s.numbers.high)
	b = binary.BigEndian.AppendUint32(b, s.ssrc)
	b = binary.BigEndian.AppendUint32(b, uint32(fraction)<<24|lost)
	b = binary.BigEndian.AppendUint32(b, uint32(s.numbers.high-s.counts.origin))
	b = binary.BigEndian.AppendUint32(b, uint32(min(s.jitter.scaled>>4, math.MaxUint32)))
	b = binary.BigEndian.AppendUint32(b, s.heard.middle)
	return binary.BigEndian.AppendUint32(b, s.heard.delay(now))
}
