package forward

import (
	"slices"
	"testing"
	"time"
)

const tick = 33 * time.Millisecond

// run feeds four layers through one subscriber, a frame of each a tick.
type run struct {
	subscriber
	layers [MaxLayers]*encoder
	now    time.Duration
}

func newRun(t *testing.T) *run {
	t.Helper()
	r := &run{layers: encoders(), now: time.Second}
	r.video = NewVideo(testStream(VP8))
	return r
}

// tick sends one frame of each layer; keys lists the layers that make a keyframe.
func (r *run) tick(t *testing.T, keys ...int) {
	t.Helper()
	r.now += tick
	for i, e := range r.layers {
		r.feed(t, e.frame(t, r.now, 1+2*i, slices.Contains(keys, i))...)
	}
}

func (r *run) reports() {
	for i, e := range r.layers {
		r.video.SourceReport(i, e.report(r.now-time.Duration(i)*100*time.Millisecond))
	}
}

func TestStartsLowOnAKeyframe(t *testing.T) {
	t.Parallel()
	r := newRun(t)
	r.tick(t)
	r.tick(t, 1, 2)
	if len(r.got) != 0 || r.video.Current() != None {
		t.Fatalf("sent %d packets without a keyframe of the lowest layer", len(r.got))
	}
	if layer, ok := r.video.WantsKeyframe(); !ok || layer != 0 {
		t.Fatalf("wants a keyframe of %d, %v", layer, ok)
	}
	r.tick(t, 0)
	r.tick(t)
	if len(r.got) != 2 || r.video.Current() != 0 {
		t.Fatalf("sent %d packets of layer %d", len(r.got), r.video.Current())
	}
	if _, ok := r.video.WantsKeyframe(); ok {
		t.Fatal("still wants a keyframe")
	}
	continuous(t, r.got)
}

func TestSwitchesOnKeyframesWithoutAFreeze(t *testing.T) {
	t.Parallel()
	for _, withReports := range []bool{true, false} {
		r := newRun(t)
		r.tick(t, 0, 1, 2)
		if withReports {
			r.reports()
		}
		for _, to := range []int{2, 0, 1, 2, 1, 0} {
			r.video.Select(to)
			from := r.video.Current()
			before := len(r.got)
			for range 5 {
				r.tick(t, from) // keyframes of others do not matter
			}
			if want := 5 * (1 + 2*from); len(r.got)-before != want || r.video.Current() != from {
				t.Fatalf("%d -> %d: %d packets before the keyframe, want %d; layer %d", from, to, len(r.got)-before, want, r.video.Current())
			}
			if layer, ok := r.video.WantsKeyframe(); !ok || layer != to {
				t.Fatalf("%d -> %d: wants a keyframe of %d, %v", from, to, layer, ok)
			}
			r.tick(t, to)
			if r.video.Current() != to {
				t.Fatalf("%d -> %d: no switch", from, to)
			}
			r.tick(t)
		}
		// The publisher's frames of one tick are one picture. The one of a switch may be sent in both layers.
		frames := r.got[:0:0]
		for _, p := range r.got {
			if n := len(frames); n == 0 || frames[n-1].header.Timestamp != p.header.Timestamp {
				frames = append(frames, p)
			}
		}
		continuous(t, r.got)
		for i := 1; i < len(frames); i++ {
			if d := frames[i].header.Timestamp - frames[i-1].header.Timestamp; d > ticks(tick, rate)+2 {
				t.Fatalf("reports %v, frame %d: %d ticks after the one before", withReports, i, d)
			}
		}
	}
}

func TestTimestampsFollowSenderReports(t *testing.T) {
	t.Parallel()
	r := newRun(t)
	r.tick(t, 0)
	r.reports()
	start := r.got[0].header.Timestamp
	captured := r.now
	for _, to := range []int{2, 1, 0, 1} {
		r.video.Select(to)
		r.now += 70 * time.Millisecond
		late := r.layers[to].frame(t, r.now, 1, true)
		late[0].packet.Arrived += 400 * time.Millisecond // a slow network must not shift the picture
		r.feed(t, late...)
		got := r.got[len(r.got)-1].header.Timestamp - start
		if want := ticks(r.now-captured, rate); got-want+2 > 4 {
			t.Fatalf("layer %d: %d ticks after the start, captured %d after", to, got, want)
		}
	}
}

