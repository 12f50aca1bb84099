package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"
)

// ingestCase is a number of encoders and what their channels are packaged into.
type ingestCase struct {
	streams   int
	container string
	full      bool // stay until the live window is full, and measure memory
}

// budgetStreams is the number of streams for which DESIGN.md sets the budgets.
const budgetStreams = 30

// windowTime is how long streams run before their memory is measured: a window of ten 2 s segments and its length again,
// which fill it, and time for the garbage collector to show how far it lets the heap grow.
const windowTime = 65 * time.Second

// measureIngest measures taking streams in and packaging them, without viewers.
func measureIngest(ctx context.Context, b *bench) error {
	cases := pick(b,
		[]ingestCase{{1, "FRAGMENTED_MP4", false}, {10, "FRAGMENTED_MP4", false}, {budgetStreams, "FRAGMENTED_MP4", true}, {budgetStreams, "TS", false}},
		[]ingestCase{{1, "FRAGMENTED_MP4", false}, {5, "TS", false}})
	for _, c := range cases {
		if err := b.measureCase(ctx, c); err != nil {
			return fmt.Errorf("%d streams of %s: %w", c.streams, c.container, err)
		}
	}
	b.report.note("%s; RTMP in chunks of %d bytes, LL-HLS out, no viewers; frames of both tracks count", clipName, publishChunk)
	return nil
}

func (b *bench) measureCase(ctx context.Context, c ingestCase) error {
	b.progress("ingest: %d streams of %s", c.streams, c.container)
	var idle func(*server) error
	if c.streams == 1 {
		idle = func(s *server) error { return b.measureIdle(ctx, s) }
	}
	a, err := b.goLive(ctx, c.streams, c.container, idle)
	if err != nil {
		return err
	}
	defer a.stop()
	d := pick(b, 20*time.Second, 4*time.Second)
	if c.full {
		if err := wait(ctx, windowTime-d); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("ingest-%d-%s", c.streams, c.container)
	s, err := a.watch(ctx, b, name, d)
	if err != nil {
		return err
	}
	b.reportCase(c, s)
	if !c.full {
		return nil
	}
	if err := a.profile(ctx, b, name+"-heap", "heap"); err != nil {
		return err
	}
	return b.reportMemory(ctx, a, s)
}

// measureIdle tells what a server without any stream uses.
func (b *bench) measureIdle(ctx context.Context, s *server) error {
	before, err := s.usage()
	if err != nil {
		return err
	}
	if err := wait(ctx, pick(b, 4*time.Second, time.Second)); err != nil {
		return err
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	b.report.add("no stream", "%.4f cores", after.cores(before))
	return nil
}

func (b *bench) reportCase(c ingestCase, s stretch) {
	container := map[string]string{"FRAGMENTED_MP4": "fMP4", "TS": "TS"}[c.container]
	what := fmt.Sprintf("%d streams, %s", c.streams, container)
	cores := s.ended.cores(s.began) / float64(c.streams)
	if c.streams < budgetStreams { // too few to share what the server does anyway
		b.report.add(what+": cores a stream", "%.4f", cores)
	} else {
		b.report.hold(what+": cores a stream", cores, 0.0025, "%.4f")
	}
	if c.streams > 1 {
		b.report.hold(what+": allocations a frame", s.allocations/float64(s.sent.Frames), 1, "%.2f")
		b.report.add(what+": bytes allocated for a byte of media", "%.2f", s.allocated/float64(s.sent.Bytes))
	}
	if late := s.sent.Behind; late > 100*time.Millisecond {
		b.report.note("the encoders of %s were up to %d ms behind their time", what, late.Milliseconds())
	}
}

// reportMemory compares the growth of the process with what RFC 8216bis 6.2.2 makes a server keep: the playlist, and its
// length again for those who got the oldest one.
func (b *bench) reportMemory(ctx context.Context, a *onAir, s stretch) error {
	listed, err := a.listedTime(ctx)
	if err != nil {
		return err
	}
	n := float64(len(a.channels))
	rate := float64(s.sent.Bytes) / s.length().Seconds() / n
	kept := rate * 2 * listed.Seconds()
	grown := float64(s.ended.peak-a.idle.resident) / n
	what := fmt.Sprintf("%d streams: ", len(a.channels))
	b.report.add(what+"resident memory, now / peak", "%.0f / %.0f MB", megabytes(float64(s.ended.resident)), megabytes(float64(s.ended.peak)))
	b.report.add(what+"resident memory a stream, peak", "%.1f MB", megabytes(grown))
	b.report.hold(what+"its ratio to what must be kept", grown/kept, 1.2, "%.2f")
	m, err := a.scrape(ctx)
	if err != nil {
		return err
	}
	b.report.note("what must be kept is the playlist and its length again (RFC 8216bis 6.2.2): 2 x %.1f s of %.2f Mbit/s = %.1f MB a stream; GOGC %.0f, GOMEMLIMIT %s in the server (%q, %q in its environment)",
		listed.Seconds(), rate*8/1e6, megabytes(kept), m["go_gc_gogc_percent"], memoryLimit(m["go_gc_gomemlimit_bytes"]),
		os.Getenv("GOGC"), os.Getenv("GOMEMLIMIT"))
	return nil
}

// memoryLimit formats a Go memory limit, of which the greatest number means none.
func memoryLimit(bytes float64) string {
	if bytes > 1<<60 {
		return "off"
	}
	return fmt.Sprintf("%.0f MB", megabytes(bytes))
}

// listedTime returns how long the playlist of the first channel is.
func (a *onAir) listedTime(ctx context.Context) (time.Duration, error) {
	top, err := a.get(ctx, a.channels[0].PlaybackURL)
	if err != nil {
		return 0, err
	}
	base, err := url.Parse(a.channels[0].PlaybackURL)
	if err != nil {
		return 0, err
	}
	media, err := base.Parse(firstURI(top))
	if err != nil {
		return 0, err
	}
	list, err := a.get(ctx, media.String())
	if err != nil {
		return 0, err
	}
	return listedTime(list), nil
}
