package ivs

import (
	"context"
	"log/slog"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/quota"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
	"github.com/rivus-live/rivus/internal/weborigin"
)

// CreatePlaybackRestrictionPolicy makes a policy. With nothing in it, it allows everything.
func (s *Service) CreatePlaybackRestrictionPolicy(
	ctx context.Context, c awsapi.Caller, in *CreatePlaybackRestrictionPolicyRequest,
) (*CreatePlaybackRestrictionPolicyResponse, error) {
	tags, err := tagging.Tagged(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	if err := checkRestrictions(in.AllowedCountries, in.AllowedOrigins); err != nil {
		return nil, err
	}
	p := resource.PlaybackRestrictionPolicy{
		ARN:       resource.PlaybackRestrictionPolicyARN(c.Scope, arn.NewID()),
		Countries: in.AllowedCountries, Origins: in.AllowedOrigins, Tags: tags, CreatedAt: s.opts.Clock().UTC(),
	}
	set(&p.Name, in.Name)
	set(&p.Strict, in.EnableStrictOriginEnforcement)
	_, err = s.opts.Viewers.Policies.Under(guardOf(c.Scope)).Create(ctx, keyOf(p.ARN), p, func() error {
		return s.withinQuota(s.opts.Viewers.Policies.Count(c.Scope), quota.PlaybackRestrictionPolicies, "playback restriction policies", c.Region)
	})
	if err != nil {
		return nil, err
	}
	s.warnOfCountries(ctx, p)
	return &CreatePlaybackRestrictionPolicyResponse{PlaybackRestrictionPolicy: wirePolicy(p)}, nil
}

// checkRestrictions checks what the model does not say: which countries and origins there are, and how many a policy may have.
func checkRestrictions(countries, origins []string) error {
	switch {
	case len(countries) > quota.CountriesPerPolicy:
		return fault.New(fault.Invalid, "allowedCountries has more than %d countries", quota.CountriesPerPolicy)
	case len(origins) > quota.OriginsPerPolicy:
		return fault.New(fault.Invalid, "allowedOrigins has more than %d origins", quota.OriginsPerPolicy)
	}
	for _, country := range countries {
		if !isCountry(country) {
			return fault.New(fault.Invalid, "allowedCountries: %q is not an officially assigned ISO 3166-1 alpha-2 code", country)
		}
	}
	if _, err := weborigin.ParseList(origins); err != nil {
		return fault.Wrap(fault.Invalid, err, "allowedOrigins: %s", fault.Message(err))
	}
	return nil
}

// warnOfCountries tells the operator of a policy that this server cannot keep, and so lets nobody in by. The policy is stored
// all the same: the database may come later, and other nodes may have it.
func (s *Service) warnOfCountries(ctx context.Context, p resource.PlaybackRestrictionPolicy) {
	if len(p.Countries) > 0 && !s.opts.KnowsCountries {
		s.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "a playback restriction policy has countries and this server has no --geoip-db: "+
			"its channels are refused to everybody here", slog.String("arn", p.ARN.String()))
	}
}

// GetPlaybackRestrictionPolicy returns a policy.
func (s *Service) GetPlaybackRestrictionPolicy(
	ctx context.Context, c awsapi.Caller, in *GetPlaybackRestrictionPolicyRequest,
) (*GetPlaybackRestrictionPolicyResponse, error) {
	p, err := get(ctx, c, s.opts.Viewers.Policies, in.Arn, tagsOfPolicy)
	if err != nil {
		return nil, err
	}
	return &GetPlaybackRestrictionPolicyResponse{PlaybackRestrictionPolicy: wirePolicy(p)}, nil
}

