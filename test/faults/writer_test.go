package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"
)

// record is what a writer knows of a channel: the values that its name may have, and whether it may be there. There is one
// possibility after an answer, and more after none.
type record struct {
	names []string
	there []bool
}

// writer writes to the API for as long as ctx lasts, to one node after the other, and keeps what was acknowledged.
type writer struct {
	nodes []*node
	rand  *rand.Rand

	mu    sync.Mutex
	known map[string]record // by ARN
	acked int
}

// writeGap is the pace of writes: enough to have some under way whenever something is killed.
const writeGap = 50 * time.Millisecond

func (w *writer) run(ctx context.Context) {
	tick := time.NewTicker(writeGap)
	defer tick.Stop()
	for i := 0; ; i++ {
		w.write(ctx, w.nodes[i%len(w.nodes)].api(), fmt.Sprintf("name-%d", i))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// write makes a channel, renames one or deletes one.
func (w *writer) write(ctx context.Context, api *ivs.Client, name string) {
	arn := w.pick()
	switch what := w.rand.IntN(10); {
	case arn == "" || what < 3:
		out, err := api.CreateChannel(ctx, &ivs.CreateChannelInput{Name: aws.String(name)})
		if err == nil {
			w.note(*out.Channel.Arn, record{[]string{name}, []bool{true}})
		}
	case what < 9:
		_, err := api.UpdateChannel(ctx, &ivs.UpdateChannelInput{Arn: &arn, Name: aws.String(name)})
		w.change(arn, err, func(r *record) {
			r.names = append(r.names, name)
		}, func(r *record) { *r = record{[]string{name}, []bool{true}} })
	default:
		_, err := api.DeleteChannel(ctx, &ivs.DeleteChannelInput{Arn: &arn})
		w.change(arn, err, func(r *record) {
			r.there = []bool{true, false}
		}, func(r *record) { r.there = []bool{false} })
	}
}

// pick returns a channel that is surely there, "" if there is none.
func (w *writer) pick() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var arns []string
	for arn, r := range w.known {
		if len(r.there) == 1 && r.there[0] {
			arns = append(arns, arn)
		}
	}
	if len(arns) == 0 {
		return ""
	}
	slices.Sort(arns)
	return arns[w.rand.IntN(len(arns))]
}

func (w *writer) note(arn string, r record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known[arn] = r
	w.acked++
}

// change takes note of a write: of what it may have done when there was no answer, of what it did otherwise.
func (w *writer) change(arn string, err error, maybe, surely func(*record)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.known[arn]
	if err != nil {
		maybe(&r)
	} else {
		surely(&r)
		w.acked++
	}
	w.known[arn] = r
}

// snapshot returns what is known now.
func (w *writer) snapshot() (known map[string]record, acked int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known = make(map[string]record, len(w.known))
	for arn, r := range w.known {
		known[arn] = record{slices.Clone(r.names), slices.Clone(r.there)}
	}
	return known, w.acked
}

// check returns what a node has that was never written, and what it lacks that was acknowledged. Nothing may be written
// meanwhile.
func (w *writer) check(ctx context.Context, n *node) error {
	known, _ := w.snapshot()
	api := n.api()
	for arn, r := range known {
		out, err := api.GetChannel(ctx, &ivs.GetChannelInput{Arn: &arn})
		gone := (*types.ResourceNotFoundException)(nil)
		switch {
		case errors.As(err, &gone):
			if !slices.Contains(r.there, false) {
				return fmt.Errorf("%s: channel %s is lost", n.name, arn)
			}
		case err != nil:
			return fmt.Errorf("%s: %w", n.name, err)
		case !slices.Contains(r.there, true):
			return fmt.Errorf("%s: channel %s was deleted and is there", n.name, arn)
		case !slices.Contains(r.names, *out.Channel.Name):
			return fmt.Errorf("%s: channel %s is named %s, and one of %s was acknowledged", n.name, arn, *out.Channel.Name, r.names)
		}
	}
	return nil
}
