package bwe

import (
	"slices"
	"time"
)

// Constants of layer changes. Downwards at once, upwards one proven step after the other, each failure doubling the wait.
const (
	untestedTolerance = 1.15 // layers may exceed an estimate that no congestion has tested
	delivered         = 0.75 // of a picture that arrives: rates of layers are those of half a second
	offTolerance      = 1.25 // before a video goes off altogether: a decrease takes more than the link has lost
	headroom          = 1.15 // what must have been proved, over what is to be sent
	probeMargin       = 1.20 // what a probe asks for, over what is to be sent
	probeStep         = 1.5  // how far a probe may go beyond what is sent or was carried: one that fails makes a queue
	failedProbeStep   = 1.2  // the same after a failure
	probeLength       = 300 * time.Millisecond
	proofLife         = 2 * time.Second // a passed probe proves nothing after that
	settleTime        = time.Second     // after an upgrade, for its layer to arrive
	trialTime         = 6 * time.Second // a downgrade within this time means that the last upgrade was wrong
	firstWait         = time.Second
	probeWait         = 8 * time.Second         // at most, after failed probes
	longestWait       = 15 * time.Second        // at most, after upgrades that had to be taken back: video alone feels them
	probeTimeout      = 5 * time.Second         // for a probe to end, or it was never sent
	failureMemory     = 2 * time.Minute         // without trouble, after which failures are forgotten
	quietAudio        = 16_000                  // kept free for audio that is silent now
	drained           = 30 * time.Millisecond   // a queue that is as good as empty
	drainMost         = 1500 * time.Millisecond // without pictures, for a queue to become so
	drainPause        = 5 * time.Second         // between two drains
)

// Allocator divides an estimate among audio and video layers. It keeps its choices and the back-off after failed upgrades.
type Allocator struct {
	Cap int // bits a second that audio and videos may take together, whatever the link carries; 0: no limit

	videos  map[uint64]*video
	order   []*video // of the present call, in order of priority
	choices []Choice
	round   uint64

	probes       uint64 // asked for so far
	probePending bool   // the last one has not ended
	probeAskedAt time.Duration
	proved       int // bits a second that the last probe passed with
	provedAt     time.Duration
	provedReach  int           // what passed so far on the way to the next upgrade
	wait         time.Duration // after the next failure
	failed       bool          // the last attempt was one
	nextUpgrade  time.Duration // earliest time of the next upgrade or probe
	upgraded     time.Duration
	failedAt     time.Duration // the last failed probe or downgrade
	drain        time.Duration // since when nothing but audio is sent; 0: it is not so
	drains       time.Duration // the end of the last drain
	started      bool
}

// video is one video demand and the layer chosen for it.
type video struct {
	demand Demand
	layer  int
	plan   int // layer while upgrades are being thought through
	round  uint64
}

// NewAllocator returns an empty allocator.
func NewAllocator() *Allocator {
	return &Allocator{videos: map[uint64]*video{}, wait: firstWait}
}

// Allocate decides the layers of all videos for the given state.
func (a *Allocator) Allocate(now time.Duration, s State, demands []Demand) Plan {
	if !a.started {
		a.started, a.upgraded, a.failedAt, a.drains = true, now-trialTime, now, now-drainPause
	}
	audio := a.gatherDemands(demands)
	a.takeProbeResult(now, s)
	budget := a.capped(s.Estimate) - audio
	a.admitVideos(s, budget)
	audioOnly := a.drainsQueue(now, s)
	a.reduceLayers(now, s, budget, audio)
	a.restoreVideos(now, s, budget)
	probe := a.raiseLayers(now, s, audio)
	a.choices = a.choices[:0]
	for i := range demands {
		d := &demands[i]
		switch {
		case d.Audio:
		case audioOnly:
			a.choices = append(a.choices, Choice{ID: d.ID, Layer: None})
		default:
			a.choices = append(a.choices, Choice{ID: d.ID, Layer: max(None, a.videos[d.ID].layer)})
		}
	}
	return Plan{Choices: a.choices, Probe: probe}
}

