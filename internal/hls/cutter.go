package hls

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/id3"
)

// ErrEnded is returned by Write after End.
var ErrEnded = errors.New("hls: the stream has ended")

// ErrTooMuch is returned by Write when Options.MaxBytes is reached. The frame is not taken.
var ErrTooMuch = errors.New("hls: the stream holds too much memory: its bit rate is too high or its time stands still")

// Cutter is the plan of a presentation and the one place where it is cut: target durations, the boundaries of segments and
// parts, media sequence numbers, dates, discontinuities. It goes by the frames of its first rendition, the leading one; what
// it decides holds for all (RFC 8216bis 6.2.4: the same timestamps, discontinuities and, here, sequence numbers).
//
// The leading rendition's Write, Metadata and End belong to one goroutine at a time; everything else may be called from any.
type Cutter struct {
	opts    Options
	lead    *Rendition
	preroll *preroll // nil once frames are cut
	ended   bool
	cutting

	dateSteps atomic.Int64
	asked     atomic.Bool // a rendition that follows has new parameters and needs a discontinuity

	mu        sync.Mutex
	followers []*Rendition
	begun     *plan // nil: nobody knows yet how to cut
	over      bool
}

// NewCutter returns a cutter without renditions.
func NewCutter(o Options) *Cutter { return &Cutter{opts: o.withDefaults(), preroll: &preroll{}} }

// AddRendition returns a new rendition. The first one leads. One that comes later begins with the next segment, under the
// sequence number that this segment has in all playlists.
func (c *Cutter) AddRendition() *Rendition {
	r := &Rendition{Live: newLive(), cutter: c, container: newContainer(c.opts.Container)}
	r.playlist = mediaPlaylist{live: r.Live, stream: &stream{}}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lead == nil {
		c.lead = r
		return r
	}
	r.follower = &follower{needKey: true}
	if c.begun != nil {
		r.begin(*c.begun)
	}
	if c.over {
		r.end()
	}
	c.followers = append(c.followers, r)
	return r
}

// write takes a frame of the leading rendition.
func (c *Cutter) write(f media.Frame) {
	r := c.lead
	if c.preroll == nil {
		c.takeFrame(&f)
		c.publish()
		return
	}
	if c.preroll.addFrame(f, c.opts.TargetDuration > 0) {
		c.begin()
	}
	if c.preroll != nil {
		r.pending = c.preroll.bytes
	}
	r.count()
}

// takeFrame cuts before a frame where it must, and adds it to the open part.
func (c *Cutter) takeFrame(f *media.Frame) {
	c.lead.frames++
	if f.Track.IsVideo() {
		c.takePicture(f)
	} else {
		c.takeSound(f)
	}
}

// Metadata puts an ID3 tag with one PRIV frame at the current place of the stream (spec ivs.md 12), with the same bytes and
// the same time in every rendition. Before the first picture there is no such place, and the tag is dropped.
func (c *Cutter) Metadata(owner string, text []byte) {
	if c.ended {
		return
	}
	data := id3.AppendPriv(make([]byte, 0, id3.PrivSize(owner, text)), owner, text)
	if c.preroll != nil {
		c.preroll.addTag(data)
		return
	}
	c.addTag(data)
}

