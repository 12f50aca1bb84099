package ivs

import (
	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/resource"
)

// stateLive is the only state of a stream that the API shows.
const stateLive = "LIVE"

// playbackURL returns the address of a channel's multivariant playlist (spec ivs.md 1.4).
func playbackURL(c awsapi.Caller, channel arn.ARN) string {
	return c.BaseURL + "/api/video/v1/" + channel.Region + "." + channel.Account + ".channel." + channel.ID + ".m3u8"
}

// wireChannel returns a channel as the API shows it, with every member (spec ivs.md 4.1).
func (s *Service) wireChannel(c awsapi.Caller, ch resource.Channel) *Channel {
	v := &struct { // what the answer points to, in one piece
		resource.Channel
		arn, ingest, playback, srt string
	}{ch, ch.ARN.String(), s.opts.IngestEndpoint(c), playbackURL(c, ch.ARN), s.opts.SRTEndpoint(c)}
	return &Channel{
		AdConfigurationArn: &v.AdConfigurationARN,
		Arn:                &v.arn,
		Authorized:         &v.Authorized,
		ContainerFormat:    &v.ContainerFormat,
		IngestEndpoint:     &v.ingest,
		InsecureIngest:     &v.InsecureIngest,
		LatencyMode:        &v.LatencyMode,
		MultitrackInputConfiguration: &MultitrackInputConfiguration{
			Enabled:           &v.Multitrack.Enabled,
			MaximumResolution: &v.Multitrack.MaximumResolution,
			Policy:            &v.Multitrack.Policy,
		},
		Name:                         &v.Name,
		PlaybackRestrictionPolicyArn: &v.PlaybackRestrictionPolicyARN,
		PlaybackUrl:                  &v.playback,
		Preset:                       &v.Preset,
		RecordingConfigurationArn:    &v.RecordingConfigurationARN,
		Srt:                          &Srt{Endpoint: &v.srt, Passphrase: &v.SRTPassphrase},
		Tags:                         wireTags(v.Tags),
		Type:                         &v.Type,
	}
}

// wireChannelSummary returns a channel as lists show it: without addresses and secrets (spec ivs.md 5).
func wireChannelSummary(ch resource.Channel) ChannelSummary {
	return ChannelSummary{
		AdConfigurationArn:           &ch.AdConfigurationARN,
		Arn:                          ptr(ch.ARN.String()),
		Authorized:                   &ch.Authorized,
		InsecureIngest:               &ch.InsecureIngest,
		LatencyMode:                  &ch.LatencyMode,
		Name:                         &ch.Name,
		PlaybackRestrictionPolicyArn: &ch.PlaybackRestrictionPolicyARN,
		Preset:                       &ch.Preset,
		RecordingConfigurationArn:    &ch.RecordingConfigurationARN,
		Tags:                         wireTags(ch.Tags),
		Type:                         &ch.Type,
	}
}

// wireStreamKey returns a stream key with its secret value.
func wireStreamKey(ch resource.Channel, k resource.StreamKey) StreamKey {
	return StreamKey{
		Arn:        ptr(arn.StreamKey(ch.ARN.Scope, k.ID).String()),
		ChannelArn: ptr(ch.ARN.String()),
		Tags:       wireTags(k.Tags),
		Value:      ptr(k.Value(ch.ARN.Region)),
	}
}

// wireStreamKeySummary returns a stream key as lists show it: without its value.
func wireStreamKeySummary(ch resource.Channel, k resource.StreamKey) StreamKeySummary {
	return StreamKeySummary{
		Arn:        ptr(arn.StreamKey(ch.ARN.Scope, k.ID).String()),
		ChannelArn: ptr(ch.ARN.String()),
		Tags:       wireTags(k.Tags),
	}
}

func wireStream(c awsapi.Caller, st resource.Stream) *Stream {
	return &Stream{
		ChannelArn:  ptr(st.ChannelARN.String()),
		Health:      ptr(string(st.Health)),
		PlaybackUrl: ptr(playbackURL(c, st.ChannelARN)),
		StartTime:   restjson.Time(st.StartTime),
		State:       ptr(stateLive),
		StreamId:    &st.StreamID,
		ViewerCount: &st.ViewerCount,
	}
}

func wireStreamSummary(st resource.Stream) StreamSummary {
	return StreamSummary{
		ChannelArn:  ptr(st.ChannelARN.String()),
		Health:      ptr(string(st.Health)),
		StartTime:   restjson.Time(st.StartTime),
		State:       ptr(stateLive),
		StreamId:    &st.StreamID,
		ViewerCount: &st.ViewerCount,
	}
}

// wireTags returns tags as the API shows them: always a map.
func wireTags(tags map[string]string) map[string]string {
	if tags == nil {
		return map[string]string{}
	}
	return tags
}

func ptr[T any](v T) *T { return &v }
