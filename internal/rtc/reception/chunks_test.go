package reception

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
)

// unpack expands chunks as the draft says (sections 3.1.3 and 3.1.4).
func unpack(b []byte) (symbols []uint8) {
	for ; len(b) >= chunkSize; b = b[chunkSize:] {
		switch v := binary.BigEndian.Uint16(b); {
		case v>>15 == 0:
			symbols = append(symbols, slices.Repeat([]uint8{uint8(v >> 13)}, int(v&0x1fff))...)
		case v>>14 == 2:
			for i := 13; i >= 0; i-- {
				symbols = append(symbols, uint8(v>>i)&1)
			}
		default:
			for i := 12; i >= 0; i -= 2 {
				symbols = append(symbols, uint8(v>>i)&3)
			}
		}
	}
	return symbols
}

func TestChunksHoldEverySymbol(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(9, 10))
	for _, lengths := range []int{1, 2, 5, 10, 20, 40, 20000} { // of runs
		for range 200 {
			var c chunks
			var b []byte
			var want []uint8
			for range 1 + random.IntN(10) {
				symbol, n := uint8(random.IntN(3)), 1+random.IntN(lengths)
				b = c.add(b, symbol, n)
				want = append(want, slices.Repeat([]uint8{symbol}, n)...)
			}
			b = c.flush(b)
			got := unpack(b)
			if len(got) < len(want) || len(got) > len(want)+oneBit || !slices.Equal(got[:len(want)], want) {
				t.Fatalf("% x are not %d", b, want)
			}
			if most := chunkSize * (len(want)/twoBit + 1); len(b) > most {
				t.Fatalf("%d bytes for %d symbols", len(b), len(want))
			}
		}
	}
}
