package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	getConnections    = 8
	createConnections = 32 // writes wait for the disk together
	apiChannels       = 1000
)

// measureAPI measures the calls that matter most, SigV4-signed, over keep-alive connections in closed loops.
func measureAPI(ctx context.Context, b *bench) error {
	s, err := b.start(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	d := pick(b, 5*time.Second, time.Second)
	arns, err := b.measureCreate(ctx, s, d)
	if err != nil {
		return err
	}
	if err := b.measureGet(ctx, s, arns, d); err != nil {
		return err
	}
	b.report.note("closed loops over %d (Get) and %d (Create) connections beside the server on the same cores; requests are signed beforehand; Get reads %d channels in turn",
		getConnections, createConnections, len(arns))
	return nil
}

// measureCreate measures CreateChannel and returns some of the channels' ARNs.
func (b *bench) measureCreate(ctx context.Context, s *server, d time.Duration) ([]string, error) {
	var requests [][]byte
	for i := range 100 {
		request, err := s.wire(ctx, "CreateChannel", map[string]string{"name": fmt.Sprintf("bench-%d", i), "type": "BASIC"})
		if err != nil {
			return nil, err
		}
		requests = append(requests, request)
	}
	var mu sync.Mutex
	var bodies [][]byte
	keep := func(body []byte) {
		mu.Lock()
		defer mu.Unlock()
		if len(bodies) < apiChannels {
			bodies = append(bodies, append([]byte(nil), body...))
		}
	}
	if err := b.hammer(ctx, s, "CreateChannel", requests, createConnections, d, keep, 0); err != nil {
		return nil, err
	}
	var arns []string
	for _, body := range bodies {
		var made struct{ Channel struct{ Arn string } }
		if err := json.Unmarshal(body, &made); err != nil {
			return nil, fmt.Errorf("CreateChannel: %w", err)
		}
		arns = append(arns, made.Channel.Arn)
	}
	return arns, nil
}

func (b *bench) measureGet(ctx context.Context, s *server, arns []string, d time.Duration) error {
	var requests [][]byte
	for _, arn := range arns {
		request, err := s.wire(ctx, "GetChannel", map[string]string{"arn": arn})
		if err != nil {
			return err
		}
		requests = append(requests, request)
	}
	return b.hammer(ctx, s, "GetChannel", requests, getConnections, d, func([]byte) {}, 40)
}

// hammer sends the requests in turn over so many connections for so long, and reports on them. limit is the budget of
// server CPU in microseconds a request, 0 for none.
func (b *bench) hammer(ctx context.Context, s *server, operation string, requests [][]byte, connections int, d time.Duration,
	each func(body []byte), limit float64,
) error {
	if len(requests) == 0 {
		return errors.New("nothing to send")
	}
	const warm = 20 // parts of d
	if _, err := closedLoop(ctx, s.HTTP, requests, connections, d/warm, each); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	before, err := s.usage()
	if err != nil {
		return err
	}
	var profiled errgroup.Group
	if b.set.profiles != "" {
		profiled.Go(func() error { return s.profileFor(ctx, b, "api-"+operation, d) })
	}
	took, err := closedLoop(ctx, s.HTTP, requests, connections, d, each)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	after, err := s.usage()
	if err != nil {
		return err
	}
	n := float64(len(took))
	cpu := float64(after.since(before).Microseconds()) / n
	if limit > 0 {
		b.report.hold(operation+", server CPU a request", cpu, limit, "%.1f us")
	} else {
		b.report.add(operation+", server CPU a request", "%.1f us", cpu)
	}
	b.report.add(operation+", rate", "%.0f a second", n/after.at.Sub(before.at).Seconds())
	b.report.add(operation+", latency p50 / p99", "%s", milliseconds(took, 0.5, 0.99))
	return profiled.Wait()
}

// closedLoop keeps every connection busy for d and returns how long each request took. Any answer but 200 is an error.
func closedLoop(ctx context.Context, addr string, requests [][]byte, connections int, d time.Duration, each func([]byte)) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	took := make([][]time.Duration, connections)
	var all errgroup.Group
	for i := range connections {
		all.Go(func() error {
			w, err := dialWire(ctx, addr)
			if err != nil {
				return err
			}
			defer w.close()
			var body []byte
			for j := i; ctx.Err() == nil; j += connections {
				began := time.Now()
				var status int
				if status, body, err = w.do(requests[j%len(requests)], body[:0]); err != nil {
					return err
				}
				took[i] = append(took[i], time.Since(began))
				if status != 200 {
					return fmt.Errorf("answer %d: %.200s", status, body)
				}
				each(body)
			}
			return nil
		})
	}
	err := all.Wait()
	var sum []time.Duration
	for _, t := range took {
		sum = append(sum, t...)
	}
	return sum, err
}
