package ivsrealtime

import (
	"context"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
)

// CreateStorageConfiguration names a bucket. Whether it is there and can be written to shows when something is recorded.
func (s *Service) CreateStorageConfiguration(
	ctx context.Context, c awsapi.Caller, in *CreateStorageConfigurationRequest,
) (*CreateStorageConfigurationResponse, error) {
	tags, err := tagging.Tagged(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	sc := resource.StorageConfiguration{
		ARN: resource.StorageConfigurationARN(c.Scope, arn.NewID()), Bucket: in.S3.BucketName, Tags: tags,
		CreatedAt: s.opts.Clock().UTC(),
	}
	set(&sc.Name, in.Name)
	_, err = s.opts.Records.StorageConfigurations.Under(guardOf(c.Scope)).Create(ctx, keyOf(sc.ARN), sc, func() error {
		have := s.opts.Records.StorageConfigurations.Count(c.Scope)
		return s.withinQuota(have, quotaStorageConfigurations, "storage configurations", c.Region)
	})
	if err != nil {
		return nil, err
	}
	return &CreateStorageConfigurationResponse{StorageConfiguration: wireStorage(sc)}, nil
}

// GetStorageConfiguration returns a storage configuration.
func (s *Service) GetStorageConfiguration(
	ctx context.Context, c awsapi.Caller, in *GetStorageConfigurationRequest,
) (*GetStorageConfigurationResponse, error) {
	sc, err := get(ctx, c, s.opts.Records.StorageConfigurations, in.Arn, tagsOfStorage)
	if err != nil {
		return nil, err
	}
	return &GetStorageConfigurationResponse{StorageConfiguration: wireStorage(sc)}, nil
}

// ListStorageConfigurations returns a page of storage configurations by id. As many as an account may have fit on one
// (spec ivs-realtime.md 1.4).
func (s *Service) ListStorageConfigurations(
	ctx context.Context, c awsapi.Caller, in *ListStorageConfigurationsRequest,
) (*ListStorageConfigurationsResponse, error) {
	size := 100
	if s.opts.Quotas {
		size = quotaStorageConfigurations
	}
	found, next, err := listed(ctx, c, s.opts.Pager.Pages(c, "ListStorageConfigurations", ""), s.opts.Records.StorageConfigurations,
		in.NextToken, awsapi.PageSize(in.MaxResults, size), func(sc resource.StorageConfiguration) (StorageConfigurationSummary, error) {
			w := wireStorage(sc)
			return StorageConfigurationSummary{Arn: w.Arn, Name: w.Name, S3: w.S3, Tags: w.Tags}, nil
		})
	if err != nil {
		return nil, err
	}
	return &ListStorageConfigurationsResponse{StorageConfigurations: found, NextToken: next}, nil
}

// DeleteStorageConfiguration deletes a storage configuration that no stage records to.
func (s *Service) DeleteStorageConfiguration(
	ctx context.Context, c awsapi.Caller, in *DeleteStorageConfigurationRequest,
) (*DeleteStorageConfigurationResponse, error) {
	a, err := c.Own(in.Arn)
	if err != nil {
		return nil, err
	}
	_, err = s.opts.Records.StorageConfigurations.Under(guardOf(a.Scope)).Delete(ctx, keyOf(a), func(sc resource.StorageConfiguration) error {
		if err := c.May(a, sc.Tags); err != nil {
			return err
		}
		users, err := s.opts.Records.Stages.List(ctx, store.Query{
			Scope: a.Scope, Index: "storageConfiguration", Value: a.String(), Limit: 1,
		})
		if err == nil && len(users.Records) > 0 {
			err = fault.New(fault.Conflict, "Storage configuration: %s is used by %s", a, users.Records[0].Value.ARN)
		}
		return err
	})
	if err != nil {
		return nil, awsapi.Naming(err, in.Arn)
	}
	return &DeleteStorageConfigurationResponse{}, nil
}
