package broadcast

import (
	"context"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// cleanupPatience bounds the writes that undo or finish something after its caller is gone.
const cleanupPatience = 10 * time.Second

// openSession records a session as open. One that a dead owner left behind is closed first: the caller has the claim.
func (m *Manager) openSession(ctx context.Context, key store.Key, s resource.Session, created store.Event) error {
	for range 3 {
		_, err := m.opt.Records.Sessions.Create(ctx, key, s, created)
		if err == nil {
			return nil
		}
		if !fault.Is(err, fault.Conflict) {
			return fmt.Errorf("open session: %w", err)
		}
		left, err := m.opt.Records.Sessions.Get(ctx, key)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err == nil {
			err = m.closeSession(ctx, key, left.Value)
		}
		if err != nil {
			return fmt.Errorf("close the session before: %w", err)
		}
	}
	return fault.New(fault.Conflict, "the channel's session keeps changing")
}

// closeSession ends a session whose owner died, as of the last sign of its encoder.
func (m *Manager) closeSession(ctx context.Context, key store.Key, s resource.Session) error {
	at, err := m.lastSign(ctx, key, s)
	if err != nil {
		return err
	}
	s.EndTime, s.EndReason = at, Abandoned.String()
	events := []store.Event{newEvent(sessionEnded, &s.Channel, s.StreamID, "", at)}
	if !s.StartTime.IsZero() {
		events = append(events, newEvent(streamEnd, &s.Channel, s.StreamID, "", at))
	}
	// The owner may have come as far as the history and no further; what it wrote there is better.
	_, err = m.opt.Records.History.Last(ctx, key, s.StreamID)
	if fault.Is(err, fault.NotFound) {
		err = archive(ctx, m.opt.Records.History, key, s)
	}
	if err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	return removeSession(ctx, m.opt.Records.Sessions, key, s.StreamID, events)
}

// release gives a claim up, also when the caller's context is done.
func (m *Manager) release(ctx context.Context, hold *cluster.Hold[resource.Stream], s resource.Stream) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupPatience)
	defer cancel()
	s.State = resource.Ended
	if err := hold.Release(ctx, s); err != nil {
		m.opt.Logger.Warn("channel not released", "channel_arn", s.ChannelARN.String(), "error", err)
	}
}

// discardSession removes a session that never came to be.
func (m *Manager) discardSession(ctx context.Context, key store.Key, s resource.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupPatience)
	defer cancel()
	if err := m.closeSession(ctx, key, s); err != nil {
		m.opt.Logger.Warn("session not closed", "stream_id", s.StreamID, "error", err)
	}
}