func TestContradictingReportsAreNotFollowed(t *testing.T) {
	t.Parallel()
	r := newRun(t)
	r.tick(t, 0)
	r.reports()
	bad := r.layers[1].report(r.now)
	bad.RTP += 100 * rate
	r.video.SourceReport(1, bad)
	r.video.Select(1)
	before := r.got[len(r.got)-1].header.Timestamp
	r.tick(t, 1)
	r.tick(t)
	if d := r.got[len(r.got)-1].header.Timestamp - before; d > 3*ticks(tick, rate) {
		t.Fatalf("%d ticks after two frames", d)
	}
	continuous(t, r.got)
}

func TestPauseResumePin(t *testing.T) {
	t.Parallel()
	r := newRun(t)
	r.tick(t, 0)
	steps := []struct {
		name    string
		do      func()
		target  int
		keys    []int
		current int
	}{
		{"pause", func() { r.video.Pause(true) }, None, []int{0, 1, 2}, None},
		{"resume waits", func() { r.video.Pause(false) }, 0, nil, None},
		{"keyframe", func() {}, 0, []int{0}, 0},
		{"pin", func() { r.video.Select(2); r.video.Pin(1) }, 1, []int{2}, 0},
		{"pinned", func() {}, 1, []int{1}, 1},
		{"select above a pin", func() { r.video.Select(2) }, 1, []int{2}, 1},
		{"less bandwidth than pinned", func() { r.video.Select(0) }, 0, []int{0}, 0},
		{"no bandwidth", func() { r.video.Select(None) }, None, []int{0, 1, 2}, None},
		{"a lower layer is better than none", func() { r.video.Pin(2); r.video.Select(2) }, 2, []int{1}, 1},
		{"unpin", func() { r.video.Pin(None); r.video.Select(1) }, 1, nil, 1},
		{"cut", func() { r.video.Cut() }, 1, nil, None},
		{"after the cut", func() {}, 1, []int{1}, 1},
		{"out of range", func() { r.video.Select(9) }, MaxLayers - 1, nil, 1},
	}
	for _, s := range steps {
		s.do()
		r.tick(t, s.keys...)
		if r.video.Target() != s.target || r.video.Current() != s.current {
			t.Fatalf("%s: layer %d of %d, want %d of %d", s.name, r.video.Current(), r.video.Target(), s.current, s.target)
		}
	}
	continuous(t, r.got)
}

func TestLossesStayHolesAndAreFilled(t *testing.T) {
	t.Parallel()
	e := encoders()[0]
	s := subscriber{video: NewVideo(testStream(VP8))}
	units := e.frame(t, 0, 40, true)
	s.feed(t, units[:10]...)
	s.feed(t, units[12:20]...) // 10, 11 are lost for now
	s.feed(t, units[11])
	first := s.got[0].header.SequenceNumber
	for _, p := range s.got {
		if p.header.SequenceNumber-first != uint16(p.source.Seq-units[0].packet.Seq) {
			t.Fatalf("source %d became %d", p.source.Seq, p.header.SequenceNumber)
		}
	}
	if v := s.feed(t, units[11]); v != Repeated {
		t.Fatalf("the same packet again: %v", v)
	}
	if v := s.feed(t, units[15]); v != Repeated {
		t.Fatalf("an old packet again: %v", v)
	}
	s.video.Pause(true)
	if v := s.feed(t, units[20]); v != Paused {
		t.Fatalf("paused: %v", v)
	}
	s.video.Pause(false)
	if v := s.feed(t, units[21]); v != NoKeyframe {
		t.Fatalf("resumed: %v", v)
	}
}

func TestHolesAreFilledAfterASwitch(t *testing.T) {
	t.Parallel()
	r := newRun(t)
	r.tick(t, 0)
	lost := r.layers[0].frame(t, r.now, 3, false)
	r.feed(t, lost[0], lost[2])
	r.video.Select(1)
	r.tick(t, 1)
	if v := r.feed(t, lost[1]); v != Send {
		t.Fatalf("late packet of the layer before: %v", v)
	}
	late := r.got[len(r.got)-1]
	if i := slices.IndexFunc(r.got, func(p sentPacket) bool { return p.header.SequenceNumber == late.header.SequenceNumber }); i != len(r.got)-1 {
		t.Fatal("its number was taken")
	}
	tail := r.layers[0].frame(t, r.now, 1, false)
	if v := r.feed(t, tail...); v != Inactive {
		t.Fatalf("new packet of the layer before: %v", v)
	}
}

