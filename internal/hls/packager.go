package hls

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/id3"
	"github.com/rivus-live/rivus/internal/resource"
)

// ErrEnded is returned by Write after End.
var ErrEnded = errors.New("hls: the stream has ended")

// ErrTooMuch is returned by Write when Options.MaxBytes is reached. The frame is not taken.
var ErrTooMuch = errors.New("hls: the stream holds too much memory: its bit rate is too high or its time stands still")

// Packager cuts the frames of one rendition. Write, Metadata and End belong to one goroutine at a time; everything
// else may be called from any.
type Packager struct {
	opts   Options
	stream *stream
	snap   atomic.Pointer[Snapshot]

	// The writer's.
	preroll   *preroll // nil once frames are cut
	assembler *assembler
	ended     bool
	info      VariantInfo

	bytes, pending atomic.Int64
	segments       atomic.Int64
	dateSteps      atomic.Int64
}

// plainPart is how long the buffers of a segment are when its parts are not listed: long enough for little overhead,
// short enough that frames do not pile up beside their copies.
const plainPart = 500 * time.Millisecond

// segmentCost is what a segment costs beside its media, roughly: its tags in every playlist, its parts, its names.
const segmentCost = 4 << 10

// NewPackager returns a packager that waits for frames.
func NewPackager(opts Options) *Packager {
	if opts.PartTarget <= 0 {
		opts.PartTarget = DefaultPartTarget
	}
	if !opts.LowLatency {
		opts.PartTarget = plainPart
	}
	if opts.Window <= 0 {
		opts.Window = DefaultWindow
	}
	opts.Window = max(opts.Window, 3) // RFC 8216bis 6.2.2
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = DefaultMaxBytes
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Packager{opts: opts, preroll: &preroll{}, stream: &stream{lowLatency: opts.LowLatency, reports: opts.Reports}}
	p.store(&Snapshot{hintPart: -1})
	return p
}

// Write takes the next frame of any track; DTS grows strictly within a track. A frame that points to a new Track
// changes the parameters: the next segment gets a discontinuity and a new init segment. The packager keeps the frame's
// bytes until the part that holds them closes. It allocates once a part, not once a frame.
func (p *Packager) Write(f media.Frame) error {
	switch {
	case p.ended:
		return ErrEnded
	case f.Track == nil || f.Track.TimeScale <= 0:
		return errors.New("hls: a frame without a track")
	case f.Track.Codec != media.H264 && f.Track.Codec != media.AAC:
		return fmt.Errorf("hls: codec %v cannot be packaged", f.Track.Codec)
	case p.bytes.Load()+p.pending.Load()+p.segments.Load()*segmentCost+cost(&f) > p.opts.MaxBytes:
		return ErrTooMuch
	case f.Track.IsVideo() && f.Track.TimeScale != media.VideoTimeScale:
		return fmt.Errorf("hls: video at %d ticks a second", f.Track.TimeScale)
	}
	if f.Arrived.IsZero() {
		f.Arrived = p.opts.Clock()
	}
	if p.preroll != nil {
		if p.preroll.add(f, p.opts.TargetDuration > 0) {
			p.begin()
		}
		p.count()
		return nil
	}
	p.take(&f)
	p.publish()
	return nil
}

// take hands a frame to the assembler.
func (p *Packager) take(f *media.Frame) {
	if f.Track.IsVideo() {
		p.assembler.picture(f)
	} else {
		p.assembler.sound(f)
	}
}

// Metadata puts an ID3 tag with one PRIV frame at the current place of the stream (spec ivs.md 12). Before the first
// picture there is no such place, and the tag is dropped.
func (p *Packager) Metadata(owner string, text []byte) {
	if p.ended {
		return
	}
	data := id3.AppendPriv(make([]byte, 0, id3.PrivSize(owner, text)), owner, text)
	if p.preroll != nil {
		p.preroll.addTag(data)
		return
	}
	p.assembler.tag(data)
}

