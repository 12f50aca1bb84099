package ivsrealtime

import (
	"context"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// TagResource adds tags to a resource and overwrites those it has under the same keys.
func (s *Service) TagResource(ctx context.Context, c awsapi.Caller, in *TagResourceRequest) (*TagResourceResponse, error) {
	err := s.retag(ctx, c, in.ResourceArn, func(tags map[string]string) (map[string]string, error) {
		return awsapi.Tagged(tags, in.Tags)
	})
	if err != nil {
		return nil, err
	}
	return &TagResourceResponse{}, nil
}

// UntagResource removes tags from a resource. Keys that it does not have are ignored.
func (s *Service) UntagResource(ctx context.Context, c awsapi.Caller, in *UntagResourceRequest) (*UntagResourceResponse, error) {
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
	a, err := c.Own(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags, err := s.tagsOf(a).read(ctx, keyOf(a))
	if err != nil {
		return nil, awsapi.Naming(err, in.ResourceArn)
	}
	return &ListTagsForResourceResponse{Tags: awsapi.Shown(tags)}, nil
}

// retag changes the tags of a resource. change gets a copy of them.
func (s *Service) retag(
	ctx context.Context, c awsapi.Caller, text string, change func(map[string]string) (map[string]string, error),
) error {
	a, err := c.Own(text)
	if err != nil {
		return err
	}
	return awsapi.Naming(s.tagsOf(a).write(ctx, keyOf(a), change), text)
}

// tagTable is where the tags of the resources of one type are.
type tagTable interface {
	read(ctx context.Context, key store.Key) (map[string]string, error)
	write(ctx context.Context, key store.Key, change func(map[string]string) (map[string]string, error)) error
}

// tagsOf returns where the tags of a resource are.
func (s *Service) tagsOf(a arn.ARN) tagTable {
	switch a {
	case resource.StageARN(a.Scope, a.ID):
		return tagsIn[resource.Stage]{s.opts.Stages, func(v *resource.Stage) *map[string]string { return &v.Tags }}
	case resource.PublicKeyARN(a.Scope, a.ID):
		return tagsIn[resource.PublicKey]{s.opts.PublicKeys, func(v *resource.PublicKey) *map[string]string { return &v.Tags }}
	case resource.StorageConfigurationARN(a.Scope, a.ID):
		return tagsIn[resource.StorageConfiguration]{
			s.opts.StorageConfigurations, func(v *resource.StorageConfiguration) *map[string]string { return &v.Tags },
		}
	}
	return noTags{}
}

// tagsIn finds the tags in the records of a table.
type tagsIn[T any] struct {
	table *store.Table[T]
	of    func(*T) *map[string]string
}

func (t tagsIn[T]) read(ctx context.Context, key store.Key) (map[string]string, error) {
	r, err := t.table.Get(ctx, key)
	return *t.of(&r.Value), err
}

func (t tagsIn[T]) write(
	ctx context.Context, key store.Key, change func(map[string]string) (map[string]string, error),
) error {
	_, err := t.table.Update(ctx, key, func(v T) (T, error) {
		tags, err := change(*t.of(&v))
		*t.of(&v) = tags
		return v, err
	})
	return err
}

// noTags is for types of resource of which there are none.
type noTags struct{}

func (noTags) read(context.Context, store.Key) (map[string]string, error) {
	return nil, awsapi.NotFound("")
}

func (noTags) write(context.Context, store.Key, func(map[string]string) (map[string]string, error)) error {
	return awsapi.NotFound("")
}
