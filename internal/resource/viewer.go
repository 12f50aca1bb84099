package resource

import (
	"time"

	"github.com/rivus-live/rivus/internal/arn"
)

// Types of resource that decide who may watch, as their ARNs name them (spec ivs.md 1.1).
const (
	KindPlaybackKey               = "playback-key"
	KindPlaybackRestrictionPolicy = "playback-restriction-policy"
)

// PlaybackKeyARN returns the ARN of a playback key pair.
func PlaybackKeyARN(sc arn.Scope, id string) arn.ARN {
	return arn.ARN{Service: "ivs", Scope: sc, Type: KindPlaybackKey, ID: id}
}

// PlaybackRestrictionPolicyARN returns the ARN of a playback restriction policy.
func PlaybackRestrictionPolicyARN(sc arn.Scope, id string) arn.ARN {
	return arn.ARN{Service: "ivs", Scope: sc, Type: KindPlaybackRestrictionPolicy, ID: id}
}

// PlaybackKeyPair is a key with which an account signs the tokens of viewers: its public half.
type PlaybackKeyPair struct {
	ARN         arn.ARN           `json:"arn"`
	Name        string            `json:"name"`
	SPKI        []byte            `json:"spki"`        // DER of the SubjectPublicKeyInfo (RFC 5280 4.1)
	Fingerprint string            `json:"fingerprint"` // MD5 of SPKI, hexadecimal with colons (spec ivs.md 1.5)
	Tags        map[string]string `json:"tags,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
}

// PlaybackRestrictionPolicy says who may watch the public channels that name it. An empty list allows all.
type PlaybackRestrictionPolicy struct {
	ARN       arn.ARN           `json:"arn"`
	Name      string            `json:"name"`
	Countries []string          `json:"countries,omitempty"` // ISO 3166-1 alpha-2
	Origins   []string          `json:"origins,omitempty"`   // as they were given
	Strict    bool              `json:"strict"`              // origins are checked on every request, not on the first only
	Tags      map[string]string `json:"tags,omitempty"`
	CreatedAt time.Time         `json:"createdAt"`
}

// ViewerRevocation ends what a viewer of a channel has begun with a token of its version or a lower one, and lets it begin
// nothing more with such a token.
type ViewerRevocation struct {
	ChannelARN arn.ARN   `json:"channelArn"`
	ViewerID   string    `json:"viewerId"`
	Version    int64     `json:"version"` // of sessions and tokens, the greatest that is revoked
	At         time.Time `json:"at"`
	Until      time.Time `json:"until"` // from then on no such token is good, and no session of before goes on
}

// UsedToken remembers that a playback session has begun with a token which is good for one.
type UsedToken struct {
	ChannelARN arn.ARN   `json:"channelArn"`
	UUID       string    `json:"uuid"`  // in lower case
	Until      time.Time `json:"until"` // when the token has expired
}
