package app

import (
	"context"
	"fmt"

	"github.com/rivus-live/rivus/internal/accesskey"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/iam"
	"github.com/rivus-live/rivus/internal/sts"
)

// openKeys makes what knows the access keys: the root key, those of users, and temporary ones.
func (s *server) openKeys(ctx context.Context) (*accesskey.Authority, error) {
	key, err := s.store.Secret(ctx, "access-keys", accesskey.KeySize)
	if err != nil {
		return nil, fmt.Errorf("access keys: %w", err)
	}
	return accesskey.New(accesskey.Options{
		Records: s.records.IAM, Key: key, Clock: s.clock, Logger: s.log,
		Root: accesskey.Root{ID: s.key.accessKeyID, Secret: s.key.secret, Account: s.key.account},
	})
}

// identityServices returns IAM and STS.
func (s *server) identityServices(pager *awsapi.Pager) []awsapi.Service {
	return []awsapi.Service{
		iam.New(iam.Options{Records: s.records.IAM, Keys: s.keys, Decisions: s.access, Pager: pager, Clock: s.clock, Logger: s.log}),
		sts.New(sts.Options{Records: s.records.IAM, Keys: s.keys}),
	}
}
