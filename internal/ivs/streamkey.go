package ivs

import (
	"cmp"
	"context"
	"slices"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/quota"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/tagging"
)

// secretLength is the length of the last part of a stream key's value (spec ivs.md 1.3).
const secretLength = 30

// newStreamKey mints a stream key.
func (s *Service) newStreamKey(tags map[string]string) resource.StreamKey {
	return resource.StreamKey{
		ID: arn.NewID(), Secret: arn.Random(secretLength), Tags: tags, CreatedAt: s.opts.Clock().UTC(),
	}
}

// CreateStreamKey makes a new key for a channel that has none.
func (s *Service) CreateStreamKey(
	ctx context.Context, c awsapi.Caller, in *CreateStreamKeyRequest,
) (*CreateStreamKeyResponse, error) {
	a, err := c.Own(in.ChannelArn)
	if err != nil {
		return nil, err
	}
	tags, err := tagging.Tagged(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	key := s.newStreamKey(tags)
	rec, err := s.opts.Channels.Update(ctx, keyOf(a), func(ch resource.Channel) (resource.Channel, error) {
		if err := c.May(a, ch.Tags); err != nil {
			return ch, err
		}
		if len(ch.StreamKeys) >= quota.StreamKeysPerChannel {
			return ch, fault.New(fault.Quota, "the quota of %d stream key for channel %s is reached",
				quota.StreamKeysPerChannel, a)
		}
		ch.StreamKeys = append(ch.StreamKeys, key)
		return ch, nil
	})
	if err != nil {
		return nil, awsapi.Naming(err, in.ChannelArn)
	}
	return &CreateStreamKeyResponse{StreamKey: new(wireStreamKey(rec.Value, key))}, nil
}

// GetStreamKey returns a stream key with its secret value.
func (s *Service) GetStreamKey(
	ctx context.Context, c awsapi.Caller, in *GetStreamKeyRequest,
) (*GetStreamKeyResponse, error) {
	ch, key, err := s.keyed(ctx, c, in.Arn)
	if err != nil {
		return nil, err
	}
	return &GetStreamKeyResponse{StreamKey: new(wireStreamKey(ch, key))}, nil
}

// BatchGetStreamKey returns the stream keys that exist, with their secret values, and names those that do not. An ARN
// given twice is answered once.
func (s *Service) BatchGetStreamKey(
	ctx context.Context, c awsapi.Caller, in *BatchGetStreamKeyRequest,
) (*BatchGetStreamKeyResponse, error) {
	out := &BatchGetStreamKeyResponse{StreamKeys: []StreamKey{}}
	var err error
	out.Errors, err = batch(in.Arns, func(text string) error {
		ch, key, err := s.keyed(ctx, c, text)
		if err == nil {
			out.StreamKeys = append(out.StreamKeys, wireStreamKey(ch, key))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ListStreamKeys returns a page of a channel's stream keys by id, without their values.
func (s *Service) ListStreamKeys(
	ctx context.Context, c awsapi.Caller, in *ListStreamKeysRequest,
) (*ListStreamKeysResponse, error) {
	ch, err := s.channel(ctx, c, in.ChannelArn)
	if err != nil {
		return nil, err
	}
	pages := s.opts.Pager.Pages(c, "ListStreamKeys", in.ChannelArn)
	after, err := pages.After(in.NextToken)
	if err != nil {
		return nil, err
	}
	keys := slices.SortedFunc(slices.Values(ch.StreamKeys), func(a, b resource.StreamKey) int {
		return cmp.Compare(a.ID, b.ID)
	})
	keys = slices.DeleteFunc(keys, func(k resource.StreamKey) bool { return k.ID <= after })
	shown := keys[:min(len(keys), awsapi.PageSize(in.MaxResults, 1))]
	out := &ListStreamKeysResponse{StreamKeys: make([]StreamKeySummary, len(shown))}
	for i, k := range shown {
		out.StreamKeys[i] = wireStreamKeySummary(ch, k)
	}
	if n := len(shown); n > 0 {
		out.NextToken = pages.Next(n < len(keys), shown[n-1].ID)
	}
	return out, nil
}

// DeleteStreamKey deletes a key. The next publish with it is refused; a running one goes on.
func (s *Service) DeleteStreamKey(
	ctx context.Context, c awsapi.Caller, in *DeleteStreamKeyRequest,
) (*DeleteStreamKeyResponse, error) {
	ch, key, err := s.keyed(ctx, c, in.Arn)
	if err != nil {
		return nil, err
	}
	_, err = s.opts.Channels.Update(ctx, keyOf(ch.ARN), func(ch resource.Channel) (resource.Channel, error) {
		i := indexOf(ch, key.ID)
		if i < 0 {
			return ch, awsapi.NotFound(in.Arn)
		}
		err := c.May(arn.StreamKey(ch.ARN.Scope, key.ID), ch.StreamKeys[i].Tags)
		ch.StreamKeys = slices.Delete(ch.StreamKeys, i, i+1)
		return ch, err
	})
	if err != nil {
		return nil, awsapi.Naming(err, in.Arn)
	}
	return &DeleteStreamKeyResponse{}, nil
}

// indexOf returns where the channel has the stream key with the given id, -1 when it has not.
func indexOf(ch resource.Channel, id string) int {
	return slices.IndexFunc(ch.StreamKeys, func(k resource.StreamKey) bool { return k.ID == id })
}
