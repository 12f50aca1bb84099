package hls

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/media"
)

// Rendition is one encoding of a presentation: the frames that are in no part yet, and the container that parts are written
// into where the Cutter says. It is the writer of its Live.
type Rendition struct {
	*Live
	cutter   *Cutter
	follower *follower // nil: it leads

	// The writer's.
	container              container
	playlist               mediaPlaylist
	videoTrack, audioTrack *media.Track
	init                   *InitSection
	inits                  int

	video   []media.Frame // the open part's pictures
	held    []media.Frame // sound that is not in a part yet
	tags    []tag
	still   still
	filling contents // scratch of closePart
	pending int64    // bytes of frames and tags that are in no part yet, with itemCost
	frames  int64    // taken

	// Sound with parameters that the present initialization section does not have, until a segment can start with them.
	coming  *media.Track
	waiting []media.Frame

	figures
}

// figures are what other goroutines may read of a Rendition.
type figures struct {
	heldBytes, heldPending, heldSegments atomic.Int64
	tookFrames                           atomic.Int64
	madeParts, madeGaps, madeBytes       atomic.Int64
}

// segmentCost is what a segment costs beside its media, roughly: its tags in every playlist, its parts, its names.
const segmentCost = 4 << 10

// Write takes the next frame of any track; DTS grows strictly within a track. A frame that points to a new Track
// changes the parameters: the next segment gets a discontinuity and a new init segment. The rendition keeps the frame's
// bytes until the part that holds them closes. It allocates once a part, not once a frame.
//
// The leading rendition's frames make the plan; those of the others must have the same timeline and a keyframe wherever a
// segment starts. A rendition that is a target duration behind the plan gets gaps for what is missing.
func (r *Rendition) Write(f media.Frame) error {
	c := r.cutter
	switch {
	case r.follower == nil && c.ended:
		return ErrEnded
	case f.Track == nil || f.Track.TimeScale <= 0:
		return errors.New("hls: a frame without a track")
	case !r.container.carries(f.Track.Codec.Describe()):
		return fmt.Errorf("hls: codec %v cannot be packaged", f.Track.Codec)
	case r.heldBytes.Load()+r.heldPending.Load()+r.heldSegments.Load()*segmentCost+cost(&f) > c.opts.MaxBytes:
		return ErrTooMuch
	case f.Track.IsVideo() && f.Track.TimeScale != f.Track.Codec.Describe().ClockRate:
		return fmt.Errorf("hls: video at %d ticks a second", f.Track.TimeScale)
	}
	if f.Arrived.IsZero() {
		f.Arrived = c.opts.Clock()
	}
	if r.follower != nil {
		return r.writeBehind(&f)
	}
	c.write(f)
	return nil
}

// Stats is what a Rendition holds now and the work that it has done.
type Stats struct {
	Bytes    int64 // of parts and init segments, listed or kept after their removal
	Segments int   // complete ones, listed or kept
	Pending  int64 // bytes of frames that are not in a part yet, and what it costs to keep them apart

	Frames  int64 // taken
	Parts   int64 // made, gaps included
	Gaps    int64 // parts for which nothing came
	Written int64 // bytes of all parts that were made
}

// Stats returns the present figures.
func (r *Rendition) Stats() Stats {
	return Stats{
		Bytes: r.heldBytes.Load(), Segments: int(r.heldSegments.Load()), Pending: r.heldPending.Load(),
		Frames: r.tookFrames.Load(), Parts: r.madeParts.Load(), Gaps: r.madeGaps.Load(), Written: r.madeBytes.Load(),
	}
}

// count brings the figures up to date.
func (r *Rendition) count() {
	w := &r.playlist.window
	r.heldBytes.Store(w.bytes)
	r.heldSegments.Store(int64(len(w.segments)))
	r.heldPending.Store(r.pending)
	r.tookFrames.Store(r.frames)
}

// begin fixes the form of the playlist.
func (r *Rendition) begin(p plan) {
	if r.follower != nil {
		r.follower.mu.Lock()
		defer r.follower.mu.Unlock()
		r.follower.begin(p)
	}
	o := &r.cutter.opts
	r.playlist.stream = newStream(r.Live, Format{
		Container: o.Container, LowLatency: o.LowLatency, Window: o.Window,
		TargetDuration: time.Duration(nanos(p.target)), PartTarget: time.Duration(nanos(p.part)),
	}, r.container)
	r.playlist.deepest = int64(o.Window) * p.target
	r.playlist.window.target = p.target
}

