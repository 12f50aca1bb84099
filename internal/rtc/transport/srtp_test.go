package transport

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pion/dtls/v3"
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
	stream := c.peer.NewStream(1, 0, false)
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

// TestRepeats: where lost packets are sent again in their own stream, that is the packet that was sent, to the last bit, with
// every profile, and never another one with its number.
func TestRepeats(t *testing.T) {
	t.Parallel()
	for _, profile := range profiles {
		for _, tcp := range []bool{false, true} {
			t.Run(fmt.Sprint(profile, tcp), func(t *testing.T) {
				t.Parallel()
				s := newServer(t)
				c := connect(s, options{tcp: tcp, profiles: []dtls.SRTPProtectionProfile{profile}})
				repeats(t, s, c)
			})
		}
	}
}

func repeats(t *testing.T, s *server, c *client) {
	t.Helper()
	stream := c.peer.NewStream(1, 0, true)
	seqs := []uint16{65534, 65535, 0, 2, 3} // 1 is not there yet
	sent := map[uint16][]byte{}
	write := func(b []byte) {
		t.Helper()
		if err := stream.Write(s.batch, b); err != nil {
			t.Fatal(err)
		}
		s.flush()
	}
	for _, seq := range seqs {
		write(packetOf(t, 1, seq, 100))
		sent[seq] = receive(t, "a packet", c.media)
		if plain, err := c.in.DecryptRTP(nil, sent[seq], nil); err != nil || !bytes.Equal(plain, packetOf(t, 1, seq, 100)) {
			t.Fatalf("%d: %v", seq, err)
		}
	}
	for _, seq := range []uint16{3, 65534, 0, 65535, 0} {
		write(packetOf(t, 1, seq, 100))
		if again := receive(t, "the packet again", c.media); !bytes.Equal(again, sent[seq]) {
			t.Errorf("%d was repeated with other bytes", seq)
		}
	}
	changed := packetOf(t, 1, 2, 100)
	for name, at := range map[string]int{"marker": 1, "timestamp": 4, "extension": 17, "payload": len(changed) - 1} {
		b := bytes.Clone(changed)
		if b[at] ^= 0x80; !errors.Is(stream.Write(s.batch, b), errChanged) {
			t.Errorf("another %s under the same number", name)
		}
	}
	if err := stream.Write(s.batch, changed[:len(changed)-1]); !errors.Is(err, errChanged) {
		t.Errorf("a shorter packet under the same number: %v", err)
	}
	write(packetOf(t, 1, 1, 100)) // late, but new; and nothing of the changed ones was sent before it
	if got := c.packet(); !bytes.Equal(got, packetOf(t, 1, 1, 100)) {
		t.Errorf("% x", got[:12])
	}
	write(packetOf(t, 1, 3+window, 100))
	receive(t, "a packet", c.media)
	if err := stream.Write(s.batch, packetOf(t, 1, 3, 100)); !errors.Is(err, errPacket) {
		t.Errorf("a number that nobody remembers: %v", err)
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
