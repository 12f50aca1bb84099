package bwe

import (
	"testing"
	"time"
)

func TestExplore(t *testing.T) {
	for seed := range uint64(3) {
		for _, pubs := range []int{11, 4, 1} {
			w := newWorld(t, seed, pubs, [MaxLayers]int{200_000, 700_000, 1_700_000}, func(now time.Duration) int {
				if now >= 20*time.Second && now < 40*time.Second {
					return 1_000_000
				}
				return 3_000_000
			})
			t.Logf("seed %d, %d publishers", seed, pubs)
			for at := time.Second; at <= 80*time.Second; at += time.Second {
				w.run(at)
				l, n := w.lost(at-time.Second, at)
				if at < 6*time.Second || at > 19*time.Second && at < 30*time.Second || at%(5*time.Second) == 0 || l > 0 {
					t.Logf("%3v layers %v switches %d probes %d est %d tput %d loss %.2f queue %v congested %v; audio lost %d/%d worst %v", at, w.layers(), w.changes(at-time.Second, at), w.probesSent, w.state.Estimate/1000, w.state.Throughput/1000, w.state.Loss, w.state.Queue.Round(time.Millisecond), w.state.Congested, l, n, w.worstDelay(at-time.Second, at).Round(time.Millisecond))
				}
			}
		}
	}
}
