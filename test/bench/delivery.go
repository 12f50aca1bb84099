package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// container of the channels that viewers watch.
const watched = "FRAGMENTED_MP4"

// measureLatency takes the way of a picture to a few viewers, on an otherwise idle server.
func measureLatency(ctx context.Context, b *bench) error {
	a, err := b.goLive(ctx, 1, watched, nil)
	if err != nil {
		return err
	}
	defer a.stop()
	kinds := []struct {
		what  string
		job   viewJob
		limit float64
	}{
		{"part to viewer, playlist first", viewJob{}, 10},
		{"part to viewer, hinted part", viewJob{Hinted: true}, 10},
	}
	for _, k := range kinds {
		k.job.PlaybackURL, k.job.Viewers = a.channels[0].PlaybackURL, 10
		v, _, err := b.watchViewers(ctx, a, k.job, "", pick(b, 12*time.Second, 3*time.Second))
		if err != nil {
			return err
		}
		b.report.hold(k.what+", p50", v.P50.Seconds()*1000, k.limit, "%.1f ms")
		b.report.hold(k.what+", p99", v.P99.Seconds()*1000, k.limit, "%.1f ms")
	}
	b.report.note("from the encoder's write of the newest picture in a part to the last byte of the part at the viewer, 10 viewers; %s", clipName)
	return nil
}

// measureDelivery measures serving many viewers of one channel.
func measureDelivery(ctx context.Context, b *bench) error {
	for _, n := range pick(b, []int{200, 1000}, []int{50}) {
		if err := b.measureAudience(ctx, n); err != nil {
			return fmt.Errorf("%d viewers: %w", n, err)
		}
	}
	b.report.note("one channel of %s; every viewer loads each playlist update (blocking reload, delta, not compressed) and each part over one connection; a part is late when its last byte comes later than its own duration after its newest picture was sent, skipped and failed ones count too; media bytes without headers and playlists", clipName)
	return nil
}

func (b *bench) measureAudience(ctx context.Context, n int) error {
	b.progress("delivery: %d viewers", n)
	a, err := b.goLive(ctx, 1, watched, nil)
	if err != nil {
		return err
	}
	defer a.stop()
	j := viewJob{PlaybackURL: a.channels[0].PlaybackURL, Viewers: n, Ramp: 2 * time.Second}
	v, used, err := b.watchViewers(ctx, a, j, fmt.Sprintf("delivery-%d", n), pick(b, 20*time.Second, 4*time.Second))
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d viewers", n)
	bits := float64(v.MediaBytes) * 8
	seconds := used.length().Seconds()
	b.report.hold(what+": CPU seconds a Gbit", used.ended.since(used.began).Seconds()/(bits/1e9), 0.08, "%.3f")
	b.report.hold(what+fmt.Sprintf(": late ones of %d parts", v.Parts), float64(v.missed()), 0, "%.0f")
	b.report.add(what+": delivered", "%.0f Mbit/s, %.0f requests a second; %.2f cores, %.2f of the viewers",
		bits/seconds/1e6, 2*float64(v.Parts)/seconds, used.ended.cores(used.began), used.client.Seconds()/seconds)
	b.report.add(what+": part latency p50 / p99 / max", "%.1f / %.1f / %.1f ms", v.P50.Seconds()*1000, v.P99.Seconds()*1000, v.Max.Seconds()*1000)
	if v.missed() > 0 || v.Playing < int64(n) {
		b.report.note("%s: %d of %d parts late, %d skips, %d failures (%s), %d viewers at the end",
			what, v.Late, v.Parts, v.Lost, v.Failed, v.Failure, v.Playing)
	}
	return nil
}

// watchViewers lets viewers join, and measures them and the server for d; with a profile name it profiles meanwhile.
func (b *bench) watchViewers(ctx context.Context, a *onAir, j viewJob, profile string, d time.Duration) (viewed, stretch, error) {
	audience, err := b.startLoad(ctx, job{View: &j})
	if err != nil {
		return viewed{}, stretch{}, err
	}
	defer audience.stop()
	if err := b.settle(ctx, audience, j); err != nil {
		return viewed{}, stretch{}, err
	}
	var used stretch
	began, err := audience.cpu()
	if err != nil {
		return viewed{}, used, err
	}
	if used.began, err = a.usage(); err != nil {
		return viewed{}, used, err
	}
	if err := audience.mark(new(viewed)); err != nil {
		return viewed{}, used, err
	}
	if profile == "" {
		err = wait(ctx, d)
	} else {
		err = a.profileFor(ctx, b, profile, d)
	}
	if err != nil {
		return viewed{}, used, err
	}
	var v viewed
	if err := audience.mark(&v); err != nil {
		return v, used, err
	}
	if used.ended, err = a.usage(); err != nil {
		return v, used, err
	}
	ended, err := audience.cpu()
	used.client = ended - began
	if err == nil && v.Parts == 0 {
		err = fmt.Errorf("no viewer got a part: %s", v.Failure)
	}
	return v, used, err
}

// settle waits until all viewers play, and three seconds more.
func (b *bench) settle(ctx context.Context, audience *loader, j viewJob) error {
	if err := wait(ctx, j.Ramp); err != nil {
		return err
	}
	err := poll(ctx, "viewers join", func() error {
		var v viewed
		if err := audience.mark(&v); err != nil {
			return err
		}
		if v.Failed > 0 {
			b.progress("viewers: %d failures, %s", v.Failed, v.Failure)
		}
		if v.Playing < int64(j.Viewers) {
			return errors.New("not all of them play")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return wait(ctx, 3*time.Second)
}
