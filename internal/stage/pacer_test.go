package stage

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

func TestPacer(t *testing.T) {
	t.Parallel()
	var p pacer
	now := time.Second
	p.fill(now, 125_000) // a megabit
	if !p.free() || p.credit != paceBurst {
		t.Fatalf("%d bytes at once", p.credit)
	}
	p.credit -= paceBurst + 1000
	if p.free() {
		t.Error("more than at once")
	}
	if p.fill(now+7*time.Millisecond, 125_000); p.free() {
		t.Error("875 bytes of credit are not the 1,000 that are owed")
	}
	if p.fill(now+9*time.Millisecond, 125_000); !p.free() {
		t.Error("1,125 are")
	}
	if p.fill(now+time.Hour, 125_000); p.credit != paceBurst {
		t.Errorf("%d bytes after an hour", p.credit)
	}
	if p.fill(now, 125_000); p.credit != paceBurst {
		t.Error("a clock that goes back")
	}
	for i := range paceQueue {
		if !p.hold(held{seq: uint64(i), size: 1200}) {
			t.Fatalf("no room for packet %d", i)
		}
	}
	if p.hold(held{}) {
		t.Error("room without bound")
	}
	p.credit = 0
	if p.fill(now+10*time.Millisecond, 1); p.credit < paceQueue*1200/26 {
		t.Errorf("%d bytes in 10 ms: what is held would take longer than a quarter of a second", p.credit)
	}
	for i := range paceQueue {
		if h, ok := p.next(); !ok || h.seq != uint64(i) {
			t.Fatalf("%d: %+v", i, h)
		}
	}
	if _, ok := p.next(); ok || p.bytes != 0 {
		t.Errorf("%d bytes are left", p.bytes)
	}
}

// paced runs a keyframe of 100 packets and a second of frames through a writer to one slow subscriber.
type paced struct {
	*bench
	times []time.Duration // when each packet left
	seqs  []uint16
}

// Send implements Sink.
func (p *paced) Send(_ Kind, _ Departure, pkt []byte) error {
	p.times = append(p.times, p.now)
	p.seqs = append(p.seqs, binary.BigEndian.Uint16(pkt[2:]))
	return nil
}
func (p *paced) Connected() <-chan struct{}             { return nil }
func (p *paced) Ended() <-chan struct{}                 { return nil }
func (p *paced) Stream(Kind) (forward.Stream, bool)     { return forward.Stream{}, false }
func (p *paced) Report(Kind, Departure, forward.Report) {}
func (p *paced) Close()                                 {}
func (p *paced) outlet(tb testing.TB, rate int) *outlet {
	tb.Helper()
	o := newOutlet(Video, p)
	o.video = forward.NewVideo(forward.Stream{Codec: forward.H264, ClockRate: 90000, SSRC: 1, PayloadType: 96, RTXSSRC: 2, RTXPayloadType: 97})
	o.rate.Store(int64(rate))
	o.writer.Store(p.writer)
	p.writer.admit(o)
	return o
}

// frame sends a frame of n packets and lets 33 ms pass in steps of 5.
func (p *paced) frame(tb testing.TB, key bool, n int) {
	tb.Helper()
	for _, pkt := range rtctest.Frame(webrtc.MimeTypeH264, key, 0, n, p.bench.frame, p.bench.frame*3000) {
		pkt.SequenceNumber = p.seq
		p.seq++
		raw, err := pkt.Marshal()
		if err != nil {
			tb.Fatal(err)
		}
		var it item
		forward.Parse(raw, forward.H264, &p.layer.Extensions, &it.packet)
		it.packet.Seq, _ = p.layer.ring.Put(raw, p.now, noteOf(&it.packet))
		it.packet.Arrived = p.now
		p.writer.inbox.put(&it)
	}
	p.bench.frame++
	p.writer.turn()
	for range 7 {
		p.now += paceStep
		if p.writer.armed {
			p.writer.armed = false
			p.writer.pump()
		}
	}
}

func newPaced(tb testing.TB) *paced {
	tb.Helper()
	p := &paced{bench: newBench(tb, 0, false)}
	p.now = time.Second
	return p
}