// drainsQueue reports whether pictures stand still for a moment: a full queue in front of the link throws audio away as well
// as video, and with a few pictures on top of the audio it stays full for seconds. The layers come back when it is empty.
func (a *Allocator) drainsQueue(now time.Duration, s State) bool {
	switch full := s.Loss > highLoss && s.Queue.Seconds() > longQueue; {
	case a.drain == 0 && full && now-a.drains > drainPause:
		a.drain = max(now, 1)
		for _, v := range a.order {
			v.layer = min(v.layer, v.lowestLayer())
		}
	case a.drain > 0 && (s.Queue < drained || now-a.drain > drainMost):
		a.drain, a.drains = 0, now
	}
	return a.drain > 0
}

// capped returns a rate, or Cap if that is less.
func (a *Allocator) capped(rate int) int {
	if a.Cap > 0 {
		return min(rate, a.Cap)
	}
	return rate
}

// undecided is the layer of a video that has not been decided about yet.
const undecided = None - 1

// gatherDemands takes the demands over, forgets videos that are gone, and returns what audio takes.
func (a *Allocator) gatherDemands(demands []Demand) (audio int) {
	a.round++
	a.order = a.order[:0]
	for i := range demands {
		d := &demands[i]
		if d.Audio {
			audio += max(d.Rates[0], quietAudio)
			continue
		}
		v := a.videos[d.ID]
		if v == nil {
			v = &video{layer: undecided}
			a.videos[d.ID] = v
		}
		v.demand, v.round = *d, a.round
		if v.layer != undecided {
			v.layer = v.nearestLayer()
		}
		a.order = append(a.order, v)
	}
	if len(a.order) != len(a.videos) {
		for id, v := range a.videos {
			if v.round != a.round {
				delete(a.videos, id)
			}
		}
	}
	slices.SortStableFunc(a.order, func(x, y *video) int { return y.demand.Priority - x.demand.Priority })
	return audio
}

// allowed reports whether a layer may be sent: not above what is wanted, and not off.
func (v *video) allowed(layer int) bool {
	return layer >= 0 && layer < MaxLayers && layer <= v.demand.Limit && v.demand.Rates[layer] > 0
}

// layerAbove returns the layer that an upgrade from one leads to, or None.
func (v *video) layerAbove(layer int) int {
	to := None
	for next := layer + 1; next < MaxLayers && (to == None || v.demand.Pinned); next++ {
		if v.allowed(next) {
			to = next
		}
	}
	return to
}

// layerBelow returns the next allowed layer below one, or None.
func (v *video) layerBelow(layer int) int {
	for next := layer - 1; next >= 0; next-- {
		if v.allowed(next) {
			return next
		}
	}
	return None
}

// nearestLayer returns the present layer, or the nearest one that is allowed: below if there is any. A video that wants nothing
// or sends nothing starts anew later.
func (v *video) nearestLayer() int {
	switch {
	case v.lowestLayer() == None:
		return undecided
	case v.layer == None || v.allowed(v.layer):
		return v.layer
	case v.layerBelow(v.layer) != None:
		return v.layerBelow(v.layer)
	}
	return v.lowestLayer()
}

// lowestLayer returns the lowest allowed layer, or None.
func (v *video) lowestLayer() int {
	for layer := range MaxLayers {
		if v.allowed(layer) {
			return layer
		}
	}
	return None
}

func (v *video) currentRate() int { return v.layerRate(v.layer) }

func (v *video) layerRate(layer int) int {
	if layer < 0 {
		return 0
	}
	return v.demand.Rates[layer]
}

func (a *Allocator) usedRate() (sum int) {
	for _, v := range a.order {
		sum += v.currentRate()
	}
	return sum
}

// takeProbeResult takes the result of the last probe cluster, or its timeout.
func (a *Allocator) takeProbeResult(now time.Duration, s State) {
	switch {
	case !a.probePending:
	case s.Probe.ID == a.probes:
		a.probePending = false
		if s.Probe.Void {
			return
		}
		if !s.Probe.Passed {
			a.backOffUpgrades(now, probeWait)
			return
		}
		a.proved, a.provedAt = s.Probe.Rate, now
	case now-a.probeAskedAt > probeTimeout:
		a.probePending = false
		a.backOffUpgrades(now, probeWait)
	}
}

