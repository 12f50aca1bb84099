package bwe

import "time"

const (
	bucketLength = 50 * time.Millisecond
	buckets      = 32
)

// rateWindow counts bytes, packets and losses for bitrates and loss fractions (GCC sections 5.5 and 6), of the last
// second and a half in steps of bucketLength: by the time of feedback, or by the time of sending.
type rateWindow struct {
	ring    [buckets]bucket
	firstAt time.Duration // of the first feedback
	used    bool
}

type bucket struct {
	slot           int64 // time in units of bucketLength
	bytes          int
	received, lost int
}

func (w *rateWindow) addCounts(now time.Duration, bytes, received, lost int) {
	if !w.used {
		w.firstAt, w.used = now, true
	}
	slot := int64(now / bucketLength)
	b := &w.ring[slot%buckets]
	if b.slot > slot {
		return // too long ago
	}
	if b.slot < slot {
		*b = bucket{slot: slot}
	}
	b.bytes += bytes
	b.received += received
	b.lost += lost
}

// sumCounts returns the counts in the last span.
func (w *rateWindow) sumCounts(now, span time.Duration) (total bucket) {
	newest := int64(now / bucketLength)
	oldest := newest - int64(span/bucketLength)
	for i := range w.ring {
		if b := &w.ring[i]; b.slot > oldest && b.slot <= newest {
			total.bytes += b.bytes
			total.received += b.received
			total.lost += b.lost
		}
	}
	return total
}

// rate returns bits a second that arrived in the last span, or since the beginning where that is shorter.
func (w *rateWindow) rate(now, span time.Duration) int {
	if !w.used {
		return 0
	}
	// The newest bucket is half full on average.
	length := min(span-bucketLength/2, max(now-w.firstAt, 4*bucketLength))
	return int(float64(w.sumCounts(now, span).bytes*8) / length.Seconds())
}

// minPackets is the fewest packets that make a fraction lost.
const minPackets = 20

// lossShare returns the share lost of the packets of the last span, 0 when they are too few to tell.
func (w *rateWindow) lossShare(now, span time.Duration) float64 {
	s := w.sumCounts(now, span)
	if s.received+s.lost < minPackets {
		return 0
	}
	return float64(s.lost) / float64(s.received+s.lost)
}

// queuedRate is the acknowledged bitrate while there is a queue, which is the capacity of the link.
type queuedRate struct {
	first, last time.Duration // arrivals on our clock, that is less the path's least delay
	bytes       int           // without the first packet
	started     bool
	waiting     bool // a packet of the present feedback had to wait
}

const (
	minBusy = 60 * time.Millisecond // the shortest time that gives a rate
	minWait = 0.015                 // seconds beyond the baseline that show a queue
)

func (b *queuedRate) beginMessage() { b.waiting = false }

// addPacket adds one packet: how long it waited beyond the baseline, in seconds, and when it arrived.
func (b *queuedRate) addPacket(wait float64, at time.Duration, size int) {
	if wait < minWait {
		return
	}
	b.waiting = true
	if !b.started {
		*b = queuedRate{first: at, last: at, started: true, waiting: true}
		return
	}
	b.first, b.last = min(b.first, at), max(b.last, at)
	b.bytes += size
}

// endMessage ends one feedback message. Without a packet that waited, the queue is gone.
func (b *queuedRate) endMessage() {
	if !b.waiting {
		*b = queuedRate{}
	}
}

func (b *queuedRate) rate(missing time.Duration) int {
	if span := b.last - b.first - missing; span >= minBusy {
		return int(float64(b.bytes*8) / span.Seconds())
	}
	return 0
}
