package policy_test

import (
	"testing"

	"github.com/rivus-live/rivus/internal/policy"
)

// group is cases of one rule.
type group struct {
	rule  string // as the spec has it
	cases []conditionCase
}

type conditionCase struct {
	condition string // the element Condition
	keys      policy.Entries
	want      bool
}

// keys makes the context of a request: a name, its value, and so on. A name again adds a value.
func keys(pairs ...string) policy.Entries {
	e := make(policy.Entries)
	for i := 0; i+1 < len(pairs); i += 2 {
		e[pairs[i]] = append(e[pairs[i]], pairs[i+1])
	}
	return e
}

// lists makes a context with one key that has exactly those values, perhaps none.
func lists(name string, values ...string) policy.Entries { return policy.Entries{name: values} }

// alice is the context of a user of that name.
func alice() policy.Entries { return keys("aws:username", "alice") }

// conditionGroups has the rules of neighbours.md 3 and errata.md A3, with cases for each.
func conditionGroups() []group {
	return []group{
		{"StringEquals, StringNotEquals: values are case-sensitive, without wildcards", []conditionCase{
			{`{"StringEquals":{"aws:username":"alice"}}`, alice(), true},
			{`{"StringEquals":{"aws:username":"Alice"}}`, alice(), false},
			{`{"StringEquals":{"aws:username":"alic"}}`, alice(), false},
			{`{"StringEquals":{"aws:username":"alicea"}}`, alice(), false},
			{`{"StringEquals":{"aws:username":"al*"}}`, alice(), false},
			{`{"StringEquals":{"aws:username":"alic?"}}`, alice(), false},
			{`{"StringEquals":{"aws:username":"al*"}}`, keys("aws:username", "al*"), true},
			{`{"StringEquals":{"aws:username":""}}`, keys("aws:username", ""), true},
			{`{"StringEquals":{"aws:username":""}}`, alice(), false},
			{`{"StringEquals":{"aws:username":7}}`, keys("aws:username", "7"), true},
			{`{"StringEquals":{"aws:username":true}}`, keys("aws:username", "true"), true},
			{`{"StringNotEquals":{"aws:username":"alice"}}`, alice(), false},
			{`{"StringNotEquals":{"aws:username":"Alice"}}`, alice(), true},
			{`{"StringNotEquals":{"aws:username":"al*"}}`, alice(), true},
		}},
		{"StringEqualsIgnoreCase, StringNotEqualsIgnoreCase", []conditionCase{
			{`{"StringEqualsIgnoreCase":{"aws:username":"ALICE"}}`, alice(), true},
			{`{"StringEqualsIgnoreCase":{"aws:username":"ALICES"}}`, alice(), false},
			{`{"StringEqualsIgnoreCase":{"aws:username":"A*"}}`, alice(), false},
			{`{"StringEqualsIgnoreCase":{"aws:username":"ÉTÉ"}}`, keys("aws:username", "été"), true},
			{`{"StringNotEqualsIgnoreCase":{"aws:username":"ALICE"}}`, alice(), false},
			{`{"StringNotEqualsIgnoreCase":{"aws:username":"BOB"}}`, alice(), true},
		}},
		{"StringLike, StringNotLike: * and ?, case-sensitive; on an ARN a plain string match that crosses colons", []conditionCase{
			{`{"StringLike":{"aws:username":"al*"}}`, alice(), true},
			{`{"StringLike":{"aws:username":"*"}}`, alice(), true},
			{`{"StringLike":{"aws:username":"*"}}`, keys("aws:username", ""), true},
			{`{"StringLike":{"aws:username":"?"}}`, keys("aws:username", ""), false},
			{`{"StringLike":{"aws:username":"a?ice"}}`, alice(), true},
			{`{"StringLike":{"aws:username":"al?ce?"}}`, alice(), false},
			{`{"StringLike":{"aws:username":"AL*"}}`, alice(), false},
			{`{"StringLike":{"aws:username":"*li*"}}`, alice(), true},
			{`{"StringLike":{"aws:username":"*il*"}}`, alice(), false},
			{`{"StringLike":{"aws:username":"alice*"}}`, alice(), true},
			{`{"StringLike":{"aws:username":"*alice"}}`, alice(), true},
			{`{"StringLike":{"aws:username":"**a**e**"}}`, alice(), true},
			{`{"StringLike":{"aws:username":"?????"}}`, alice(), true},
			{`{"StringLike":{"aws:username":"??????"}}`, alice(), false},
			{`{"StringLike":{"aws:username":"é?é"}}`, keys("aws:username", "été"), true},
			{`{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::*alice"}}`, keys("aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"), true},
			{`{"StringNotLike":{"aws:username":"al*"}}`, alice(), false},
			{`{"StringNotLike":{"aws:username":"bo*"}}`, alice(), true},
		}},
		{"Numeric{Equals,NotEquals,LessThan,LessThanEquals,GreaterThan,GreaterThanEquals}", []conditionCase{
			{`{"NumericEquals":{"ivs:n":"7"}}`, keys("ivs:n", "7"), true},
			{`{"NumericEquals":{"ivs:n":7}}`, keys("ivs:n", "7.0"), true},
			{`{"NumericEquals":{"ivs:n":"0.7e1"}}`, keys("ivs:n", "7"), true},
			{`{"NumericEquals":{"ivs:n":"7"}}`, keys("ivs:n", "8"), false},
			{`{"NumericEquals":{"ivs:n":"7"}}`, keys("ivs:n", "seven"), false},
			{`{"NumericNotEquals":{"ivs:n":"7"}}`, keys("ivs:n", "7"), false},
			{`{"NumericNotEquals":{"ivs:n":"7"}}`, keys("ivs:n", "-7"), true},
			{`{"NumericNotEquals":{"ivs:n":"7"}}`, keys("ivs:n", "seven"), true},
			{`{"NumericLessThan":{"ivs:n":"7"}}`, keys("ivs:n", "6.9"), true},
			{`{"NumericLessThan":{"ivs:n":"7"}}`, keys("ivs:n", "7"), false},
			{`{"NumericLessThan":{"ivs:n":"10"}}`, keys("ivs:n", "9"), true},
			{`{"NumericLessThanEquals":{"ivs:n":"7"}}`, keys("ivs:n", "7"), true},
			{`{"NumericLessThanEquals":{"ivs:n":"7"}}`, keys("ivs:n", "7.1"), false},
			{`{"NumericGreaterThan":{"ivs:n":"7"}}`, keys("ivs:n", "7"), false},
			{`{"NumericGreaterThan":{"ivs:n":"7"}}`, keys("ivs:n", "8"), true},
			{`{"NumericGreaterThan":{"ivs:n":"7"}}`, keys("ivs:n", "Infinity"), false},
			{`{"NumericGreaterThanEquals":{"ivs:n":"7"}}`, keys("ivs:n", "7"), true},
			{`{"NumericGreaterThanEquals":{"ivs:n":"7"}}`, keys("ivs:n", "6"), false},
			{`{"NumericGreaterThanEquals":{"ivs:n":"7"}}`, keys("ivs:n", "0x10"), false},
		}},
		{"Date{the same}: ISO 8601 or seconds since 1970; no wildcards", []conditionCase{
			{`{"DateEquals":{"aws:CurrentTime":"2026-01-02T03:04:05Z"}}`, keys("aws:CurrentTime", "2026-01-02T03:04:05Z"), true},
			{`{"DateEquals":{"aws:CurrentTime":"2026-01-02T04:04:05+01:00"}}`, keys("aws:CurrentTime", "2026-01-02T03:04:05Z"), true},
			{`{"DateEquals":{"aws:CurrentTime":"2026-01-02"}}`, keys("aws:CurrentTime", "2026-01-02T00:00:00Z"), true},
			{`{"DateEquals":{"aws:CurrentTime":"2026-01"}}`, keys("aws:CurrentTime", "2026-01-01T00:00:00Z"), true},
			{`{"DateEquals":{"aws:CurrentTime":"2026-01-02T03:04Z"}}`, keys("aws:CurrentTime", "2026-01-02T03:04:00.000Z"), true},
			{`{"DateEquals":{"aws:EpochTime":"2026-01-01T00:00:00Z"}}`, keys("aws:EpochTime", "1767225600"), true},
			{`{"DateEquals":{"aws:EpochTime":1767225600}}`, keys("aws:EpochTime", "1767225600"), true},
			{`{"DateEquals":{"aws:CurrentTime":"2026-01-02"}}`, keys("aws:CurrentTime", "yesterday"), false},
			{`{"DateNotEquals":{"aws:CurrentTime":"2026-01-02"}}`, keys("aws:CurrentTime", "2026-01-02T00:00:00Z"), false},
			{`{"DateNotEquals":{"aws:CurrentTime":"2026-01-02"}}`, keys("aws:CurrentTime", "2026-01-03T00:00:00Z"), true},
			{`{"DateLessThan":{"aws:CurrentTime":"2026-01-02"}}`, keys("aws:CurrentTime", "2026-01-01T23:59:59Z"), true},
			{`{"DateLessThan":{"aws:CurrentTime":"2026-01-02"}}`, keys("aws:CurrentTime", "2026-01-02T00:00:00Z"), false},
			{`{"DateLessThanEquals":{"aws:CurrentTime":"2026-01-02"}}`, keys("aws:CurrentTime", "2026-01-02T00:00:00Z"), true},
			{`{"DateLessThanEquals":{"aws:CurrentTime":"2026-01-02"}}`, keys("aws:CurrentTime", "2026-01-02T00:00:01Z"), false},
			{`{"DateGreaterThan":{"aws:CurrentTime":"2026-01-02"}}`, keys("aws:CurrentTime", "2026-01-02T00:00:01Z"), true},
			{`{"DateGreaterThan":{"aws:CurrentTime":"2026-01-02"}}`, keys("aws:CurrentTime", "2026-01-02T00:00:00Z"), false},
			{`{"DateGreaterThanEquals":{"aws:CurrentTime":"2026-01-02"}}`, keys("aws:CurrentTime", "2026-01-02T00:00:00Z"), true},
			{`{"DateGreaterThanEquals":{"aws:CurrentTime":"2026-01-02"}}`, keys("aws:CurrentTime", "2025-12-31T00:00:00Z"), false},
			{`{"NumericLessThan":{"aws:EpochTime":"1767225601"}}`, keys("aws:EpochTime", "1767225600"), true},
		}},
		{"Bool", []conditionCase{
			{`{"Bool":{"aws:SecureTransport":"true"}}`, keys("aws:SecureTransport", "true"), true},
			{`{"Bool":{"aws:SecureTransport":true}}`, keys("aws:SecureTransport", "true"), true},
			{`{"Bool":{"aws:SecureTransport":"TRUE"}}`, keys("aws:SecureTransport", "true"), true},
			{`{"Bool":{"aws:SecureTransport":false}}`, keys("aws:SecureTransport", "true"), false},
			{`{"Bool":{"aws:SecureTransport":false}}`, keys("aws:SecureTransport", "false"), true},
			{`{"Bool":{"aws:SecureTransport":["true","false"]}}`, keys("aws:SecureTransport", "false"), true},
			{`{"Bool":{"aws:SecureTransport":"true"}}`, keys("aws:SecureTransport", "yes"), false},
			{`{"Bool":{"aws:MultiFactorAuthPresent":"false"}}`, alice(), false},
			{`{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}`, alice(), true},
		}},
		{"BinaryEquals: base64", []conditionCase{
			{`{"BinaryEquals":{"ivs:b":"QmluYXJ5"}}`, keys("ivs:b", "QmluYXJ5"), true},
			{`{"BinaryEquals":{"ivs:b":"QmluYXJ5"}}`, keys("ivs:b", "qmluYXJ5"), false},
			{`{"BinaryEquals":{"ivs:b":"QmluYXJ5"}}`, keys("ivs:b", "not base64"), false},
		}},
		{"IpAddress, NotIpAddress: addresses and ranges of both families", []conditionCase{
			{`{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`, keys("aws:SourceIp", "203.0.113.255"), true},
			{`{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`, keys("aws:SourceIp", "203.0.114.0"), false},
			{`{"IpAddress":{"aws:SourceIp":"203.0.113.9/24"}}`, keys("aws:SourceIp", "203.0.113.1"), true},
			{`{"IpAddress":{"aws:SourceIp":"203.0.113.9"}}`, keys("aws:SourceIp", "203.0.113.9"), true},
			{`{"IpAddress":{"aws:SourceIp":"203.0.113.9"}}`, keys("aws:SourceIp", "203.0.113.90"), false},
			{`{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`, keys("aws:SourceIp", "::ffff:203.0.113.7"), true},
			{`{"IpAddress":{"aws:SourceIp":"::ffff:203.0.113.0/120"}}`, keys("aws:SourceIp", "203.0.113.7"), true},
			{`{"IpAddress":{"aws:SourceIp":"2001:db8::/32"}}`, keys("aws:SourceIp", "2001:DB8:1::1"), true},
			{`{"IpAddress":{"aws:SourceIp":"2001:db8::/32"}}`, keys("aws:SourceIp", "2001:db9::1"), false},
			{`{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`, keys("aws:SourceIp", "2001:db8::1"), false},
			{`{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]}}`, keys("aws:SourceIp", "192.0.2.4"), true},
			{`{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`, keys("aws:SourceIp", "nowhere"), false},
			{`{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`, keys("aws:SourceIp", "203.0.113.1"), false},
			{`{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`, keys("aws:SourceIp", "198.51.100.1"), true},
			{`{"NotIpAddress":{"aws:SourceIp":["203.0.113.0/24","198.51.100.0/24"]}}`, keys("aws:SourceIp", "198.51.100.1"), false},
		}},
		{"ArnEquals is ArnLike and ArnNotEquals is ArnNotLike: wildcards, each of the six parts by itself", []conditionCase{
			{`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/alice"}}`, keys("aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"), true},
			{`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/*"}}`, keys("aws:PrincipalArn", "arn:aws:iam::111122223333:user/a/b/alice"), true},
			{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/alice"}}`, keys("aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"), true},
			{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:sns:us-west-2:*:alice"}}`, keys("aws:PrincipalArn", "arn:aws:sns:us-west-2:111122223333:user:alice"), false},
			{`{"ArnLike":{"aws:PrincipalArn":"arn:*:*:*:*:alice"}}`, keys("aws:PrincipalArn", "arn:aws:iam::111122223333:user:alice"), false},
			{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::11112222333?:user/?lice"}}`, keys("aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"), true},
			{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:sns:*:*:a*"}}`, keys("aws:PrincipalArn", "arn:aws:sns:us-west-2:111122223333:a:b:c"), true},
			{`{"ArnLike":{"aws:PrincipalArn":"*"}}`, keys("aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"), true},
			{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/*"}}`, keys("aws:PrincipalArn", "alice"), false},
			{`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/Alice"}}`, keys("aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"), false},
			{`{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::*:user/alice"}}`, keys("aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"), false},
			{`{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::*:user/alice"}}`, keys("aws:PrincipalArn", "arn:aws:iam::111122223333:user/bob"), true},
			{`{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}}`, keys("aws:PrincipalArn", "arn:aws:iam::111122223333:root"), true},
			{`{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}}`, keys("aws:PrincipalArn", "arn:aws:iam::111122223333:user/a"), false},
		}},
		{"Values of a key are OR, keys and operators are AND; negated operators are true when no value matches", []conditionCase{
			{`{"StringEquals":{"aws:username":["bob","alice"]}}`, alice(), true},
			{`{"StringEquals":{"aws:username":["bob","carol"]}}`, alice(), false},
			{`{"StringEquals":{"aws:username":[]}}`, alice(), false},
			{`{"StringNotEquals":{"aws:username":["bob","alice"]}}`, alice(), false},
			{`{"StringNotEquals":{"aws:username":["bob","carol"]}}`, alice(), true},
			{`{"StringNotEquals":{"aws:username":[]}}`, alice(), true},
			{`{"StringEquals":{"aws:username":"alice","aws:RequestedRegion":"us-west-2"}}`, keys("aws:username", "alice", "aws:RequestedRegion", "us-west-2"), true},
			{`{"StringEquals":{"aws:username":"alice","aws:RequestedRegion":"us-west-2"}}`, keys("aws:username", "alice", "aws:RequestedRegion", "eu-west-1"), false},
			{`{"StringEquals":{"aws:username":"alice"},"Bool":{"aws:SecureTransport":"true"}}`, keys("aws:username", "alice", "aws:SecureTransport", "true"), true},
			{`{"StringEquals":{"aws:username":"alice"},"Bool":{"aws:SecureTransport":"true"}}`, keys("aws:username", "alice", "aws:SecureTransport", "false"), false},
			{`{"StringLike":{"aws:username":"a*"},"StringNotLike":{"aws:username":"*e"}}`, alice(), false},
			{`{}`, alice(), true},
			{`{"StringEquals":{}}`, alice(), true},
		}},
		{"A missing key makes a positive operator false and a negated one true", []conditionCase{
			{`{"StringEquals":{"aws:username":"alice"}}`, nil, false},
			{`{"StringLike":{"aws:username":"*"}}`, nil, false},
			{`{"StringEqualsIgnoreCase":{"aws:username":"alice"}}`, nil, false},
			{`{"NumericLessThan":{"ivs:n":"7"}}`, nil, false},
			{`{"DateLessThan":{"aws:TokenIssueTime":"2030-01-01"}}`, nil, false},
			{`{"Bool":{"aws:SecureTransport":"false"}}`, nil, false},
			{`{"BinaryEquals":{"ivs:b":"QQ=="}}`, nil, false},
			{`{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`, nil, false},
			{`{"ArnLike":{"aws:PrincipalArn":"*"}}`, nil, false},
			{`{"StringNotEquals":{"aws:username":"alice"}}`, nil, true},
			{`{"StringNotLike":{"aws:username":"*"}}`, nil, true},
			{`{"StringNotEqualsIgnoreCase":{"aws:username":"alice"}}`, nil, true},
			{`{"NumericNotEquals":{"ivs:n":"7"}}`, nil, true},
			{`{"DateNotEquals":{"aws:TokenIssueTime":"2030-01-01"}}`, nil, true},
			{`{"NotIpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`, nil, true},
			{`{"ArnNotLike":{"aws:PrincipalArn":"*"}}`, nil, true},
		}},
		{"…IfExists is true when the key is missing, and the operator when it is there", []conditionCase{
			{`{"StringEqualsIfExists":{"aws:username":"alice"}}`, nil, true},
			{`{"StringEqualsIfExists":{"aws:username":"alice"}}`, alice(), true},
			{`{"StringEqualsIfExists":{"aws:username":"bob"}}`, alice(), false},
			{`{"StringNotEqualsIfExists":{"aws:username":"alice"}}`, nil, true},
			{`{"StringNotEqualsIfExists":{"aws:username":"alice"}}`, alice(), false},
			{`{"StringLikeIfExists":{"aws:username":"b*"}}`, alice(), false},
			{`{"NumericLessThanEqualsIfExists":{"ivs:n":"7"}}`, nil, true},
			{`{"NumericLessThanEqualsIfExists":{"ivs:n":"7"}}`, keys("ivs:n", "8"), false},
			{`{"DateGreaterThanIfExists":{"aws:TokenIssueTime":"2020-01-01"}}`, nil, true},
			{`{"IpAddressIfExists":{"aws:SourceIp":"10.0.0.0/8"}}`, nil, true},
			{`{"NotIpAddressIfExists":{"aws:SourceIp":"10.0.0.0/8"}}`, keys("aws:SourceIp", "10.1.1.1"), false},
			{`{"ArnLikeIfExists":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}}`, nil, true},
			{`{"BinaryEqualsIfExists":{"ivs:b":"QQ=="}}`, nil, true},
		}},
		{"Null tests presence", []conditionCase{
			{`{"Null":{"aws:TokenIssueTime":"true"}}`, nil, true},
			{`{"Null":{"aws:TokenIssueTime":true}}`, keys("aws:TokenIssueTime", "2026-01-01T00:00:00Z"), false},
			{`{"Null":{"aws:TokenIssueTime":"false"}}`, nil, false},
			{`{"Null":{"aws:TokenIssueTime":"false"}}`, keys("aws:TokenIssueTime", "2026-01-01T00:00:00Z"), true},
			{`{"Null":{"aws:RequestTag/Team":"false"}}`, keys("aws:RequestTag/Team", ""), true},
			{`{"Null":{"aws:RequestTag/Team":["true","false"]}}`, nil, true},
			{`{"Null":{"aws:TagKeys":"true"}}`, lists("aws:TagKeys"), true},
		}},
		{"ForAllValues is true on an empty set, when the key is missing and when its values resolve to empty", []conditionCase{
			{`{"ForAllValues:StringEquals":{"aws:TagKeys":["Team","Owner"]}}`, lists("aws:TagKeys", "Team"), true},
			{`{"ForAllValues:StringEquals":{"aws:TagKeys":["Team","Owner"]}}`, lists("aws:TagKeys", "Team", "Owner"), true},
			{`{"ForAllValues:StringEquals":{"aws:TagKeys":["Team","Owner"]}}`, lists("aws:TagKeys", "Team", "Cost"), false},
			{`{"ForAllValues:StringEquals":{"aws:TagKeys":["Team","Owner"]}}`, lists("aws:TagKeys", "team"), false},
			{`{"ForAllValues:StringEquals":{"aws:TagKeys":["Team"]}}`, nil, true},
			{`{"ForAllValues:StringEquals":{"aws:TagKeys":["Team"]}}`, lists("aws:TagKeys"), true},
			{`{"ForAllValues:StringEquals":{"aws:TagKeys":["Team"]}}`, lists("aws:TagKeys", ""), true},
			{`{"ForAllValues:StringEquals":{"aws:TagKeys":["Team"]}}`, lists("aws:TagKeys", "", "Cost"), false},
			{`{"ForAllValues:StringLike":{"aws:TagKeys":["T*","O*"]}}`, lists("aws:TagKeys", "Team", "Owner"), true},
			{`{"ForAllValues:StringNotEquals":{"aws:TagKeys":["Team"]}}`, lists("aws:TagKeys", "Cost", "Owner"), true},
			{`{"ForAllValues:StringNotEquals":{"aws:TagKeys":["Team"]}}`, lists("aws:TagKeys", "Cost", "Team"), false},
			{`{"ForAllValues:StringEqualsIgnoreCase":{"aws:TagKeys":["TEAM"]}}`, lists("aws:TagKeys", "Team"), true},
			{`{"ForAllValues:StringEqualsIfExists":{"aws:TagKeys":["Team"]}}`, lists("aws:TagKeys", "Cost"), false},
			{`{"ForAllValues:StringEquals":{"aws:username":["alice"]}}`, alice(), true},
		}},
		{"ForAnyValue is false on an empty set, when the key is missing and when its values resolve to empty", []conditionCase{
			{`{"ForAnyValue:StringEquals":{"aws:TagKeys":["Team"]}}`, lists("aws:TagKeys", "Cost", "Team"), true},
			{`{"ForAnyValue:StringEquals":{"aws:TagKeys":["Team"]}}`, lists("aws:TagKeys", "Cost"), false},
			{`{"ForAnyValue:StringEquals":{"aws:TagKeys":["Team"]}}`, nil, false},
			{`{"ForAnyValue:StringEquals":{"aws:TagKeys":["Team"]}}`, lists("aws:TagKeys"), false},
			{`{"ForAnyValue:StringEquals":{"aws:TagKeys":[""]}}`, lists("aws:TagKeys", ""), false},
			{`{"ForAnyValue:StringLike":{"aws:TagKeys":["T*"]}}`, lists("aws:TagKeys", "Cost", "Team"), true},
			{`{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["Team"]}}`, lists("aws:TagKeys", "Team", "Cost"), true},
			{`{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["Team"]}}`, lists("aws:TagKeys", "Team"), false},
			{`{"ForAnyValue:StringNotEquals":{"aws:TagKeys":["Team"]}}`, nil, false},
			{`{"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":["Team"]}}`, nil, true},
			{`{"ForAnyValue:NumericLessThan":{"ivs:n":"3"}}`, lists("ivs:n", "5", "2"), true},
			{`{"ForAnyValue:IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, lists("aws:SourceIp", "192.0.2.1", "10.0.0.1"), true},
		}},
		{"Variables expand in values of String, Arn and Bool operators", []conditionCase{
			{`{"StringEquals":{"aws:ResourceTag/Owner":"${aws:username}"}}`, keys("aws:username", "alice", "aws:ResourceTag/Owner", "alice"), true},
			{`{"StringEquals":{"aws:ResourceTag/Owner":"${aws:username}"}}`, keys("aws:username", "alice", "aws:ResourceTag/Owner", "bob"), false},
			{`{"StringEquals":{"aws:ResourceTag/Owner":"${AWS:UserName}"}}`, keys("aws:username", "alice", "aws:ResourceTag/Owner", "alice"), true},
			{`{"StringEquals":{"aws:ResourceTag/Owner":"team-${aws:PrincipalTag/team}-x"}}`, keys("aws:PrincipalTag/team", "live", "aws:ResourceTag/Owner", "team-live-x"), true},
			{`{"StringEqualsIgnoreCase":{"aws:ResourceTag/Owner":"X${aws:username}"}}`, keys("aws:username", "alice", "aws:ResourceTag/Owner", "xALICE"), true},
			{`{"StringLike":{"aws:ResourceTag/Owner":"${aws:username}-*"}}`, keys("aws:username", "alice", "aws:ResourceTag/Owner", "alice-7"), true},
			{`{"StringLike":{"aws:ResourceTag/Owner":"${aws:username}"}}`, keys("aws:username", "*", "aws:ResourceTag/Owner", "bob"), false},
			{`{"StringLike":{"aws:ResourceTag/Owner":"${aws:username}"}}`, keys("aws:username", "b?b", "aws:ResourceTag/Owner", "bob"), false},
			{`{"StringNotEquals":{"aws:ResourceTag/Owner":"${aws:username}"}}`, keys("aws:username", "alice", "aws:ResourceTag/Owner", "bob"), true},
			{`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/${aws:username}"}}`, keys("aws:username", "alice", "aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"), true},
			{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::${aws:PrincipalAccount}:user/*"}}`, keys("aws:PrincipalAccount", "111122223333", "aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"), true},
			{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::${aws:PrincipalAccount}:user/*"}}`, keys("aws:PrincipalAccount", "999922223333", "aws:PrincipalArn", "arn:aws:iam::111122223333:user/alice"), false},
			{`{"ArnLike":{"aws:PrincipalArn":"${ivs:arn}"}}`, keys("ivs:arn", "arn:aws:iam::1:user/a:b", "aws:PrincipalArn", "arn:aws:iam::1:user/a:b"), true},
			{`{"Bool":{"aws:SecureTransport":"${aws:PrincipalTag/tls}"}}`, keys("aws:PrincipalTag/tls", "true", "aws:SecureTransport", "true"), true},
			{`{"Bool":{"aws:SecureTransport":"${aws:PrincipalTag/tls}"}}`, keys("aws:PrincipalTag/tls", "false", "aws:SecureTransport", "true"), false},
			{`{"StringEquals":{"ivs:x":"${*}"}}`, keys("ivs:x", "*"), true},
			{`{"StringLike":{"ivs:x":"a${*}"}}`, keys("ivs:x", "ab"), false},
			{`{"StringLike":{"ivs:x":"a${*}*"}}`, keys("ivs:x", "a*b"), true},
			{`{"StringLike":{"ivs:x":"a${?}"}}`, keys("ivs:x", "a?"), true},
			{`{"StringLike":{"ivs:x":"a${?}"}}`, keys("ivs:x", "ab"), false},
			{`{"StringEquals":{"ivs:x":"${$}{aws:username}"}}`, keys("ivs:x", "${aws:username}"), true},
			{`{"StringEquals":{"ivs:x":"$5 {a}"}}`, keys("ivs:x", "$5 {a}"), true},
		}},
		{"Unresolvable, no default: StringEquals and StringLike are false, StringNotEquals and StringNotLike true; defaults ${k, 'x'}", []conditionCase{
			{`{"StringEquals":{"ivs:x":"${aws:username}"}}`, keys("ivs:x", ""), false},
			{`{"StringLike":{"ivs:x":"*${aws:username}"}}`, keys("ivs:x", "a"), false},
			{`{"StringNotEquals":{"ivs:x":"${aws:username}"}}`, keys("ivs:x", "a"), true},
			{`{"StringNotLike":{"ivs:x":"${aws:username}*"}}`, keys("ivs:x", "a"), true},
			{`{"StringEquals":{"ivs:x":["${aws:username}","a"]}}`, keys("ivs:x", "a"), true},
			{`{"StringEquals":{"ivs:x":"${aws:username, 'nobody'}"}}`, keys("ivs:x", "nobody"), true},
			{`{"StringEquals":{"ivs:x":"${aws:username,'nobody'}"}}`, keys("ivs:x", "alice", "aws:username", "alice"), true},
			{`{"StringEquals":{"ivs:x":"${aws:username, 'nobody'}"}}`, keys("ivs:x", "nobody", "aws:username", "alice"), false},
			{`{"StringLike":{"ivs:x":"${aws:username, '*'}"}}`, keys("ivs:x", "a"), false},
			{`{"StringEquals":{"ivs:x":"${aws:username, 'a}b'}"}}`, keys("ivs:x", "a}b"), true},
			{`{"StringEquals":{"ivs:x":"${aws:username, ''}"}}`, keys("ivs:x", ""), true},
		}},
		{"Only single-valued keys are variables", []conditionCase{
			{`{"StringEquals":{"ivs:x":"${aws:TagKeys}"}}`, policy.Entries{"ivs:x": {"a"}, "aws:TagKeys": {"a", "b"}}, false},
			{`{"StringEquals":{"ivs:x":"${aws:TagKeys, 'a'}"}}`, policy.Entries{"ivs:x": {"a"}, "aws:TagKeys": {"b", "c"}}, true},
		}},
		{"Variables do not expand in Numeric, Date, IpAddress and Null, nor in keys", []conditionCase{
			{`{"StringEquals":{"aws:PrincipalTag/${aws:username}":"x"}}`, keys("aws:username", "alice", "aws:PrincipalTag/alice", "x"), false},
			{`{"StringEquals":{"aws:PrincipalTag/${aws:username}":"x"}}`, keys("aws:PrincipalTag/${aws:username}", "x"), true},
		}},
		{"Key names are case-insensitive, including the tag-key part; values are not", []conditionCase{
			{`{"StringEquals":{"AWS:USERNAME":"alice"}}`, alice(), true},
			{`{"StringEquals":{"aws:resourcetag/TagKey1":"v"}}`, keys("aws:ResourceTag/tagkey1", "v"), true},
			{`{"StringEquals":{"aws:ResourceTag/owner":"v"}}`, keys("aws:ResourceTag/Owner", "v"), true},
			{`{"StringEquals":{"aws:ResourceTag/owner":"V"}}`, keys("aws:ResourceTag/Owner", "v"), false},
			{`{"StringEquals":{"aws:requestTag/a/b":"v"}}`, keys("aws:RequestTag/A/B", "v"), true},
		}},
		{"A key with several values and no qualifier: one of them is enough, and a negated operator wants none", []conditionCase{
			{`{"StringEquals":{"aws:TagKeys":"Team"}}`, lists("aws:TagKeys", "Cost", "Team"), true},
			{`{"StringEquals":{"aws:TagKeys":"Team"}}`, lists("aws:TagKeys", "Cost", "Owner"), false},
			{`{"StringNotEquals":{"aws:TagKeys":"Team"}}`, lists("aws:TagKeys", "Cost", "Team"), false},
			{`{"StringNotEquals":{"aws:TagKeys":"Team"}}`, lists("aws:TagKeys", "Cost", "Owner"), true},
		}},
	}
}

// documentOf is a policy of one statement that has an effect on everything under a condition.
func documentOf(effect, condition string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Action":"*","Resource":"*","Condition":` + condition + `}}`
}

// TestConditions: each case allows or not, and denies or not, by the same condition.
func TestConditions(t *testing.T) {
	t.Parallel()
	count := 0
	for _, g := range conditionGroups() {
		t.Run(g.rule, func(t *testing.T) {
			t.Parallel()
			for _, c := range g.cases {
				allows := policiesOf(t, documentOf("Allow", c.condition))
				denies := policiesOf(t, documentOf("Deny", c.condition), everything)
				r := &policy.Request{Action: "ivs:GetChannel", Resource: channelARN, Context: c.keys}
				if got := allows.Decide(r).Verdict == policy.Allowed; got != c.want {
					t.Errorf("Allow under %s with %v: %v", c.condition, c.keys, got)
				}
				if got := denies.Decide(r); (got.Verdict == policy.Denied && got.Explicit) != c.want || got.Verdict == policy.Depends {
					t.Errorf("Deny under %s with %v: %+v", c.condition, c.keys, got)
				}
			}
		})
		count += len(g.cases)
	}
	if count < 200 {
		t.Errorf("%d cases of conditions", count)
	}
}
