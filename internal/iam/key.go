package iam

import (
	"context"
	"slices"
	"strings"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

// CreateAccessKey makes an access key of a user: the caller, when the request names none. Its secret is in this answer and
// in no other.
func (s *Service) CreateAccessKey(
	ctx context.Context, c awsapi.Caller, in *CreateAccessKeyRequest,
) (*CreateAccessKeyResponse, error) {
	name, err := userName(c, in.UserName)
	if err != nil {
		return nil, err
	}
	id, secret := s.opts.Keys.NewKey()
	key := resource.AccessKey{ID: id, Active: true, CreatedAt: s.now()}
	u, err := s.users.update(ctx, c, name, func(u *resource.User) error {
		if len(u.Keys) >= maxKeys {
			return exceeded("AccessKeysPerUser", maxKeys)
		}
		u.Keys = append(u.Keys, key)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &CreateAccessKeyResponse{AccessKey: &AccessKey{
		UserName: u.Name, AccessKeyId: id, Status: statusActive, SecretAccessKey: secret, CreateDate: restjson.Time(key.CreatedAt),
	}}, nil
}

// ListAccessKeys returns a page of a user's access keys.
func (s *Service) ListAccessKeys(ctx context.Context, c awsapi.Caller, in *ListAccessKeysRequest) (*ListAccessKeysResponse, error) {
	name, err := userName(c, in.UserName)
	if err != nil {
		return nil, err
	}
	r, err := s.users.find(ctx, c, name)
	if err != nil {
		return nil, err
	}
	keys := slices.SortedFunc(slices.Values(r.Value.Keys), func(a, b resource.AccessKey) int { return strings.Compare(a.ID, b.ID) })
	p, err := page(s.pages(c, "ListAccessKeys", &r.Value.ID), request{in.Marker, in.MaxItems}, keys,
		func(k resource.AccessKey) string { return k.ID })
	if err != nil {
		return nil, err
	}
	return &ListAccessKeysResponse{
		AccessKeyMetadata: mapped(p.items, func(k resource.AccessKey) AccessKeyMetadata { return wireKey(r.Value, k) }),
		IsTruncated:       new(p.truncated()), Marker: p.next,
	}, nil
}

// UpdateAccessKey turns an access key off or on again. It counts on this node before the answer.
func (s *Service) UpdateAccessKey(
	ctx context.Context, c awsapi.Caller, in *UpdateAccessKeyRequest,
) (*UpdateAccessKeyResponse, error) {
	if in.Status != statusActive && in.Status != statusInactive {
		return nil, fault.New(fault.Invalid, "The status %s cannot be set", in.Status)
	}
	return nil, s.changeKey(ctx, c, in.UserName, in.AccessKeyId, func(u *resource.User, at int) {
		u.Keys[at].Active = in.Status == statusActive
	})
}

// DeleteAccessKey deletes an access key. It is no good on this node before the answer.
func (s *Service) DeleteAccessKey(
	ctx context.Context, c awsapi.Caller, in *DeleteAccessKeyRequest,
) (*DeleteAccessKeyResponse, error) {
	err := s.changeKey(ctx, c, in.UserName, in.AccessKeyId, func(u *resource.User, at int) {
		u.Keys = slices.Delete(u.Keys, at, at+1)
	})
	if err != nil {
		return nil, err
	}
	s.forget(ctx, c, in.AccessKeyId)
	return nil, nil
}

// changeKey changes an access key of a user.
func (s *Service) changeKey(ctx context.Context, c awsapi.Caller, user *string, id string, change func(u *resource.User, at int)) error {
	name, err := userName(c, user)
	if err != nil {
		return err
	}
	_, err = s.users.update(ctx, c, name, func(u *resource.User) error {
		at := u.Key(id)
		if at < 0 {
			return noKey(id)
		}
		change(u, at)
		return nil
	})
	return err
}

func noKey(id string) error {
	return fault.New(fault.NotFound, "The Access Key with id %s cannot be found.", id)
}

// keyOwner returns who has an access key; for one that nobody has, all users.
func (s *Service) keyOwner(id string) awsapi.Target {
	r, err := s.opts.Records.Users.Find(context.Background(), "accessKey", id) // reads memory
	if err != nil {
		return awsapi.Target{Type: resource.KindUser}
	}
	return userNamed(r.Value.Name)
}

// GetAccessKeyLastUsed returns whose an access key is, and when it was used last, to within some minutes.
func (s *Service) GetAccessKeyLastUsed(
	ctx context.Context, c awsapi.Caller, in *GetAccessKeyLastUsedRequest,
) (*GetAccessKeyLastUsedResponse, error) {
	r, err := s.opts.Records.Users.Find(ctx, "accessKey", in.AccessKeyId)
	if err != nil || r.Value.Account != c.Account {
		return nil, noKey(in.AccessKeyId)
	}
	if err := c.May(r.Value.ARN(), r.Value.Tags); err != nil {
		return nil, err
	}
	use, ok, err := s.opts.Keys.LastUse(ctx, c.Account, in.AccessKeyId)
	if err != nil {
		return nil, err
	}
	last := &AccessKeyLastUsed{ServiceName: "N/A", Region: "N/A"}
	if ok {
		last = &AccessKeyLastUsed{LastUsedDate: restjson.Time(use.At), ServiceName: use.Service, Region: use.Region}
	}
	return &GetAccessKeyLastUsedResponse{UserName: &r.Value.Name, AccessKeyLastUsed: last}, nil
}
