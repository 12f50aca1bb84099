package eventbridge

import (
	"context"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/delivery"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

// connectionARN is the ARN of a connection, which has a part that nobody chooses.
func connectionARN(c awsapi.Caller, r *resource.Connection) *string {
	return new("arn:aws:events:" + c.Region + ":" + c.Account + ":" + typeConnection + "/" + r.Name + "/" + r.UUID)
}

func named(c awsapi.Caller, kind, name string) arn.ARN {
	return arn.ARN{Service: "events", Scope: c.Scope, Type: kind, ID: name}
}

func noConnection(err error, name string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "Failed to describe the connection(s). Connection '%s' does not exist.", name)
	}
	return err
}

// CreateConnection keeps the secrets of a connection encrypted. One that fetches tokens is authorized when it has its first.
func (s *Service) CreateConnection(ctx context.Context, c awsapi.Caller, in *CreateConnectionRequest) (*CreateConnectionResponse, error) {
	if in.KmsKeyIdentifier != nil || in.InvocationConnectivityParameters != nil || in.AuthParameters.ConnectivityParameters != nil {
		return nil, fault.New(fault.Invalid, "KmsKeyIdentifier and ConnectivityParameters are not supported by this server.")
	}
	if err := c.May(named(c, typeConnection, in.Name), nil); err != nil {
		return nil, err
	}
	now := s.opts.Clock().UTC().Truncate(time.Millisecond)
	r := resource.Connection{
		Name: in.Name, UUID: arn.NewUUID(), SecretUUID: arn.NewUUID(), Description: restjson.Value(in.Description), CreatedAt: now,
	}
	err := s.authorizeBy(&r, in.AuthorizationType, authOf(in.AuthParameters), now)
	if err != nil {
		return nil, err
	}
	_, err = s.opts.Records.Connections.Create(ctx, keyOf(c, in.Name), r)
	if fault.Is(err, fault.Conflict) {
		return nil, fault.New(fault.Exists, "Connection %s already exists.", in.Name)
	}
	if err != nil {
		return nil, err
	}
	return &CreateConnectionResponse{
		ConnectionArn: connectionARN(c, &r), ConnectionState: new(r.State),
		CreationTime: restjson.EpochOf(r.CreatedAt), LastModifiedTime: restjson.EpochOf(r.ModifiedAt),
	}, nil
}

// authorizeBy gives a connection the parameters and secrets of a request. What the request leaves out stays.
func (s *Service) authorizeBy(r *resource.Connection, kind string, auth authRequest, now time.Time) error {
	secrets, err := s.opts.Vault.Open(r.UUID, r.Sealed)
	if err != nil {
		return err
	}
	if kind != r.AuthType {
		invocation, kept := r.Invocation, secrets.Invocation
		r.AuthType, r.Username, r.APIKeyName, r.OAuth, r.Invocation = kind, "", "", nil, invocation
		secrets = delivery.Secrets{Invocation: kept}
	}
	if err := auth.apply(r, &secrets); err != nil {
		return err
	}
	if r.OAuth != nil {
		if err := s.checkURL("AuthorizationEndpoint", r.OAuth.Endpoint); err != nil {
			return err
		}
	}
	r.State, r.StateReason, r.ModifiedAt, r.AuthorizedAt = resource.ConnectionAuthorized, "", now, now
	if r.AuthType == resource.AuthOAuth {
		r.State, r.AuthorizedAt = resource.ConnectionAuthorizing, time.Time{}
	}
	r.Sealed, err = s.opts.Vault.Seal(r.UUID, secrets)
	return err
}

