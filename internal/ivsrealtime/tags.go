package ivsrealtime

import (
	"context"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/tagging"
)

// TagResource adds tags to a resource and overwrites those it has under the same keys.
func (s *Service) TagResource(ctx context.Context, c awsapi.Caller, in *TagResourceRequest) (*TagResourceResponse, error) {
	return nil, s.opts.Tags.Tag(ctx, c, in.ResourceArn, in.Tags)
}

// UntagResource removes tags from a resource. Keys that it does not have are ignored.
func (s *Service) UntagResource(ctx context.Context, c awsapi.Caller, in *UntagResourceRequest) (*UntagResourceResponse, error) {
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
	s.opts.Tags.Add("ivs", resource.KindStage, tagging.In[resource.Stage]{
		Table: s.opts.Records.Stages, Of: func(v *resource.Stage) *map[string]string { return &v.Tags },
	})
	s.opts.Tags.Add("ivs", resource.KindPublicKey, tagging.In[resource.PublicKey]{
		Table: s.opts.Records.PublicKeys, Of: func(v *resource.PublicKey) *map[string]string { return &v.Tags },
	})
	s.opts.Tags.Add("ivs", resource.KindStorageConfiguration, tagging.In[resource.StorageConfiguration]{
		Table: s.opts.Records.StorageConfigurations, Of: func(v *resource.StorageConfiguration) *map[string]string { return &v.Tags },
	})
}
