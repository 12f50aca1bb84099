package ivs

import (
	"context"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
)

// TagResource adds tags to a resource and overwrites those it has under the same keys.
func (s *Service) TagResource(
	ctx context.Context, c awsapi.Caller, in *TagResourceRequest,
) (*TagResourceResponse, error) {
	return nil, s.opts.Tags.Tag(ctx, c, in.ResourceArn, in.Tags)
}

// UntagResource removes tags from a resource. Keys that it does not have are ignored.
func (s *Service) UntagResource(
	ctx context.Context, c awsapi.Caller, in *UntagResourceRequest,
) (*UntagResourceResponse, error) {
	return nil, s.opts.Tags.Untag(ctx, c, in.ResourceArn, in.TagKeys)
}

// ListTagsForResource returns the tags of a resource.
func (s *Service) ListTagsForResource(
	ctx context.Context, c awsapi.Caller, in *ListTagsForResourceRequest,
) (*ListTagsForResourceResponse, error) {
	tags, err := s.opts.Tags.List(ctx, c, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &ListTagsForResourceResponse{Tags: tags}, nil
}

// registerTags says where the tags of this service's resources are.
func (s *Service) registerTags() {
	s.opts.Tags.Add("ivs", typeChannel, tagging.In[resource.Channel]{
		Table: s.opts.Channels, Of: func(ch *resource.Channel) *map[string]string { return &ch.Tags },
	})
	s.opts.Tags.Add("ivs", typeStreamKey, keyTags{s.opts.Channels})
	s.opts.Tags.Add("ivs", resource.KindPlaybackKey, tagging.In[resource.PlaybackKeyPair]{
		Table: s.opts.Viewers.PlaybackKeys, Of: func(k *resource.PlaybackKeyPair) *map[string]string { return &k.Tags },
	})
	s.opts.Tags.Add("ivs", resource.KindPlaybackRestrictionPolicy, tagging.In[resource.PlaybackRestrictionPolicy]{
		Table: s.opts.Viewers.Policies, Of: func(p *resource.PlaybackRestrictionPolicy) *map[string]string { return &p.Tags },
	})
}

// keyTags finds the tags of stream keys, which are in the records of their channels.
type keyTags struct {
	channels *store.Table[resource.Channel]
}

// ReadTags returns the tags of a stream key.
func (k keyTags) ReadTags(ctx context.Context, a arn.ARN) (map[string]string, error) {
	ch, i, err := findKey(ctx, k.channels, a)
	if err != nil {
		return nil, err
	}
	return ch.StreamKeys[i].Tags, nil
}

// WriteTags changes the tags of a stream key.
func (k keyTags) WriteTags(ctx context.Context, a arn.ARN, change tagging.Change) error {
	ch, _, err := findKey(ctx, k.channels, a)
	if err != nil {
		return err
	}
	_, err = k.channels.Update(ctx, keyOf(ch.ARN), func(ch resource.Channel) (resource.Channel, error) {
		i := indexOf(ch, a.ID)
		if i < 0 {
			return ch, awsapi.NotFound(a.String())
		}
		var err error
		ch.StreamKeys[i].Tags, err = change(ch.StreamKeys[i].Tags)
		return ch, err
	})
	return err
}
