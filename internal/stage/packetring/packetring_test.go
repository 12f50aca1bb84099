package packetring

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// nasty are sequence numbers around which 16-bit arithmetic goes wrong.
func nasty() []uint16 {
	var all []uint16
	for _, around := range []uint16{0, 1 << 14, 1 << 15, 3 << 14} {
		for d := -3; d <= 3; d++ {
			all = append(all, around+uint16(d))
		}
	}
	return all
}

func packet(seq uint16, size int) []byte {
	b := make([]byte, size)
	b[0] = 0x80
	binary.BigEndian.PutUint16(b[2:], seq)
	for i := 12; i < size; i++ {
		b[i] = byte(seq) + byte(i)
	}
	return b
}

func TestNumbersGrowThroughEveryWrap(t *testing.T) {
	t.Parallel()
	for _, start := range nasty() {
		r := New(64)
		var dst [SlotSize]byte
		var first uint64
		for i := range 1<<16 + 1000 {
			seq := start + uint16(i)
			ext, outcome := r.Put(packet(seq, 20), time.Duration(i), 0)
			if outcome != Stored || uint16(ext) != seq {
				t.Fatalf("start %d, packet %d: %d, %v", start, i, ext, outcome)
			}
			if i == 0 {
				first = ext
			}
			if ext != first+uint64(i) {
				t.Fatalf("start %d, packet %d: extended to %d, want %d", start, i, ext, first+uint64(i))
			}
			if i%101 == 0 {
				if got, ok := r.Get(ext, dst[:]); !ok || got.Arrived != time.Duration(i) || got.Size != 20 {
					t.Fatalf("start %d, packet %d: got %+v, %v", start, i, got, ok)
				}
			}
		}
	}
}

func TestPut(t *testing.T) {
	t.Parallel()
	type put struct {
		step    int // from the start number
		outcome Outcome
		ext     int // from the first extended number
	}
	for name, puts := range map[string][]put{
		"in order":           {{0, Stored, 0}, {1, Stored, 1}, {2, Stored, 2}},
		"swapped":            {{0, Stored, 0}, {2, Stored, 2}, {1, Late, 1}, {3, Stored, 3}},
		"overtaken at start": {{0, Stored, 0}, {-1, Late, -1}, {-2, Late, -2}, {1, Stored, 1}},
		"twice":              {{0, Stored, 0}, {0, Duplicate, 0}, {1, Stored, 1}, {0, Duplicate, 0}, {1, Duplicate, 1}},
		"late twice":         {{0, Stored, 0}, {3, Stored, 3}, {1, Late, 1}, {1, Duplicate, 1}},
		"lost":               {{0, Stored, 0}, {100, Stored, 100}, {90, Late, 90}},
		"just in reach":      {{0, Stored, 0}, {15, Stored, 15}, {16, Stored, 16}, {1, Late, 1}},
		"just out of reach":  {{0, Stored, 0}, {17, Stored, 17}, {1, Stale, 1}},
		"one wild number":    {{0, Stored, 0}, {20000, Stale, 20000}, {1, Stored, 1}, {2, Stored, 2}, {20001, Stale, 20001}},
		"long outage":        {{0, Stored, 0}, {3000, Stored, 3000}},
		"wild, not in a row": {{0, Stored, 0}, {-500, Stale, -500}, {-498, Stale, -498}, {1, Stored, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, start := range nasty() {
				r := New(16)
				base := 1<<16 + int64(start)
				for i, p := range puts {
					ext, outcome := r.Put(packet(start+uint16(p.step), 30), 0, 0)
					if outcome != p.outcome || int64(ext) != base+int64(p.ext) {
						t.Fatalf("start %d, put %d: %d, %v; want %d, %v", start, i, ext, outcome, base+int64(p.ext), p.outcome)
					}
				}
			}
		})
	}
}

