package ivs

import (
	"context"
	"maps"
	"strings"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/quota"
	"github.com/rivus-live/rivus/internal/resource"
)

// reservedPrefix begins the tag keys that no caller may set, in any case of letters.
const reservedPrefix = "aws:"

// tagged returns the tags of a resource with more of them added or overwritten. Neither argument is changed.
func tagged(tags, more map[string]string) (map[string]string, error) {
	for key := range more {
		if len(key) >= len(reservedPrefix) && strings.EqualFold(key[:len(reservedPrefix)], reservedPrefix) {
			return nil, fault.New(fault.Invalid, "tag keys that start with %s are reserved: %s", reservedPrefix, key)
		}
	}
	merged := maps.Clone(tags)
	if merged == nil {
		merged = make(map[string]string, len(more))
	}
	maps.Copy(merged, more)
	if len(merged) > quota.TagsPerResource {
		return nil, fault.New(fault.Invalid, "a resource can have at most %d tags", quota.TagsPerResource)
	}
	return merged, nil
}

// TagResource adds tags to a resource and overwrites those it has under the same keys.
func (s *Service) TagResource(
	ctx context.Context, c awsapi.Caller, in *TagResourceRequest,
) (*TagResourceResponse, error) {
	err := s.retag(ctx, c, in.ResourceArn, func(tags map[string]string) (map[string]string, error) {
		return tagged(tags, in.Tags)
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
		tags = maps.Clone(tags)
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
		return tags, nil
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
	return &ListTagsForResourceResponse{Tags: wireTags(tags)}, nil
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
				return ch, notFound(text)
			}
			tags = &ch.StreamKeys[i].Tags
		}
		var err error
		*tags, err = change(*tags)
		return ch, err
	})
	return naming(err, text)
}

// taggable returns the channel whose record holds the tags of the resource with the given ARN, and the id of the stream
// key that has them, "" when it is the channel itself.
func (s *Service) taggable(ctx context.Context, c awsapi.Caller, text string) (resource.Channel, string, error) {
	a, err := own(c, text)
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
	return resource.Channel{}, "", notFound(text)
}