// setTracks changes the parameters for the segments to come.
func (r *Rendition) setTracks(video, audio *media.Track) {
	r.videoTrack, r.audioTrack = video, audio
	r.init = nil
	if data := r.container.tracks(video, audio); data != nil {
		r.inits++
		r.init = &InitSection{Number: r.inits, Data: data}
		r.playlist.keepInit(r.init)
	}
}

// addPicture adds a picture to the open part.
func (r *Rendition) addPicture(f *media.Frame) {
	r.video = append(r.video, *f)
	r.pending += cost(f)
}

// addSound holds an audio frame for the part that it belongs to, or for the segment that can start with its parameters.
func (r *Rendition) addSound(f *media.Frame) {
	r.pending += cost(f)
	if f.Track == r.audioTrack {
		r.held = append(r.held, *f)
	} else {
		r.holdComing(f)
	}
}

// maxWaiting bounds the sound that waits for a segment: no GOP is that long and still watchable.
const maxWaiting = 512

// holdComing keeps sound for which there is no initialization section yet.
func (r *Rendition) holdComing(f *media.Frame) {
	if f.Track != r.coming {
		r.coming = f.Track
		r.waiting = r.forget(r.waiting, len(r.waiting))
	}
	if len(r.waiting) == maxWaiting {
		r.waiting = r.forget(r.waiting, maxWaiting/2)
	}
	r.waiting = append(r.waiting, *f)
}

// comingDue reports whether sound with new parameters is due at a place on the timeline, give or take a part.
func (r *Rendition) comingDue(at, part int64) bool {
	return r.coming != nil && place(&r.waiting[0]) <= at+part
}

// changeTracks takes over what a picture (nil: none) and waiting sound bring, after a segment has ended at from. It reports
// whether that is anything.
func (r *Rendition) changeTracks(f *media.Frame, from, part int64) bool {
	video, audio := r.videoTrack, r.audioTrack
	at := from
	if f != nil {
		video, at = f.Track, f.DTS
	}
	if r.comingDue(at, part) {
		audio = r.coming
		early := 0
		for early < len(r.waiting) && place(&r.waiting[early]) < at {
			early++
		}
		r.waiting = r.forget(r.waiting, early)
		r.held = append(r.forget(r.held, len(r.held)), r.waiting...)
		clear(r.waiting)
		r.coming, r.waiting = nil, r.waiting[:0]
	}
	if video == r.videoTrack && audio == r.audioTrack {
		return false
	}
	r.setTracks(video, audio)
	return true
}

// heardUntil returns how far sound without a hole reaches from a place on.
func (r *Rendition) heardUntil(covered, hole int64) int64 {
	for i := range r.held {
		if at := place(&r.held[i]); at-covered <= hole {
			covered = max(covered, at)
		}
	}
	return covered
}

// maxTags bounds the tags that wait for a part; more of them are dropped.
const maxTags = 256

func (r *Rendition) addTag(t tag) {
	if len(r.tags) == maxTags {
		return
	}
	r.pending += int64(len(t.data)) + itemCost
	r.tags = append(r.tags, t)
}

// carryOut does what a Cutter has decided. A part takes the given number of pictures and all sound that is due. It reports
// whether the part that has ended has any media.
func (r *Rendition) carryOut(d *decision, pictures int) (media bool) {
	switch d.kind {
	case segmentStarts:
		h := d.head
		h.Map = r.init
		r.playlist.startSegment(h)
	case partEnds:
		return r.closePart(d, pictures)
	case segmentEnds:
		r.playlist.finishSegment()
	}
	return false
}

