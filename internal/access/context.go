package access

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/policy"
	"github.com/rivus-live/rivus/internal/resource"
)

// keys are the values of the context of a request (spec neighbours.md 3 and errata.md A3). They are made when a policy asks
// for them.
type keys struct {
	principal *awsapi.Principal
	request   *awsapi.Request
	region    string

	requestTags map[string]string
	tagKeys     []string // of the tags that the request takes away; else those of requestTags, once somebody has asked

	resourceTags map[string]string
	tagsKnown    bool
}

func keysOf(a *awsapi.Access) keys {
	return keys{
		principal: &a.Caller.Principal, request: &a.Caller.Request, region: a.Caller.Region,
		requestTags: a.Target.RequestTags, tagKeys: a.Target.TagKeys, resourceTags: a.Tags, tagsKnown: a.TagsKnown,
	}
}

// Value implements policy.Context.
func (k *keys) Value(key policy.Key) policy.Value {
	switch key.Name {
	case policy.ResourceTag:
		if !k.tagsKnown {
			return policy.Unknown()
		}
		return policy.Tagged(k.resourceTags, key.Tag)
	case policy.RequestTag:
		return policy.Tagged(k.requestTags, key.Tag)
	case policy.PrincipalTag:
		return policy.Tagged(k.principal.Tags, key.Tag)
	case "aws:tagkeys":
		return k.keysOfTags()
	case "aws:requestedregion":
		return policy.One(k.region)
	}
	if v, ok := k.ofRequest(key.Name); ok {
		return v
	}
	return k.ofPrincipal(key.Name)
}

// ofRequest returns the keys that say whence and when somebody asks.
func (k *keys) ofRequest(name string) (v policy.Value, ok bool) {
	r := k.request
	switch name {
	case "aws:sourceip":
		if r.Address.IsValid() {
			v = policy.One(r.Address.String())
		}
	case "aws:securetransport":
		v = policy.One(strconv.FormatBool(r.Secure))
	case "aws:currenttime":
		v = policy.One(stamp(r.Time))
	case "aws:epochtime":
		v = policy.One(strconv.FormatInt(r.Time.Unix(), 10))
	case "aws:useragent":
		if r.UserAgent != "" {
			v = policy.One(r.UserAgent)
		}
	case "aws:viaawsservice":
		v = policy.One("false")
	default:
		return v, false
	}
	return v, true
}

// ofPrincipal returns the keys that say who asks. Some of them not everybody has: policies test for that.
func (k *keys) ofPrincipal(name string) policy.Value {
	p := k.principal
	switch name {
	case "aws:username":
		if p.Kind == awsapi.PrincipalUser {
			return policy.One(p.Name)
		}
	case "aws:userid":
		return policy.One(p.UserID())
	case "aws:principalarn":
		return policy.One(entity(p))
	case "aws:principalaccount":
		return policy.One(p.Account)
	case "aws:principaltype":
		return policy.One(p.Kind.String())
	case "aws:tokenissuetime":
		if !p.Issued.IsZero() {
			return policy.One(stamp(p.Issued))
		}
	case "aws:multifactorauthpresent":
		if !p.Issued.IsZero() {
			return policy.One("false")
		}
	}
	return policy.Value{}
}

// keysOfTags returns aws:TagKeys, which is there only when the request is about tags.
func (k *keys) keysOfTags() policy.Value {
	if k.tagKeys == nil && len(k.requestTags) > 0 {
		k.tagKeys = slices.Sorted(maps.Keys(k.requestTags))
	}
	return policy.Many(k.tagKeys)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// entity returns the ARN of the user or the role: that of a session is for refusals, not for policies.
func entity(p *awsapi.Principal) string {
	if p.Kind == awsapi.PrincipalRole {
		return roleARN(p)
	}
	return p.ARN()
}

func roleARN(p *awsapi.Principal) string {
	return resource.Role{Account: p.Account, Path: p.Path, Name: p.Name}.ARN().String()
}
