package bwe

import (
	"fmt"
	"testing"
	"time"
)

func web() [MaxLayers]int { return [MaxLayers]int{200_000, 700_000, 1_700_000} }

func wide(time.Duration) int { return 12_000_000 }

// narrowing is 3 Mbit/s, 1 Mbit/s from 20 to 40 s, and 3 Mbit/s again.
func narrowing(now time.Duration) int {
	if now >= 20*time.Second && now < 40*time.Second {
		return 1_000_000
	}
	return 3_000_000
}

// TestThreeOneThree is one viewer of 11 publishers of three layers on a link that becomes narrow for a while.
func TestThreeOneThree(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed, 11, web(), narrowing)
			w.run(19 * time.Second)
			w.wantLayers("wide", 1, 8, 11)
			w.run(39 * time.Second)
			w.wantLayers("narrow", 1, 1, 3)
			w.run(60 * time.Second)
			w.wantLayers("wide again", 1, 8, 11)
			w.run(90 * time.Second)

			w.wantNoAudioLost(0, 20*time.Second)
			w.wantNoAudioLost(21*time.Second, 90*time.Second)
			w.wantAudioDelay(2*time.Second, 20*time.Second, 250*time.Millisecond)
			w.wantAudioDelay(23*time.Second, 90*time.Second, 250*time.Millisecond)

			w.wantChanges("start", 0, 5*time.Second, 20)
			w.wantChanges("settled", 5*time.Second, 20*time.Second, 4)
			w.wantChanges("becoming narrow", 20*time.Second, 25*time.Second, 14)
			w.wantChanges("settled, narrow", 25*time.Second, 40*time.Second, 4)
			w.wantChanges("becoming wide", 40*time.Second, 60*time.Second, 16)
			w.wantChanges("settled again", 60*time.Second, 90*time.Second, 6)
		})
	}
}

func TestFewerPublishersOnTheSameLink(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		for _, publishers := range []int{1, 4} {
			t.Run(fmt.Sprint(publishers, "/", seed), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, seed, publishers, web(), narrowing)
				w.run(90 * time.Second)
				w.wantNoAudioLost(0, 20*time.Second)
				w.wantNoAudioLost(21*time.Second, 90*time.Second)
				w.wantChanges("settled", 6*time.Second, 20*time.Second, 6)
				w.wantChanges("settled, narrow", 26*time.Second, 40*time.Second, 6)
				w.wantChanges("settled again", 60*time.Second, 90*time.Second, 6)
				if above := w.layers(); above[2]+above[3] == 0 {
					t.Errorf("nobody rose above the lowest layer: %v", above)
				}
			})
		}
	}
}

func TestAWideLinkBringsEveryoneToTheTop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, 4, web(), wide)
	w.run(15 * time.Second)
	w.wantLayers("wide", 3, 4, 4)
	w.wantChanges("settled", 15*time.Second, 15*time.Second, 0)
	sent := w.probesSent
	w.run(60 * time.Second)
	if w.probesSent != sent {
		t.Errorf("%d probes with nothing left to upgrade", w.probesSent-sent)
	}
}

func TestJitterIsNoCongestion(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		w := newWorld(t, seed, 4, web(), wide)
		w.link.jitter = 200 * time.Millisecond
		w.run(60 * time.Second)
		w.wantNoAudioLost(0, 60*time.Second)
		w.wantChanges("settled", 30*time.Second, 60*time.Second, 4)
		if l := w.layers(); l[0] > 0 || l[3] < 2 {
			t.Errorf("seed %d: layers %v, estimate %d", seed, l, w.state.Estimate)
		}
	}
}

func TestRandomLossIsNoCongestion(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		w := newWorld(t, seed, 4, web(), wide)
		w.link.loss = 0.05
		w.run(60 * time.Second)
		w.wantChanges("settled", 30*time.Second, 60*time.Second, 4)
		if l := w.layers(); l[0] > 0 || l[3] < 2 {
			t.Errorf("seed %d: layers %v, estimate %d", seed, l, w.state.Estimate)
		}
	}
}

