package reception

import (
	"math/rand/v2"
	"testing"
	"time"
)

// script reads the steps of a fuzz test: a kind, a distance of sequence numbers, and the time until then.
type script []byte

type step struct {
	kind  byte
	jump  uint16
	after time.Duration
}

const maxSteps = 1500

func (s script) steps(yield func(step) bool) {
	for n := 0; len(s) >= 3 && n < maxSteps; s, n = s[3:], n+1 {
		st := step{kind: s[0] % 16, jump: 1, after: time.Duration(s[2]) * 100 * time.Microsecond}
		if s[2] >= 240 {
			st.after = time.Duration(s[2]-239) * time.Second
		}
		switch st.kind {
		case 0, 1, 2:
			st.jump = uint16(int8(s[1])) // a little ahead or behind
		case 3:
			st.jump = uint16(s[1]) << 8
		case 4:
			st.jump = uint16(s[1]) << 4
		}
		if !yield(st) {
			return
		}
	}
}

func addScripts(f *testing.F) {
	f.Helper()
	f.Add([]byte{5, 0, 10, 5, 0, 10, 0, 3, 10, 15, 40, 10, 0, 254, 10, 15, 40, 0})
	f.Add([]byte{5, 0, 10, 3, 100, 10, 5, 0, 10, 15, 3, 255, 4, 200, 240, 15, 3, 0, 4, 200, 3, 4, 200, 3, 0, 128, 250, 15, 255, 3})
	f.Add([]byte{5, 0, 0, 0, 200, 0, 5, 0, 1, 15, 255, 0, 5, 0, 255, 5, 0, 245, 15, 3, 3, 0, 250, 1, 0, 5, 1, 15, 99, 9})
	random := rand.New(rand.NewPCG(7, 8))
	for _, wild := range []int{1, 5, 40} { // jumps and pauses, in a thousand steps
		b := make([]byte, 0, 3*maxSteps)
		for range maxSteps {
			st := []byte{byte(5 + random.IntN(11)), 1, byte(random.IntN(30))}
			if random.IntN(4) == 0 {
				st[0], st[1] = 0, byte(random.IntN(10)-4)
			}
			if random.IntN(1000) < wild {
				st = []byte{byte(random.IntN(5)), byte(random.Int()), byte(random.Int())}
			}
			b = append(b, st...)
		}
		f.Add(b)
	}
}

// arrivals are what a Feedback has taken of one numbering, by extended numbers.
type arrivals struct {
	at   map[uint64]time.Duration
	told map[uint64]bool
	end  uint64
	low  uint64 // lowest of all
}

// FuzzFeedback holds every message against what arrived: it goes on where the last ended or back to the lowest packet
// not told; it calls received what arrived, when it arrived; it calls lost what did not; and nothing is left out.
func FuzzFeedback(f *testing.F) {
	addScripts(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var fb Feedback
		var model arrivals
		var seq uint16
		var now time.Duration
		for st := range script(data).steps {
			now += st.after
			if st.kind < 12 {
				seq += st.jump
				model.packet(t, &fb, seq, now)
				continue
			}
			model.append(t, &fb, minMessage+4*int(st.jump)+int(now%64))
		}
		for fb.Waiting() > 0 {
			model.append(t, &fb, 1200)
		}
		for ext := range model.at {
			if !model.told[ext] {
				t.Fatalf("%d was never told", ext)
			}
		}
	})
}

func (m *arrivals) packet(t *testing.T, fb *Feedback, seq uint16, now time.Duration) {
	t.Helper()
	high, waiting := fb.numbers.high, fb.Waiting()
	fb.Packet(seq, now)
	if fb.numbers.high > high+maxAhead {
		*m = arrivals{at: map[uint64]time.Duration{}, told: map[uint64]bool{}, end: fb.numbers.high, low: fb.numbers.high}
		waiting = 0
	}
	ext := fb.numbers.high - uint64(uint16(fb.numbers.high)-seq)
	_, known := m.at[ext]
	switch {
	case fb.Waiting() == waiting+1 && !known:
		m.at[ext] = now
		m.low = min(m.low, ext)
	case fb.Waiting() != waiting:
		t.Fatalf("%d: %d waited, now %d", seq, waiting, fb.Waiting())
	case !known && fb.numbers.high-ext < 50 && ext > m.low && !m.old(ext, now):
		t.Fatalf("%d was ignored", seq)
	}
}

// old says whether a packet above ext has been there for so long that ext is too late.
func (m *arrivals) old(ext uint64, now time.Duration) bool {
	for other, at := range m.at {
		if other > ext && now-at > 490*time.Millisecond {
			return true
		}
	}
	return false
}

