package bwe

import "time"

const (
	bucketLength = 50 * time.Millisecond
	buckets      = 32
)

// window counts what feedback said in the last second and a half, in steps of bucketLength.
type window struct {
	ring  [buckets]bucket
	first time.Duration // of the first feedback
	used  bool
}

type bucket struct {
	slot           int64 // time in units of bucketLength
	bytes          int
	received, lost int
}

func (w *window) add(now time.Duration, bytes, received, lost int) {
	if !w.used {
		w.first, w.used = now, true
	}
	slot := int64(now / bucketLength)
	b := &w.ring[slot%buckets]
	if b.slot != slot {
		*b = bucket{slot: slot}
	}
	b.bytes += bytes
	b.received += received
	b.lost += lost
}

// sum returns what came in the last span.
func (w *window) sum(now, span time.Duration) (total bucket) {
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
func (w *window) rate(now, span time.Duration) int {
	if !w.used {
		return 0
	}
	// The newest bucket is half full on average.
	length := min(span-bucketLength/2, max(now-w.first, 4*bucketLength))
	return int(float64(w.sum(now, span).bytes*8) / length.Seconds())
}

// minPackets is the fewest packets that make a fraction lost.
const minPackets = 20

func (w *window) loss(now, span time.Duration) float64 {
	s := w.sum(now, span)
	if s.received+s.lost < minPackets {
		return 0
	}
	return float64(s.lost) / float64(s.received+s.lost)
}

// busy measures what arrives while there is a queue, which is what the link carries.
type busy struct {
	first, last time.Duration // arrivals on our clock, that is less the path's least delay
	bytes       int
}

// minBusy is the shortest time that gives a rate.
const minBusy = 80 * time.Millisecond

// add takes one feedback message: how far its delay was above the usual, in seconds, and what arrived from first to last.
func (b *busy) add(excess float64, first, last time.Duration, bytes int) {
	switch {
	case excess < minExcess:
		*b = busy{}
	case b.bytes == 0:
		*b = busy{first, last, bytes}
	default:
		b.first, b.last = min(b.first, first), max(b.last, last)
		b.bytes += bytes
	}
}

func (b *busy) rate() int {
	if span := b.last - b.first; span >= minBusy {
		return int(float64(b.bytes*8) / span.Seconds())
	}
	return 0
}
