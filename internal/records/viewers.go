package records

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// Viewers is what decides who may watch:
//
//	what                       kept in  table                                key                                 written by
//	keys that sign tokens      facts    PlaybackKeyPairDefinition            playback key pair                   API
//	restriction policies       facts    PlaybackRestrictionPolicyDefinition  policy                              API
//	revoked viewers            facts    ViewerRevocationDefinition           ViewerKey of the viewer             API
//	tokens that are used up    facts    UsedTokenDefinition                  ViewerKey of the UUID in the token  media
//
// Revocations are watched by the media side. One node forgets, for all, what nobody can need any more.
type Viewers struct {
	PlaybackKeys *store.Table[resource.PlaybackKeyPair]
	Policies     *store.Table[resource.PlaybackRestrictionPolicy]
	Revocations  *store.Table[resource.ViewerRevocation]
	UsedTokens   *store.Table[resource.UsedToken]
}

// OpenViewers opens the records about viewers.
func OpenViewers(ctx context.Context, s *store.Store) (Viewers, error) {
	var r Viewers
	err := errors.Join(
		keep(&r.PlaybackKeys)(store.OpenTable(ctx, s, PlaybackKeyPairDefinition())),
		keep(&r.Policies)(store.OpenTable(ctx, s, PlaybackRestrictionPolicyDefinition())),
		keep(&r.Revocations)(store.OpenTable(ctx, s, ViewerRevocationDefinition())),
		keep(&r.UsedTokens)(store.OpenTable(ctx, s, UsedTokenDefinition())),
	)
	if err != nil {
		return r, fmt.Errorf("records of viewers: %w", err)
	}
	return r, nil
}

// PlaybackKeyPairDefinition is the table of playback key pairs, keyed by their ID.
func PlaybackKeyPairDefinition() store.Definition[resource.PlaybackKeyPair] {
	return store.Definition[resource.PlaybackKeyPair]{Name: "playbackkey", Class: store.Facts, Indexes: []store.Index[resource.PlaybackKeyPair]{
		{Name: "fingerprint", Values: func(k resource.PlaybackKeyPair) []string { return []string{k.Fingerprint} }},
	}}
}

// PlaybackRestrictionPolicyDefinition is the table of playback restriction policies, keyed by their ID. The index "arn" finds
// one without asking the engine.
func PlaybackRestrictionPolicyDefinition() store.Definition[resource.PlaybackRestrictionPolicy] {
	return store.Definition[resource.PlaybackRestrictionPolicy]{
		Name: "playbackpolicy", Class: store.Facts, Indexes: []store.Index[resource.PlaybackRestrictionPolicy]{
			{Name: "arn", Values: func(p resource.PlaybackRestrictionPolicy) []string { return []string{p.ARN.String()} }},
		},
	}
}

// ViewerRevocationDefinition is the table of revoked viewers, keyed by ViewerKey. The index "viewer" finds one by RevokedValue
// without asking the engine.
func ViewerRevocationDefinition() store.Definition[resource.ViewerRevocation] {
	return store.Definition[resource.ViewerRevocation]{Name: "viewerrevocation", Class: store.Facts, Indexes: []store.Index[resource.ViewerRevocation]{
		{Name: "viewer", Values: func(r resource.ViewerRevocation) []string {
			return []string{RevokedValue(r.ChannelARN, r.ViewerID)}
		}},
	}}
}

// UsedTokenDefinition is the table of tokens that were good for one session, keyed by ViewerKey of their UUID.
func UsedTokenDefinition() store.Definition[resource.UsedToken] {
	return store.Definition[resource.UsedToken]{Name: "usedtoken", Class: store.Facts}
}

// ViewerKey is the key of what is remembered of somebody who watches a channel, or of something that lets one watch.
func ViewerKey(channel arn.ARN, name string) store.Key {
	return store.Key{Scope: channel.Scope, ID: channel.ID + "/" + name}
}

// RevokedValue is the value of the index "viewer" of ViewerRevocationDefinition. A viewer's ID may have any character, those
// that have a meaning in an index too.
func RevokedValue(channel arn.ARN, viewerID string) string {
	return channel.Region + "/" + channel.Account + "/" + channel.ID + "/" + base64.RawURLEncoding.EncodeToString([]byte(viewerID))
}
