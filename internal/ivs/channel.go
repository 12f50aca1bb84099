package ivs

import (
	"context"
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/quota"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
)

// passphraseLength is the length of the service's SRT passphrases (spec ivs.md 1.4).
const passphraseLength = 69

// CreateChannel makes a channel and its one stream key. The request's tags go on the channel only.
func (s *Service) CreateChannel(
	ctx context.Context, c awsapi.Caller, in *CreateChannelRequest,
) (*CreateChannelResponse, error) {
	wanted := settings{
		name: in.Name, latencyMode: in.LatencyMode, channelType: in.Type, preset: in.Preset,
		containerFormat: in.ContainerFormat, recording: in.RecordingConfigurationArn,
		restriction: in.PlaybackRestrictionPolicyArn, ad: in.AdConfigurationArn, authorized: in.Authorized,
		insecureIngest: in.InsecureIngest, multitrack: in.MultitrackInputConfiguration,
	}
	ch, err := wanted.apply(defaults())
	if err != nil {
		return nil, err
	}
	if ch.Tags, err = tagging.Tagged(nil, in.Tags); err != nil {
		return nil, err
	}
	if err := s.checkBuilt(ctx, c, wanted, resource.Channel{}); err != nil {
		return nil, err
	}
	if err := s.checkReferences(ctx, c, wanted); err != nil {
		return nil, err
	}
	ch.CreatedAt = s.opts.Clock().UTC()
	ch.ARN = arn.Channel(c.Scope, arn.NewID())
	ch.SRTPassphrase = arn.Random(passphraseLength)
	key := s.newStreamKey(nil)
	ch.StreamKeys = []resource.StreamKey{key}
	if err := s.create(ctx, c, ch); err != nil {
		return nil, err
	}
	return &CreateChannelResponse{Channel: s.wireChannel(c, ch), StreamKey: new(wireStreamKey(ch, key))}, nil
}

// create stores a new channel. Under a quota, channels are counted and created one at a time, so that this node's
// callers cannot pass the quota together.
func (s *Service) create(ctx context.Context, c awsapi.Caller, ch resource.Channel) error {
	if s.opts.Quotas {
		select {
		case s.creating <- struct{}{}:
			defer func() { <-s.creating }()
		case <-ctx.Done():
			return fault.Wrap(fault.Unavailable, context.Cause(ctx), "the channel was not created in time")
		}
		if s.opts.Channels.Count(ch.ARN.Scope) >= quota.Channels {
			return fault.New(fault.Quota, "the quota of %d channels in %s is reached", quota.Channels, ch.ARN.Region)
		}
	}
	if policy := ch.PlaybackRestrictionPolicyARN; policy != "" {
		_, err := s.opts.Channels.Under(guardOf(ch.ARN.Scope)).Create(ctx, keyOf(ch.ARN), ch, func() error {
			return s.checkPolicy(ctx, c, policy)
		})
		return err
	}
	_, err := s.opts.Channels.Create(ctx, keyOf(ch.ARN), ch)
	return err
}

// checkPolicy checks that the caller has a playback restriction policy. It counts under the guard of the caller's scope only.
func (s *Service) checkPolicy(ctx context.Context, c awsapi.Caller, text string) error {
	return checkExists(ctx, c, func(ctx context.Context, a arn.ARN) (bool, error) {
		_, err := s.opts.Viewers.Policies.Get(ctx, keyOf(a))
		if fault.Is(err, fault.NotFound) {
			return false, nil
		}
		return err == nil, err
	}, text)
}

// GetChannel returns a channel.
func (s *Service) GetChannel(ctx context.Context, c awsapi.Caller, in *GetChannelRequest) (*GetChannelResponse, error) {
	ch, err := s.channel(ctx, c, in.Arn)
	if err != nil {
		return nil, err
	}
	return &GetChannelResponse{Channel: s.wireChannel(c, ch)}, nil
}

