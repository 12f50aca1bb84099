package records

import (
	"context"
	"errors"
	"fmt"

	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// SessionLog is the history of ended stream sessions: Log[resource.Session], by channel and stream id.
const SessionLog = "sessions"

// Channels is what is known of channels:
//
//	what                      kept in    table or log        key                 written by
//	settings, keys, tags      facts      ChannelDefinition   channel             API
//	who broadcasts, and what  presence   StreamDefinition    channel             media, as claims
//	open sessions             facts      SessionDefinition   channel             media
//	ended sessions            history    SessionLog          channel; stream id  media
type Channels struct {
	Channels *store.Table[resource.Channel]
	Streams  *cluster.Claims[resource.Stream]
	Sessions *store.EventTable[resource.Session]
	History  *store.Log[resource.Session]
}

// OpenChannels opens the records of channels for a node.
func OpenChannels(ctx context.Context, s *store.Store, node *cluster.Node) (Channels, error) {
	var r Channels
	err := errors.Join(
		keep(&r.Channels)(store.OpenTable(ctx, s, ChannelDefinition())),
		keep(&r.Streams)(cluster.OpenClaims(ctx, s, node, StreamDefinition())),
		keep(&r.Sessions)(store.OpenEventTable(ctx, s, SessionDefinition())),
		keep(&r.History)(store.OpenLog[resource.Session](ctx, s, SessionLog)),
	)
	if err != nil {
		return r, fmt.Errorf("records of channels: %w", err)
	}
	return r, nil
}

// ChannelDefinition is the table of channels, keyed by channel ID.
func ChannelDefinition() store.Definition[resource.Channel] {
	one := func(get func(resource.Channel) string) func(resource.Channel) []string {
		return func(c resource.Channel) []string {
			if v := get(c); v != "" {
				return []string{v}
			}
			return nil
		}
	}
	return store.Definition[resource.Channel]{Name: "channel", Class: store.Facts, Indexes: []store.Index[resource.Channel]{
		{Name: "streamKey", Values: func(c resource.Channel) []string {
			ids := make([]string, len(c.StreamKeys))
			for i, k := range c.StreamKeys {
				ids[i] = k.ID
			}
			return ids
		}},
		{Name: "name", Values: one(func(c resource.Channel) string { return c.Name })},
		{Name: "recordingConfiguration", Values: one(func(c resource.Channel) string { return c.RecordingConfigurationARN })},
		{Name: "playbackRestrictionPolicy", Values: one(func(c resource.Channel) string { return c.PlaybackRestrictionPolicyARN })},
		{Name: "adConfiguration", Values: one(func(c resource.Channel) string { return c.AdConfigurationARN })},
	}}
}

// StreamDefinition is the table of broadcasts, keyed by channel ID. Its index "health" holds only the streams that the
// API shows: live and stalled ones, under their health; the index "state" holds the same under "live".
func StreamDefinition() store.Definition[resource.Stream] {
	shown := func(s resource.Stream) bool { return s.State == resource.Live || s.State == resource.Stalled }
	return store.Definition[resource.Stream]{Name: "stream", Class: store.Presence, Indexes: []store.Index[resource.Stream]{
		{Name: "health", Values: func(s resource.Stream) []string {
			if !shown(s) {
				return nil
			}
			return []string{string(s.Health)}
		}},
		{Name: "state", Values: func(s resource.Stream) []string {
			if !shown(s) {
				return nil
			}
			return []string{"live"}
		}},
	}}
}

// SessionDefinition is the table of open stream sessions, keyed by channel ID. An ended session moves to the history.
func SessionDefinition() store.Definition[resource.Session] {
	return store.Definition[resource.Session]{Name: "session", Class: store.Facts}
}