// ListPlaybackRestrictionPolicies returns a page of policies by id: one policy, unless the request asks for more (spec ivs.md
// 2.5).
func (s *Service) ListPlaybackRestrictionPolicies(
	ctx context.Context, c awsapi.Caller, in *ListPlaybackRestrictionPoliciesRequest,
) (*ListPlaybackRestrictionPoliciesResponse, error) {
	found, next, err := listed(ctx, c, s.opts.Pager.Pages(c, "ListPlaybackRestrictionPolicies", ""), s.opts.Viewers.Policies, in.NextToken,
		awsapi.PageSize(in.MaxResults, 1), wirePolicySummary)
	if err != nil {
		return nil, err
	}
	return &ListPlaybackRestrictionPoliciesResponse{PlaybackRestrictionPolicies: found, NextToken: next}, nil
}

// UpdatePlaybackRestrictionPolicy changes what the request names; a list is replaced as a whole. It holds for playback
// sessions that begin later.
func (s *Service) UpdatePlaybackRestrictionPolicy(
	ctx context.Context, c awsapi.Caller, in *UpdatePlaybackRestrictionPolicyRequest,
) (*UpdatePlaybackRestrictionPolicyResponse, error) {
	a, err := c.Own(in.Arn)
	if err != nil {
		return nil, err
	}
	if err := checkRestrictions(in.AllowedCountries, in.AllowedOrigins); err != nil {
		return nil, err
	}
	r, err := s.opts.Viewers.Policies.Update(ctx, keyOf(a), func(p resource.PlaybackRestrictionPolicy) (resource.PlaybackRestrictionPolicy, error) {
		if err := c.May(a, p.Tags); err != nil {
			return p, err
		}
		if in.AllowedCountries != nil {
			p.Countries = in.AllowedCountries
		}
		if in.AllowedOrigins != nil {
			p.Origins = in.AllowedOrigins
		}
		set(&p.Name, in.Name)
		set(&p.Strict, in.EnableStrictOriginEnforcement)
		return p, nil
	})
	if err != nil {
		return nil, awsapi.Naming(err, in.Arn)
	}
	s.warnOfCountries(ctx, r.Value)
	return &UpdatePlaybackRestrictionPolicyResponse{PlaybackRestrictionPolicy: wirePolicy(r.Value)}, nil
}

// DeletePlaybackRestrictionPolicy deletes a policy that no channel has.
func (s *Service) DeletePlaybackRestrictionPolicy(
	ctx context.Context, c awsapi.Caller, in *DeletePlaybackRestrictionPolicyRequest,
) (*DeletePlaybackRestrictionPolicyResponse, error) {
	a, err := c.Own(in.Arn)
	if err != nil {
		return nil, err
	}
	_, err = s.opts.Viewers.Policies.Under(guardOf(a.Scope)).Delete(ctx, keyOf(a), func(p resource.PlaybackRestrictionPolicy) error {
		if err := c.May(a, p.Tags); err != nil {
			return err
		}
		users, err := s.opts.Channels.List(ctx, store.Query{
			Scope: a.Scope, Index: "playbackRestrictionPolicy", Value: a.String(), Limit: 1,
		})
		if err == nil && len(users.Records) > 0 {
			err = fault.New(fault.Conflict, "Playback restriction policy: %s is used by %s", a, users.Records[0].Value.ARN)
		}
		return err
	})
	if err != nil {
		return nil, awsapi.Naming(err, in.Arn)
	}
	return &DeletePlaybackRestrictionPolicyResponse{}, nil
}

func wirePolicy(p resource.PlaybackRestrictionPolicy) *PlaybackRestrictionPolicy {
	w := PlaybackRestrictionPolicy(wirePolicySummary(p))
	return &w
}

func wirePolicySummary(p resource.PlaybackRestrictionPolicy) PlaybackRestrictionPolicySummary {
	return PlaybackRestrictionPolicySummary{
		AllowedCountries: shownList(p.Countries), AllowedOrigins: shownList(p.Origins), Arn: p.ARN.String(),
		EnableStrictOriginEnforcement: &p.Strict, Name: &p.Name, Tags: tagging.Shown(p.Tags),
	}
}

// shownList returns a list as the API shows it: always one.
func shownList(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