// closePart writes the open part.
func (r *Rendition) closePart(d *decision, pictures int) (media bool) {
	due := r.soundDue(d.to)
	if pictures == 0 && due > 0 {
		pictures = r.stills(d)
	}
	p := Part{Ticks: d.to - d.from}
	if pictures > 0 || due > 0 {
		p.FirstArrived, p.LastArrived = r.arrivals(pictures, due)
		p.Independent = pictures > 0 && r.video[0].Key
		p.Data = r.container.part(r.contents(d, pictures, due))
		r.madeBytes.Add(int64(len(p.Data)))
		r.dropFrames(pictures, due)
	} else {
		r.madeGaps.Add(1)
	}
	r.madeParts.Add(1)
	r.playlist.addPart(p)
	return p.Data != nil
}

// soundDue returns how many of the held audio frames begin before a place.
func (r *Rendition) soundDue(to int64) int {
	due := 0
	for due < len(r.held) && place(&r.held[due]) < to && r.held[due].Track == r.audioTrack {
		due++
	}
	return due
}

// contents gathers what goes into a part: the pictures, the due sound and the tags.
func (r *Rendition) contents(d *decision, pictures, due int) *contents {
	c := &r.filling
	c.video, c.audio, c.tags = r.video[:pictures], r.held[:due], r.tags[:r.tagsDue(d)]
	c.videoEnd = r.videoEnd(d, pictures)
	if due > 0 {
		step := r.held[due-1].Track.FrameTicks()
		c.audioEnd = r.held[due-1].DTS + step
		if due < len(r.held) && r.held[due].DTS < c.audioEnd+step {
			c.audioEnd = r.held[due].DTS
		}
	}
	return c
}

// videoEnd returns how long the newest picture of a part lasts: until the next one, as far as that is known.
func (r *Rendition) videoEnd(d *decision, pictures int) int64 {
	switch {
	case r.follower != nil && !d.silent:
		return r.nextPicture(d, pictures)
	case d.next >= 0:
		return d.next
	case d.silent: // still on the screen, for nobody knows how long
		return r.stillEnd(d)
	}
	return d.end
}

// tagsDue returns how many of the tags go into a part. In the leading rendition they never belong to a later one.
func (r *Rendition) tagsDue(d *decision) int {
	n := len(r.tags)
	for r.follower != nil && n > 0 && r.tags[n-1].pts > d.to+d.offset {
		n--
	}
	return n
}

// dropFrames forgets the frames and tags that are in a part now.
func (r *Rendition) dropFrames(pictures, due int) {
	r.video = r.forget(r.video, pictures)
	r.held = r.forget(r.held, due)
	n := len(r.filling.tags)
	for i := range r.tags[:n] {
		r.pending -= int64(len(r.tags[i].data)) + itemCost
	}
	rest := copy(r.tags, r.tags[n:])
	clear(r.tags[rest:])
	r.tags = r.tags[:rest]
}

// forget removes the first n frames of a list.
func (r *Rendition) forget(list []media.Frame, n int) []media.Frame {
	for i := range list[:n] {
		r.pending -= cost(&list[i])
	}
	rest := copy(list, list[n:])
	clear(list[rest:])
	return list[:rest]
}

// cost is what a frame costs as long as it waits.
func cost(f *media.Frame) int64 { return int64(len(f.Data)) + itemCost }

// arrivals returns when the first and the last frame of a part came.
func (r *Rendition) arrivals(pictures, due int) (first, last time.Time) {
	if pictures > 0 {
		first, last = r.video[0].Arrived, r.video[pictures-1].Arrived
	}
	if due > 0 {
		if first.IsZero() {
			first = r.held[0].Arrived
		}
		if at := r.held[due-1].Arrived; at.After(last) {
			last = at
		}
	}
	return first, last
}

// publish stores a snapshot. The hint names the part that comes next.
func (r *Rendition) publish(hintMSN int64, hintPart int) {
	r.playlist.refreshInfo(r)
	r.playlist.publish(hintMSN, hintPart)
}

// refreshInfo describes the rendition anew when a segment is complete.
func (m *mediaPlaylist) refreshInfo(r *Rendition) {
	if m.dirty&dirtySegment != 0 {
		m.info = infoOf(r.interval(), &m.window, r.videoTrack, r.audioTrack)
	}
}

// interval returns the distance between pictures in ticks.
func (r *Rendition) interval() int64 {
	if r.follower != nil {
		return r.follower.cadence.interval()
	}
	return r.cutter.interval
}