// UpdateConnection changes a connection.
func (s *Service) UpdateConnection(ctx context.Context, c awsapi.Caller, in *UpdateConnectionRequest) (*UpdateConnectionResponse, error) {
	if in.KmsKeyIdentifier != nil || in.InvocationConnectivityParameters != nil {
		return nil, fault.New(fault.Invalid, "KmsKeyIdentifier and ConnectivityParameters are not supported by this server.")
	}
	a, now := named(c, typeConnection, in.Name), s.opts.Clock().UTC().Truncate(time.Millisecond)
	rec, err := s.opts.Records.Connections.Update(ctx, keyOf(c, in.Name), func(r resource.Connection) (resource.Connection, error) {
		if err := c.May(a, nil); err != nil {
			return r, err
		}
		if in.Description != nil {
			r.Description = *in.Description
		}
		kind := r.AuthType
		if in.AuthorizationType != nil {
			kind = *in.AuthorizationType
		}
		return r, s.authorizeBy(&r, kind, authOfUpdate(in.AuthParameters), now)
	})
	if err != nil {
		return nil, noConnection(err, in.Name)
	}
	r := &rec.Value
	return &UpdateConnectionResponse{
		ConnectionArn: connectionARN(c, r), ConnectionState: new(r.State), CreationTime: restjson.EpochOf(r.CreatedAt),
		LastModifiedTime: restjson.EpochOf(r.ModifiedAt), LastAuthorizedTime: restjson.EpochOf(r.AuthorizedAt),
	}, nil
}

// DescribeConnection returns a connection without what is secret.
func (s *Service) DescribeConnection(ctx context.Context, c awsapi.Caller, in *DescribeConnectionRequest) (*DescribeConnectionResponse, error) {
	rec, err := s.opts.Records.Connections.Get(ctx, keyOf(c, in.Name))
	if err != nil {
		return nil, noConnection(err, in.Name)
	}
	if err := c.May(named(c, typeConnection, in.Name), nil); err != nil {
		return nil, err
	}
	r := &rec.Value
	return &DescribeConnectionResponse{
		ConnectionArn: connectionARN(c, r), ConnectionState: new(r.State), Name: new(r.Name), Description: given(r.Description),
		AuthorizationType: new(r.AuthType), StateReason: given(r.StateReason), AuthParameters: wireAuth(r),
		SecretArn:        new("arn:aws:secretsmanager:" + c.Region + ":" + c.Account + ":secret:events!connection/" + r.Name + "/" + r.SecretUUID),
		CreationTime:     restjson.EpochOf(r.CreatedAt),
		LastModifiedTime: restjson.EpochOf(r.ModifiedAt), LastAuthorizedTime: restjson.EpochOf(r.AuthorizedAt),
	}, nil
}

// DeleteConnection removes a connection. API destinations that use it can no longer be called.
func (s *Service) DeleteConnection(ctx context.Context, c awsapi.Caller, in *DeleteConnectionRequest) (*DeleteConnectionResponse, error) {
	a := named(c, typeConnection, in.Name)
	rec, err := s.opts.Records.Connections.Delete(ctx, keyOf(c, in.Name), func(resource.Connection) error { return c.May(a, nil) })
	if err != nil {
		return nil, noConnection(err, in.Name)
	}
	r := &rec.Value
	return &DeleteConnectionResponse{
		ConnectionArn: connectionARN(c, r), ConnectionState: new("DELETING"), CreationTime: restjson.EpochOf(r.CreatedAt),
		LastModifiedTime: restjson.EpochOf(r.ModifiedAt), LastAuthorizedTime: restjson.EpochOf(r.AuthorizedAt),
	}, nil
}

// ListConnections lists connections by the beginning of their names, and by state.
func (s *Service) ListConnections(ctx context.Context, c awsapi.Caller, in *ListConnectionsRequest) (*ListConnectionsResponse, error) {
	out := &ListConnectionsResponse{Connections: []Connection{}}
	want := func(r *resource.Connection) bool { return in.ConnectionState == nil || *in.ConnectionState == r.State }
	var err error
	out.NextToken, err = list(ctx, c, s.opts.Pager, "ListConnections "+restjson.Value(in.ConnectionState), s.opts.Records.Connections,
		page{in.NamePrefix, in.NextToken, in.Limit}, want, func(r *resource.Connection) {
			out.Connections = append(out.Connections, Connection{
				ConnectionArn: connectionARN(c, r), ConnectionState: new(r.State), Name: new(r.Name), StateReason: given(r.StateReason),
				AuthorizationType: new(r.AuthType), CreationTime: restjson.EpochOf(r.CreatedAt),
				LastModifiedTime: restjson.EpochOf(r.ModifiedAt), LastAuthorizedTime: restjson.EpochOf(r.AuthorizedAt),
			})
		})
	return out, err
}
