package hls

// cadence follows the distance between video frames, to tell how long the newest frame will last before the next one
// is there. Encoders tell times in milliseconds, so single distances jitter; the mean does not.
type cadence struct {
	started bool
	most    int64 // longest distance that is believed
	last    int64 // decode time of the newest frame
	step    int64 // newest distance
	mean    int64 // in 1/256 ticks
	steady  int   // distances in a row that were close to the mean
}

const (
	cadenceShift  = 8
	cadenceWeight = 8 // a new distance counts 1/8
	cadenceSteady = 2 // distances in a row that make a frame rate regular
)

// newCadence starts with the frame interval that the first frames showed. A distance beyond most counts as most.
func newCadence(interval, most int64, regular bool) cadence {
	c := cadence{mean: interval << cadenceShift, step: interval, most: max(most, interval)}
	if regular {
		c.steady = cadenceSteady
	}
	return c
}

// notePicture notes the decode time of the next frame.
func (c *cadence) notePicture(dts int64) {
	if !c.started {
		c.started, c.last = true, dts
		return
	}
	c.step = min(max(dts-c.last, 1), c.most)
	c.last = dts
	off := c.step<<cadenceShift - c.mean
	if 4*abs(off) > c.mean {
		c.steady = 0
		c.mean = c.step << cadenceShift
		return
	}
	c.steady = min(c.steady+1, cadenceSteady)
	c.mean += off / cadenceWeight
}

// skip tells that nothing came before a decode time, so that the distance to it says nothing.
func (c *cadence) skip(dts int64) { c.last = dts - c.interval() }

// regular reports whether predictions may be trusted.
func (c *cadence) regular() bool { return c.steady >= cadenceSteady }

// interval returns the expected duration of the newest frame in ticks. While the rate is irregular it is the longer
// guess: a sample that claims to last too long does no harm, but a hole of more than two frames makes players
// discard pictures up to the next keyframe.
func (c *cadence) interval() int64 {
	mean := (c.mean + 1<<(cadenceShift-1)) >> cadenceShift
	if c.regular() {
		return mean
	}
	return max(mean, c.step)
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}