func TestPublisherBeginsAnew(t *testing.T) {
	t.Parallel()
	for _, start := range nasty() {
		for _, step := range []int{-20000, -100, 3001, 20000, 32767} {
			r := New(64)
			last, _ := r.Put(packet(start, 20), 0, Keyframe)
			again := start + uint16(step)
			r.Put(packet(again, 20), 0, 0)
			ext, outcome := r.Put(packet(again+1, 20), 0, 0)
			if outcome != Restarted || uint16(ext) != again+1 || ext-last <= 1<<16 {
				t.Fatalf("start %d, step %d: %d after %d, %v", start, step, ext, last, outcome)
			}
			if _, ok := r.LastKeyframe(); ok {
				t.Fatalf("start %d, step %d: the old publisher's keyframe is still offered", start, step)
			}
			if next, outcome := r.Put(packet(again+2, 20), 0, 0); outcome != Stored || next != ext+1 {
				t.Fatalf("start %d, step %d: then %d, %v", start, step, next, outcome)
			}
		}
	}
}

// TestPublisherBeginsAnewALittleBehind: numbers that were used before are a repetition when they are of the same time, and
// otherwise, two in sequence, those of a publisher that began anew.
func TestPublisherBeginsAnewALittleBehind(t *testing.T) {
	t.Parallel()
	at := func(seq uint16, time uint32) []byte {
		b := packet(seq, 20)
		binary.BigEndian.PutUint32(b[4:], time)
		return b
	}
	for _, start := range nasty() {
		for _, back := range []uint16{1, 2, 400, 1000} {
			r := New(1024)
			var last uint64
			for i := range uint16(1010) {
				last, _ = r.Put(at(start+i, uint32(i)), 0, 0)
			}
			again := start + 1010 - back
			for i := range uint16(min(back, 5)) { // as a retransmission that was not needed
				if _, outcome := r.Put(at(again+i, uint32(1010-back+i)), 0, 0); outcome != Duplicate {
					t.Fatalf("start %d, %d back: %v", start, back, outcome)
				}
			}
			if _, outcome := r.Put(at(again, 5000), 0, 0); outcome != Stale {
				t.Fatalf("start %d, %d back: %v at once", start, back, outcome)
			}
			ext, outcome := r.Put(at(again+1, 5000), 0, 0)
			if back == 1 { // the second is above all others
				if outcome != Stored {
					t.Fatalf("start %d, 1 back: %v", start, outcome)
				}
				continue
			}
			if outcome != Restarted || uint16(ext) != again+1 || ext-last <= 1<<16-1000 {
				t.Fatalf("start %d, %d back: %d after %d, %v", start, back, ext, last, outcome)
			}
		}
	}
}

// TestAnotherStreamBeginsAtOnce: with another SSRC no number has to be believed twice.
func TestAnotherStreamBeginsAtOnce(t *testing.T) {
	t.Parallel()
	for _, step := range []int{-20000, -100, 0, 1, 100, 20000} {
		r := New(64)
		for i := range uint16(200) {
			r.Put(packet(i, 20), 0, Keyframe)
		}
		b := packet(uint16(200+step), 20)
		b[11]++
		ext, outcome := r.Put(b, 0, 0)
		if _, ok := r.LastKeyframe(); outcome != Restarted || uint16(ext) != uint16(200+step) || ok {
			t.Errorf("%d on: %d, %v, an old keyframe is kept: %v", step, ext, outcome, ok)
		}
	}
}

