package stage

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/stage/bwe"
	"github.com/rivus-live/rivus/internal/stage/forward"
	"github.com/rivus-live/rivus/internal/whip"
)

// environment is what all publications and downlinks of a Manager share.
type environment struct {
	now      clock
	batch    func() Departure // for packets of any sinks; nil where sinks need none
	counters *counters
	defect   func(v any) // told of a panic on a goroutine of theirs
	host     *bwe.Host   // what all downlinks share; nil for none
	pixels   int         // of a picture, at most; 0: any
	download int         // bits a second to one participant, at most; 0: what the link carries
}

// publication is what one participant sends: a source, its tracks, and the subscriptions fed from them.
type publication struct {
	environment
	source  Source
	formats [kinds]*Format // nil: not published
	tracks  [kinds]*track
	labels  []string    // of the simulcast layers by index; empty without simulcast
	gone    func()      // called when it is over; may be nil
	exceeds func(error) // told of a limit that is exceeded; may be nil
	clocks  sharedClock
	bytes   atomic.Int64  // received
	ranked  atomic.Uint32 // the order of the video's layers, a packed ladder
	sorting sync.Mutex    // guards the next two, and the replacement of ranked
	rising  ladder        // the order that was measured last
	risen   time.Duration // since when it is that
	group   sync.WaitGroup
	over    chan struct{} // closed when run has returned

	// ---- the room's
	edition whip.Edition
	started time.Time // when it was shown to the others
	rate    rateWatch
	shown   uint32 // of ranked, what the others were told
}

// Format is what a track of a publication holds, as subscribers have to match it.
type Format struct {
	Name       string // "opus", "H264", "VP8", "VP9" or "AV1"
	ClockRate  uint32
	Parameters string // as an fmtp line has them
}

func newPublication(env environment, src Source, formats [kinds]*Format, labels []string, gone func()) *publication {
	p := &publication{
		environment: env, source: src, formats: formats, labels: labels, gone: gone, over: make(chan struct{}),
	}
	p.ranked.Store(straight().pack())
	p.shown = p.ranked.Load()
	for k, f := range formats {
		if f != nil {
			p.tracks[k] = newTrack(Kind(k), p)
		}
	}
	return p
}

// run takes what the source has until that is over, then closes it and returns after the last goroutine.
func (p *publication) run() {
	p.contain(func() { p.source.Run(p.begin) }, func() {})
	p.contain(p.source.Close, func() {})
	for _, t := range p.tracks {
		if t != nil {
			t.end()
		}
	}
	p.group.Wait()
	close(p.over)
	if p.gone != nil { // after over is closed: who looks then sees the end
		p.gone()
	}
}

// begin gives a layer its place, unless it has none.
func (p *publication) begin(source Layer) Feed {
	info := source.Info()
	t := p.tracks[info.Kind]
	if t == nil {
		return nil
	}
	l, ok := t.add(source)
	if !ok {
		return nil
	}
	if info.Kind == Video { // the first keyframe is asked for before anybody waits
		t.want(info.Index)
	}
	return l
}

// layers returns which layers of the video have packets, by index, with their rates, 0 for one that is off. A layer
// is off when others go on without it: a still picture may leave long pauses between its frames.
func (p *publication) layers() (rates [forward.MaxLayers]int) {
	t := p.tracks[Video]
	if t == nil {
		return rates
	}
	var newest time.Duration
	for i := range rates {
		if l := t.layer(i); l != nil {
			newest = max(newest, l.meter.lastAt())
		}
	}
	for i := range rates {
		if l := t.layer(i); l != nil {
			rates[i] = l.meter.get(newest)
		}
	}
	return rates
}

// audioRate returns the bits a second of the audio.
func (p *publication) audioRate() int {
	if t := p.tracks[Audio]; t != nil {
		if l := t.layer(0); l != nil {
			return l.meter.get(p.now())
		}
	}
	return 0
}

// fits looks at the first packet of a keyframe of a layer, where its size matters; false, and the room is told, when the
// picture has more pixels than it may.
func (p *publication) fits(l *layer, payload []byte) bool {
	if p.pixels == 0 && !p.simulcast() {
		return true
	}
	width, height, ok := pictureSize(l.Codec, payload)
	if !ok {
		return true
	}
	if n := int64(width) * int64(height); l.pixels.Swap(n) != n {
		p.sort()
	}
	if p.pixels == 0 || width*height <= p.pixels {
		return true
	}
	p.exceed(failTooLarge(width, height))
	return false
}

// exceed tells of a limit that is exceeded, without making the feed wait.
func (p *publication) exceed(err error) {
	if p.exceeds != nil {
		p.group.Go(func() { p.contain(func() { p.exceeds(err) }, func() {}) })
	}
}

func failTooLarge(width, height int) error {
	return fail(0, resource.ErrorResolutionExceeded, "a picture of "+dimensions(width, height)+" is larger than the stage allows")
}