// TestAPolicerDropsInsteadOfQueueing has a link without a queue worth the name.
func TestAPolicerDropsInsteadOfQueueing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, 11, web(), narrowing)
	w.link.limit = 6_000
	w.run(60 * time.Second)
	n, of := w.lost(23*time.Second, 40*time.Second)
	if float64(n) > 0.02*float64(of) {
		t.Errorf("%d of %d audio packets lost on the narrow link", n, of)
	}
}

func (w *world) wantLayers(when string, layer, atLeast, atMost int) {
	w.t.Helper()
	if l := w.layers(); l[layer] < atLeast || l[layer] > atMost {
		w.t.Errorf("%s: none, low, mid, high are %v; want %d to %d at %d", when, l, atLeast, atMost, layer-1)
	}
}

func (w *world) wantNoAudioLost(from, to time.Duration) {
	w.t.Helper()
	if n, of := w.lost(from, to); n > 0 || of == 0 {
		w.t.Errorf("%d of %d audio packets lost from %v to %v", n, of, from, to)
	}
}

func (w *world) wantAudioDelay(from, to, most time.Duration) {
	w.t.Helper()
	if d := w.worstDelay(from, to); d > most {
		w.t.Errorf("an audio packet took %v from %v to %v", d, from, to)
	}
}

func (w *world) wantChanges(when string, from, to time.Duration, most int) {
	w.t.Helper()
	if n := w.changes(from, to); n > most {
		w.t.Errorf("%s: %d layer changes, want at most %d", when, n, most)
	}
}

// TestADelayThatStaysIsNoCongestion has a path that takes longer from some time on, however little is sent.
func TestADelayThatStaysIsNoCongestion(t *testing.T) {
	t.Parallel()
	for _, publishers := range []int{1, 4} {
		for seed := range uint64(4) {
			w := newWorld(t, seed, publishers, web(), wide)
			w.run(15 * time.Second)
			w.link.detour = 200 * time.Millisecond
			w.run(27 * time.Second)
			if l := w.layers(); l[0] > 0 || l[2]+l[3] < publishers {
				t.Errorf("%d publishers, seed %d: layers %v, %+v", publishers, seed, l, w.state)
			}
			w.run(50 * time.Second)
			if l := w.layers(); l[3] < publishers-1 {
				t.Errorf("%d publishers, seed %d: at the end layers %v, %+v", publishers, seed, l, w.state)
			}
		}
	}
}

// TestJitterInOrderIsNoCongestion has packets wait for those before them, as in a radio link that sends in batches.
func TestJitterInOrderIsNoCongestion(t *testing.T) {
	t.Parallel()
	single := [MaxLayers]int{875_000}
	for seed := range uint64(4) {
		w := newWorld(t, seed, 1, single, wide)
		w.run(time.Second)
		w.link.jitter, w.link.ordered = 200*time.Millisecond, true
		var off int
		for w.now < 30*time.Second {
			w.run(w.now + 100*time.Millisecond)
			off += w.layers()[0]
		}
		if off > 40 {
			t.Errorf("seed %d: no video for %d00 ms, %+v", seed, off, w.state)
		}
	}
}

// TestTheOnlyLayerComesBack has a link that is too narrow for the only layer for a while.
func TestTheOnlyLayerComesBack(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		w := newWorld(t, seed, 1, [MaxLayers]int{875_000}, func(now time.Duration) int {
			if now >= 5*time.Second && now < 13*time.Second {
				return 300_000
			}
			return 12_000_000
		})
		w.link.limit = 20_000
		w.run(12 * time.Second)
		if l := w.layers(); l[0] != 1 {
			t.Errorf("seed %d: 875 kbit/s are sent on 300", seed)
		}
		w.run(30 * time.Second)
		w.wantNoAudioLost(6*time.Second, 30*time.Second)
		if l := w.layers(); l[1] != 1 {
			t.Errorf("seed %d: no video 17 s after the link became wide, %+v", seed, w.state)
		}
	}
}