// TestInsert: a packet of our own takes a number in front of the publisher's next, and those that come late still find
// theirs, on either side of it.
func TestInsert(t *testing.T) {
	t.Parallel()
	for _, start := range nasty() {
		r := New(64)
		put := func(step int, want Outcome, above uint64) {
			t.Helper()
			if ext, outcome := r.Put(packet(start+uint16(step), 20), 0, 0); outcome != want || ext != 1<<16+uint64(start)+above {
				t.Fatalf("start %d, packet %d: %d, %v", start, step, int64(ext)-int64(start)-1<<16, outcome)
			}
		}
		insert := func(step int, want bool) {
			t.Helper()
			ext, ok := r.Insert(packet(start+uint16(step), 30), 0, Keyframe)
			if key, _ := r.LastKeyframe(); ok != want || ok && key != ext {
				t.Fatalf("start %d, in front of %d: %d, %v", start, step, ext, ok)
			}
		}
		insert(0, true)
		put(0, Stored, 1)
		put(2, Stored, 3)
		insert(2, false) // it is there
		insert(1, false) // late
		insert(5, true)  // 3 and 4 are missing
		put(5, Stored, 7)
		put(1, Late, 2)
		put(4, Late, 5)
		put(0, Duplicate, 1)
		put(5, Duplicate, 7)
		put(6, Stored, 8)
		for i := range maxInserted {
			insert(10+i, true)
			put(10+i, Stored, uint64(13+2*i))
		}
		if _, outcome := r.Put(packet(start+3, 20), 0, 0); outcome != Stale {
			t.Fatalf("start %d: %v of a packet whose place nobody knows", start, outcome)
		}
	}
}

func TestGetReturnsWhatWasPut(t *testing.T) {
	t.Parallel()
	r := New(32)
	var dst [SlotSize]byte
	for i := range 100 {
		seq, _ := r.Put(packet(uint16(65500+i), 12+i*10), 0, Marker)
		got, ok := r.Get(seq, dst[:])
		if !ok || got.Seq != seq || got.Note != Marker || !bytes.Equal(dst[:got.Size], packet(uint16(65500+i), 12+i*10)) {
			t.Fatalf("packet %d: %+v, %v", i, got, ok)
		}
		if _, ok := r.Get(seq-32, dst[:]); ok {
			t.Fatalf("packet %d: one a ring's length older is still there", i)
		}
		if _, ok := r.Get(seq+1, dst[:]); ok {
			t.Fatalf("packet %d: the next one is there already", i)
		}
		if _, ok := r.Get(seq, dst[:got.Size-1]); ok {
			t.Fatalf("packet %d: fitted into too few bytes", i)
		}
	}
	if _, ok := r.Get(0, dst[:]); ok {
		t.Fatal("number 0 is there")
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]int{0: 16, 16: 16, 17: 32, 512: 512, 1000: 1024, 1 << 20: 1 << 14} {
		if got := New(size).Size(); got != want {
			t.Errorf("New(%d) holds %d, want %d", size, got, want)
		}
	}
	r := New(16)
	for _, size := range []int{0, 11, SlotSize + 1} {
		if _, outcome := r.Put(make([]byte, size), 0, 0); outcome != Oversize {
			t.Errorf("%d bytes: %v", size, outcome)
		}
	}
	if _, ok := r.Newest(); ok {
		t.Error("a refused packet counts")
	}
}

func TestLastKeyframe(t *testing.T) {
	t.Parallel()
	r := New(16)
	if _, ok := r.LastKeyframe(); ok {
		t.Fatal("an empty ring has a keyframe")
	}
	r.Put(packet(100, 20), 0, Keyframe|Start)
	r.Put(packet(110, 20), 0, Keyframe|Start)
	r.Put(packet(105, 20), 0, Keyframe|Start) // late: not the newest
	if seq, ok := r.LastKeyframe(); !ok || uint16(seq) != 110 {
		t.Fatalf("keyframe at %d, %v", uint16(seq), ok)
	}
	for i := range uint16(16) {
		r.Put(packet(111+i, 20), 0, 0)
	}
	if _, ok := r.LastKeyframe(); ok {
		t.Fatal("an overwritten keyframe is offered")
	}
}

