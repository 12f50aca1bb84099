package broadcast

import (
	"context"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
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
		_, err := m.opt.Sessions.Create(ctx, key, s, created)
		if err == nil {
			return nil
		}
		if !fault.Is(err, fault.Conflict) {
			return fmt.Errorf("open session: %w", err)
		}
		left, err := m.opt.Sessions.Get(ctx, key)
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

// closeSession ends a session whose owner died.
func (m *Manager) closeSession(ctx context.Context, key store.Key, s resource.Session) error {
	now := m.opt.Clock()
	s.EndTime, s.EndReason = now, Abandoned.String()
	events := []store.Event{newEvent(sessionEnded, &s.Channel, s.StreamID, "", now)}
	if !s.StartTime.IsZero() {
		events = append(events, newEvent(streamEnd, &s.Channel, s.StreamID, "", now))
	}
	// The owner may have come as far as the history and no further; what it wrote there is better.
	_, err := m.opt.History.Last(ctx, key, s.StreamID)
	if fault.Is(err, fault.NotFound) {
		err = archive(ctx, m.opt.History, key, s)
	}
	if err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	return removeSession(ctx, m.opt.Sessions, key, s.StreamID, events)
}

// recover ends what earlier owners left open: claims of this node's last incarnation, and sessions that no living node
// has the claim for. A publisher that comes first does the same for its channel.
func (m *Manager) recover(ctx context.Context) {
	err := m.opt.Claims.Recover(ctx, func(ctx context.Context, key store.Key, s resource.Stream) (resource.Stream, error) {
		s.State, s.ViewerCount = resource.Ended, 0
		left, err := m.opt.Sessions.Get(ctx, key)
		if fault.Is(err, fault.NotFound) || err == nil && left.Value.StreamID != s.StreamID {
			return s, nil
		}
		if err != nil {
			return s, err
		}
		return s, m.closeSession(ctx, key, left.Value)
	})
	if err != nil && ctx.Err() == nil {
		m.opt.Logger.Error("could not end the streams of the last run", "error", err)
	}
	m.opt.Sessions.Watch(ctx, func(c store.Change[resource.Session]) {
		if c.New == nil || !c.New.CreatedAt.Before(m.started) {
			return
		}
		if err := m.sweep(ctx, c.Key, *c.New); err != nil && ctx.Err() == nil {
			m.opt.Logger.Error("could not end a session of the last run",
				"channel_arn", arn.Channel(c.Key.Scope, c.Key.ID).String(), "stream_id", c.New.StreamID, "error", err)
		}
	})
}

// sweep ends an old session, unless somebody has its channel.
func (m *Manager) sweep(ctx context.Context, key store.Key, s resource.Session) error {
	place, mine, err := m.take(key)
	if err != nil || !mine {
		return nil //nolint:nilerr // draining: the next start ends it
	}
	defer m.decide(place, nil)
	stream := resource.Stream{ChannelARN: arn.Channel(key.Scope, key.ID), StreamID: s.StreamID, State: resource.Ended}
	hold, err := m.opt.Claims.Take(ctx, key, stream)
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("claim channel: %w", err)
	}
	defer m.release(ctx, hold, stream)
	m.opt.Logger.Info("ending a session that was left open", "stream_id", s.StreamID)
	return m.closeSession(ctx, key, s)
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
