package sts

import (
	"context"
	"time"

	"github.com/rivus-live/rivus/internal/accesskey"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
)

// How long sessions of users last when nobody says, and those of the owner at most.
const (
	defaultUserSession = 12 * time.Hour
	maxRootSession     = time.Hour
)

// GetSessionToken makes temporary credentials of the caller: they may do what the caller may, but for IAM and for
// GetSessionToken itself. Those of the owner last an hour at most, whatever is asked for.
func (s Service) GetSessionToken(
	_ context.Context, c awsapi.Caller, in *GetSessionTokenRequest,
) (*GetSessionTokenResponse, error) {
	if !c.Principal.Issued.IsZero() {
		return nil, fault.New(fault.Denied, "Cannot call GetSessionToken with session credentials")
	}
	if err := noMFA(in.SerialNumber, in.TokenCode); err != nil {
		return nil, err
	}
	d := defaultUserSession
	if in.DurationSeconds != nil {
		d = time.Duration(*in.DurationSeconds) * time.Second
	}
	if c.Principal.Kind == awsapi.PrincipalRoot {
		d = min(d, maxRootSession)
	}
	t, err := s.opts.Keys.Temporary(accesskey.Session{Of: c.Principal, Duration: d})
	if err != nil {
		return nil, err
	}
	return &GetSessionTokenResponse{Credentials: wireCredentials(t)}, nil
}

// noMFA refuses the code of a device: nobody has one.
func noMFA(serial, code *string) error {
	if serial == nil && code == nil {
		return nil
	}
	return fault.New(fault.Denied, "MultiFactorAuthentication failed: there are no MFA devices here")
}
