package transport

// window is how many packets behind the newest one may still be sent, or come.
const window = 1024

// indexes are the packets of one SSRC: each has an index, which is its sequence number and how often the numbers have
// begun anew (RFC 3711, section 3.3.1), and is let through once.
type indexes struct {
	begun   bool
	highest uint64
	used    [window / 64]uint64 // which of the newest were let through, as a ring of bits
}

// place extends a sequence number. False: it is too old, the key is used up, or it was let through before.
func (s *indexes) place(seq uint16) (uint64, bool) {
	if !s.begun {
		return uint64(seq), true
	}
	i := int64(s.highest) + int64(int16(seq-uint16(s.highest)))
	if i < 0 || i >= 1<<48 || i <= int64(s.highest)-window {
		return 0, false
	}
	return uint64(i), s.fresh(uint64(i))
}

// fresh tells whether an index may be let through.
func (s *indexes) fresh(index uint64) bool {
	switch {
	case !s.begun || index > s.highest:
		return true
	case index+window <= s.highest:
		return false
	}
	return s.used[index%window/64]&(1<<(index%64)) == 0
}

// take lets a fresh index through.
func (s *indexes) take(index uint64) {
	if !s.begun {
		s.begun, s.highest = true, index
	}
	switch {
	case index <= s.highest:
	case index-s.highest >= window:
		s.used = [len(s.used)]uint64{}
	default:
		for n := s.highest + 1; n < index; n++ {
			s.used[n%window/64] &^= 1 << (n % 64)
		}
	}
	s.highest = max(s.highest, index)
	s.used[index%window/64] |= 1 << (index % 64)
}

// again extends the number of a packet that was let through, and tells whether it was.
func (s *indexes) again(seq uint16) (uint64, bool) {
	i := int64(s.highest) + int64(int16(seq-uint16(s.highest)))
	if !s.begun || i < 0 || i > int64(s.highest) || i <= int64(s.highest)-window {
		return 0, false
	}
	return uint64(i), !s.fresh(uint64(i))
}

// next places a number and lets it through.
func (s *indexes) next(seq uint16) (uint64, bool) {
	index, ok := s.place(seq)
	if ok {
		s.take(index)
	}
	return index, ok
}
