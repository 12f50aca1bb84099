package iam

import (
	"context"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/policy"
	"github.com/rivus-live/rivus/internal/resource"
)

// Policies knows what decides about principals. Package access has it.
type Policies interface {
	// PoliciesOf returns the policies of a user, a role or a group (resource.KindUser and so on) by the ID of its record,
	// under the names that simulations answer.
	PoliciesOf(ctx context.Context, account, kind, id string) (*policy.Policies, error)
}

// subject is whom a simulation is about: the policies of a user, a group or a role, and the keys of the context that all of
// its requests have.
type subject struct {
	policy.Policies
	principal *policy.Principal // nil: a group, or nobody in particular
	keys      policy.Entries
}

// subject returns whom an ARN names, if the caller may do to it what it asks for.
func (s *Service) subject(ctx context.Context, c awsapi.Caller, text string) (subject, error) {
	_, kind, id, err := parseARN(text)
	if err != nil {
		return subject{}, notAnEntity(text)
	}
	name := id[strings.LastIndexByte(id, '/')+1:]
	switch kind {
	case resource.KindUser:
		r, err := s.users.find(ctx, c, name)
		if err = exactly(err, r.Value.ARN(), text); err != nil {
			return subject{}, err
		}
		u := r.Value
		keys := principalKeys(u.Account, text, awsapi.PrincipalUser, u.ID, u.Tags)
		keys["aws:username"] = []string{u.Name}
		return s.with(ctx, subject{principal: &policy.Principal{Account: u.Account, ARN: text}, keys: keys}, u.Account, kind, u.ID)
	case resource.KindRole:
		r, err := s.roles.find(ctx, c, name)
		if err = exactly(err, r.Value.ARN(), text); err != nil {
			return subject{}, err
		}
		v := r.Value
		keys := principalKeys(v.Account, text, awsapi.PrincipalRole, v.ID, v.Tags)
		who := &policy.Principal{Account: v.Account, ARN: text, Role: text}
		return s.with(ctx, subject{principal: who, keys: keys}, v.Account, kind, v.ID)
	case resource.KindGroup:
		r, err := s.groups.find(ctx, c, name)
		if err = exactly(err, r.Value.ARN(), text); err != nil {
			return subject{}, err
		}
		return s.with(ctx, subject{}, r.Value.Account, kind, r.Value.ID)
	}
	return subject{}, notAnEntity(text)
}

// with returns a subject with its policies.
func (s *Service) with(ctx context.Context, of subject, account, kind, id string) (subject, error) {
	all, err := s.opts.Decisions.PoliciesOf(ctx, account, kind, id)
	if err != nil {
		return subject{}, err
	}
	of.Policies = *all
	return of, nil
}

// exactly returns the error of what was found by the name in an ARN and has another one.
func exactly(err error, a arn.ARN, text string) error {
	if err == nil && a.String() != text {
		err = fault.New(fault.NotFound, "%s cannot be found.", text)
	}
	return err
}

// notAnEntity is the error of an ARN that names nobody who could have policies.
func notAnEntity(text string) error {
	return fault.New(fault.Invalid, "Invalid Entity Arn: %s does not clearly define entity type and name.", text)
}

// principalKeys returns what the context of every request of a principal holds about it.
func principalKeys(account, arn string, kind awsapi.PrincipalKind, id string, tags map[string]string) policy.Entries {
	keys := policy.Entries{
		"aws:PrincipalAccount": {account}, "aws:PrincipalArn": {arn}, "aws:PrincipalType": {kind.String()}, "aws:userid": {id},
	}
	for key, value := range tags {
		keys["aws:PrincipalTag/"+key] = []string{value}
	}
	return keys
}
