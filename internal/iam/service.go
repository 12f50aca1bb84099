package iam

import (
	"context"
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/accesskey"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
)

// Options are the parts that a Service works with. All are needed unless they say otherwise.
type Options struct {
	Records   records.IAM
	Keys      *accesskey.Authority
	Decisions Policies // for simulations
	Pager     *awsapi.Pager
	Clock     func() time.Time // nil: the system's
	Logger    *slog.Logger     // nil: discard
}

// Service has the operations. It is safe for concurrent use.
type Service struct {
	opts   Options
	users  keeper[resource.User]
	roles  keeper[resource.Role]
	groups keeper[resource.Group]
}

// New returns a Service.
func New(o Options) *Service {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{opts: o, users: usersIn(o.Records.Users), roles: rolesIn(o.Records.Roles), groups: groupsIn(o.Records.Groups)}
}

// now is the time that records are given, to the second as answers show it.
func (s *Service) now() time.Time { return s.opts.Clock().UTC().Truncate(time.Second) }

// pages returns the pages of a list of an operation, of what filter names.
func (s *Service) pages(c awsapi.Caller, operation string, filter ...*string) awsapi.Pages {
	text := ""
	for _, f := range filter {
		text += "\x00" + restjson.Value(f)
	}
	return s.opts.Pager.Pages(c, operation, text)
}

// userName returns the user that a request is about: the caller, when it names none.
func userName(c awsapi.Caller, name *string) (string, error) {
	switch {
	case name != nil:
		return *name, nil
	case c.Principal.Kind == awsapi.PrincipalUser:
		return c.Principal.Name, nil
	}
	return "", fault.New(fault.Invalid, "Must specify userName when calling with non-User credentials")
}

// forget drops what is known of the use of a key or a role that is gone. When it fails, some bytes stay.
func (s *Service) forget(ctx context.Context, c awsapi.Caller, id string) {
	if err := s.opts.Keys.Forget(ctx, c.Account, id); err != nil {
		s.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "the last use of a deleted key stays", slog.String("key", id), slog.Any("error", err))
	}
}

// handler is how operations are answered.
type handler[In, Out any] = func(ctx context.Context, c awsapi.Caller, in *In) (*Out, error)

// permanent lets only permanent keys and sessions of roles call a handler: the credentials of GetSessionToken are good for
// everything else, as they are on AWS without MFA.
func permanent[In, Out any](h handler[In, Out]) handler[In, Out] {
	return func(ctx context.Context, c awsapi.Caller, in *In) (*Out, error) {
		if p := c.Principal; p.Kind != awsapi.PrincipalRole && !p.Issued.IsZero() {
			return nil, fault.New(fault.Denied, "The credentials of GetSessionToken may not call IAM")
		}
		return h(ctx, c, in)
	}
}
