package store

import "github.com/rivus-live/rivus/internal/resource"

// ChannelDefinition is the table of channels, keyed by channel ID.
func ChannelDefinition() Definition[resource.Channel] {
	one := func(get func(resource.Channel) string) func(resource.Channel) []string {
		return func(c resource.Channel) []string {
			if v := get(c); v != "" {
				return []string{v}
			}
			return nil
		}
	}
	return Definition[resource.Channel]{Name: "channel", Class: Facts, Indexes: []Index[resource.Channel]{
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
func StreamDefinition() Definition[resource.Stream] {
	shown := func(s resource.Stream) bool { return s.State == resource.Live || s.State == resource.Stalled }
	return Definition[resource.Stream]{Name: "stream", Class: Presence, Indexes: []Index[resource.Stream]{
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
func SessionDefinition() Definition[resource.Session] {
	return Definition[resource.Session]{Name: "session", Class: Facts}
}
