package sts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/accesskey"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/policy"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/tagging"
)

// Limits of a session of a role.
const (
	defaultSession   = time.Hour
	maxChained       = time.Hour // of a session that a session of a role has begun
	maxSessionPolicy = 2048      // characters
	maxPolicyARNs    = 10
)

// AssumeRole makes temporary credentials of a role, when its trust policy and the policies of the caller let it: one that
// names the caller is enough, one that names the account leaves it to the caller's own.
func (s Service) AssumeRole(ctx context.Context, c awsapi.Caller, in *AssumeRoleRequest) (*AssumeRoleResponse, error) {
	name, err := parseRoleARN(in.RoleArn)
	if err != nil {
		return nil, err
	}
	if err := unbuilt(in); err != nil {
		return nil, err
	}
	tags, transitive, err := sessionTags(c.Principal, in)
	if err != nil {
		return nil, err
	}
	if err := s.checkSessionPolicies(ctx, c, in); err != nil {
		return nil, err
	}
	role, err := s.trusted(ctx, c, in, name)
	if err != nil {
		return nil, err
	}
	d, err := duration(c.Principal, role, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	session := awsapi.Principal{
		Account: role.Account, Kind: awsapi.PrincipalRole, Name: role.Name, Path: role.Path, ID: role.ID, Session: in.RoleSessionName,
	}
	t, err := s.opts.Keys.Temporary(accesskey.Session{
		Of: session, Name: in.RoleSessionName, Policy: restjson.Value(in.Policy), PolicyARNs: policyARNs(in), Tags: tags, Transitive: transitive,
		Duration: d,
	})
	if err != nil {
		return nil, err
	}
	out := &AssumeRoleResponse{
		Credentials:     wireCredentials(t),
		AssumedRoleUser: &AssumedRoleUser{AssumedRoleId: session.UserID(), Arn: session.ARN()},
	}
	if t.Packed > 0 {
		out.PackedPolicySize = new(int32(t.Packed))
	}
	return out, nil
}

// parseRoleARN returns the name in the ARN of a role. The error is fault.Invalid (spec errata.md A2).
func parseRoleARN(text string) (name string, err error) {
	parts := strings.SplitN(text, ":", 6)
	if len(parts) == 6 && parts[0] == "arn" && parts[2] == "iam" {
		if id, ok := strings.CutPrefix(parts[5], "role/"); ok && id != "" && !strings.HasSuffix(id, "/") {
			return id[strings.LastIndexByte(id, '/')+1:], nil
		}
	}
	return "", fault.New(fault.Invalid, "%s is invalid", text)
}

// unbuilt refuses what a session cannot have here, so that nobody takes it for granted.
func unbuilt(in *AssumeRoleRequest) error {
	if in.SourceIdentity != nil || len(in.ProvidedContexts) > 0 {
		return fault.New(fault.NotBuilt, "Source identities and provided contexts are not implemented in this version of Rivus")
	}
	return noMFA(in.SerialNumber, in.TokenCode)
}

// trusted returns the role that a request names, if the caller may assume it. A role that does not exist is refused like one
// that does not trust the caller.
func (s Service) trusted(ctx context.Context, c awsapi.Caller, in *AssumeRoleRequest, name string) (resource.Role, error) {
	r, err := s.opts.Records.Roles.Find(ctx, "name", records.IAMName(c.Account, name))
	if err != nil && !fault.Is(err, fault.NotFound) {
		return resource.Role{}, err
	}
	role := r.Value
	if err != nil || role.ARN().String() != in.RoleArn {
		return resource.Role{}, denied(c, in.RoleArn)
	}
	keys := keysOf(in)
	if err := s.mayAssume(c, role, keys); err != nil || len(in.Tags) == 0 {
		return role, err
	}
	return role, s.mayAssume(c.Doing("sts:TagSession"), role, keys)
}

// mayAssume decides about the action of the caller on a role. An owner may do everything, but the role has to trust him too.
func (s Service) mayAssume(c awsapi.Caller, role resource.Role, keys map[string][]string) error {
	c = c.With(awsapi.Beside{Policy: role.Trust, Trust: true, Keys: keys})
	if err := c.May(role.ARN(), role.Tags); err != nil || c.Principal.Kind != awsapi.PrincipalRoot {
		return err
	}
	trust, err := policy.Parse(role.Trust, policy.Trust)
	if err != nil {
		return fmt.Errorf("sts: the trust policy of %s: %w", role.ARN(), err)
	}
	everything, err := policy.Parse(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, policy.Identity)
	if err != nil {
		return fmt.Errorf("sts: a policy of the owner: %w", err)
	}
	own := policy.Policies{Identity: []policy.Source{{Document: everything}}}
	who := &policy.Principal{Account: c.Account, ARN: c.Principal.ARN()}
	d := own.Decide(&policy.Request{
		Action: c.Action, Resource: role.ARN().String(), Principal: who, Policy: trust, Context: policy.Entries(keys),
	})
	if d.Verdict != policy.Allowed {
		return denied(c, role.ARN().String()+" "+d.Because(c.Action))
	}
	return nil
}

// denied is what the caller is told that may not do this to a role.
func denied(c awsapi.Caller, role string) error {
	return fault.New(fault.Denied, "User: %s is not authorized to perform: %s on resource: %s", c.Principal.ARN(), c.Action, role)
}

// keysOf returns what the policies about a request can ask for beside the usual keys of the context.
func keysOf(in *AssumeRoleRequest) map[string][]string {
	keys := map[string][]string{"sts:RoleSessionName": {in.RoleSessionName}}
	if in.ExternalId != nil {
		keys["sts:ExternalId"] = []string{*in.ExternalId}
	}
	if in.TransitiveTagKeys != nil {
		keys["sts:TransitiveTagKeys"] = in.TransitiveTagKeys
	}
	for _, t := range in.Tags {
		keys["aws:RequestTag/"+t.Key] = []string{t.Value}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], t.Key)
	}
	return keys
}

