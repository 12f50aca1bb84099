package reception

// numbering extends 16-bit sequence numbers. Its zero value has seen none.
type numbering struct {
	high     uint64 // newest extended number
	suspect  uint16 // where a restarted sender's next packet would be
	started  bool
	doubting bool
}

// place says where a number stands among those before it.
type place uint8

const (
	newest  place = iota // above all others
	late                 // not above the newest; perhaps a duplicate
	anew                 // the first of all, or of a sender that began new numbers: what was known is void
	strange              // out of all proportion: to be ignored
)

// take extends seq. Numbers up to ahead above the newest, or less than behind below it, belong to the same numbering
// (RFC 3550, A.1, has MAX_DROPOUT and MAX_MISORDER). Of others, one packet is strange and two in a row are a new
// numbering. The first number gets an epoch of 1, so that earlier ones have a number too; a new numbering lies at least
// an epoch above the last.
func (n *numbering) take(seq uint16, ahead, behind int64) (uint64, place) {
	if !n.started {
		n.started = true
		n.high = 1<<16 | uint64(seq)
		return n.high, anew
	}
	diff := int64(int16(seq - uint16(n.high)))
	switch {
	case diff > ahead || diff <= -behind:
		return n.doubt(seq)
	case diff <= 0:
		return n.high - uint64(-diff), late
	}
	n.high += uint64(diff)
	n.doubting = false
	return n.high, newest
}

func (n *numbering) doubt(seq uint16) (uint64, place) {
	if !n.doubting || seq != n.suspect {
		n.doubting, n.suspect = true, seq+1
		return 0, strange
	}
	n.doubting = false
	n.high = (n.high>>16+2)<<16 | uint64(seq)
	return n.high, anew
}
