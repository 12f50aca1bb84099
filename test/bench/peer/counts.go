package peer

import (
	"math/bits"
	"time"
)

// Counts are what a peer has seen or sent. They add up over peers.
type Counts struct {
	Packets    int64 // RTP packets: of a receiver all that arrived, of a publisher all that it made
	Bytes      int64 // of them, encrypted
	Dropped    int64 // lost on purpose
	Broken     int64 // did not decrypt, or could not be sent
	Padding    int64 // without payload
	Repairs    int64 // came on a retransmission stream
	Recovered  int64 // of them, packets that were missing
	Duplicates int64
	Asked      int64 // numbers in NACKs
	Feedbacks  int64 // transport-wide feedback messages
	Switches   int64 // changes of the layer that is received
	Keyframes  int64 // of a publisher, made
	Refreshes  int64 // of a publisher, asked for
	Repeated   int64 // of a publisher, packets sent again
	Behind     time.Duration
}

// Add adds others.
func (c *Counts) Add(o Counts) {
	c.Packets += o.Packets
	c.Bytes += o.Bytes
	c.Dropped += o.Dropped
	c.Broken += o.Broken
	c.Padding += o.Padding
	c.Repairs += o.Repairs
	c.Recovered += o.Recovered
	c.Duplicates += o.Duplicates
	c.Asked += o.Asked
	c.Feedbacks += o.Feedbacks
	c.Switches += o.Switches
	c.Keyframes += o.Keyframes
	c.Refreshes += o.Refreshes
	c.Repeated += o.Repeated
	c.Behind = max(c.Behind, o.Behind)
}

// Histogram counts durations in nanoseconds, to 3%.
type Histogram struct {
	Buckets [60 << fine]int64
	Most    int64
}

const fine = 5 // bits of a number that a bucket keeps

// Add counts one.
func (h *Histogram) Add(n int64) {
	n = max(n, 0)
	h.Most = max(h.Most, n)
	h.Buckets[bucket(n)]++
}

func bucket(n int64) int {
	if n < 1<<fine {
		return int(n)
	}
	shift := bits.Len64(uint64(n)) - fine - 1
	return shift<<fine + int(n>>shift)
}

// Merge adds another.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.Buckets {
		h.Buckets[i] += n
	}
	h.Most = max(h.Most, o.Most)
}

// Count returns how many there are.
func (h *Histogram) Count() int64 {
	var n int64
	for _, c := range h.Buckets {
		n += c
	}
	return n
}

// Quantile returns the q-quantile, 0 of none.
func (h *Histogram) Quantile(q float64) time.Duration {
	left := int64(q * float64(h.Count()))
	for i, c := range h.Buckets {
		if left < c {
			if i < 2<<fine {
				return time.Duration(i)
			}
			shift := i>>fine - 1
			return time.Duration(int64(i-shift<<fine) << shift)
		}
		left -= c
	}
	return time.Duration(h.Most)
}
