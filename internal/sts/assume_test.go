package sts

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

func TestParseRoleARN(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"arn:aws:iam::111122223333:role/ops":     "ops",
		"arn:aws:iam::111122223333:role/x/y/ops": "ops",
		"arn:aws:iam::111122223333:role/":        "",
		"arn:aws:iam::111122223333:role/x/":      "",
		"arn:aws:iam::111122223333:user/ops":     "",
		"arn:aws:sts::111122223333:role/ops":     "",
		"ops":                                    "", "": "", "arn:aws:iam::111122223333": "",
	} {
		got, err := parseRoleARN(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
		if err != nil && fault.Message(err) != text+" is invalid" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	user, session := awsapi.Principal{Kind: awsapi.PrincipalUser}, awsapi.Principal{Kind: awsapi.PrincipalRole}
	for _, c := range []struct {
		who   awsapi.Principal
		most  int
		asked int32 // 0: nothing
		want  time.Duration
	}{
		{user, 3600, 0, time.Hour},
		{user, 43200, 0, time.Hour},
		{user, 3600, 900, 15 * time.Minute},
		{user, 3600, 3601, 0},
		{user, 43200, 43200, 12 * time.Hour},
		{session, 43200, 3600, time.Hour},
		{session, 43200, 3601, 0}, // a chain is an hour long at most
		{session, 43200, 0, time.Hour},
	} {
		var asked *int32
		if c.asked != 0 {
			asked = &c.asked
		}
		got, err := duration(c.who, resource.Role{MaxSession: c.most}, asked)
		if got != c.want || (err == nil) != (c.want != 0) {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}

func TestSessionTags(t *testing.T) {
	t.Parallel()
	caller := awsapi.Principal{Tags: map[string]string{"Team": "live", "own": "x"}, Transitive: []string{"team"}}
	tag := func(pairs ...string) (list []Tag) {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, Tag{Key: pairs[i], Value: pairs[i+1]})
		}
		return list
	}
	for name, c := range map[string]struct {
		in         AssumeRoleRequest
		want       map[string]string // nil: refused
		transitive []string
	}{
		"none":          {AssumeRoleRequest{}, map[string]string{"team": "live"}, []string{"team"}},
		"one more":      {AssumeRoleRequest{Tags: tag("a", "1"), TransitiveTagKeys: []string{"A"}}, map[string]string{"team": "live", "a": "1"}, []string{"A", "team"}},
		"inherited":     {AssumeRoleRequest{Tags: tag("TEAM", "other")}, nil, nil},
		"not there":     {AssumeRoleRequest{Tags: tag("a", "1"), TransitiveTagKeys: []string{"b"}}, nil, nil},
		"reserved":      {AssumeRoleRequest{Tags: tag("aws:a", "1")}, nil, nil},
		"the same":      {AssumeRoleRequest{Tags: tag("a", "1", "A", "1")}, nil, nil},
		"own but given": {AssumeRoleRequest{Tags: tag("own", "y")}, map[string]string{"team": "live", "own": "y"}, []string{"team"}},
	} {
		got, transitive, err := sessionTags(caller, &c.in)
		if (err == nil) != (c.want != nil) || err == nil && (!maps.Equal(got, c.want) || !slices.Equal(transitive, c.transitive)) {
			t.Errorf("%s: %v, %v, %v", name, got, transitive, err)
		}
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
