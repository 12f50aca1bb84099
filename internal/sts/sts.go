// Package sts answers the operations of the token service: who a caller is.
//
// Imports: awsapi, awsapi/queryxml.
package sts

import (
	"context"
	"net/url"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/queryxml"
)

// Service has the operations. It is safe for concurrent use.
type Service struct{}

// Operations returns the rows of the service.
func (s Service) Operations() []awsapi.Operation {
	api := queryxml.API{Service: "sts", Version: "2011-06-15", Namespace: "https://sts.amazonaws.com/doc/2011-06-15/"}
	return []awsapi.Operation{
		awsapi.QueryOp(api, "GetCallerIdentity", s.GetCallerIdentity, nil).Open(), // everybody may ask who they are
	}
}

// GetCallerIdentityRequest has no members.
type GetCallerIdentityRequest struct{}

// ReadForm reads nothing.
func (*GetCallerIdentityRequest) ReadForm(url.Values) error { return nil }

// GetCallerIdentityResponse says who asked.
type GetCallerIdentityResponse struct{ Arn, UserID, Account string }

// AppendXML appends the members.
func (r *GetCallerIdentityResponse) AppendXML(b []byte) []byte {
	b = queryxml.AppendElement(b, "Arn", r.Arn)
	b = queryxml.AppendElement(b, "UserId", r.UserID)
	return queryxml.AppendElement(b, "Account", r.Account)
}

// GetCallerIdentity returns the names of the principal who calls.
func (Service) GetCallerIdentity(_ context.Context, c awsapi.Caller, _ *GetCallerIdentityRequest) (*GetCallerIdentityResponse, error) {
	return &GetCallerIdentityResponse{Arn: c.Principal.ARN(), UserID: c.Principal.UserID(), Account: c.Principal.Account}, nil
}
