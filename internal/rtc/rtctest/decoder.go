package rtctest

import (
	"github.com/pion/webrtc/v4"
)

// Decoder judges a video stream as a browser does: it puts packets in order, waits for those that are missing, gives
// them up when newer ones are too far ahead, and shows frames that are whole and follow what was shown before. The zero
// value is ready. It has no clock: it goes by the timestamps of the stream.
type Decoder struct {
	Report

	waiting  map[uint64]Got
	next     uint64 // number that is waited for
	newest   uint64
	stamp    uint32 // highest timestamp that has come
	reached  uint32 // timestamp of the newest packet that was in its turn
	begun    bool
	asked    uint32 // timestamp at the last request
	hasAsked bool

	fit   bool // what was shown last is whole, so that the next frame can follow
	stuck bool // only a keyframe helps
	shown Got  // last packet of the frame shown last
	seen  Got  // last packet of a frame, shown or not
	some  bool // seen is set, and no hole came after it
	open  bool // a frame has begun
	piece Got  // its newest packet
}

// Report counts what became of a stream.
type Report struct {
	Packets   int // with media, each counted once
	Resent    int // of these, by retransmission
	Repeated  int // came again
	Frames    int // shown
	Keyframes int // of these
	Switches  int // to another layer
	Skipped   int // frames that were whole but could not follow anything, after a loss
	Broken    int // frames whose end is missing
	GivenUp   int // holes that nobody filled in time
	Requests  int // of keyframes
	Faults    int // of what no network may do: Fault has the first
	Fault     string
	Layer     int    // shown last
	Frame     uint32 // shown last
	Stamp     uint32 // of the frame shown last
}

// Times of a decoder, in ticks of 1/90,000 s.
const (
	patience = 90_000 / 2      // for what is missing, while newer packets come
	askPause = 90_000 * 3 / 10 // between requests for keyframes
)

// Put takes a packet and tells whether to ask for a keyframe now.
func (d *Decoder) Put(g Got) (ask bool) {
	number := d.extend(g.Header.SequenceNumber)
	if _, twice := d.waiting[number]; twice || d.begun && number < d.next {
		d.Repeated++
		return false
	}
	if !d.begun {
		d.begun, d.next, d.stamp, d.reached = true, number, g.Header.Timestamp, g.Header.Timestamp
		d.waiting = map[uint64]Got{}
	}
	d.waiting[number] = g
	d.newest = max(d.newest, number)
	if int32(g.Header.Timestamp-d.stamp) > 0 {
		d.stamp = g.Header.Timestamp
	}
	d.drain()
	if len(d.waiting) > 0 && int32(d.stamp-d.reached) > patience {
		d.giveUp()
	}
	return d.wants()
}

// extend makes a number of 16 bits one that never wraps.
func (d *Decoder) extend(seq uint16) uint64 {
	if !d.begun {
		return 1<<16 | uint64(seq)
	}
	return d.newest + uint64(int64(int16(seq-uint16(d.newest))))
}

// drain takes packets whose turn has come.
func (d *Decoder) drain() {
	for {
		g, ok := d.waiting[d.next]
		if !ok {
			return
		}
		delete(d.waiting, d.next)
		d.next++
		if int32(g.Header.Timestamp-d.reached) > 0 {
			d.reached = g.Header.Timestamp
		}
		d.take(g)
	}
}

// giveUp goes on behind the oldest hole.
func (d *Decoder) giveUp() {
	d.GivenUp++
	d.fit, d.some, d.open, d.stuck = false, false, false, true
	for ; d.next < d.newest; d.next++ {
		if _, ok := d.waiting[d.next]; ok {
			break
		}
	}
	d.drain()
}

// wants tells whether a keyframe is needed and it is time to ask.
func (d *Decoder) wants() bool {
	if !d.stuck || d.hasAsked && int32(d.stamp-d.asked) < askPause {
		return false
	}
	d.Requests++
	d.asked, d.hasAsked = d.stamp, true
	return true
}

// take takes a packet in order.
func (d *Decoder) take(g Got) {
	if !g.Media {
		return // parameter sets, padding
	}
	d.Packets++
	if g.Resent {
		d.Resent++
	}
	if d.open && (g.Header.Timestamp != d.piece.Header.Timestamp || g.Index == 0) {
		d.Broken++
		d.fit, d.open = false, false
		d.seen = d.piece
	}
	switch {
	case g.Index == 0:
		d.check(g)
		d.open = true
	case !d.open:
		return // of a frame whose beginning is lost
	case g.Index != d.piece.Index+1 || g.Frame != d.piece.Frame || g.Layer != d.piece.Layer:
		d.fault("pieces of a frame that do not belong together")
	}
	d.piece = g
	if g.Index == g.Count-1 {
		d.whole(g)
	}
	if g.Header.Marker != (g.Index == g.Count-1) {
		d.fault("a marker that does not tell the end of a frame")
	}
}

// check compares the beginning of a frame with the frame before it, when nothing is missing between them.
func (d *Decoder) check(g Got) {
	if !d.some {
		return
	}
	if int32(g.Header.Timestamp-d.seen.Header.Timestamp) <= 0 {
		d.fault("a timestamp that goes back")
	}
	if id, tl0, ok := g.vp8(); ok {
		id0, tl00, _ := d.seen.vp8()
		if id != (id0+1)&0x7fff || tl0 != tl00+1 {
			d.fault("VP8 counters that do not go on")
		}
	}
}

// whole judges a complete frame.
func (d *Decoder) whole(g Got) {
	d.open = false
	follows := d.some && g.Layer == d.seen.Layer && g.Frame == d.seen.Frame+1
	switch {
	case g.Key:
		d.fit, d.stuck = true, false
		d.Keyframes++
	case !d.fit:
		d.Skipped++
		d.stuck = true
	case !follows:
		d.fault("frames that are missing without a hole")
		d.fit, d.stuck = false, true
	}
	d.seen, d.some = g, true
	if !d.fit {
		return
	}
	if d.Frames > 0 && g.Layer != d.shown.Layer {
		d.Switches++
	}
	d.Frames++
	d.shown = g
	d.Layer, d.Report.Frame, d.Stamp = g.Layer, g.Frame, g.Header.Timestamp
}

func (d *Decoder) fault(what string) {
	if d.Faults++; d.Faults == 1 {
		d.Fault = what
	}
}

// vp8 returns the counters of a VP8 packet as Frame makes them; false for another codec.
func (g *Got) vp8() (picture uint16, tl0 uint8, ok bool) {
	b := g.Payload
	if g.Kind != webrtc.RTPCodecTypeVideo || len(b) < 6 || b[0]&0xef != 0x80 || b[1] != 0xe0 || b[2]&0x80 == 0 {
		return 0, 0, false
	}
	return uint16(b[2]&0x7f)<<8 | uint16(b[3]), b[4], true
}
