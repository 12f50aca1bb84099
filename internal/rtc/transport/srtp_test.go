package transport

import (
	"math/rand/v2"
	"testing"
)

// TestIndexIsGivenOnce compares the indexes of a shuffled stream, with duplicates, gaps and numbers from long ago, with
// the rule: the nearest one, within the window, and never twice.
func TestIndexIsGivenOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		var s indexes
		given := map[uint64]bool{}
		at := 60_000 + r.Int64N(5_000) // the index meant
		for range 20_000 {
			switch r.IntN(100) {
			case 0:
				at += r.Int64N(3000) // a gap
			default:
				at++
			}
			seq := at - r.Int64N(1500)
			if r.IntN(3) > 0 {
				seq = at
			}
			before := int64(s.highest)
			index, ok := s.next(uint16(seq))
			if s.begun && len(given) > 0 {
				want := seq > before-window && !given[uint64(seq)]
				if ok != want || ok && index != uint64(seq) {
					t.Fatalf("seed %d: %d after %d became %d, %v", seed, seq, before, index, ok)
				}
			}
			if ok {
				given[index] = true
			}
		}
	}
	old := indexes{begun: true, highest: 5}
	if _, ok := old.next(65535); ok {
		t.Error("an index before the first rollover counter")
	}
	last := indexes{begun: true, highest: 1<<48 - 1}
	if _, ok := last.next(0); ok {
		t.Error("an index beyond the key's life")
	}
}

func TestNothingIsEncryptedTwice(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := connect(s, options{})
	stream := c.peer.NewStream(1, 0)
	p := packetOf(t, 1, 7, 100)
	if err := stream.Write(s.batch, p); err != nil {
		t.Fatal(err)
	}
	p[len(p)-1]++
	if err := stream.Write(s.batch, p); err == nil {
		t.Error("the same number twice")
	}
	if err := stream.Write(s.batch, packetOf(t, 1, 7+window, 100)); err != nil {
		t.Fatal(err)
	}
	if err := stream.Write(s.batch, packetOf(t, 1, 7, 100)); err == nil {
		t.Error("a number that nobody remembers")
	}
}

// BenchmarkIndex is what it costs to number a packet.
func BenchmarkIndex(b *testing.B) {
	b.ReportAllocs()
	var s indexes
	for n := range b.N {
		s.next(uint16(n))
	}
}
