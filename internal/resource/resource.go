// Package resource holds the records that Rivus stores: what a channel, a stream key, a stream and a session are.
//
// The types are the stored form (JSON in the state engine), not the wire form of the API. They have no behaviour
// beyond small pure helpers, because both planes read them.
//
// Imports: arn.
package resource

import (
	"time"

	"github.com/rivus-live/rivus/internal/arn"
)

// Values of Channel.LatencyMode.
const (
	LatencyLow    = "LOW"
	LatencyNormal = "NORMAL"
)

// Values of Channel.Type.
const (
	TypeBasic      = "BASIC"
	TypeStandard   = "STANDARD"
	TypeAdvancedSD = "ADVANCED_SD"
	TypeAdvancedHD = "ADVANCED_HD"
)

// Values of Channel.ContainerFormat.
const (
	ContainerTS   = "TS"
	ContainerFMP4 = "FRAGMENTED_MP4"
)

// Channel is the aggregate of a channel: its settings, its stream keys and its tags live and change in one record, so
// that one put is one transaction. Defaults are filled in when it is created: a stored channel has no empty enum.
type Channel struct {
	ARN                          arn.ARN           `json:"arn"`
	Name                         string            `json:"name"`
	LatencyMode                  string            `json:"latencyMode"`
	Type                         string            `json:"type"`
	Preset                       string            `json:"preset"`
	ContainerFormat              string            `json:"containerFormat"`
	Authorized                   bool              `json:"authorized"`
	InsecureIngest               bool              `json:"insecureIngest"`
	RecordingConfigurationARN    string            `json:"recordingConfigurationArn,omitempty"`
	PlaybackRestrictionPolicyARN string            `json:"playbackRestrictionPolicyArn,omitempty"`
	AdConfigurationARN           string            `json:"adConfigurationArn,omitempty"`
	Multitrack                   Multitrack        `json:"multitrack"`
	SRTPassphrase                string            `json:"srtPassphrase"` // secret
	Tags                         map[string]string `json:"tags,omitempty"`
	StreamKeys                   []StreamKey       `json:"streamKeys,omitempty"`
	CreatedAt                    time.Time         `json:"createdAt"`
}

// Multitrack is a channel's multitrack input configuration.
type Multitrack struct {
	Enabled           bool   `json:"enabled"`
	Policy            string `json:"policy"`            // ALLOW or REQUIRE
	MaximumResolution string `json:"maximumResolution"` // SD, HD or FULL_HD
}

// StreamKey is one stream key inside its channel's record. Its value on the wire is "sk_<region>_<ID>_<Secret>".
type StreamKey struct {
	ID        string            `json:"id"`
	Secret    string            `json:"secret"` // 30 base62 characters; compare in constant time
	Tags      map[string]string `json:"tags,omitempty"`
	CreatedAt time.Time         `json:"createdAt"`
}

// Value returns the stream key as an encoder sends it (spec ivs.md 1.3). It is a secret.
func (k StreamKey) Value(region string) string {
	return "sk_" + region + "_" + k.ID + "_" + k.Secret
}

// Health of a live stream as the API shows it.
type Health string

// The values of Health (spec ivs.md 14.2).
const (
	Healthy  Health = "HEALTHY"
	Starving Health = "STARVING"
	Unknown  Health = "UNKNOWN"
)

// StreamState is where a stream is in its life. On the wire the API shows LIVE for Live and Stalled, and
// ChannelNotBroadcasting for Starting and Ended.
type StreamState string

// The states of a stream.
const (
	Starting StreamState = "STARTING" // key accepted, nothing playable yet
	Live     StreamState = "LIVE"     // viewers can get segments
	Stalled  StreamState = "STALLED"  // no data from the encoder
	Ended    StreamState = "ENDED"
)

// Stream is the presence record of a channel's broadcast, written by the node that runs it.
type Stream struct {
	ChannelARN  arn.ARN     `json:"channelArn"`
	StreamID    string      `json:"streamId"`
	State       StreamState `json:"state"`
	Health      Health      `json:"health"`
	CreatedAt   time.Time   `json:"createdAt"`           // key accepted
	StartTime   time.Time   `json:"startTime,omitzero"`  // first watchable segment
	ViewerCount int64       `json:"viewerCount"`         // playback sessions now
	Priority    int32       `json:"priority,omitempty"`  // takeover priority of the running publisher, 0 = none
	Takeovers   int         `json:"takeovers,omitempty"` // so far in this stream
	LastFrame   time.Time   `json:"lastFrame,omitzero"`  // media came last; a few seconds behind
}

// Session is the record of a stream session: a fact while it is open, history once it has ended.
type Session struct {
	StreamID  string        `json:"streamId"`
	Channel   Channel       `json:"channel"` // as it was at go-live, without keys and passphrase
	CreatedAt time.Time     `json:"createdAt"`
	StartTime time.Time     `json:"startTime,omitzero"`
	EndTime   time.Time     `json:"endTime,omitzero"`
	EndReason string        `json:"endReason,omitempty"` // for operators: "encoder closed", "30 s of silence", …
	Encoder   string        `json:"encoder,omitempty"`
	Video     *VideoSetting `json:"video,omitempty"`
	Audio     *AudioSetting `json:"audio,omitempty"`

	Holder    Holder    `json:"holder,omitzero"`    // runs the stream; when it is gone, another node ends the session
	LastFrame time.Time `json:"lastFrame,omitzero"` // media came last; further behind than Stream.LastFrame, and on the disk
}

// VideoSetting is what a session shows of its video input (spec ivs.md 14.1).
type VideoSetting struct {
	Codec           string  `json:"codec"` // RFC 6381
	Profile         string  `json:"profile"`
	Level           string  `json:"level"`
	Width           int     `json:"width"`
	Height          int     `json:"height"`
	TargetBitrate   int     `json:"targetBitrate"`   // bits a second, as the encoder said
	TargetFramerate float64 `json:"targetFramerate"` // as the encoder said
}

// AudioSetting is what a session shows of its audio input.
type AudioSetting struct {
	Codec         string `json:"codec"`
	Channels      int    `json:"channels"`
	SampleRate    int    `json:"sampleRate"`
	TargetBitrate int    `json:"targetBitrate"`
}
