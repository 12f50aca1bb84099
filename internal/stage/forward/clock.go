package forward

import "time"

// maxClockStep is the change of a publisher's wall clock that is a step, not drift or jitter.
const maxClockStep = time.Second

// SourceClock estimates the distance between a publisher's wall clock and ours from the arrival of its sender reports.
// All tracks of a publisher share one, so that the reports we write keep lips and voice together. The zero value is
// ready; one goroutine at a time.
type SourceClock struct {
	offset time.Duration // our clock less theirs, with the least delay seen
	set    bool
}

// Observe takes a sender report of any track or layer of the publisher.
func (c *SourceClock) Observe(r SenderReport) {
	o := r.Arrived - wall(r.NTP)
	excess := o - c.offset
	switch {
	case !c.set, excess < 0, excess > maxClockStep:
		c.offset, c.set = o, true
	default:
		c.offset += excess / 32 // lets the minimum follow a slow clock
	}
}

// wall returns NTP time as a duration since the NTP era began.
func wall(ntp uint64) time.Duration {
	return time.Duration(ntp>>32)*time.Second + time.Duration(ntp&0xffffffff*uint64(time.Second)>>32)
}

// ticks converts a duration to ticks of an RTP clock, modulo 2^32.
func ticks(d time.Duration, rate uint32) uint32 {
	r := int64(rate)
	return uint32(int64(d/time.Second)*r + int64(d%time.Second)*r/int64(time.Second))
}

// clocks puts the timestamps of a publication's layers on one line, that of the anchor: the layer sent first.
type clocks struct {
	rate    uint32
	anchor  int
	layers  [MaxLayers]layerClock
	last    uint32        // highest timestamp sent
	arrived time.Duration // of its packet
	started bool
}

type layerClock struct {
	report SenderReport
	known  bool // report is set
	offset uint32
	placed bool // offset is set
	exact  bool // offset came from sender reports, or is the anchor's
}

// maxDeviation is how far, in seconds, sender reports may place a packet from where its arrival does. Beyond, they are
// those of a publisher whose clocks contradict each other.
const maxDeviation = 2

// align returns what to add to the timestamps of a layer that begins with p.
func (c *clocks) align(layer int, p *Packet) uint32 {
	l := &c.layers[layer]
	if !c.started {
		c.anchor = layer
		l.placed, l.exact = true, true
		return l.offset
	}
	expected := c.last + ticks(max(0, p.Arrived-c.arrived), c.rate)
	if offset, ok := c.mapped(l); ok && !l.exact {
		l.offset, l.placed, l.exact = offset, true, true
	}
	deviation := int32(p.Timestamp + l.offset - expected)
	limit := int32(maxDeviation * c.rate)
	switch {
	case c.anchor == None, l.placed && (deviation > limit || deviation < -limit):
		c.anchorAt(layer, expected-p.Timestamp)
	case !l.placed:
		l.offset, l.placed = expected-p.Timestamp, true
	}
	if int32(p.Timestamp+l.offset-c.last) <= 0 { // for instance the same picture in another layer
		return c.last + 1 - p.Timestamp
	}
	return l.offset
}

// anchorAt starts a new line at a layer. Offsets of the other layers belonged to the old one.
func (c *clocks) anchorAt(layer int, offset uint32) {
	for i := range c.layers {
		c.layers[i].placed, c.layers[i].exact = false, false
	}
	c.anchor = layer
	l := &c.layers[layer]
	l.offset, l.placed, l.exact = offset, true, true
}

// mapped computes a layer's offset from its sender report and the anchor's.
func (c *clocks) mapped(l *layerClock) (uint32, bool) {
	if c.anchor == None || !l.known || !c.layers[c.anchor].known {
		return 0, false
	}
	a := &c.layers[c.anchor]
	between := wall(l.report.NTP) - wall(a.report.NTP)
	return a.report.RTP + a.offset + ticks(between, c.rate) - l.report.RTP, true
}

// sent notes an outgoing timestamp.
func (c *clocks) sent(timestamp uint32, p *Packet) {
	if !c.started || int32(timestamp-c.last) > 0 {
		c.last, c.arrived, c.started = timestamp, p.Arrived, true
	}
}

// forget drops what is known about a layer whose clock began anew.
func (c *clocks) forget(layer int) {
	c.layers[layer] = layerClock{}
	if c.anchor == layer {
		c.anchor = None
	}
}

// now returns the timestamp of the instant now, for a layer sent with an offset.
func (c *clocks) now(now time.Duration, clock *SourceClock, layer int, offset uint32) (uint32, bool) {
	l := &c.layers[layer]
	if !l.known || !clock.set || !c.started {
		return 0, false
	}
	since := now - clock.offset - wall(l.report.NTP)
	return l.report.RTP + ticks(since, c.rate) + offset, true
}
