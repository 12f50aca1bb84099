package ivs

import (
	"context"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/resource"
)

// TagResource adds tags to a resource and overwrites those it has under the same keys.
func (s *Service) TagResource(
	ctx context.Context, c awsapi.Caller, in *TagResourceRequest,
) (*TagResourceResponse, error) {
	err := s.retag(ctx, c, in.ResourceArn, func(tags map[string]string) (map[string]string, error) {
		return awsapi.Tagged(tags, in.Tags)
	})
	if err != nil {
		return nil, err
	}
	return &TagResourceResponse{}, nil
}

// UntagResource removes tags from a resource. Keys that it does not have are ignored.
func (s *Service) UntagResource(
	ctx context.Context, c awsapi.Caller, in *UntagResourceRequest,
) (*UntagResourceResponse, error) {
	err := s.retag(ctx, c, in.ResourceArn, func(tags map[string]string) (map[string]string, error) {
		return awsapi.Untagged(tags, in.TagKeys), nil
	})
	if err != nil {
		return nil, err
	}
	return &UntagResourceResponse{}, nil
}

// ListTagsForResource returns the tags of a resource.
func (s *Service) ListTagsForResource(
	ctx context.Context, c awsapi.Caller, in *ListTagsForResourceRequest,
) (*ListTagsForResourceResponse, error) {
	ch, keyID, err := s.taggable(ctx, c, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags := ch.Tags
	if keyID != "" {
		tags = ch.StreamKeys[indexOf(ch, keyID)].Tags
	}
	return &ListTagsForResourceResponse{Tags: awsapi.Shown(tags)}, nil
}

// retag changes the tags of a channel or a stream key.
func (s *Service) retag(
	ctx context.Context, c awsapi.Caller, text string, change func(map[string]string) (map[string]string, error),
) error {
	ch, keyID, err := s.taggable(ctx, c, text)
	if err != nil {
		return err
	}
	_, err = s.opts.Channels.Update(ctx, keyOf(ch.ARN), func(ch resource.Channel) (resource.Channel, error) {
		tags := &ch.Tags
		if keyID != "" {
			i := indexOf(ch, keyID)
			if i < 0 {
				return ch, awsapi.NotFound(text)
			}
			tags = &ch.StreamKeys[i].Tags
		}
		var err error
		*tags, err = change(*tags)
		return ch, err
	})
	return awsapi.Naming(err, text)
}

// taggable returns the channel whose record holds the tags of the resource with the given ARN, and the id of the stream
// key that has them, "" when it is the channel itself.
func (s *Service) taggable(ctx context.Context, c awsapi.Caller, text string) (resource.Channel, string, error) {
	a, err := c.Own(text)
	if err != nil {
		return resource.Channel{}, "", err
	}
	switch {
	case a.Service != "ivs":
	case a.Type == typeChannel:
		ch, err := s.channel(ctx, c, text)
		return ch, "", err
	case a.Type == typeStreamKey:
		ch, key, err := s.keyed(ctx, c, text)
		return ch, key.ID, err
	}
	return resource.Channel{}, "", awsapi.NotFound(text)
}