// BatchGetChannel returns the channels that exist and names those that do not. An ARN given twice is answered once.
func (s *Service) BatchGetChannel(
	ctx context.Context, c awsapi.Caller, in *BatchGetChannelRequest,
) (*BatchGetChannelResponse, error) {
	out := &BatchGetChannelResponse{Channels: []Channel{}}
	var err error
	out.Errors, err = batch(in.Arns, func(text string) error {
		ch, err := s.channel(ctx, c, text)
		if err == nil {
			out.Channels = append(out.Channels, *s.wireChannel(c, ch))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UpdateChannel changes the settings that the request names. A live channel keeps its settings.
func (s *Service) UpdateChannel(
	ctx context.Context, c awsapi.Caller, in *UpdateChannelRequest,
) (*UpdateChannelResponse, error) {
	found, err := s.channel(ctx, c, in.Arn)
	if err != nil {
		return nil, err
	}
	a := found.ARN
	wanted := settings{
		name: in.Name, latencyMode: in.LatencyMode, channelType: in.Type, preset: in.Preset,
		containerFormat: in.ContainerFormat, recording: in.RecordingConfigurationArn,
		restriction: in.PlaybackRestrictionPolicyArn, ad: in.AdConfigurationArn, authorized: in.Authorized,
		insecureIngest: in.InsecureIngest, multitrack: in.MultitrackInputConfiguration,
	}
	if err := s.checkReferences(ctx, c, wanted); err != nil {
		return nil, err
	}
	update := s.opts.Channels.Update
	if wanted.restricts() {
		update = s.opts.Channels.Under(guardOf(a.Scope)).Update
	}
	var missing error // which has a name of its own
	rec, err := update(ctx, keyOf(a), func(ch resource.Channel) (resource.Channel, error) {
		if err := c.May(a, ch.Tags); err != nil {
			return ch, err
		}
		next, err := wanted.apply(ch)
		if err == nil {
			err = s.checkBuilt(ctx, c, wanted, ch)
		}
		if err == nil && wanted.restricts() {
			missing = s.checkPolicy(ctx, c, *wanted.restriction)
			err = missing
		}
		if err != nil {
			return ch, err
		}
		return next, s.checkOffAir(ctx, a, "updated")
	})
	if missing != nil {
		return nil, missing
	}
	if err != nil {
		return nil, awsapi.Naming(err, in.Arn)
	}
	return &UpdateChannelResponse{Channel: s.wireChannel(c, rec.Value)}, nil
}

// DeleteChannel deletes a channel that is not live, with its stream keys. The package comment tells how it and a
// publish that is just being accepted keep apart.
func (s *Service) DeleteChannel(ctx context.Context, c awsapi.Caller, in *DeleteChannelRequest) (*DeleteChannelResponse, error) {
	a, err := c.Own(in.Arn)
	if err != nil {
		return nil, err
	}
	_, err = s.opts.Channels.Delete(ctx, keyOf(a), func(ch resource.Channel) error {
		if err := c.May(a, ch.Tags); err != nil {
			return err
		}
		return s.checkOffAir(ctx, a, "deleted")
	})
	if err != nil {
		return nil, awsapi.Naming(err, in.Arn)
	}
	s.stopLatecomer(ctx, a)
	return &DeleteChannelResponse{}, nil
}

// checkOffAir returns a conflict when a node has claimed the channel.
func (s *Service) checkOffAir(ctx context.Context, a arn.ARN, verb string) error {
	_, live, err := s.opts.Streams.Get(ctx, keyOf(a))
	if err == nil && live {
		err = fault.New(fault.Conflict, "Channel: %s cannot be %s while it is live", a, verb)
	}
	return err
}

// How long a delete tries to stop a latecomer, and how long it waits between two tries.
const (
	stopTimeout = 5 * time.Second
	stopRetry   = 100 * time.Millisecond
)

// stopLatecomer ends the broadcast of a publish that claimed the channel while it was being deleted. A node takes its
// claim a moment before it listens to commands, so this tries again while the claim is there and nobody answers. The
// delete stands whatever comes of this, and a caller that hangs up does not change it.
func (s *Service) stopLatecomer(ctx context.Context, a arn.ARN) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	for {
		_, live, err := s.opts.Streams.Get(ctx, keyOf(a))
		if err == nil && live {
			err = s.opts.Broadcasts.Stop(ctx, a)
		}
		if err == nil || fault.Is(err, fault.NotLive) {
			return
		}
		select {
		case <-time.After(stopRetry):
		case <-ctx.Done():
			s.opts.Logger.LogAttrs(ctx, slog.LevelError, "broadcast of a deleted channel was not stopped",
				slog.String("channel_arn", a.String()), slog.Any("error", err))
			return
		}
	}
}

// checkReferences checks that what the settings refer to is there. What is not built is for checkBuilt.
func (s *Service) checkReferences(ctx context.Context, c awsapi.Caller, wanted settings) error {
	for _, r := range wanted.references(resource.Channel{}) {
		exists, built := s.opts.References[r.kind]
		if !built || r.wanted == "" {
			continue
		}
		if err := checkExists(ctx, c, exists, r.wanted); err != nil {
			return err
		}
	}
	return nil
}

// checkBuilt checks that the settings do not refer to a capability that is not built. A channel keeps what it has.
func (s *Service) checkBuilt(ctx context.Context, c awsapi.Caller, wanted settings, stored resource.Channel) error {
	for _, r := range wanted.references(stored) {
		if _, built := s.opts.References[r.kind]; built {
			continue
		}
		if err := s.opts.Unbuilt.Refer(ctx, c, r.member, r.wanted, r.stored); err != nil {
			return err
		}
	}
	return nil
}

// checkExists checks that a resource is there and the caller's. There is no difference to the caller between what is
// elsewhere and what is nowhere.
func checkExists(ctx context.Context, c awsapi.Caller, exists Lookup, text string) error {
	a, err := arn.Parse(text)
	if err != nil {
		return err
	}
	found := a.Scope == c.Scope
	if found {
		if found, err = exists(ctx, a); err != nil {
			return err
		}
	}
	if !found {
		return awsapi.NotFound(text)
	}
	return nil
}

// ListChannels returns a page of channels by id, all of them or those that one filter selects. An empty filter is
// no filter.
func (s *Service) ListChannels(
	ctx context.Context, c awsapi.Caller, in *ListChannelsRequest,
) (*ListChannelsResponse, error) {
	q := store.Query{Scope: c.Scope, Limit: awsapi.PageSize(in.MaxResults, 100)}
	for _, f := range []struct {
		index string
		value *string
	}{
		{"name", in.FilterByName},
		{"recordingConfiguration", in.FilterByRecordingConfigurationArn},
		{"playbackRestrictionPolicy", in.FilterByPlaybackRestrictionPolicyArn},
		{"adConfiguration", in.FilterByAdConfigurationArn},
	} {
		if f.value == nil || *f.value == "" {
			continue
		}
		if q.Index != "" {
			return nil, fault.New(fault.Conflict, "only one filter can be used at a time")
		}
		q.Index, q.Value = f.index, *f.value
	}
	pages := s.opts.Pager.Pages(c, "ListChannels", q.Index+"="+q.Value)
	var err error
	if q.After, err = pages.After(in.NextToken); err != nil {
		return nil, err
	}
	found, err := s.opts.Channels.List(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &ListChannelsResponse{Channels: make([]ChannelSummary, len(found.Records))}
	for i, rec := range found.Records {
		out.Channels[i] = wireChannelSummary(rec.Value)
	}
	if n := len(found.Records); n > 0 {
		out.NextToken = pages.Next(found.More, found.Records[n-1].Key.ID)
	}
	return out, nil
}
