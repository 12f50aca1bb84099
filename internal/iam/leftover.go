package iam

import (
	"context"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
)

// What is here is asked by clients before they delete a user or a role (spec errata.md A3). There are no such things here, so
// the answers are empty; that the user or the role exists is checked.

// ListInstanceProfilesForRole returns none.
func (s *Service) ListInstanceProfilesForRole(
	ctx context.Context, c awsapi.Caller, in *ListInstanceProfilesForRoleRequest,
) (*ListInstanceProfilesForRoleResponse, error) {
	_, err := s.roles.find(ctx, c, in.RoleName)
	return &ListInstanceProfilesForRoleResponse{IsTruncated: new(false)}, err
}

// ListSSHPublicKeys returns none.
func (s *Service) ListSSHPublicKeys(
	ctx context.Context, c awsapi.Caller, in *ListSSHPublicKeysRequest,
) (*ListSSHPublicKeysResponse, error) {
	return &ListSSHPublicKeysResponse{SSHPublicKeys: []SSHPublicKeyMetadata{}, IsTruncated: new(false)}, s.user(ctx, c, in.UserName)
}

// ListMFADevices returns none.
func (s *Service) ListMFADevices(
	ctx context.Context, c awsapi.Caller, in *ListMFADevicesRequest,
) (*ListMFADevicesResponse, error) {
	return &ListMFADevicesResponse{IsTruncated: new(false)}, s.user(ctx, c, in.UserName)
}

// ListVirtualMFADevices returns none.
func (s *Service) ListVirtualMFADevices(
	context.Context, awsapi.Caller, *ListVirtualMFADevicesRequest,
) (*ListVirtualMFADevicesResponse, error) {
	return &ListVirtualMFADevicesResponse{IsTruncated: new(false)}, nil
}

// ListSigningCertificates returns none.
func (s *Service) ListSigningCertificates(
	ctx context.Context, c awsapi.Caller, in *ListSigningCertificatesRequest,
) (*ListSigningCertificatesResponse, error) {
	return &ListSigningCertificatesResponse{IsTruncated: new(false)}, s.user(ctx, c, in.UserName)
}

// ListServiceSpecificCredentials returns none.
func (s *Service) ListServiceSpecificCredentials(
	ctx context.Context, c awsapi.Caller, in *ListServiceSpecificCredentialsRequest,
) (*ListServiceSpecificCredentialsResponse, error) {
	return &ListServiceSpecificCredentialsResponse{
		ServiceSpecificCredentials: []ServiceSpecificCredentialMetadata{}, IsTruncated: new(false),
	}, s.user(ctx, c, in.UserName)
}

// DeleteLoginProfile says that the user has no password.
func (s *Service) DeleteLoginProfile(
	ctx context.Context, c awsapi.Caller, in *DeleteLoginProfileRequest,
) (*DeleteLoginProfileResponse, error) {
	if err := s.user(ctx, c, in.UserName); err != nil {
		return nil, err
	}
	name, err := userName(c, in.UserName)
	if err != nil {
		return nil, err
	}
	return nil, fault.New(fault.NotFound, "Login Profile for User %s cannot be found.", name)
}

// user returns the error of a user that a request names, or of the caller when it names none.
func (s *Service) user(ctx context.Context, c awsapi.Caller, name *string) error {
	who, err := userName(c, name)
	if err != nil {
		return err
	}
	_, err = s.users.find(ctx, c, who)
	return err
}
