package stage

import "time"

// How a video's packets are held back. A subscriber gets paceBurst at once; what follows leaves at a rate with room
// above what its link carries, or faster, so that nothing is held for much longer than paceLongest.
const (
	paceBurst   = 32 * 1200 // bytes
	paceHead    = 5         // halves: times two and a half of what the link is taken to carry
	paceStart   = 10_000_000 / 8
	paceLeast   = 300_000 / 8
	paceLongest = 250 * time.Millisecond
	paceStep    = 5 * time.Millisecond
	paceQueue   = 256       // packets; more than that leave at once
	resendDebt  = 64 * 1200 // bytes of retransmissions beyond the credit
)

// pacer spreads what is too much for a slow link at once, as keyframes and the start from a cached one are, over time:
// a link's queue is short, and what it drops of a keyframe freezes the picture. It holds numbers, not packets, and only
// as long as there is no credit; without that it costs an addition a packet. It belongs to the outlet's writer.
type pacer struct {
	credit int           // bytes that may leave; below 0 after the packet that used it up
	at     time.Duration // when the credit was last filled
	queue  *[paceQueue]held
	head   int // of queue
	count  int
	bytes  int   // held
	rush   int64 // bytes a second at which what is held leaves in time; 0 when nothing is
}

// held is a packet in the ring of a layer.
type held struct {
	seq   uint64
	size  int32
	layer int8
}

// fill gives the credit of the time since the last one. rate is in bytes a second, 0 when it is not known.
func (p *pacer) fill(now time.Duration, rate int64) {
	switch {
	case rate == 0:
		rate = paceStart
	case rate < paceLeast:
		rate = paceLeast
	}
	rate = max(rate, p.rush)
	if p.at == 0 {
		p.credit = paceBurst
	} else if d := min(now-p.at, time.Second); d > 0 {
		p.credit = min(p.credit+int(rate*int64(d)/int64(time.Second)), paceBurst)
	}
	p.at = max(now, 1)
}

// free reports whether the next packet may leave now.
func (p *pacer) free() bool { return p.count == 0 && p.credit > 0 }

// hold keeps a packet for later; false when there is no room.
func (p *pacer) hold(h held) bool {
	if p.count == paceQueue {
		return false
	}
	if p.queue == nil {
		p.queue = new([paceQueue]held)
	}
	p.queue[(p.head+p.count)%paceQueue] = h
	p.count++
	p.bytes += int(h.size)
	p.rush = max(p.rush, int64(p.bytes)*int64(time.Second/paceLongest))
	return true
}

// next returns the oldest packet that is held.
func (p *pacer) next() (held, bool) {
	if p.count == 0 {
		return held{}, false
	}
	h := p.queue[p.head]
	p.head = (p.head + 1) % paceQueue
	p.count--
	p.bytes -= int(h.size)
	if p.count == 0 {
		p.rush = 0
	}
	return h, true
}

// drop forgets what is held.
func (p *pacer) drop() { p.head, p.count, p.bytes, p.rush = 0, 0, 0, 0 }

// paceRate is the rate, in bytes a second, of one of n videos of a participant whose link carries estimate bits.
func paceRate(estimate, n int) int64 { return int64(estimate) * paceHead / 2 / 8 / int64(max(1, n)) }
