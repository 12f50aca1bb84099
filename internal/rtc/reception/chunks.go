package reception

import "encoding/binary"

// Symbols of packet statuses (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1.1).
const (
	statusLost  = 0
	statusSmall = 1 // received, with a delta of one byte
	statusLarge = 2 // received, with a delta of two bytes
)

// Sizes of chunks (the draft's sections 3.1.3 and 3.1.4).
const (
	chunkSize = 2
	maxRun    = 1<<13 - 1
	oneBit    = 14 // symbols of lost and small
	twoBit    = 7  // symbols of any kind
)

// chunks packs statuses into chunks. It holds back as many as may still fit into one, which becomes a run while all are
// alike, otherwise a vector of as small symbols as will do.
type chunks struct {
	held  [oneBit]uint8 // beyond these, all are alike
	size  int
	mixed bool
	large bool
}

// add takes symbol n times, and appends the chunks that are complete.
func (c *chunks) add(b []byte, symbol uint8, n int) []byte {
	for n > 0 {
		if !c.fits(symbol) {
			b = c.emit(b)
			continue
		}
		k := 1
		if c.size < oneBit {
			c.held[c.size] = symbol
		} else {
			k = min(n, maxRun-c.size)
		}
		c.mixed = c.mixed || symbol != c.held[0]
		c.large = c.large || symbol == statusLarge
		c.size += k
		n -= k
	}
	return b
}

// fits says whether one chunk can hold symbol too.
func (c *chunks) fits(symbol uint8) bool {
	switch {
	case c.size < twoBit:
		return true
	case c.size < oneBit && !c.large && symbol != statusLarge:
		return true
	default:
		return !c.mixed && symbol == c.held[0] && c.size < maxRun
	}
}

// emit appends a full chunk. When those held back are too many for two bits and too few for one, some stay.
func (c *chunks) emit(b []byte) []byte {
	if !c.mixed || c.size == oneBit {
		return c.flush(b)
	}
	rest := c.held
	n := c.size - twoBit
	c.size = twoBit
	b = binary.BigEndian.AppendUint16(b, c.vector(2))
	*c = chunks{}
	for _, symbol := range rest[twoBit : twoBit+n] {
		b = c.add(b, symbol, 1) // they fit
	}
	return b
}

// flush appends what is held back, which is one chunk or nothing.
func (c *chunks) flush(b []byte) []byte {
	switch {
	case c.size == 0:
		return b
	case !c.mixed:
		b = binary.BigEndian.AppendUint16(b, uint16(c.held[0])<<13|uint16(c.size))
	case c.size <= twoBit:
		b = binary.BigEndian.AppendUint16(b, c.vector(2))
	default:
		b = binary.BigEndian.AppendUint16(b, c.vector(1))
	}
	*c = chunks{}
	return b
}

// vector makes a chunk of symbols of one bit or two.
func (c *chunks) vector(bits int) uint16 {
	v := uint16(1<<15 | (bits-1)<<14)
	for i, symbol := range c.held[:c.size] {
		v |= uint16(symbol) << (14 - bits*(i+1))
	}
	return v
}