// backOffUpgrades makes the next attempt wait, and the one after it twice as long up to a limit.
func (a *Allocator) backOffUpgrades(now, limit time.Duration) {
	a.failedAt, a.proved, a.provedReach, a.failed = now, 0, 0, true
	a.nextUpgrade = max(a.nextUpgrade, now+a.wait)
	a.wait = max(a.wait, min(2*a.wait, limit))
}

// admitVideos gives videos seen for the first time their lowest layer, as far as the estimate goes: pictures at once, probes
// for more. The first one comes in any case while the estimate is untested: to try it costs less than to probe for it.
func (a *Allocator) admitVideos(s State, budget int) {
	used := a.usedRate()
	for _, v := range a.order {
		if v.layer != undecided {
			continue
		}
		lowest := v.lowestLayer()
		if lowest == None {
			continue // nothing wanted, or nothing arrives yet: decide when it does
		}
		v.layer = None
		cost := v.layerRate(lowest)
		if tries := s.Untested && !s.Congested && used == 0 && a.capped(cost) == cost; used+cost <= budget || tries {
			v.layer = lowest
			used += cost
		}
	}
}

// reduceLayers takes layers away until the rest fits: highest first, then from the end of the order.
func (a *Allocator) reduceLayers(now time.Duration, s State, budget, audio int) {
	limit, leave := budget, offTolerance
	if a.drain > 0 {
		leave = 1 // what comes back must not fill the queue again
	}
	if !s.Congested {
		limit = a.capped(int(float64(budget)*untestedTolerance)+audio) - audio
	}
	used := a.usedRate()
	if used <= limit || s.HostDelay && used <= a.capped(used) {
		return
	}
	reduced := false
	for used > limit {
		v := a.highestVideo()
		if v == nil || v.layerBelow(v.layer) == None && (float64(used) <= float64(limit)*leave || a.linkCarries(s, audio, v)) {
			break
		}
		used -= v.currentRate()
		v.layer = v.layerBelow(v.layer)
		used += v.currentRate()
		reduced = true
	}
	if !reduced {
		return
	}
	if now-a.upgraded < trialTime {
		a.upgraded = now - trialTime // one failure an upgrade
		a.backOffUpgrades(now, longestWait)
	}
	a.failedAt = now
	a.nextUpgrade = max(a.nextUpgrade, now+firstWait)
}

// linkCarries reports whether the last layer of the last picture arrives, or comes so little late that no audio suffers from
// it: whatever an estimate says, the link carries what it delivers without loss.
func (a *Allocator) linkCarries(s State, audio int, v *video) bool {
	if v.currentRate() != a.usedRate() || a.capped(audio+v.currentRate()) != audio+v.currentRate() || a.drain > 0 || s.Loss > lowLoss {
		return false
	}
	return !s.Congested || s.Queue.Seconds() < longQueue || float64(s.Acknowledged) >= delivered*float64(v.currentRate())
}

// mustWait reports whether the next attempt is still to come. While a picture is off altogether it comes sooner.
func (a *Allocator) mustWait(now time.Duration) bool {
	if now >= a.nextUpgrade {
		return false
	}
	dark := slices.ContainsFunc(a.order, func(v *video) bool { return v.layer == None && v.lowestLayer() != None })
	return !dark || now-a.failedAt < probeWait
}

// restoreVideos gives videos that are off their lowest layer back when the estimate has room: what was asked for may be less
// than it was, and an estimate that congestion has lowered is itself a proof.
func (a *Allocator) restoreVideos(now time.Duration, s State, budget int) {
	if s.Congested || s.HostDelay || s.Probing || a.mustWait(now) {
		return
	}
	used, some := a.usedRate(), false
	for _, v := range a.order {
		lowest := v.lowestLayer()
		if v.layer != None || lowest == None || used+v.layerRate(lowest) > budget {
			continue
		}
		v.layer, some = lowest, true
		used += v.layerRate(lowest)
	}
	if some {
		a.upgraded, a.nextUpgrade = now, now+settleTime
	}
}

