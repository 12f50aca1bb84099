package store

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rivus-live/rivus/internal/fault"
)

// startPause is the pause between two tries at the start.
const startPause = 200 * time.Millisecond

// AtStart does something that a process cannot start without, again and again while the engine is unavailable, for as long
// as the opening of the store may take: servers that begin together with their engine wait for its elections. do has
// engineTimeout for each try. It is told in the log once what is waited for.
func AtStart(ctx context.Context, log *slog.Logger, what string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	for told := false; ; told = true {
		trying, done := context.WithTimeout(ctx, engineTimeout)
		err := do(trying)
		done()
		if err == nil || !fault.Is(err, fault.Unavailable) && !isPassing(err) {
			return err
		}
		if !told {
			log.Warn("the state engine is not ready; waiting for it", "to", what, "error", err)
		}
		select {
		case <-time.After(startPause):
		case <-ctx.Done():
			return err
		}
	}
}

// isPassing reports whether an error of the engine's own interface is one of an engine that elects, or has just begun.
func isPassing(err error) bool {
	const clusterNotAvailable = 10008 // of nats-server's errors.json
	var api *jetstream.APIError
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) ||
		errors.As(err, &api) && api.ErrorCode == clusterNotAvailable
}