// duration returns how long a session will last.
func duration(p awsapi.Principal, role resource.Role, asked *int32) (time.Duration, error) {
	if asked == nil {
		return defaultSession, nil
	}
	d := time.Duration(*asked) * time.Second
	switch {
	case d > time.Duration(role.MaxSession)*time.Second:
		return 0, fault.New(fault.Invalid, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	case p.Kind == awsapi.PrincipalRole && d > maxChained:
		return 0, fault.New(fault.Invalid, "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return d, nil
}

// sessionTags returns the tags of a session and the keys of those that further sessions inherit: those of the request, and
// what the caller's session hands down, which a request cannot change.
func sessionTags(p awsapi.Principal, in *AssumeRoleRequest) (tags map[string]string, transitive []string, err error) {
	if tags, err = tagsOf(in.Tags); err != nil {
		return nil, nil, err
	}
	for _, key := range in.TransitiveTagKeys {
		if _, ok := find(tags, key); !ok {
			return nil, nil, fault.New(fault.Invalid, "The specified transitive tag key must be included in the requested tags.")
		}
	}
	inherited := make(map[string]string, len(p.Transitive))
	for _, key := range p.Transitive {
		if _, ok := find(tags, key); ok {
			return nil, nil, fault.New(fault.Invalid,
				"One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		if v, ok := find(p.Tags, key); ok {
			inherited[key] = v
		}
	}
	return tagging.Overlaid(tags, inherited), slices.Concat(in.TransitiveTagKeys, p.Transitive), nil
}

// find returns the tag of a key in any case of letters.
func find(tags map[string]string, key string) (string, bool) {
	for k, v := range tags {
		if strings.EqualFold(k, key) {
			return v, true
		}
	}
	return "", false
}

// tagsOf returns the tags of a request, whose keys must differ by more than the case of letters.
func tagsOf(list []Tag) (map[string]string, error) {
	return tagging.Collected(func(yield func(key, value string) bool) {
		for _, t := range list {
			if !yield(t.Key, t.Value) {
				return
			}
		}
	})
}

// checkSessionPolicies checks the policies that are to limit a session.
func (s Service) checkSessionPolicies(ctx context.Context, c awsapi.Caller, in *AssumeRoleRequest) error {
	if in.Policy != nil {
		if len([]rune(*in.Policy)) > maxSessionPolicy {
			return fault.New(fault.Invalid, "A session policy may have up to %d characters", maxSessionPolicy)
		}
		if _, err := policy.Parse(*in.Policy, policy.Identity); err != nil {
			return err
		}
	}
	if len(in.PolicyArns) > maxPolicyARNs {
		return fault.New(fault.Invalid, "A session may have up to %d policies", maxPolicyARNs)
	}
	for _, text := range policyARNs(in) {
		if _, ok := resource.AWSManagedPolicy(text); ok {
			continue
		}
		p, err := s.opts.Records.Policies.Find(ctx, "arn", text)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if err != nil || p.Value.Account != c.Account {
			return fault.New(fault.Invalid, "Policy %s does not exist or is not attachable.", text)
		}
	}
	return nil
}

// policyARNs returns the managed policies that are to limit a session.
func policyARNs(in *AssumeRoleRequest) []string {
	var list []string
	for _, p := range in.PolicyArns {
		list = append(list, restjson.Value(p.Arn))
	}
	return list
}