// TestAgainstModel compares the ring with a map under reordering, loss and duplicates.
func TestAgainstModel(t *testing.T) {
	t.Parallel()
	for _, start := range nasty() {
		rnd := rand.New(rand.NewPCG(uint64(start), 1))
		r, model, high := New(128), map[uint64]bool{}, int64(0)
		var dst [SlotSize]byte
		base := int64(1<<16) + int64(start)
		for i := range int64(5000) {
			n := max(0, i-rnd.Int64N(40)) // late or repeated packets; gaps stay where none comes
			ext, outcome := r.Put(packet(start+uint16(n), 40), 0, 0)
			want := Stored
			switch {
			case i > 0 && n <= high-128:
				want = Stale
			case model[uint64(base+n)]:
				want = Duplicate
			case i > 0 && n < high:
				want = Late
			}
			if outcome != want || int64(ext) != base+n {
				t.Fatalf("start %d, packet %d: %v, want %v", start, n, outcome, want)
			}
			if want != Stale {
				model[ext] = true
				high = max(high, n)
			}
			ask := base + high - rnd.Int64N(200)
			if _, ok := r.Get(uint64(ask), dst[:]); ok != model[uint64(ask)] && (ok || ask > base+high-128) {
				t.Fatalf("start %d: Get(%d) with newest %d: %v", start, ask-base, high, ok)
			}
		}
	}
}

// TestMemory: what is held lasts for the promised time, at any rate up to what Size allows, and takes no more than that.
func TestMemory(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size  int
		every time.Duration
		most  int // chunks
	}{
		{100, 20 * time.Millisecond, 3}, {1200, 3500 * time.Microsecond, 40}, {1200, time.Microsecond, 97}, {300, time.Second, 3},
	} {
		r := New(1024)
		var dst [SlotSize]byte
		for i := range 20_000 {
			now := time.Duration(i) * c.every
			seq, _ := r.Put(packet(uint16(i), c.size), now, 0)
			back := min(uint64(Memory/c.every), uint64(len(r.slots)-1), uint64(i))
			if got, ok := r.Get(seq-back, dst[:]); !ok || !bytes.Equal(dst[:got.Size], packet(uint16(uint64(i)-back), c.size)) {
				t.Fatalf("%d bytes every %v: packet %d has not its %dth before", c.size, c.every, i, back)
			}
		}
		if n := len(r.chunks); n > c.most {
			t.Errorf("%d bytes every %v take %d chunks, want %d", c.size, c.every, n, c.most)
		}
	}
}

func TestReadersBesideTheWriter(t *testing.T) {
	t.Parallel()
	r := New(64)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			var dst [SlotSize]byte
			for {
				select {
				case <-stop:
					return
				default:
				}
				high, ok := r.Newest()
				if !ok {
					continue
				}
				for back := range uint64(64) {
					if got, ok := r.Get(high-back, dst[:]); ok && !bytes.Equal(dst[:got.Size], packet(uint16(got.Seq), 200)) {
						t.Errorf("packet %d is torn", got.Seq)
						return
					}
				}
			}
		})
	}
	for i := range 3000 {
		r.Put(packet(uint16(i), 200), 0, 0)
	}
	close(stop)
	readers.Wait()
}

func TestNothingIsAllocated(t *testing.T) {
	r := New(512)
	pkt, dst, seq := packet(0, 1200), make([]byte, SlotSize), uint16(0)
	step := func() {
		seq++
		binary.BigEndian.PutUint16(pkt[2:], seq)
		ext, _ := r.Put(pkt, time.Duration(seq)*5*time.Millisecond, 0)
		r.Get(ext, dst)
	}
	for range 1000 { // until the rate is known
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Fatalf("%v allocations a packet", n)
	}
}

func BenchmarkRing(b *testing.B) {
	for _, size := range []int{160, 1200} {
		pkt, dst := packet(0, size), make([]byte, SlotSize)
		b.Run(fmt.Sprintf("put/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			r := New(512)
			for i := range b.N {
				binary.BigEndian.PutUint16(pkt[2:], uint16(i))
				r.Put(pkt, 0, 0)
			}
		})
		b.Run(fmt.Sprintf("get/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			r := New(512)
			ext, _ := r.Put(pkt, 0, 0)
			for range b.N {
				r.Get(ext, dst)
			}
		})
	}
}
