package broadcast

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// requestPatience bounds a command when the caller does not.
const requestPatience = 5 * time.Second

// The commands that the node which runs a channel serves.
const (
	opStop     = "stop"
	opMetadata = "metadata"
)

// command is what travels to the node that runs a channel.
type command struct {
	Op   string `json:"op"`
	Text string `json:"text,omitempty"`
}

// subject is where the commands of a channel are served.
func subject(key store.Key) string {
	return "broadcast." + key.Account + "." + key.Region + "." + key.ID
}

// Remote sends commands to whichever node runs a channel.
type Remote struct {
	Node    *cluster.Node
	Claims  *cluster.Claims[resource.Stream]
	Manager *Manager // of this node
}

// Stop ends a channel's stream and returns when its session is closed; also one whose node is gone. fault.NotLive when the
// channel has none; fault.StreamUnavailable when the node that runs it does not answer.
func (r *Remote) Stop(ctx context.Context, channel arn.ARN) error {
	err := r.send(ctx, channel, command{Op: opStop})
	if fault.Is(err, fault.StreamUnavailable) && ctx.Err() == nil {
		if ended, endErr := r.Manager.EndAbandoned(ctx, channel); ended || endErr != nil {
			return endErr
		}
	}
	return err
}

// PutMetadata inserts a text into a channel's stream, at one place for all viewers. Errors as for Stop; fault.Throttled
// when too much of it waits for the encoder's next frame.
func (r *Remote) PutMetadata(ctx context.Context, channel arn.ARN, text string) error {
	return r.send(ctx, channel, command{Op: opMetadata, Text: text})
}

func (r *Remote) send(ctx context.Context, channel arn.ARN, c command) error {
	key := store.Key{Scope: channel.Scope, ID: channel.ID}
	if live, err := r.claimed(ctx, key); err != nil || !live {
		return orNotLive(err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestPatience)
	defer cancel()
	err := r.Node.Request(ctx, subject(key), c, nil)
	if !fault.Is(err, fault.Unavailable) && ctx.Err() == nil {
		return err
	}
	// The stream may have ended between the two questions.
	if live, claimErr := r.claimed(context.WithoutCancel(ctx), key); claimErr == nil && !live {
		return notLive()
	}
	return fault.Wrap(fault.StreamUnavailable, err, "Stream temporarily unavailable")
}

func (r *Remote) claimed(ctx context.Context, key store.Key) (bool, error) {
	_, live, err := r.Claims.Get(ctx, key)
	return live, err
}

func orNotLive(err error) error {
	if err != nil {
		return fmt.Errorf("read the stream's owner: %w", err)
	}
	return notLive()
}

// serve answers the commands of the broadcast's channel.
func (b *broadcast) serve(ctx context.Context, data []byte) (any, error) {
	var c command
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "not a command")
	}
	switch c.Op {
	case opStop:
		return nil, b.stopAndWait(ctx)
	case opMetadata:
		return nil, b.putMetadata(ctx, c.Text)
	}
	return nil, fault.New(fault.Invalid, "unknown command %q", c.Op)
}

// stopAndWait ends the session and returns when it is closed.
func (b *broadcast) stopAndWait(ctx context.Context) error {
	if err := b.ask(ctx, func() error { b.stop(Stopped); return nil }); err != nil {
		return err
	}
	select {
	case <-b.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// putMetadata leaves the text for the next frame.
func (b *broadcast) putMetadata(ctx context.Context, text string) error {
	return b.ask(ctx, func() error {
		if b.life.state != resource.Live && b.life.state != resource.Stalled {
			return notLive()
		}
		select {
		case b.metadata <- text:
			return nil
		default:
			return fault.New(fault.Throttled, "Too many requests: the stream is waiting for its encoder")
		}
	})
}
