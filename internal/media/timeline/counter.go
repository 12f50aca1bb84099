package timeline

// Limits of the sample counter, each as a part of a second.
const (
	gapParts   = 10  // an error of more than 1/10 s (and two frames) is a gap or an overlap, not drift
	driftParts = 200 // an average error of more than 1/200 s is drift and is worked off; millisecond rounding is far below

	averageShift = 5  // the error is averaged over 2^5 messages
	workShift    = 6  // 2^-6 of the averaged error is worked off with each message
	maxWork      = 16 // and so many samples at most, 0.3 ms at 48 kHz
)

// counter counts the time of an audio track in samples, so that rates which do not divide a millisecond stay exact, and
// lets the encoder's milliseconds pull it only when the two have drifted apart.
type counter struct {
	rate     int64
	samples  int64 // in the present message
	due      int64 // where the next message begins, in samples
	average  int64 // running average of the error, scaled by 2^averageShift
	anchored bool  // due follows the encoder's clock at the present rate
	ever     bool  // due is meaningful: nothing may be placed before it
	working  bool  // drift is being worked off
	dropping bool  // an overlap is being dropped
}

// next places a message of so many samples whose timestamp says target. It returns false for one to be dropped.
func (c *counter) next(target, rate, samples int64) (int64, bool) {
	if c.ever && rate != c.rate {
		c.due = (c.due*rate + c.rate - 1) / c.rate
		c.anchored = false
	}
	c.rate, c.samples = rate, samples
	limit := max(rate/gapParts, 2*samples)
	e := target - c.due
	switch {
	case !c.ever, e > limit, !c.anchored && e >= 0:
		c.jump(target)
	case e < -limit, c.dropping && e < -samples/2, !c.anchored && e < -samples/2:
		c.dropping = true
		return 0, false
	default:
		c.dropping, c.anchored = false, true
		c.correct(e)
	}
	pts := c.due
	c.due += samples
	return pts, true
}

// jump makes the counter go on at the target, which is not before due.
func (c *counter) jump(target int64) {
	c.due, c.average = target, 0
	c.anchored, c.ever, c.working, c.dropping = true, true, false, false
}

// correct moves due a little towards the encoder's clock when the averaged error shows drift. One correction is too
// small to hear and never makes due go back behind the start of the message before.
func (c *counter) correct(e int64) {
	c.average += e - c.average>>averageShift
	drift := c.average >> averageShift
	size := max(drift, -drift)
	switch {
	case size > c.rate/driftParts:
		c.working = true
	case size < c.rate/1000:
		c.working = false
	}
	if !c.working {
		return
	}
	step := min(maxWork, size>>workShift+1, c.samples/2)
	if drift < 0 {
		step = -step
	}
	c.due += step
	c.average -= step << averageShift
}
