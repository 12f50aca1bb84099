package ivs

import (
	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/tagging"
)

// stateLive is the only state of a stream that the API shows.
const stateLive = "LIVE"

// playbackURL returns the address of a channel's multivariant playlist (spec ivs.md 1.4).
func playbackURL(c awsapi.Caller, channel arn.ARN) string {
	return c.BaseURL + "/api/video/v1/" + channel.Region + "." + channel.Account + ".channel." + channel.ID + ".m3u8"
}

// wireChannel returns a channel as the API shows it, with every member (spec ivs.md 4.1) but the addresses at which
// nothing listens: srt has no endpoint. Its passphrase is the channel's own all the same, stored and stable.
func (s *Service) wireChannel(c awsapi.Caller, ch resource.Channel) *Channel {
	v := &struct { // what the answer points to, in one piece
		resource.Channel
		arn, ingest, playback string
	}{ch, ch.ARN.String(), s.opts.IngestEndpoint(c), playbackURL(c, ch.ARN)}
	return &Channel{
		AdConfigurationArn: &v.AdConfigurationARN,
		Arn:                &v.arn,
		Authorized:         &v.Authorized,
		ContainerFormat:    &v.ContainerFormat,
		IngestEndpoint:     unlessEmpty(&v.ingest),
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
		Srt:                          &Srt{Passphrase: &v.SRTPassphrase},
		Tags:                         tagging.Shown(v.Tags),
		Type:                         &v.Type,
	}
}

// unlessEmpty leaves an address out of an answer at which nothing listens.
func unlessEmpty(address *string) *string {
	if *address == "" {
		return nil
	}
	return address
}

// wireChannelSummary returns a channel as lists show it: without addresses and secrets (spec ivs.md 5).
func wireChannelSummary(ch resource.Channel) ChannelSummary {
	return ChannelSummary{
		AdConfigurationArn:           &ch.AdConfigurationARN,
		Arn:                          new(ch.ARN.String()),
		Authorized:                   &ch.Authorized,
		InsecureIngest:               &ch.InsecureIngest,
		LatencyMode:                  &ch.LatencyMode,
		Name:                         &ch.Name,
		PlaybackRestrictionPolicyArn: &ch.PlaybackRestrictionPolicyARN,
		Preset:                       &ch.Preset,
		RecordingConfigurationArn:    &ch.RecordingConfigurationARN,
		Tags:                         tagging.Shown(ch.Tags),
		Type:                         &ch.Type,
	}
}

// wireStreamKey returns a stream key with its secret value.
func wireStreamKey(ch resource.Channel, k resource.StreamKey) StreamKey {
	return StreamKey{
		Arn:        new(arn.StreamKey(ch.ARN.Scope, k.ID).String()),
		ChannelArn: new(ch.ARN.String()),
		Tags:       tagging.Shown(k.Tags),
		Value:      new(k.Value(ch.ARN.Region)),
	}
}

// wireStreamKeySummary returns a stream key as lists show it: without its value.
func wireStreamKeySummary(ch resource.Channel, k resource.StreamKey) StreamKeySummary {
	return StreamKeySummary{
		Arn:        new(arn.StreamKey(ch.ARN.Scope, k.ID).String()),
		ChannelArn: new(ch.ARN.String()),
		Tags:       tagging.Shown(k.Tags),
	}
}

func wireStream(c awsapi.Caller, st resource.Stream) *Stream {
	return &Stream{
		ChannelArn:  new(st.ChannelARN.String()),
		Health:      new(string(st.Health)),
		PlaybackUrl: new(playbackURL(c, st.ChannelARN)),
		StartTime:   restjson.Time(st.StartTime),
		State:       new(stateLive),
		StreamId:    &st.StreamID,
		ViewerCount: &st.ViewerCount,
	}
}

func wireStreamSummary(st resource.Stream) StreamSummary {
	return StreamSummary{
		ChannelArn:  new(st.ChannelARN.String()),
		Health:      new(string(st.Health)),
		StartTime:   restjson.Time(st.StartTime),
		State:       new(stateLive),
		StreamId:    &st.StreamID,
		ViewerCount: &st.ViewerCount,
	}
}