func TestPaddingLeavesNoHole(t *testing.T) {
	t.Parallel()
	e := encoders()[0]
	s := subscriber{video: NewVideo(testStream(VP8))}
	s.feed(t, e.frame(t, 0, 2, true)...)
	for i := range 200 {
		if v := s.feed(t, e.empty(t, 0)); v != Empty {
			t.Fatalf("padding: %v", v)
		}
		s.feed(t, e.frame(t, time.Duration(i+1)*tick, 1, false)...)
	}
	continuous(t, s.got)
	if len(s.got) != 202 {
		t.Fatalf("%d packets", len(s.got))
	}
}

func TestPaddingBehindALossKeepsTheHole(t *testing.T) {
	t.Parallel()
	e := encoders()[0]
	s := subscriber{video: NewVideo(testStream(VP8))}
	s.feed(t, e.frame(t, 0, 1, true)...)
	lost := e.frame(t, tick, 1, false)
	s.feed(t, e.empty(t, tick))
	s.feed(t, e.frame(t, 2*tick, 1, false)...)
	s.feed(t, lost...)
	var numbers []uint16
	for _, p := range s.got {
		numbers = append(numbers, p.header.SequenceNumber-s.got[0].header.SequenceNumber)
	}
	if !slices.Equal(numbers, []uint16{0, 2, 1}) {
		t.Fatalf("numbers %v", numbers)
	}
}

func TestPublisherBeginsAnew(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(r *run){
		"same rings, far numbers": func(r *run) {
			for _, e := range r.layers {
				e.seq += 5 << 16
				e.ts0 += 777777
			}
		},
		"new rings": func(r *run) {
			r.video.Restart()
			for _, e := range r.layers {
				e.seq = 1<<16 + 1000
				e.ts0 += 777777
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t)
			r.tick(t, 0)
			r.reports()
			r.tick(t)
			before := len(r.got)
			again(r)
			r.tick(t)
			if len(r.got) != before {
				t.Fatal("went on without a keyframe")
			}
			r.tick(t, 0)
			r.tick(t)
			continuous(t, r.got)
			first, last := r.got[before-1].header.Timestamp, r.got[len(r.got)-1].header.Timestamp
			if d := last - first; d < ticks(3*tick, rate)-2 || d > ticks(3*tick, rate)+2 {
				t.Fatalf("%d ticks for three frames", d)
			}
		})
	}
}

func TestALargeHoleIsNotKept(t *testing.T) {
	t.Parallel()
	e := encoders()[0]
	s := subscriber{video: NewVideo(testStream(VP8))}
	s.feed(t, e.frame(t, 0, 1, true)...)
	e.seq += maxGap + 5
	s.feed(t, e.frame(t, tick, 1, false)...)
	if d := s.got[1].header.SequenceNumber - s.got[0].header.SequenceNumber; d != 2 {
		t.Fatalf("%d numbers on, want 2", d)
	}
}

func TestReports(t *testing.T) {
	t.Parallel()
	r := newRun(t)
	var clock SourceClock
	if _, ok := r.video.Report(r.now, &clock); ok {
		t.Fatal("a report before the first packet")
	}
	r.tick(t, 0)
	r.reports()
	if _, ok := r.video.Report(r.now, &clock); ok {
		t.Fatal("a report without the publisher's clock")
	}
	clock.Observe(r.layers[0].report(r.now))
	for _, to := range []int{0, 1, 2, 1} {
		r.video.Select(to)
		r.tick(t, to)
		last := r.got[len(r.got)-1].header.Timestamp
		rep, ok := r.video.Report(r.now+20*time.Millisecond, &clock) // the clock's offset includes 20 ms of travel
		if d := int32(rep.RTP - last); !ok || d < -2 || d > 2 {
			t.Fatalf("layer %d: report is %d ticks off, %v", to, d, ok)
		}
		if int(rep.Packets) != len(r.got) {
			t.Fatalf("layer %d: %d packets, sent %d", to, rep.Packets, len(r.got))
		}
	}
}

func TestSourceClock(t *testing.T) {
	t.Parallel()
	e := encoders()[0]
	var c SourceClock
	for i, delay := range []time.Duration{50, 90, 20, 60} {
		r := e.report(time.Duration(i) * time.Second)
		r.Arrived = time.Duration(i)*time.Second + delay*time.Millisecond
		c.Observe(r)
	}
	if d := c.offset + 1000*time.Second; d < 20*time.Millisecond || d > 22*time.Millisecond {
		t.Fatalf("offset %v above the true one, want the least delay", d)
	}
	r := e.report(10 * time.Second)
	r.Arrived = 20 * time.Second // the publisher's clock was set back
	c.Observe(r)
	if d := c.offset + 1000*time.Second; d != 10*time.Second {
		t.Fatalf("after a step: %v", d)
	}
}
