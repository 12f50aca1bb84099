package ivs

import (
	"context"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/quota"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// shown reports whether the API shows a stream: from its first watchable segment to its end.
func shown(st resource.Stream) bool { return st.State == resource.Live || st.State == resource.Stalled }

// GetStream returns the live stream of a channel.
func (s *Service) GetStream(ctx context.Context, c awsapi.Caller, in *GetStreamRequest) (*GetStreamResponse, error) {
	ch, err := s.channel(ctx, c, in.ChannelArn)
	if err != nil {
		return nil, err
	}
	st, claimed, err := s.opts.Streams.Get(ctx, keyOf(ch.ARN))
	if err != nil {
		return nil, err
	}
	if !claimed || !shown(st) {
		return nil, notLive(ch.ARN)
	}
	return &GetStreamResponse{Stream: wireStream(c, st)}, nil
}

// ListStreams returns a page of the live streams by channel id, all of them or those of one health.
func (s *Service) ListStreams(
	ctx context.Context, c awsapi.Caller, in *ListStreamsRequest,
) (*ListStreamsResponse, error) {
	q := store.Query{Scope: c.Scope, Index: "state", Value: "live", Limit: awsapi.PageSize(in.MaxResults, 100)}
	if in.FilterBy != nil && in.FilterBy.Health != nil {
		q.Index, q.Value = "health", *in.FilterBy.Health
	}
	pages := s.opts.Pager.Pages(c, "ListStreams", q.Index+"="+q.Value)
	var err error
	if q.After, err = pages.After(in.NextToken); err != nil {
		return nil, err
	}
	found, err := s.opts.Streams.List(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &ListStreamsResponse{Streams: make([]StreamSummary, len(found.Records))}
	for i, rec := range found.Records {
		out.Streams[i] = wireStreamSummary(rec.Value)
	}
	if n := len(found.Records); n > 0 {
		out.NextToken = pages.Next(found.More, found.Records[n-1].Key.ID)
	}
	return out, nil
}

// StopStream disconnects the encoder of a channel. It also ends a publish that is not playable yet, so that a channel
// that cannot be deleted can always be stopped.
func (s *Service) StopStream(ctx context.Context, c awsapi.Caller, in *StopStreamRequest) (*StopStreamResponse, error) {
	ch, err := s.channel(ctx, c, in.ChannelArn)
	if err != nil {
		return nil, err
	}
	_, claimed, err := s.opts.Streams.Get(ctx, keyOf(ch.ARN))
	if err != nil {
		return nil, err
	}
	if !claimed {
		return nil, notLive(ch.ARN)
	}
	if err := commanded(ch.ARN, s.opts.Broadcasts.Stop(ctx, ch.ARN)); err != nil {
		return nil, err
	}
	return &StopStreamResponse{}, nil
}

// PutMetadata puts text into the live stream of a channel, at one place for all viewers. The pace of a channel is
// counted by each node that answers the API.
func (s *Service) PutMetadata(ctx context.Context, c awsapi.Caller, in *PutMetadataRequest) (*PutMetadataResponse, error) {
	if len(in.Metadata) > quota.MetadataBytes {
		return nil, fault.New(fault.Invalid, "Metadata size exceeds payload limit")
	}
	ch, err := s.channel(ctx, c, in.ChannelArn)
	if err != nil {
		return nil, err
	}
	st, claimed, err := s.opts.Streams.Get(ctx, keyOf(ch.ARN))
	if err != nil {
		return nil, err
	}
	if !claimed || !shown(st) {
		return nil, notLive(ch.ARN)
	}
	if !s.metadata.Take(ch.ARN, quota.MetadataRate) {
		return nil, fault.New(fault.Throttled, "Operation: ivs:PutMetadata exceeded call rate: %d for resource: %s",
			quota.MetadataRate, ch.ARN)
	}
	if err := commanded(ch.ARN, s.opts.Broadcasts.PutMetadata(ctx, ch.ARN, in.Metadata)); err != nil {
		return nil, err
	}
	return &PutMetadataResponse{}, nil
}

// commanded makes the outcome of a command tell the caller which channel it is about.
func commanded(channel arn.ARN, err error) error {
	switch fault.KindOf(err) {
	case fault.NotLive:
		return notLive(channel)
	case fault.Unavailable, fault.StreamUnavailable:
		return fault.Wrap(fault.StreamUnavailable, err, "The stream of channel %s is temporarily unavailable", channel)
	default:
		return err
	}
}
