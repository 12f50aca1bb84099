package peer

import (
	"slices"
	"testing"
	"time"
)

func TestSequenceNumbers(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		seqs []uint16
		lost []uint16 // asked for after the last
	}{
		{"in order", []uint16{10, 11, 12}, nil},
		{"a gap", []uint16{10, 13}, []uint16{11, 12}},
		{"a gap that closes", []uint16{10, 13, 11}, []uint16{12}},
		{"around", []uint16{65534, 1}, []uint16{65535, 0}},
		{"late before the first", []uint16{10, 9, 11}, nil},
		{"a jump is no gap", []uint16{10, 5000}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var s stream
			for _, seq := range c.seqs {
				n := s.unwrap(seq)
				if !s.got.set(n) {
					t.Errorf("%d is taken for a duplicate", seq)
				}
				s.follow(n, false)
				if uint16(n) != seq {
					t.Errorf("%d unwraps to %d", seq, n)
				}
			}
			if got := s.nacks(time.Unix(100, 0)); !slices.Equal(got, c.lost) {
				t.Errorf("asks for %v, want %v", got, c.lost)
			}
			if got := s.nacks(time.Unix(100, 0)); got != nil {
				t.Errorf("asks again at once for %v", got)
			}
			if got, want := s.got.missing(s.window[0], s.highest), int64(len(c.lost)); got != want && c.name != "a jump is no gap" {
				t.Errorf("%d are missing, want %d", got, want)
			}
		})
	}
}

func TestGivingUp(t *testing.T) {
	t.Parallel()
	var s stream
	for _, seq := range []uint16{1, 3} {
		s.follow(s.unwrap(seq), false)
	}
	now := time.Unix(100, 0)
	for range nackTries {
		if got := s.nacks(now); len(got) != 1 {
			t.Fatalf("asks for %v", got)
		}
		now = now.Add(nackInterval)
	}
	if got := s.nacks(now); got != nil {
		t.Errorf("asks for %v once more", got)
	}
}

func TestReception(t *testing.T) {
	t.Parallel()
	var s stream
	for _, seq := range []uint16{1, 2, 3, 5} { // one of five
		n := s.unwrap(seq)
		s.got.set(n)
		s.packets++
		s.follow(n, false)
	}
	r := s.reception(time.Unix(100, 0))
	if r.FractionLost != 256/5 || r.LastSequenceNumber != 5 {
		t.Errorf("%+v", r)
	}
	if r := s.reception(time.Unix(101, 0)); r.FractionLost != 0 {
		t.Errorf("nothing came, and %d/256 are lost", r.FractionLost)
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	var h, other Histogram
	for i := range int64(1000) {
		h.Add(i * 1000)
		other.Add(1 << 40)
	}
	for _, q := range []float64{0.01, 0.5, 0.99} {
		got, want := h.Quantile(q).Seconds(), q*1e-3
		if got < want*0.96 || got > want*1.01 {
			t.Errorf("the %g quantile is %g, want %g", q, got, want)
		}
	}
	h.Merge(&other)
	if h.Count() != 2000 || h.Most != 1<<40 || h.Quantile(0.99) < 1<<39 {
		t.Errorf("%d, %d, %v after a merge", h.Count(), h.Most, h.Quantile(0.99))
	}
	var none Histogram
	if none.Quantile(0.5) != 0 {
		t.Errorf("%v of nothing", none.Quantile(0.5))
	}
	none.Add(1<<63 - 1)
	none.Add(-1)
	if none.Count() != 2 {
		t.Error("extremes are not counted")
	}
}

func TestStamp(t *testing.T) {
	t.Parallel()
	want := Stamp{Source: 7<<8 | 3, Number: 1 << 40, Sent: time.Now().UnixNano()}
	payload := make([]byte, 100)
	want.put(payload)
	if got, ok := stampOf(payload); !ok || got != want {
		t.Errorf("%+v, %v", got, ok)
	}
	if _, ok := stampOf(payload[:90]); ok {
		t.Error("a cut payload has a stamp")
	}
	if _, ok := stampOf(payload[:10]); ok {
		t.Error("a short payload has a stamp")
	}
}

func TestFragments(t *testing.T) {
	t.Parallel()
	room := make([]byte, payloadBytes)
	for _, size := range []int{1, 600, payloadBytes, payloadBytes + 1, 30_000} {
		var ends, starts, packets int
		fragments(size, true, room, func(payload []byte, last bool) {
			packets++
			if len(payload) > payloadBytes || payload[0]&0x1f != nalFUA || payload[1]&0x1f != nalIDR {
				t.Fatalf("%d: a payload of %d bytes begins with % x", size, len(payload), payload[:2])
			}
			if payload[1]&0x80 != 0 {
				starts++
			}
			if payload[1]&0x40 != 0 != last {
				t.Errorf("%d: last is %v", size, last)
			}
			if last {
				ends++
			}
		})
		if want := (size + payloadBytes - 1) / payloadBytes; starts != 1 || ends != 1 || packets != want {
			t.Errorf("%d: %d packets, want %d; %d starts, %d ends", size, packets, want, starts, ends)
		}
	}
	if !beginsKeyframe(parameterSets()) {
		t.Error("the parameter sets do not begin a keyframe")
	}
}