// addTag puts an ID3 tag at the end of what has been shown.
func (c *Cutter) addTag(data []byte) {
	t := tag{pts: max(c.pts, c.from), data: data}
	c.lead.addTag(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.followers {
		r.follower.mu.Lock()
		r.addTag(t)
		r.follower.mu.Unlock()
	}
}

// begin fixes how the stream is cut and cuts what has been held back.
func (c *Cutter) begin() {
	q := c.preroll
	c.preroll = nil
	p := q.plan(c.opts.TargetDuration, c.opts.PartTarget)
	c.lead.begin(p)
	c.mu.Lock()
	c.begun = &p
	for _, r := range c.followers {
		r.begin(p)
	}
	c.mu.Unlock()
	c.lead.pending = 0
	c.startCutting(p, q.clock(), q.picture(), c.opts.Logger)
	c.lead.setTracks(q.video, q.audio)
	c.startSegment(q.first, false)
	for i := range q.items {
		switch f := &q.items[i].frame; {
		case f.Track == nil:
			c.addTag(q.items[i].tag)
		case f.Track.IsVideo() || place(f) >= q.first:
			c.takeFrame(f)
		}
	}
	c.publish()
}

// End closes what is open and ends the playlists of all renditions. Later writes fail. Whoever feeds the renditions that
// follow ends first: what they have not written by now is a gap.
func (c *Cutter) End() {
	if c.ended {
		return
	}
	if c.preroll != nil && c.preroll.frames > 0 {
		c.begin()
	}
	if c.preroll == nil {
		c.finishAll()
		c.lead.count()
	}
	c.ended, c.preroll = true, nil
	c.lead.playlist.refreshInfo(c.lead)
	c.lead.playlist.end()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for _, r := range c.followers {
		r.end()
	}
}

// publish stores a snapshot if the last frame changed what viewers of the leading rendition see.
func (c *Cutter) publish() {
	r := c.lead
	r.count()
	if r.playlist.changed() {
		r.publish(c.hint())
	}
}

// DateSteps counts how often EXT-X-PROGRAM-DATE-TIME was put right at a discontinuity since the stream started.
func (c *Cutter) DateSteps() int64 { return c.dateSteps.Load() }

// tellRenditions hands a decision to every rendition and reports whether the part that it ends has anything in it in the leading one.
func (c *Cutter) tellRenditions(d decision) (media bool) {
	media = c.lead.carryOut(&d, len(c.lead.video))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.followers {
		r.offerDecision(d)
	}
	return media
}

// decision is one of a Cutter's. All times are ticks on the broadcast's timeline.
type decision struct {
	kind decisionKind
	head Head  // of the segment that starts; its Map is the rendition's affair
	gone int64 // discontinuities of all segments before that one
	key  int64 // presentation time of the keyframe for which it starts; 0: for none

	// Of the part that ends.
	from, to int64
	offset   int64 // presentation minus decode time of the leading rendition's pictures there
	next     int64 // decode time of its next picture; -1: not known
	end      int64 // where its newest picture was predicted to end
	shown    int64 // place of its newest picture
	interval int64 // between its pictures
	silent   bool  // only sound comes: it is the clock
	repeat   bool  // the last keyframe is repeated meanwhile
	loops    bool  // keyframes have come again and again, so that the last one may be repeated
	lasting  int64 // how much sound without pictures it takes until then
	hasSound bool  // the leading rendition has sound
	keyNext  bool  // a keyframe that starts a segment is expected next
}

type decisionKind uint8

const (
	segmentStarts decisionKind = iota
	partEnds
	segmentEnds
)

// startCutting begins the timeline at the first picture.
func (c *Cutter) startCutting(p plan, clock wallclock, first *media.Frame, log *slog.Logger) {
	c.cutting = cutting{plan: p, clock: clock, log: log, next: -1, open: -1}
	c.grace = max(p.part, p.interval*3/2)
	c.cadence = newCadence(p.interval, p.target/2, p.regular)
	c.bounds.target = p.target
	c.end, c.pts, c.shown, c.offset = first.DTS, first.PTS(), first.DTS, int64(first.Offset)
}

// noteInterval is how often a cutter writes to the log: an encoder can break its stream with every frame.
const noteInterval = 10 * time.Second

// note logs what the encoder did to the stream, unless something was logged a moment ago.
func (c *Cutter) note(what string, args ...any) {
	if at := time.Unix(0, c.clock.newest); !at.Before(c.quiet) {
		c.quiet = at.Add(noteInterval)
		c.log.Info("hls: the encoder changed its stream", append(args, "what", what)...)
	}
}