// TestKeyframeIsPaced: a keyframe to a slow link leaves over time, in order, whole, and soon enough.
func TestKeyframeIsPaced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rate   int // bits a second
		atOnce int // packets
		within time.Duration
	}{
		"slow link": {1_000_000, 45, 300 * time.Millisecond},
		"fast link": {100_000_000, 45, 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPaced(t)
			p.outlet(t, c.rate/8)
			begin := p.now
			p.frame(t, true, 100)
			for range 20 {
				p.frame(t, false, 2)
			}
			if len(p.seqs) != 101+40 { // with the parameter sets
				t.Fatalf("%d packets", len(p.seqs))
			}
			for i, seq := range p.seqs {
				if seq != p.seqs[0]+uint16(i) {
					t.Fatalf("number %d has become %d", i, seq-p.seqs[0])
				}
			}
			first := 0
			for first < len(p.times) && p.times[first] == begin {
				first++
			}
			if first > c.atOnce {
				t.Errorf("%d packets at once", first)
			}
			if took := p.times[100] - begin; took > c.within {
				t.Errorf("the keyframe took %v", took)
			}
			for i := 1; i < len(p.times); i++ { // no burst later on, either
				if i+60 < len(p.times) && p.times[i+60] == p.times[i] {
					t.Errorf("60 packets at %v", p.times[i])
				}
			}
		})
	}
}

// TestReplayIsPaced: so does the start of a subscriber from a cached keyframe.
func TestReplayIsPaced(t *testing.T) {
	t.Parallel()
	p := newPaced(t)
	p.outlet(t, 100_000_000/8)
	p.frame(t, true, 80)
	p.times, p.seqs = nil, nil
	late := &paced{bench: p.bench}
	begin := p.now
	late.outlet(t, 1_000_000/8)
	for range 20 {
		p.frame(t, false, 2)
	}
	if len(late.seqs) != 81+40 || late.times[45] == begin || late.times[80]-begin > 300*time.Millisecond {
		t.Fatalf("%d packets, the keyframe at %v", len(late.seqs), late.times)
	}
	for i, seq := range late.seqs {
		if seq != late.seqs[0]+uint16(i) {
			t.Fatalf("number %d has become %d", i, seq-late.seqs[0])
		}
	}
}

// TestHeldWithoutBound: what does not fit leaves at once, in order.
func TestHeldWithoutBound(t *testing.T) {
	t.Parallel()
	p := newPaced(t)
	p.outlet(t, 1)
	for n := range 12 {
		p.frame(t, n == 0, 45)
	}
	for range 20 {
		p.frame(t, false, 1)
	}
	if len(p.seqs) != 12*45+1+20 {
		t.Errorf("%d packets", len(p.seqs))
	}
	for i, seq := range p.seqs {
		if seq != p.seqs[0]+uint16(i) {
			t.Fatalf("number %d has become %d", i, seq-p.seqs[0])
		}
	}
}

// TestGreedyNacks: a subscriber that asks for everything again, all the time, gets no more than its link is taken to
// carry.
func TestGreedyNacks(t *testing.T) {
	t.Parallel()
	p := newPaced(t)
	o := p.outlet(t, 1_000_000/8)
	p.frame(t, true, 40)
	for range 30 {
		p.frame(t, false, 3)
	}
	before := len(p.seqs)
	all := make([]uint16, resendsAtOnce)
	for i := range all {
		all[i] = p.seqs[before-1] - uint16(i)
	}
	for range 200 { // a second
		p.writer.resend(o, all)
		p.now += 5 * time.Millisecond
	}
	if sent := (len(p.seqs) - before) * 900 * 8; sent > 2_000_000 || sent == 0 {
		t.Errorf("%d bits in a second", sent)
	}
}

// TestDismissedOutlet: what was asked for before an outlet was taken away is not sent after it.
func TestDismissedOutlet(t *testing.T) {
	t.Parallel()
	p := newPaced(t)
	o := p.outlet(t, 1_000_000/8)
	p.frame(t, true, 10)
	p.writer.dismiss(o)
	n := len(p.seqs)
	p.writer.resend(o, p.seqs)
	p.writer.pad(o, 5000)
	p.writer.pump()
	if len(p.seqs) != n {
		t.Errorf("%d packets", len(p.seqs)-n)
	}
}

// TestPauseOfBusyWriter: a pause is not lost when the writer has too much to do.
func TestPauseOfBusyWriter(t *testing.T) {
	t.Parallel()
	env := testEnvironment()
	pub := newPublication(env, newFakeSource(), [kinds]*Format{Audio: {}}, nil, nil)
	w := newWriter(pub.tracks[Audio])
	s := newSubscription(1, "alice", pub, &nullSink{}, [kinds]bool{Audio: true}, nil)
	o := s.outlets[Audio]
	o.audio = forward.NewAudio(forward.Stream{Codec: forward.Opus, ClockRate: 48000, SSRC: 1})
	o.writer.Store(w)
	w.admit(o)
	for range writerControl {
		w.post(func() {})
	}
	s.pause(Audio, true)
	for len(w.control) > 0 {
		(<-w.control)()
	}
	select {
	case <-w.wake:
		w.settle()
	default:
	}
	if !o.applied.paused || w.wants.Load() != 0 {
		t.Error("the pause was lost")
	}
}
