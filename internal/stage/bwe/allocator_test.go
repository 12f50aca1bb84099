package bwe

import (
	"slices"
	"testing"
	"time"
)

// audience is an allocator with a link that is as wide as told, and passes probes up to that width.
type audience struct {
	*Allocator
	now   time.Duration
	width int
	probe Probe
	state State
	asked []int
}

func newAudience(width int) *audience {
	return &audience{Allocator: NewAllocator(), width: width, state: State{Estimate: width, Acknowledged: 1}}
}

// step allocates once, and ends the probe that was asked for the time before.
func (a *audience) step(demands []Demand) []int {
	a.now += 500 * time.Millisecond
	if a.probe.Rate > 0 {
		a.state.Probe = ProbeResult{ID: a.probe.ID, Passed: a.probe.Rate <= a.width, Rate: min(a.probe.Rate, a.width)}
		if a.state.Probe.Passed {
			a.state.Estimate = max(a.state.Estimate, a.probe.Rate)
		}
	}
	plan := a.Allocate(a.now, a.state, demands)
	if a.probe = plan.Probe; a.probe.Rate > 0 {
		a.asked = append(a.asked, a.probe.Rate)
	}
	var layers []int
	for _, c := range plan.Choices {
		layers = append(layers, c.Layer)
	}
	return layers
}

func (a *audience) steps(n int, demands []Demand) (layers []int) {
	for range n {
		layers = a.step(demands)
	}
	return layers
}

func video3(id uint64) Demand { return Demand{ID: id, Rates: [MaxLayers]int{200, 700, 1700}, Limit: 2} }

func with(d Demand, edit func(*Demand)) Demand {
	edit(&d)
	return d
}

func TestAllocate(t *testing.T) {
	t.Parallel()
	audio := Demand{ID: 100, Audio: true, Rates: [MaxLayers]int{40_000}}
	a, b := video3(1), video3(2)
	for name, c := range map[string]struct {
		width       int
		demands     []Demand
		first, last []int
	}{
		"room for all":              {1 << 20, []Demand{a, b}, []int{0, 0}, []int{2, 2}},
		"low before high":           {1100, []Demand{a, b}, []int{0, 0}, []int{1, 0}},
		"audio comes first":         {40_300, []Demand{a, b, audio}, []int{0, None}, []int{0, None}},
		"audio above the estimate":  {10_000, []Demand{a, audio}, []int{None}, []int{None}},
		"priority":                  {1100, []Demand{a, with(b, func(d *Demand) { d.Priority = 1 })}, []int{0, 0}, []int{0, 1}},
		"limit":                     {1 << 20, []Demand{with(a, func(d *Demand) { d.Limit = 1 }), b}, []int{0, 0}, []int{1, 2}},
		"paused":                    {1 << 20, []Demand{with(a, func(d *Demand) { d.Limit = None }), b}, []int{None, 0}, []int{None, 2}},
		"only the top layer is on":  {1 << 20, []Demand{with(a, func(d *Demand) { d.Rates = [MaxLayers]int{0, 0, 1700} })}, []int{2}, []int{2}},
		"middle layer off":          {1 << 20, []Demand{with(a, func(d *Demand) { d.Rates[1] = 0 })}, []int{0}, []int{2}},
		"all off":                   {1 << 20, []Demand{with(a, func(d *Demand) { d.Rates = [MaxLayers]int{} })}, []int{None}, []int{None}},
		"pinned low":                {1 << 20, []Demand{with(a, func(d *Demand) { d.Pinned, d.Limit = true, 0 })}, []int{0}, []int{0}},
		"pinned above what is":      {1000, []Demand{with(a, func(d *Demand) { d.Pinned = true })}, []int{0}, []int{0}},
		"pinned goes straight":      {2000, []Demand{with(a, func(d *Demand) { d.Pinned = true }), b}, []int{0, 0}, []int{0, 1}},
		"nobody":                    {1000, nil, nil, nil},
		"no more than what is sent": {250, []Demand{a, b}, []int{0, None}, []int{0, None}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newAudience(c.width)
			if got := s.step(c.demands); !slices.Equal(got, c.first) {
				t.Errorf("first %v, want %v", got, c.first)
			}
			if got := s.steps(100, c.demands); !slices.Equal(got, c.last) {
				t.Errorf("at last %v, want %v; probes %v", got, c.last, s.asked)
			}
			if got := s.steps(50, c.demands); !slices.Equal(got, c.last) {
				t.Errorf("then %v, want %v", got, c.last)
			}
		})
	}
}

