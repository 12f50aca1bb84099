package reception

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// Units and bounds of transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1).
const (
	tick          = 250 * time.Microsecond // of a delta
	referenceBits = 8                      // a reference time counts 64 ms, that is 256 ticks

	messageHeader = feedbackHeader + 8
	minMessage    = 32 // has room for one arrival after the largest hole
	maxStatuses   = 1 << 14

	maxAhead   = 8192 // of one numbering
	maxBehind  = 1000
	memory     = int64(500 * time.Millisecond / tick)
	maxArrived = 2048
	maxRetold  = 32 // arrivals in a row that are repeated for the sake of a late one
	manyOld    = 64 // are worth moving the others
)

// Feedback is what a receiver knows of the packets of one connection, by their transport-wide numbers. Its zero value
// is ready.
//
// It remembers arrivals for about half a second after they were told: when a packet comes whose number was told as lost,
// the next message goes back to it, and repeats those in between.
type Feedback struct {
	numbers numbering
	list    []arrival // in the order of their numbers
	first   int       // index in list of the first that is not told
	end     uint64    // after the highest number told
	floor   uint64    // arrivals below are forgotten; nothing more is told about them
	latest  int64     // arrival, in ticks
	waiting int
	count   uint8 // of messages
	deltas  []byte
}

type arrival struct {
	seq  uint64
	at   int64 // in ticks
	told bool
}

// Packet notes that a packet arrived. Duplicates and packets that come too late are ignored, as is a number out of all
// proportion; two of those in a row are a new numbering, and what was waiting is forgotten.
func (f *Feedback) Packet(seq uint16, now time.Duration) {
	ext, place := f.numbers.take(seq, maxAhead, maxBehind)
	at := int64(now / tick)
	switch place {
	case strange:
		return
	case anew:
		f.list, f.first, f.waiting, f.end = f.list[:0], 0, 0, ext
	case late:
		f.insert(ext, at)
		return
	case newest:
	}
	f.makeRoom()
	f.list = append(f.list, arrival{seq: ext, at: at})
	f.latest = at
	f.waiting++
}

// Waiting is the number of packets that no message has told about.
func (f *Feedback) Waiting() int { return f.waiting }

// insert notes an arrival below the newest.
func (f *Feedback) insert(ext uint64, at int64) {
	f.forget(1)
	f.makeRoom()
	i, found := slices.BinarySearchFunc(f.list, ext, func(a arrival, seq uint64) int { return cmp.Compare(a.seq, seq) })
	if found || ext < f.floor {
		return
	}
	f.list = slices.Insert(f.list, i, arrival{seq: ext, at: at})
	f.first = min(f.first, i)
	f.latest = at
	f.waiting++
}

// makeRoom drops the oldest arrivals of a list that nobody asked for.
func (f *Feedback) makeRoom() {
	if len(f.list) == maxArrived {
		f.drop(maxArrived / 8)
	}
}

// forget drops the arrivals that are told and old, once they are so many.
func (f *Feedback) forget(many int) {
	n := 0
	for n < f.first && f.latest-f.list[n].at > memory {
		n++
	}
	if n >= many {
		f.drop(n)
	}
}

func (f *Feedback) drop(n int) {
	for _, a := range f.list[:n] {
		if !a.told {
			f.waiting--
		}
	}
	f.floor = f.list[n-1].seq + 1
	f.end = max(f.end, f.floor)
	f.list = append(f.list[:0], f.list[n:]...)
	f.first = max(0, f.first-n)
	f.skipTold()
}

func (f *Feedback) skipTold() {
	for f.first < len(f.list) && f.list[f.first].told {
		f.first++
	}
}

// Append appends one message about the packets that arrived since the last, and the holes between, in at most limit
// bytes; nothing if no packet is waiting or limit is below 32. What does not fit, in bytes or in the reach of a delta,
// is left for the next call: call it until nothing is waiting. A message may end with padding, so it comes last in a
// compound packet (RFC 3550, section 6.4.1).
func (f *Feedback) Append(b []byte, sender, media uint32, limit int) []byte {
	if f.waiting == 0 || limit < minMessage {
		return b
	}
	base := min(f.end, f.list[f.first].seq)
	reference := f.list[f.first].at >> referenceBits

	start := len(b)
	b = append(b, make([]byte, 4)...)
	b = binary.BigEndian.AppendUint32(b, sender)
	b = binary.BigEndian.AppendUint32(b, media)
	b = binary.BigEndian.AppendUint16(b, uint16(base))
	b = append(b, 0, 0, byte(reference>>16), byte(reference>>8), byte(reference), f.count)
	b, next := f.statuses(b, base, reference, limit-messageHeader)
	binary.BigEndian.PutUint16(b[start+feedbackHeader+2:], uint16(next-base))
	flags := byte(formatTransportCC)
	if n := (start - len(b)) & 3; n > 0 {
		b = append(b, make([]byte, n)...)
		b[len(b)-1] = byte(n)
		flags |= rtcpPadding
	}
	finish(b, start, flags, rtcpTransportFeedback)
	f.count++
	f.end = max(f.end, next)
	f.skipTold()
	f.forget(manyOld)
	return b
}

// statuses appends chunks and deltas, of at most limit bytes, for the numbers from base on and the arrivals from the
// first that is not told. It returns the number after the last it told about.
func (f *Feedback) statuses(b []byte, base uint64, reference int64, limit int) ([]byte, uint64) {
	var c chunks
	start, next, at := len(b), base, reference<<referenceBits
	f.deltas = f.deltas[:0]
	for i := f.first; i < len(f.list) && f.worthTelling(i); i++ {
		a := &f.list[i]
		delta := a.at - at
		if delta < math.MinInt16 || delta > math.MaxInt16 || a.seq-base >= maxStatuses {
			break
		}
		symbol, size := uint8(statusSmall), 1
		if delta < 0 || delta > math.MaxUint8 {
			symbol, size = statusLarge, 2
		}
		before, mark := c, len(b)
		b = c.add(b, statusLost, int(a.seq-next))
		b = c.add(b, symbol, 1)
		if len(b)-start+chunkSize+len(f.deltas)+size > limit&^3 {
			c, b = before, b[:mark]
			break
		}
		if size == 2 {
			f.deltas = append(f.deltas, byte(delta>>8))
		}
		f.deltas = append(f.deltas, byte(delta))
		f.tell(a)
		next, at = a.seq+1, a.at
	}
	b = c.flush(b)
	return append(b, f.deltas...), next
}

// worthTelling says whether a message should go on to the i-th arrival: it is waiting, or one soon after it is.
func (f *Feedback) worthTelling(i int) bool {
	soon := f.list[i:min(len(f.list), i+maxRetold)]
	return slices.ContainsFunc(soon, func(a arrival) bool { return !a.told })
}

func (f *Feedback) tell(a *arrival) {
	if !a.told {
		a.told = true
		f.waiting--
	}
}
