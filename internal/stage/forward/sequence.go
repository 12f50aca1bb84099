package forward

// Bounds of what a subscription remembers.
const (
	maxSpans = 64   // stretches of numbers, one more with each layer change, resume and deliberate drop
	window   = 1024 // outgoing numbers that can be told apart from repeats and translated back
	maxGap   = 512  // a larger hole in the source is not kept open: nobody could fill it
)

// span is a stretch of source numbers of one layer that map to outgoing ones by one addition, and the offsets its
// packets are rewritten with. A retransmission finds them here again.
type span struct {
	layer     int
	src, end  uint64 // source numbers [src, end)
	out       uint64 // outgoing number of src
	timestamp uint32 // added to timestamps
	picture   uint16 // added to VP8 picture ids
	tl0       uint8  // added to TL0PICIDX
}

// sequence maps source numbers to outgoing ones. Outgoing numbers are extended too and start above 1<<16.
type sequence struct {
	spans [maxSpans]span
	count int // spans begun so far; the newest is number count-1
	high  uint64
	out   uint64            // highest outgoing number that is taken, sent or kept for a lost packet
	kept  [MaxLayers]uint64 // highest end of a layer's spans: what lies above was never sent
	sent  [window / 64]uint64
}

// newest returns the open span; there must be one.
func (q *sequence) newest() *span { return &q.spans[(q.count-1)%maxSpans] }

// begin opens a span at src of a layer, directly after all numbers taken, and returns it for its offsets to be set. They
// start as those of the span before.
func (q *sequence) begin(layer int, src uint64) *span {
	next := span{layer: layer, src: src, end: src, out: q.out + 1}
	if q.count > 0 {
		last := q.newest()
		next.timestamp, next.picture, next.tl0 = last.timestamp, last.picture, last.tl0
		if last.out > q.out { // nothing went through it
			q.count--
		}
	}
	q.count++
	*q.newest() = next
	q.high = src - 1
	return q.newest()
}

// next takes the outgoing number of src, a number above high in the open span.
func (q *sequence) next(src uint64) uint64 {
	last := q.newest()
	if src-q.high > maxGap {
		q.reserve(q.out + 1) // one hole, for decoders to see that something is missing
		last = q.begin(last.layer, src)
	}
	q.high = src
	q.reserve(last.out + src - last.src)
	last.end = src + 1
	q.kept[last.layer] = max(q.kept[last.layer], last.end)
	return q.out
}

// skip leaves out src, a number above high in the open span: what follows moves up, and what is missing before it keeps
// its place.
func (q *sequence) skip(src uint64) {
	last := q.newest()
	if src-1 > q.high {
		q.next(src - 1)
		last = q.newest()
	}
	q.begin(last.layer, src+1)
}

// find returns the span of a source number that is not above high, nil when it has none.
func (q *sequence) find(layer int, src uint64) *span {
	if src >= q.kept[layer] {
		return nil
	}
	for i := q.count - 1; i >= max(0, q.count-maxSpans); i-- {
		s := &q.spans[i%maxSpans]
		if s.layer == layer && src >= s.src && src < s.end {
			return s
		}
	}
	return nil
}

// source returns the span of an outgoing number that is not above out, nil when it has none.
func (q *sequence) source(out uint64) *span {
	if q.out-out >= window {
		return nil
	}
	for i := q.count - 1; i >= max(0, q.count-maxSpans); i-- {
		s := &q.spans[i%maxSpans]
		if out >= s.out && out-s.out < s.end-s.src {
			return s
		}
	}
	return nil
}

// extend returns the full outgoing number that 16 bits mean, false for one not sent yet.
func (q *sequence) extend(seq uint16) (uint64, bool) {
	diff := uint16(q.out) - seq
	return q.out - uint64(diff), diff < window && q.count > 0
}

// reserve moves out up to a number and forgets what used its bits before.
func (q *sequence) reserve(out uint64) {
	if out-q.out >= window {
		clear(q.sent[:])
	} else {
		for n := q.out + 1; n <= out; n++ {
			q.sent[n%window/64] &^= 1 << (n % 64)
		}
	}
	q.out = out
}

// mark notes that a number is sent now; false when it was before, or is too old to tell.
func (q *sequence) mark(out uint64) bool {
	if q.out-out >= window {
		return false
	}
	word, bit := &q.sent[out%window/64], uint64(1)<<(out%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// was reports whether a number of the window was sent.
func (q *sequence) was(out uint64) bool { return q.sent[out%window/64]&(1<<(out%64)) != 0 }

// restart forgets where packets came from. Outgoing numbers go on.
func (q *sequence) restart() {
	q.count, q.high = 0, 0
	q.kept = [MaxLayers]uint64{}
}
