package main

import (
	"context"
	"time"
)

// onAir is a server with channels that are live.
type onAir struct {
	*server
	channels []channel
	encoders *loader
	idle     usage // when it had channels but no encoder
}

// goLive starts a server, publishes the clip to n channels and returns when the last of them can be played. whileIdle is
// called before the encoders come.
func (b *bench) goLive(ctx context.Context, n int, container string, whileIdle func(*server) error) (*onAir, error) {
	if err := b.makeClip(ctx); err != nil {
		return nil, err
	}
	s, err := b.start(ctx)
	if err != nil {
		return nil, err
	}
	a := &onAir{server: s}
	if err := a.publish(ctx, b, n, container, whileIdle); err != nil {
		a.stop()
		return nil, err
	}
	return a, nil
}

func (a *onAir) publish(ctx context.Context, b *bench, n int, container string, whileIdle func(*server) error) error {
	var err error
	if a.channels, err = a.createChannels(ctx, n, container); err != nil {
		return err
	}
	if whileIdle != nil {
		if err := whileIdle(a.server); err != nil {
			return err
		}
	}
	if a.idle, err = a.usage(); err != nil {
		return err
	}
	j := publishJob{Clip: b.clip}
	for _, c := range a.channels {
		j.URLs = append(j.URLs, c.PublishURL)
	}
	if a.encoders, err = b.startLoad(ctx, job{Publish: &j}); err != nil {
		return err
	}
	for _, c := range a.channels {
		if err := poll(ctx, "a channel goes live", func() error {
			_, err := a.get(ctx, c.PlaybackURL)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the encoders and the server.
func (a *onAir) stop() {
	if a.encoders != nil {
		a.encoders.stop()
	}
	a.server.stop()
}

// stretch is what the server used and the load did over some time.
type stretch struct {
	began, ended usage
	client       time.Duration // CPU time of the viewers, where there are any
	sent         published
	allocations  float64 // objects
	allocated    float64 // bytes
}

func (s stretch) length() time.Duration { return s.ended.at.Sub(s.began.at) }

// watch measures while the load runs for d; with a profile name it profiles meanwhile.
func (a *onAir) watch(ctx context.Context, b *bench, profile string, d time.Duration) (stretch, error) {
	var s stretch
	scrapeCost, err := a.allocatedByScrape(ctx)
	if err != nil {
		return s, err
	}
	first, err := a.scrape(ctx)
	if err != nil {
		return s, err
	}
	if err := a.encoders.mark(&s.sent); err != nil {
		return s, err
	}
	if s.began, err = a.usage(); err != nil {
		return s, err
	}
	if err := a.profileFor(ctx, b, profile, d); err != nil {
		return s, err
	}
	if s.ended, err = a.usage(); err != nil {
		return s, err
	}
	if err := a.encoders.mark(&s.sent); err != nil {
		return s, err
	}
	last, err := a.scrape(ctx)
	if err != nil {
		return s, err
	}
	s.allocations = last[allocatedObjects] - first[allocatedObjects] - scrapeCost[allocatedObjects]
	s.allocated = last[allocatedBytes] - first[allocatedBytes] - scrapeCost[allocatedBytes]
	return s, nil
}

// Names of the Go runtime's counters.
const (
	allocatedObjects = "go_memstats_mallocs_total"
	allocatedBytes   = "go_memstats_alloc_bytes_total"
)

// allocatedByScrape returns what one scrape adds to the counters of allocations: the least of a few, as the load goes on
// meanwhile and the first one has a connection to open.
func (s *server) allocatedByScrape(ctx context.Context) (metrics, error) {
	var least, before metrics
	for range 5 {
		m, err := s.scrape(ctx)
		if err != nil {
			return nil, err
		}
		if before != nil {
			cost := metrics{}
			for _, name := range []string{allocatedObjects, allocatedBytes} {
				cost[name] = m[name] - before[name]
			}
			if least == nil || cost[allocatedObjects] < least[allocatedObjects] {
				least = cost
			}
		}
		before = m
	}
	return least, nil
}
