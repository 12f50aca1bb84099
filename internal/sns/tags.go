package sns

import (
	"context"
	"maps"
	"slices"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
)

func tagMap(tags []Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}

// noResource gives a fault.NotFound of the tag operations the service's words.
func noResource(err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "Resource does not exist")
	}
	return err
}

// TagResource adds tags to a topic.
func (s *Service) TagResource(ctx context.Context, c awsapi.Caller, in *TagResourceRequest) (*TagResourceResponse, error) {
	return nil, noResource(s.opts.Tags.Tag(ctx, c, in.ResourceArn, tagMap(in.Tags)))
}

// UntagResource removes tags from a topic.
func (s *Service) UntagResource(ctx context.Context, c awsapi.Caller, in *UntagResourceRequest) (*UntagResourceResponse, error) {
	return nil, noResource(s.opts.Tags.Untag(ctx, c, in.ResourceArn, in.TagKeys))
}

// ListTagsForResource returns the tags of a topic, in order of their keys.
func (s *Service) ListTagsForResource(ctx context.Context, c awsapi.Caller, in *ListTagsForResourceRequest) (*ListTagsForResourceResponse, error) {
	tags, err := s.opts.Tags.List(ctx, c, in.ResourceArn)
	if err != nil {
		return nil, noResource(err)
	}
	out := &ListTagsForResourceResponse{Tags: []Tag{}}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out.Tags = append(out.Tags, Tag{Key: key, Value: tags[key]})
	}
	return out, nil
}