func (m *arrivals) append(t *testing.T, fb *Feedback, limit int) {
	t.Helper()
	waiting := fb.Waiting()
	msg := told(t, fb, limit)
	if msg == nil {
		if waiting != 0 {
			t.Fatalf("told nothing while %d wait", waiting)
		}
		return
	}
	base := m.end
	for ext := range m.at {
		if !m.told[ext] {
			base = min(base, ext)
		}
	}
	if msg.base != uint16(base) {
		t.Fatalf("it begins at %d, want %d", msg.base, uint16(base))
	}
	if len(msg.statuses) == 0 || !msg.statuses[len(msg.statuses)-1].received {
		t.Fatalf("it ends with what may still come: %+v", msg)
	}
	for i, s := range msg.statuses {
		ext := base + uint64(i)
		at, arrived := m.at[ext]
		if arrived != s.received {
			t.Fatalf("%d: told %v, is %v", uint16(ext), s.received, arrived)
		}
		if !arrived {
			continue
		}
		if off := (at - s.at) % (1 << 24 * 64 * ms); off < 0 || off >= tick {
			t.Fatalf("%d came at %v, told %v", uint16(ext), at, s.at)
		}
		if !m.told[ext] {
			waiting--
		}
		m.told[ext] = true
	}
	if waiting != fb.Waiting() {
		t.Fatalf("%d should wait, %d do", waiting, fb.Waiting())
	}
	m.end = max(m.end, base+uint64(len(msg.statuses)))
}

// requests are what a Stream has taken of one numbering, and was heard to ask for.
type requests struct {
	have  map[uint64]bool // true if it came in the stream itself
	asked map[uint64][]time.Duration
	base  uint64
}

// FuzzStream holds every request and report against what arrived.
func FuzzStream(f *testing.F) {
	addScripts(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		s := NewStream(7, 90000, true)
		var model requests
		var seq uint16
		var now time.Duration
		for st := range script(data).steps {
			now += st.after
			switch {
			case st.kind < 12:
				seq += st.jump
				model.packet(s, seq, now)
				model.check(t, s, now)
			case st.kind == 12:
				s.SenderReport(uint64(now), now)
				model.repaired(s, seq-st.jump)
			case st.kind == 13:
				model.report(t, s, now)
			default:
				model.check(t, s, now)
			}
			if cap(s.holes.list) != maxHoles {
				t.Fatalf("room for %d holes", cap(s.holes.list))
			}
		}
	})
}

func (m *requests) packet(s *Stream, seq uint16, now time.Duration) {
	high, received := s.numbers.high, s.counts.received
	s.Packet(seq, uint32(seq)*3000, now)
	if s.numbers.high > high+maxDropout {
		*m = requests{have: map[uint64]bool{}, asked: map[uint64][]time.Duration{}, base: s.numbers.high}
		received = 0
	}
	if s.counts.received > received {
		ext := s.numbers.high - uint64(uint16(s.numbers.high)-seq)
		m.have[ext] = true
		m.base = min(m.base, ext)
	}
}

func (m *requests) repaired(s *Stream, seq uint16) {
	s.Repaired(seq, 0)
	ext := s.numbers.high - uint64(uint16(s.numbers.high)-seq)
	if _, there := m.have[ext]; !there && m.have != nil && s.numbers.high-ext < window {
		m.have[ext] = false
	}
}

// check lets the stream ask until it has no more to ask for.
func (m *requests) check(t *testing.T, s *Stream, now time.Duration) {
	t.Helper()
	for range maxHoles/maxAskedOnce + 1 {
		seqs := asked(t, s, now)
		for i, seq := range seqs {
			ext := s.numbers.high - uint64(uint16(s.numbers.high)-seq)
			if _, there := m.have[ext]; there || ext < m.base || s.numbers.high-ext >= window || i > 0 && seq-seqs[i-1] > 1<<15 {
				t.Fatalf("asked for %d of %d; the newest is %d", seq, seqs, uint16(s.numbers.high))
			}
			before := m.asked[ext]
			if n := len(before); n > 5 || n > 0 && now < before[n-1]+firstRepeat {
				t.Fatalf("asked for %d at %v, and at %v before", seq, now, before)
			}
			m.asked[ext] = append(before, now)
		}
		if seqs == nil {
			return
		}
	}
	t.Fatal("it never ends asking")
}

func (m *requests) report(t *testing.T, s *Stream, now time.Duration) {
	t.Helper()
	rs := reports(t, now, s)
	if m.have == nil {
		if len(rs) != 0 {
			t.Fatal("a report about nothing")
		}
		return
	}
	lost := s.numbers.high - m.base + 1
	for _, own := range m.have {
		if own {
			lost--
		}
	}
	if rs[0].TotalLost != uint32(min(lost, 1<<23-1)) || uint16(rs[0].LastSequenceNumber) != uint16(s.numbers.high) {
		t.Fatalf("%+v, %d were lost", rs[0], lost)
	}
}