// begin fixes how the stream is cut and cuts what has been held back.
func (p *Packager) begin() {
	q := p.preroll
	p.preroll = nil
	plan := q.plan(p.opts.TargetDuration, p.opts.PartTarget)
	var c container = &transport{}
	version := 3
	if p.opts.Container == resource.ContainerFMP4 {
		c, version = &fragments{}, 6
	}
	p.stream = &stream{
		plan: plan, lowLatency: p.opts.LowLatency, reports: p.opts.Reports,
		extension: c.extension(), mediaType: c.contentType(), version: version,
	}
	if p.opts.LowLatency && p.opts.Window > skipTargets {
		p.stream.skipUntil = skipTargets * plan.target
	}
	deepest := int64(p.opts.Window) * plan.target
	p.assembler = newAssembler(plan, c, q.clock(), deepest, q.video, q.audio, q.picture(), p.opts.Logger)
	for i := range q.items {
		switch f := &q.items[i].frame; {
		case f.Track == nil:
			p.assembler.tag(q.items[i].tag)
		case f.Track.IsVideo() || place(f) >= q.first:
			p.take(f)
		}
	}
	p.publish()
}

// End closes what is open and ends the playlist. Later writes fail.
func (p *Packager) End() {
	if p.ended {
		return
	}
	if p.preroll != nil && p.preroll.frames > 0 {
		p.begin()
	}
	p.ended, p.preroll = true, nil
	if p.assembler != nil {
		p.assembler.stop()
		p.count()
	}
	s := p.next()
	s.ended = true
	p.store(s)
}

// publish stores a snapshot if the last frame changed what viewers see: a part, or a segment where parts are not shown.
func (p *Packager) publish() {
	a := p.assembler
	p.count()
	if a.dirty&dirtySegment == 0 && (a.dirty == 0 || !p.opts.LowLatency) {
		return
	}
	p.store(p.next())
}

// next makes the snapshot of the present state.
func (p *Packager) next() *Snapshot {
	s := &Snapshot{stream: p.stream, hintPart: -1}
	a := p.assembler
	if a == nil {
		return s
	}
	if a.dirty&dirtySegment != 0 {
		p.info = infoOf(a.plan, &a.window, a.videoTrack, a.audioTrack)
	}
	a.dirty = 0
	s.segments, s.listed, s.skipped = a.window.segments, a.window.listed, a.window.discontinuities
	s.open, s.parts, s.partTags = a.open, a.parts[:len(a.parts):len(a.parts)], a.partTags[:len(a.partTags):len(a.partTags)]
	if p.opts.LowLatency {
		s.hintMSN, s.hintPart = a.hint()
	}
	s.info = p.info
	return s
}

// store publishes a snapshot and wakes everybody who waits for it.
func (p *Packager) store(s *Snapshot) {
	s.changed = make(chan struct{})
	s.full.snapshot, s.delta.snapshot, s.delta.delta = s, s, true
	if old := p.snap.Swap(s); old != nil {
		close(old.changed)
	}
}

// Snapshot returns the newest state, never nil.
func (p *Packager) Snapshot() *Snapshot { return p.snap.Load() }

// Stats counts what a packager holds.
type Stats struct {
	Bytes    int64 // of parts and init segments, listed or kept after their removal
	Segments int   // complete ones, listed or kept
	Pending  int64 // bytes of frames that are not in a part yet, and what it costs to keep them apart
	// DateSteps counts how often EXT-X-PROGRAM-DATE-TIME was put right at a discontinuity since the stream started.
	DateSteps int64
}

// Stats returns the present counts.
func (p *Packager) Stats() Stats {
	return Stats{
		Bytes: p.bytes.Load(), Segments: int(p.segments.Load()), Pending: p.pending.Load(), DateSteps: p.dateSteps.Load(),
	}
}

// DateSteps is Stats().DateSteps.
func (p *Packager) DateSteps() int64 { return p.dateSteps.Load() }

// count brings the statistics up to date.
func (p *Packager) count() {
	if p.preroll != nil {
		p.pending.Store(p.preroll.bytes)
		return
	}
	w := &p.assembler.window
	p.bytes.Store(w.bytes)
	p.segments.Store(int64(len(w.segments)))
	p.pending.Store(p.assembler.pending)
	p.dateSteps.Store(p.assembler.dateSteps)
}
