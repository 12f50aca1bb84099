package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// viewJob is a load of viewers of one channel.
type viewJob struct {
	PlaybackURL string
	Viewers     int
	Ramp        time.Duration // in which they all join
	Hinted      bool          // ask for the hinted part before it exists, instead of for the playlist first
}

// viewed is what viewers saw since the last mark.
type viewed struct {
	Playing       int64 // viewers now
	Parts         int64
	MediaBytes    int64
	PlaylistBytes int64
	Late          int64 // parts that came later than their own duration after they were published
	Lost          int64 // times that a viewer fell so far behind that it had to skip
	Failed        int64 // answers that were no success, and viewers that gave up
	Failure       string
	P50, P99, Max time.Duration // from sending the newest picture of a part to having the part
}

// missed counts what did not come on time.
func (v viewed) missed() int64 { return v.Late + v.Lost + v.Failed }

// viewers play one channel, each with one connection and one goroutine: blocking reload of the playlist as a delta
// update, then the new parts. They do not ask for compression, which would cost them more than it saves on loopback.
type viewers struct {
	job      viewJob
	url      *url.URL
	arrivals arrivals
	scratch  sync.Pool // *[64 << 10]byte

	playing, parts, media, playlists, lost, failed atomic.Int64

	failure atomic.Pointer[string] // the first one
}

func newViewers(j viewJob) (*viewers, error) {
	u, err := url.Parse(j.PlaybackURL)
	if err != nil {
		return nil, err
	}
	return &viewers{job: j, url: u}, nil
}

func (v *viewers) mark(string) any {
	took, late := v.arrivals.collect()
	slices.Sort(took)
	m := viewed{
		Playing: v.playing.Load(), Parts: v.parts.Swap(0), MediaBytes: v.media.Swap(0), PlaylistBytes: v.playlists.Swap(0),
		Late: int64(late), Lost: v.lost.Swap(0), Failed: v.failed.Swap(0),
		P50: quantile(took, 0.5), P99: quantile(took, 0.99), Max: quantile(took, 1),
	}
	if f := v.failure.Swap(nil); f != nil {
		m.Failure = *f
	}
	return m
}

func (v *viewers) run(ctx context.Context) error {
	var all errgroup.Group
	for i := range v.job.Viewers {
		delay := v.job.Ramp * time.Duration(i) / time.Duration(v.job.Viewers)
		all.Go(func() error {
			if wait(ctx, delay) == nil {
				v.view(ctx)
			}
			return nil
		})
	}
	return all.Wait()
}

// view is one viewer, from joining until ctx ends or something fails.
func (v *viewers) view(ctx context.Context) {
	w, err := dialWire(ctx, v.url.Host)
	if err != nil {
		v.fail(err)
		return
	}
	defer w.close()
	defer context.AfterFunc(ctx, w.close)() // ends a wait
	p := &viewer{viewers: v, wire: w}
	if err := p.play(ctx); err != nil && ctx.Err() == nil {
		v.fail(err)
	}
}

func (v *viewers) fail(err error) {
	v.failed.Add(1)
	text := err.Error()
	v.failure.CompareAndSwap(nil, &text)
}

// viewer is one viewer's place in the stream.
type viewer struct {
	*viewers
	*wire
	playlist string // target of the media playlist
	base     string // of the files beside it
	last     string // URI of the newest part that it knows
	hint     string
	request  []byte
	body     []byte
}

func (p *viewer) play(ctx context.Context) error {
	if err := p.join(); err != nil {
		return err
	}
	p.playing.Add(1)
	defer p.playing.Add(-1)
	for ctx.Err() == nil {
		if p.job.Hinted {
			// Its duration is not told yet; half a second forgives nothing that matters.
			if err := p.fetch(listedPart{p.hint, 500 * time.Millisecond}); err != nil {
				return err
			}
		}
		u, err := p.reload()
		if err != nil {
			return err
		}
		if u.lost {
			p.lost.Add(1)
		}
		if !p.job.Hinted {
			for _, part := range u.parts {
				if err := p.fetch(part); err != nil {
					return err
				}
			}
		}
		if u.ended {
			return nil
		}
	}
	return nil
}

// join loads the multivariant playlist, the media playlist and the init segment. It starts with the part after the
// newest one.
func (p *viewer) join() error {
	top, err := p.load(p.url.RequestURI())
	if err != nil {
		return err
	}
	media, err := p.url.Parse(firstURI(top))
	if err != nil {
		return err
	}
	p.playlist = media.RequestURI()
	p.base = path.Dir(media.Path) + "/"
	list, err := p.load(p.playlist)
	if err != nil {
		return err
	}
	u := readUpdate(list, "")
	if len(u.parts) == 0 || u.hint == "" {
		return errors.New("viewer: the playlist has no parts")
	}
	p.last, p.hint = u.parts[0].uri, u.hint
	return nil
}

// load returns the body of a URL, valid until the next call.
func (p *viewer) load(target string) ([]byte, error) {
	p.request = append(p.request[:0], get(p.url.Host, target)...)
	status, body, err := p.do(p.request, p.body[:0])
	p.body = body
	if err == nil && status != 200 {
		err = fmt.Errorf("viewer: %s answers %d: %.200s", target, status, body)
	}
	return body, err
}

// reload waits for the playlist with the hinted part and takes what is new in it.
func (p *viewer) reload() (update, error) {
	msn, part, err := partNumbers(p.hint)
	if err != nil {
		return update{}, err
	}
	list, err := p.load(fmt.Sprintf("%s&_HLS_msn=%d&_HLS_part=%d&_HLS_skip=YES", p.playlist, msn, part))
	if err != nil {
		return update{}, err
	}
	p.playlists.Add(int64(len(list)))
	u := readUpdate(list, p.last)
	if len(u.parts) == 0 && !u.ended {
		return u, fmt.Errorf("viewer: the playlist lists nothing after %s", p.last)
	}
	if n := len(u.parts); n > 0 {
		p.last = u.parts[n-1].uri
	}
	p.hint = u.hint
	return u, nil
}

// fetch loads a part.
func (p *viewer) fetch(part listedPart) error {
	var size int64
	if p.arrivals.claim(part) {
		body, err := p.load(p.base + part.uri)
		if err != nil {
			return err
		}
		now := time.Now()
		at, ok := lastStamp(body)
		if !ok {
			return fmt.Errorf("viewer: no stamp in %s", part.uri)
		}
		p.arrivals.publish(part.uri, at)
		p.arrivals.came(part.uri, now)
		size = int64(len(body))
	} else {
		p.request = append(p.request[:0], get(p.url.Host, p.base+part.uri)...)
		status, n, err := p.discard(p.request, &p.scratch)
		if err != nil {
			return err
		}
		if status != 200 {
			return fmt.Errorf("viewer: %s answers %d", part.uri, status)
		}
		p.arrivals.came(part.uri, time.Now())
		size = n
	}
	p.parts.Add(1)
	p.media.Add(size)
	return nil
}