// highestVideo returns the video to take a layer from.
func (a *Allocator) highestVideo() *video {
	var worst *video
	for _, v := range a.order {
		if v.layer > None && (worst == nil || v.layer > worst.layer ||
			v.layer == worst.layer && v.demand.Priority <= worst.demand.Priority) {
			worst = v
		}
	}
	return worst
}

// lowestVideo returns the planned video to give its next layer to, and that layer: lowest first, in order.
func (a *Allocator) lowestVideo() (*video, int) {
	var best *video
	to := None
	for _, v := range a.order {
		if v.plan == undecided || best != nil && v.plan >= best.plan {
			continue
		}
		if next := v.layerAbove(v.plan); next != None {
			best, to = v, next
		}
	}
	return best, to
}

// startPlan copies the present layers into the plan.
func (a *Allocator) startPlan() {
	for _, v := range a.order {
		v.plan = v.layer
	}
}

// raiseLayers takes upgrades that were proved, or asks for a probe that could prove the next one.
func (a *Allocator) raiseLayers(now time.Duration, s State, audio int) Probe {
	if now-a.failedAt > failureMemory {
		a.wait, a.failedAt = firstWait, now
	}
	if s.Congested || s.HostDelay || s.HostLate || s.Probing || a.probePending || a.mustWait(now) || s.Acknowledged == 0 && !s.NoFeedback {
		return Probe{}
	}
	proved := a.proved
	if now-a.provedAt > proofLife {
		proved = 0
	}
	if s.NoFeedback {
		proved = s.Estimate
	}
	a.proved = 0
	switch {
	case proved > 0 && a.upgradeLayers(proved, audio):
		a.upgraded, a.nextUpgrade, a.provedReach, a.failed = now, now+settleTime, 0, false
		return Probe{}
	case s.NoFeedback:
		return Probe{}
	case proved > 0 && proved < a.provedReach+a.provedReach/10:
		a.backOffUpgrades(now, probeWait) // the padding did not make the rate
		return Probe{}
	}
	a.provedReach = proved
	goal := a.probeTarget(audio, s.Acknowledged)
	if goal == 0 {
		return Probe{}
	}
	a.probes++
	a.probePending, a.probeAskedAt, a.nextUpgrade = true, now, now
	base := max(audio+a.usedRate(), s.Acknowledged, s.MaxAcknowledged, a.provedReach)
	step := probeStep
	if a.failed && (proved == 0 || goal < 2*base) { // one that passes far below the goal may be followed by a large one
		step = failedProbeStep
	}
	most := int(float64(base) * step)
	return Probe{ID: a.probes, Rate: min(goal, most), Length: probeLength}
}

// upgradeLayers takes all upgrades that fit into what was proved. One that does not fit does not stand in the way of others.
func (a *Allocator) upgradeLayers(proved, audio int) (some bool) {
	a.startPlan()
	total := audio + a.usedRate()
	for {
		v, to := a.lowestVideo()
		if v == nil {
			return some
		}
		more := total + v.layerRate(to) - v.currentRate()
		if float64(more)*headroom > float64(proved) || a.capped(more) < more {
			v.plan = MaxLayers // it had its turn
			continue
		}
		total, some = more, true
		v.layer, v.plan = to, to
	}
}

// probeTarget returns the rate that would prove the next upgrade, and those after it up to probeStep unless the last one
// failed; 0 when nothing is left to upgrade.
func (a *Allocator) probeTarget(audio, throughput int) int {
	a.startPlan()
	base := audio + a.usedRate()
	total, most := base, int(float64(base)*probeStep)
	for n := 0; n == 0 || !a.failed; {
		v, to := a.lowestVideo()
		if v == nil {
			break
		}
		more := total + v.layerRate(to) - v.layerRate(v.plan)
		if a.capped(more) < more {
			v.plan = MaxLayers // never
			continue
		}
		if n > 0 && more > most {
			break
		}
		total, v.plan = more, to
		n++
	}
	if total == base {
		return 0
	}
	goal := int(float64(total-base+max(base, throughput)) * probeMargin)
	return min(goal, int(float64(a.capped(goal))*headroom)+1)
}