func TestNothingGoesUpWithoutAProbe(t *testing.T) {
	t.Parallel()
	s := newAudience(1 << 20)
	demands := []Demand{video3(1)}
	s.step(demands)
	if len(s.asked) != 1 || s.asked[0] <= 200 {
		t.Fatalf("asked for %v", s.asked)
	}
	s.probe = Probe{} // it never ends
	if got := s.steps(int(probeTimeout/(500*time.Millisecond)), demands); got[0] != 0 {
		t.Fatalf("went up to %d", got[0])
	}
	if got := s.steps(20, demands); got[0] != 2 || len(s.asked) < 2 {
		t.Fatalf("never asked again: %v, layer %d", s.asked, got[0])
	}
}

func TestCongestionTakesLayersAndForbidsUpgrades(t *testing.T) {
	t.Parallel()
	s := newAudience(1 << 20)
	demands := []Demand{video3(1), video3(2), video3(3)}
	s.steps(100, demands)
	asked := len(s.asked)
	s.width, s.state.Estimate, s.state.Congested = 1200, 1200, true
	if got := s.step(demands); !slices.Equal(got, []int{1, 0, 0}) {
		t.Fatalf("congested: %v", got)
	}
	s.state.Estimate = 250
	if got := s.step(demands); !slices.Equal(got, []int{0, None, None}) {
		t.Fatalf("more so: %v", got)
	}
	if got := s.steps(50, demands); !slices.Equal(got, []int{0, None, None}) || len(s.asked) != asked {
		t.Fatalf("while it lasts: %v, %d probes", got, len(s.asked)-asked)
	}
	s.width, s.state.Estimate, s.state.Congested = 1<<20, 700, false
	if got := s.steps(200, demands); !slices.Equal(got, []int{2, 2, 2}) {
		t.Fatalf("afterwards: %v", got)
	}
}

func TestAFullQueueIsEmptiedByAudioAlone(t *testing.T) {
	t.Parallel()
	demands := []Demand{{ID: 1, Audio: true, Rates: [MaxLayers]int{40_000}}}
	for id := range uint64(3) {
		demands = append(demands, Demand{ID: id + 2, Rates: [MaxLayers]int{100_000, 400_000}, Limit: MaxLayers - 1})
	}
	a := newAudience(1_000_000)
	a.step(demands)
	a.state.Congested, a.state.Queue = true, 400*time.Millisecond
	if got := a.step(demands); slices.Contains(got, None) {
		t.Errorf("a queue that loses nothing: %v", got)
	}
	a.state.Loss = 0.2
	if got := a.step(demands); !slices.Equal(got, []int{None, None, None}) {
		t.Errorf("a full queue: %v", got)
	}
	a.state.Loss, a.state.Queue = 0, 10*time.Millisecond
	if got := a.step(demands); !slices.Equal(got, []int{0, 0, 0}) {
		t.Errorf("an empty queue: %v", got)
	}
	a.state.Loss, a.state.Queue = 0.2, 400*time.Millisecond
	if got := a.step(demands); !slices.Equal(got, []int{0, 0, 0}) {
		t.Errorf("full again at once: %v", got)
	}
	a.now += drainPause
	a.step(demands)
	a.now += drainMost
	if got := a.step(demands); slices.Equal(got, []int{None, None, None}) {
		t.Error("a queue that does not become empty keeps pictures off")
	}
}

func TestAnUpgradeThatFailsIsNotRepeatedSoon(t *testing.T) {
	t.Parallel()
	s := newAudience(1 << 20)
	demands := []Demand{video3(1)}
	var changes, layer int
	for range 600 { // 5 minutes: probes pass, the layer itself congests the link
		got := s.step(demands)[0]
		if got != layer {
			changes++
		}
		layer = got
		s.state.Congested, s.state.Estimate = layer > 0, 1<<20
		if s.state.Congested {
			s.state.Estimate = 400
		}
	}
	if changes > 40 {
		t.Errorf("%d changes in 5 minutes", changes)
	}
}

