package stage

import (
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/stage/forward"
)

// publication is what one participant sends: a source, its tracks, and the subscriptions fed from them.
type publication struct {
	source  Source
	formats [kinds]*Format // nil: not published
	tracks  [kinds]*track
	labels  []string // of the simulcast layers, lowest first; empty without simulcast
	now     clock
	flush   func()
	gone    func() // called when it is over; may be nil
	clocks  sharedClock
	group   sync.WaitGroup
	over    chan struct{} // closed when run has returned
	started time.Time
}

// Format is what a track of a publication holds, as subscribers have to match it.
type Format struct {
	Name       string // "opus", "H264", "VP8", "VP9" or "AV1"
	ClockRate  uint32
	Parameters string // as an fmtp line has them
}

func newPublication(src Source, formats [kinds]*Format, labels []string, now clock, flush, gone func()) *publication {
	p := &publication{
		source: src, formats: formats, labels: labels, now: now, flush: flush, gone: gone, over: make(chan struct{}),
	}
	for k, f := range formats {
		if f != nil {
			p.tracks[k] = newTrack(Kind(k), p)
		}
	}
	return p
}

// run accepts layers until the source is over, then closes it and returns after the last goroutine.
func (p *publication) run() {
	defer close(p.over)
	for {
		l, err := p.source.Accept()
		if err != nil {
			break
		}
		info := l.Info()
		t := p.tracks[info.Kind]
		if t == nil {
			continue
		}
		added, ok := t.add(l)
		if !ok {
			continue
		}
		if info.Kind == Video { // the first keyframe is asked for before anybody waits
			t.want(info.Index)
		}
		p.group.Go(func() { t.read(added) })
	}
	p.source.Close()
	for _, t := range p.tracks {
		if t != nil {
			t.end()
		}
	}
	p.group.Wait()
	if p.gone != nil {
		p.gone()
	}
}

// layers returns which layers of the video have packets now, lowest first, with their rates.
func (p *publication) layers(now time.Duration) (rates [forward.MaxLayers]int) {
	t := p.tracks[Video]
	if t == nil {
		return rates
	}
	for i := range rates {
		if l := t.layer(i); l != nil {
			rates[i] = l.meter.get(now)
		}
	}
	return rates
}

// audioRate returns the bits a second of the audio.
func (p *publication) audioRate(now time.Duration) int {
	if t := p.tracks[Audio]; t != nil {
		if l := t.layer(0); l != nil {
			return l.meter.get(now)
		}
	}
	return 0
}
