// Package sts answers the operations of the token service: who a caller is.
//
// The wire types, their reading and writing and their constraint checks are generated from api/model/sts.json.
//
// Imports: awsapi, awsapi/queryxml, awsapi/restjson.
package sts

import (
	"context"

	"github.com/rivus-live/rivus/internal/awsapi"
)

// Service has the operations. It is safe for concurrent use.
type Service struct{}

// Operations returns the rows of the service.
func (s Service) Operations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("GetCallerIdentity", s.GetCallerIdentity, nil).Open(), // everybody may ask who they are
	}
}

// GetCallerIdentity returns the names of the principal who calls.
func (Service) GetCallerIdentity(_ context.Context, c awsapi.Caller, _ *GetCallerIdentityRequest) (*GetCallerIdentityResponse, error) {
	return &GetCallerIdentityResponse{
		Arn: new(c.Principal.ARN()), UserId: new(c.Principal.UserID()), Account: &c.Principal.Account,
	}, nil
}