func TestAReceiverWithoutFeedbackGetsWhatTheEstimateSays(t *testing.T) {
	t.Parallel()
	s := newAudience(1200)
	s.state.NoFeedback, s.state.Acknowledged = true, 0
	demands := []Demand{video3(1), video3(2)}
	if got := s.steps(20, demands); !slices.Equal(got, []int{1, 0}) || len(s.asked) != 0 {
		t.Errorf("%v, probes %v", got, s.asked)
	}
}

func TestVideosThatComeAndGo(t *testing.T) {
	t.Parallel()
	s := newAudience(1000)
	s.steps(20, []Demand{video3(1)})
	if got := s.step([]Demand{video3(2), video3(1)}); !slices.Equal(got, []int{0, 1}) {
		t.Fatalf("a new one: %v", got)
	}
	if got := s.step([]Demand{video3(2)}); !slices.Equal(got, []int{0}) || len(s.videos) != 1 {
		t.Fatalf("one gone: %v, %d kept", got, len(s.videos))
	}
	paused := with(video3(2), func(d *Demand) { d.Limit = None })
	if got := s.step([]Demand{paused}); got[0] != None {
		t.Fatalf("paused: %v", got)
	}
	if got := s.step([]Demand{video3(2)}); got[0] != 0 {
		t.Fatalf("resumed, it should not wait for a probe: %v", got)
	}
}

func TestTheCapHolds(t *testing.T) {
	t.Parallel()
	audio := Demand{ID: 100, Audio: true, Rates: [MaxLayers]int{40_000}}
	for limit, want := range map[int][]int{
		0: {2, 2}, 43_400: {2, 2}, 43_399: {2, 1}, 41_400: {1, 1}, 41_399: {1, 0}, 40_400: {0, 0}, 40_399: {0, None}, 30_000: {None, None},
	} {
		s := newAudience(1 << 20)
		s.Cap = limit
		demands := []Demand{video3(1), video3(2), audio}
		got := s.steps(100, demands)
		if got = got[:2]; !slices.Equal(got, want) {
			t.Errorf("cap %d: layers %v, want %v", limit, got, want)
		}
		for _, rate := range s.asked {
			if limit > 0 && float64(rate) > headroom*float64(limit)+1 {
				t.Errorf("cap %d: a probe of %d", limit, rate)
			}
		}
	}
	s := newAudience(1 << 20) // rates that rise above the cap
	s.Cap = 45_000
	if got := s.steps(100, []Demand{video3(1), video3(2), audio})[:2]; !slices.Equal(got, []int{2, 2}) {
		t.Fatalf("before: %v", got)
	}
	more := func(id uint64) Demand { return Demand{ID: id, Rates: [MaxLayers]int{600, 2100, 5100}, Limit: 2} }
	if got := s.steps(5, []Demand{more(1), more(2), audio})[:2]; !slices.Equal(got, []int{1, 1}) {
		t.Fatalf("after: %v", got)
	}
}

func TestAVideoThatWasRefusedComesWhenItFits(t *testing.T) {
	t.Parallel()
	s := newAudience(3000)
	burst := Demand{ID: 1, Rates: [MaxLayers]int{5800}, Limit: 2} // a rate taken from the opening keyframe
	if got := s.step([]Demand{burst}); got[0] != None {
		t.Fatalf("a rate above the estimate: %v", got)
	}
	s.width = 0 // no probe passes
	burst.Rates[0] = 2442
	if got := s.steps(10, []Demand{burst}); got[0] != 0 {
		t.Fatalf("a rate that fits: %v, probes %v", got, s.asked)
	}
}

func TestALowestLayerThatFitsTheEstimateComesBack(t *testing.T) {
	t.Parallel()
	s := newAudience(1 << 20)
	demands := []Demand{video3(1), video3(2)}
	s.steps(100, demands)
	s.state.Estimate, s.state.Congested, s.width = 150, true, 150
	if got := s.step(demands); !slices.Equal(got, []int{0, None}) {
		t.Fatalf("congested, but audio does not suffer: %v", got)
	}
	s.state.Queue = 300 * time.Millisecond
	if got := s.step(demands); !slices.Equal(got, []int{None, None}) {
		t.Fatalf("congested: %v", got)
	}
	s.state.Estimate = 250
	if got := s.step(demands); !slices.Equal(got, []int{None, None}) {
		t.Fatalf("still congested: %v", got)
	}
	s.state.Congested, s.state.Queue = false, 0
	if got := s.steps(100, demands); !slices.Equal(got, []int{0, None}) {
		t.Fatalf("calm: %v", got)
	}
}
