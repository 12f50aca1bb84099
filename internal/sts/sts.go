// Package sts answers the operations of the token service: who a caller is, and temporary credentials (spec neighbours.md 2).
//
// Temporary credentials leave no record: package accesskey makes them, and every node reads what they stand for from their
// session token. They end with the user or the role they stand for.
//
// The wire types, their reading and writing and their constraint checks are generated from api/model/sts.json.
//
// Imports: accesskey, awsapi, awsapi/queryxml, awsapi/restjson, fault, policy, records, resource, tagging.
package sts

import (
	"context"

	"github.com/rivus-live/rivus/internal/accesskey"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
)

// Options are the parts that a Service works with. All are needed.
type Options struct {
	Records records.IAM
	Keys    *accesskey.Authority
}

// Service has the operations. It is safe for concurrent use.
type Service struct{ opts Options }

// New returns a Service.
func New(o Options) Service { return Service{o} }

// Operations returns the rows of the service. Everybody may ask who they are, and nobody can be denied that.
func (s Service) Operations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("GetCallerIdentity", s.GetCallerIdentity, nil).Open(),
		awsapi.Op("GetSessionToken", s.GetSessionToken, nil).Open(),
		awsapi.Op("AssumeRole", s.AssumeRole, func(in *AssumeRoleRequest) []awsapi.Target { return []awsapi.Target{roleOf(in)} }),
	}
}

// roleOf returns the role that a request names. Its trust policy counts, so the decision is the handler's.
func roleOf(in *AssumeRoleRequest) awsapi.Target {
	if _, err := parseRoleARN(in.RoleArn); err != nil {
		return awsapi.Target{Type: resource.KindRole}.Later() // the handler says what is wrong with it
	}
	tags, _ := tagsOf(in.Tags) // as with them
	return awsapi.Targets(resource.KindRole, tags, in.RoleArn)[0].Later()
}

// GetCallerIdentity returns the names of the principal who calls.
func (s Service) GetCallerIdentity(
	_ context.Context, c awsapi.Caller, _ *GetCallerIdentityRequest,
) (*GetCallerIdentityResponse, error) {
	return &GetCallerIdentityResponse{
		Arn: new(c.Principal.ARN()), UserId: new(c.Principal.UserID()), Account: new(c.Principal.Account),
	}, nil
}

// wireCredentials returns temporary credentials as the API shows them.
func wireCredentials(t accesskey.Temporary) *Credentials {
	return &Credentials{
		AccessKeyId: t.AccessKeyID, SecretAccessKey: t.Secret, SessionToken: t.Token, Expiration: restjson.Time(t.Expires),
	}
}
