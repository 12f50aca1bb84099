package main

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// How a stage is starved: everything that it and its subscribers need of the processors is wanted by others too, or many come
// at once. No link is narrow in either case, so nothing may be switched off and nothing probed.
const (
	crowd       = 200
	rushGap     = time.Second / 25
	busyThreads = 20
)

// measureBusy measures what subscribers get of one publisher when they come in a rush, and when the processors are short.
func measureBusy(ctx context.Context, b *bench) error {
	err := b.eachServer(ctx, func(c contender) error {
		return b.tolerate(ctx, c, "a rush and busy processors", b.measureCrowdOf(ctx, c))
	})
	b.report.note("one publisher of 720p30 H.264 at 2.5 Mbit/s and Opus, one layer; subscribers come %d a second; then %d threads of another process take all the time that the system gives them", int(time.Second/rushGap), busyThreads)
	return err
}

func (b *bench) measureCrowdOf(ctx context.Context, c contender) error {
	s, err := c.start(ctx)
	if err != nil {
		return err
	}
	o := &onStage{sfu: s}
	defer o.close()
	n := pick(b, crowd, 20)
	b.progress("busy: %s, %d subscribers", s.name(), n)
	tickets, err := s.open(ctx, 1+n)
	if err != nil {
		return err
	}
	if err := b.bring(ctx, o, stageJob{Members: []member{{Ticket: tickets[0], Program: program()}}}, 1, 0); err != nil {
		return err
	}
	j := stageJob{Gap: rushGap}
	for _, t := range tickets[1:] {
		j.Members = append(j.Members, member{Ticket: t, Watch: []string{tickets[0].ID}})
	}
	rush := &crossing{}
	if rush.first, err = s.scrape(ctx); err != nil {
		return err
	}
	if err := b.bring(ctx, o, j, 0, n); err != nil {
		return err
	}
	if rush.last, err = s.scrape(ctx); err != nil {
		return err
	}
	if s.name() == "rivus" {
		b.report.add(fmt.Sprintf("%d joins in a rush", n), "%s", rush.counters("layer_changes", "padding", "probes"))
	}
	spin, err := b.startLoad(ctx, job{Spin: busyThreads})
	if err != nil {
		return err
	}
	defer spin.stop()
	went, err := b.cross(ctx, o, "busy-"+s.name(), pick(b, 10*time.Second, 2*time.Second))
	if err != nil {
		return err
	}
	each := float64(went.Received.Bytes) * 8 / 1e6 / went.length().Seconds() / float64(n)
	published := float64(went.Sent.Bytes) * 8 / 1e6 / went.length().Seconds()
	b.report.add(fmt.Sprintf("%s%d subscribers beside %d busy threads", mark(s), n, busyThreads), "%.2f of %.2f Mbit/s each, %d packets lost, %d packets of padding",
		each, published, went.Lost.Video+went.Lost.Sound, went.Received.Padding)
	if s.name() == "rivus" {
		b.report.add(fmt.Sprintf("%d subscribers beside %d busy threads, the server's counters", n, busyThreads), "%s", went.counters("packets_sent", "padding", "probes", "layer_changes", "dropped"))
	}
	return nil
}

// spin is a load that uses as much processor time as it gets, on so many threads.
type spin int

func (n spin) run(ctx context.Context) error {
	runtime.GOMAXPROCS(int(n))
	for range int(n) {
		go func() {
			runtime.LockOSThread()
			for ctx.Err() == nil { //nolint:revive // this is all it does
			}
		}()
	}
	<-ctx.Done()
	return nil
}

func (spin) mark(string) any { return true }
