package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// churners is how many participants come and go, all the time.
const churners = 8

// lingering is longer than anything waits for a silent peer, and than the state engine remembers the names of messages,
// by which it tells repetitions: two minutes.
const lingering = 125 * time.Second

// remains are what a server holds of those who have gone.
type remains struct {
	goroutines, files, records float64
	live                       float64 // bytes of heap, after a collection
}

// measureChurn lets participants join and leave over and over, and compares what the server holds before and after.
func measureChurn(ctx context.Context, b *bench) error {
	s, err := b.start(ctx)
	if err != nil {
		return err
	}
	o := &onStage{sfu: s}
	defer o.close()
	tickets, err := s.open(ctx, 1+churners)
	if err != nil {
		return err
	}
	if err := b.bring(ctx, o, stageJob{Members: []member{{Ticket: tickets[0], Program: program()}}}, 1, 0); err != nil {
		return err
	}
	cycles := pick(b, 1000, 40)
	if err := churn(ctx, tickets, pick(b, 200, 16)); err != nil { // so that pools and caches are as full as they get
		return err
	}
	before, err := s.remains(ctx, b, tickets[0].Stage)
	if err != nil {
		return err
	}
	began := time.Now()
	used, err := s.usage()
	if err != nil {
		return err
	}
	if err := churn(ctx, tickets, cycles); err != nil {
		return err
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	took := time.Since(began)
	left, err := s.remains(ctx, b, tickets[0].Stage)
	if err != nil {
		return err
	}
	b.report.add(fmt.Sprintf("%d joins and leaves", cycles), "%.0f a second, %.2f ms of server CPU each", float64(cycles)/took.Seconds(), after.since(used).Seconds()*1000/float64(cycles))
	grew := func(what string, from, to, limit float64, format string) {
		b.report.hold(fmt.Sprintf("%s after %d joins and leaves, growth from "+format, what, cycles, from), to-from, limit, format)
	}
	grew("goroutines", before.goroutines, left.goroutines, 4, "%.0f")
	grew("open files and sockets", before.files, left.files, 1, "%.0f")
	grew("records of participants", before.records, left.records, 0, "%.0f")
	grew("live heap", megabytes(before.live), megabytes(left.live), 1, "%.2f MB")
	b.report.note("%d participants join a running publication by WHEP, wait for media and leave by DELETE, %d at a time; before and after nobody but the publisher is there; the heap is measured after a collection", churners, churners)
	return nil
}

// churn lets participants join and leave so many times in all.
func churn(ctx context.Context, tickets []ticket, cycles int) error {
	l, err := newStageLoad(stageJob{})
	if err != nil {
		return err
	}
	var all errgroup.Group
	for i, t := range tickets[1:] {
		all.Go(func() error {
			for n := i; n < cycles; n += churners {
				if err := l.comeAndGo(ctx, member{Ticket: t, Watch: []string{tickets[0].ID}}); err != nil {
					return fmt.Errorf("cycle %d: %w", n, err)
				}
			}
			return nil
		})
	}
	return all.Wait()
}

// comeAndGo joins, waits for the first packet and leaves.
func (l *stageLoad) comeAndGo(ctx context.Context, m member) error {
	p, leave, err := l.visit(ctx, m)
	if err != nil {
		return err
	}
	defer leave()
	return poll(ctx, "a subscriber's first packet", func() error {
		if packet, _ := p.Firsts(); packet.IsZero() {
			return errors.New("it has not come")
		}
		return nil
	})
}

// remains waits until nobody receives, and tells what the server holds then.
func (s *server) remains(ctx context.Context, b *bench, stage string) (remains, error) {
	var r remains
	err := poll(ctx, "subscriptions end", func() error {
		m, err := s.scrape(ctx)
		if err == nil && m["rivus_stage_subscriptions"] > 0 {
			err = fmt.Errorf("%.0f are left", m["rivus_stage_subscriptions"])
		}
		return err
	})
	if err != nil {
		return r, err
	}
	if err := wait(ctx, pick(b, lingering, 3*time.Second)); err != nil {
		return r, err
	}
	for range 2 { // finalizers run after the first
		if err := s.collect(ctx); err != nil {
			return r, err
		}
	}
	m, err := s.scrape(ctx)
	if err != nil {
		return r, err
	}
	r = remains{goroutines: m["go_goroutines"], files: m["process_open_fds"], live: m["go_memstats_heap_alloc_bytes"]}
	r.records, err = s.participants(ctx, stage)
	return r, err
}

// participants returns how many records of participants the stage's session has.
func (s *server) participants(ctx context.Context, stage string) (float64, error) {
	var got struct {
		Stage struct{ ActiveSessionID string }
	}
	if err := s.call(ctx, "GetStage", map[string]string{"arn": stage}, &got); err != nil {
		return 0, err
	}
	var list struct{ Participants []struct{} }
	err := s.call(ctx, "ListParticipants", map[string]any{"stageArn": stage, "sessionId": got.Stage.ActiveSessionID, "maxResults": 100}, &list)
	return float64(len(list.Participants)), err
}
