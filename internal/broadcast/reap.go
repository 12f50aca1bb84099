package broadcast

import (
	"context"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// A stream whose node is gone waits for its encoder as one that has fallen silent does: its session ends silenceLimit after
// the last frame, and is dated there. An encoder that is back before ends it by beginning a new one (openSession).

// reapBusy is how long the reaper leaves a channel alone on which a publisher is about to begin.
const reapBusy = 5 * time.Second

// Reap ends the streams of nodes that are gone (cluster.Duty): sessions whose encoders have been silent for long, and claims
// without a session.
func (m *Manager) Reap(ctx context.Context) (next time.Time, err error) {
	for _, r := range m.opt.Records.Sessions.All() {
		due, err := m.reapSession(ctx, r.Key, r.Value)
		if err != nil {
			return next, err
		}
		if !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next, m.reapClaims(ctx)
}

// reapSession ends a session if its node is gone and its time is over. It returns when to look again, zero for not at all.
func (m *Manager) reapSession(ctx context.Context, key store.Key, s resource.Session) (due time.Time, err error) {
	gone, err := m.abandoned(ctx, key, s)
	if err != nil || !gone {
		return due, err
	}
	last, err := m.lastSign(ctx, key, s)
	if err != nil {
		return due, err
	}
	if due = last.Add(silenceLimit); due.After(m.opt.Clock()) {
		return due, nil
	}
	done, err := m.endAbandoned(ctx, key, s)
	if err == nil && !done {
		return m.opt.Clock().Add(reapBusy), nil
	}
	return time.Time{}, err
}

// abandoned tells whether nobody runs the stream of an open session any more. One that says not who did is its claim's.
func (m *Manager) abandoned(ctx context.Context, key store.Key, s resource.Session) (bool, error) {
	if s.Holder != (resource.Holder{}) {
		return m.opt.Node.Departed(ctx, s.Holder.Node, s.Holder.Incarnation)
	}
	claim, _, err := m.opt.Records.Streams.Owner(ctx, key)
	if fault.Is(err, fault.NotFound) || err == nil && claim.Released {
		return s.CreatedAt.Before(m.started), nil
	}
	if err != nil {
		return false, err
	}
	return m.opt.Node.Departed(ctx, claim.Node, claim.Incarnation)
}

// lastSign is when the encoder of a session was heard last, as far as the records tell.
func (m *Manager) lastSign(ctx context.Context, key store.Key, s resource.Session) (time.Time, error) {
	at := later(later(s.CreatedAt, s.StartTime), s.LastFrame)
	stream, ok, err := m.opt.Records.Streams.Get(ctx, key)
	if err != nil {
		return at, fmt.Errorf("read the stream: %w", err)
	}
	if ok && stream.StreamID == s.StreamID {
		at = later(at, stream.LastFrame)
	}
	return at, nil
}

// endAbandoned ends a session that nobody runs, under the claim of its channel. It reports whether that is done, or needs
// not be: not, when a publisher is about to begin here, which ends it then.
func (m *Manager) endAbandoned(ctx context.Context, key store.Key, s resource.Session) (done bool, err error) {
	place, mine, err := m.take(key)
	if err != nil || !mine {
		return false, nil //nolint:nilerr // draining: another node takes over
	}
	defer m.decide(place, nil)
	stream, known, err := m.opt.Records.Streams.Get(ctx, key) // with what it told of the last frame
	if err != nil {
		return false, fmt.Errorf("read the stream: %w", err)
	}
	if !known || stream.StreamID != s.StreamID {
		stream = resource.Stream{ChannelARN: arn.Channel(key.Scope, key.ID), StreamID: s.StreamID}
	}
	stream.State, stream.ViewerCount = resource.Ended, 0
	hold, err := m.opt.Records.Streams.Take(ctx, key, stream)
	if fault.Is(err, fault.Conflict) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("claim channel: %w", err)
	}
	defer m.release(ctx, hold, stream)
	now, err := m.opt.Records.Sessions.Get(ctx, key)
	if fault.Is(err, fault.NotFound) || err == nil && now.Value.StreamID != s.StreamID {
		return true, nil // somebody was faster
	}
	if err != nil {
		return false, fmt.Errorf("read the session: %w", err)
	}
	m.opt.Logger.Info("ending a session whose node is gone", "stream_id", s.StreamID, "node", s.Holder.Node)
	if err := m.closeSession(ctx, key, now.Value); err != nil {
		return false, err
	}
	m.counters.reaped.Add(1)
	return true, nil
}

// reapClaims gives up the claims of nodes that are gone behind which there is no session.
func (m *Manager) reapClaims(ctx context.Context) error {
	orphans, err := m.opt.Records.Streams.Orphans(ctx)
	if err != nil {
		return fmt.Errorf("look for claims that were left: %w", err)
	}
	for _, o := range orphans {
		s, err := m.opt.Records.Sessions.Get(ctx, o.Key)
		if err == nil && s.Value.StreamID == o.Value.StreamID {
			continue // it goes with its session
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return fmt.Errorf("read the session: %w", err)
		}
		o.Value.State, o.Value.ViewerCount = resource.Ended, 0
		hold, err := m.opt.Records.Streams.Take(ctx, o.Key, o.Value)
		if fault.Is(err, fault.Conflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("claim channel: %w", err)
		}
		m.release(ctx, hold, o.Value)
		m.counters.reapedClaims.Add(1)
	}
	return nil
}

// EndAbandoned ends the stream of a channel if its node is gone, without waiting for its encoder, and reports whether it
// did.
func (m *Manager) EndAbandoned(ctx context.Context, channel arn.ARN) (bool, error) {
	key := store.Key{Scope: channel.Scope, ID: channel.ID}
	s, err := m.opt.Records.Sessions.Get(ctx, key)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if gone, err := m.abandoned(ctx, key, s.Value); err != nil || !gone {
		return false, err
	}
	return m.endAbandoned(ctx, key, s.Value)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
