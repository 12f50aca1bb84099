package eventbridge

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/egress"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
)

// defaultRate is how many requests a second an API destination gets when it asks for no other rate (errata.md A4).
const defaultRate = 300

func destinationARN(c awsapi.Caller, d *resource.APIDestination) *string {
	return new("arn:aws:events:" + c.Region + ":" + c.Account + ":" + typeDestination + "/" + d.Name + "/" + d.UUID)
}

func noDestination(err error, name string) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "Failed to describe the api-destination(s). An api-destination '%s' does not exist.", name)
	}
	return err
}

// checkURL refuses a URL that requests may not go to. What leaves the machine is encrypted.
func (s *Service) checkURL(parameter, text string) error {
	plain := strings.ReplaceAll(text, "*", "x") // where the values of targets go
	err := s.opts.Egress.Check(plain)
	if err != nil {
		return fault.New(fault.Invalid, "Parameter %s is not valid. Reason: %s.", parameter, err)
	}
	u, err := url.Parse(plain)
	if err != nil || u.Scheme != "https" && !egress.Private(u.Hostname()) {
		return fault.New(fault.Invalid, "Parameter %s is not valid. Reason: Must be a valid HTTPS endpoint.", parameter)
	}
	if host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(text, "https://"), "http://"), "/"); strings.Contains(host, "*") {
		return fault.New(fault.Invalid, "Parameter %s is not valid. Reason: path parameters belong into the path.", parameter)
	}
	return nil
}

// connectionName returns the name of the connection that an ARN names, if it is one of the caller's.
func (s *Service) connectionName(ctx context.Context, c awsapi.Caller, text string) (string, error) {
	id, ok := strings.CutPrefix(text, "arn:aws:events:"+c.Region+":"+c.Account+":"+typeConnection+"/")
	name, uuid, _ := strings.Cut(id, "/")
	if !ok {
		return "", fault.New(fault.NotFound, "Connection '%s' does not exist.", text)
	}
	r, err := s.opts.Records.Connections.Get(ctx, keyOf(c, name))
	if fault.Is(err, fault.NotFound) || err == nil && r.Value.UUID != uuid {
		return "", fault.New(fault.NotFound, "Connection '%s' does not exist.", text)
	}
	return name, err
}

// CreateAPIDestination makes an API destination.
func (s *Service) CreateAPIDestination(ctx context.Context, c awsapi.Caller, in *CreateApiDestinationRequest) (*CreateApiDestinationResponse, error) {
	if err := s.checkURL("InvocationEndpoint", in.InvocationEndpoint); err != nil {
		return nil, err
	}
	if err := c.May(named(c, typeDestination, in.Name), nil); err != nil {
		return nil, err
	}
	connection, err := s.connectionName(ctx, c, in.ConnectionArn)
	if err != nil {
		return nil, err
	}
	now := s.opts.Clock().UTC().Truncate(time.Millisecond)
	d := resource.APIDestination{
		Name: in.Name, UUID: arn.NewUUID(), Connection: connection, Endpoint: in.InvocationEndpoint, Method: in.HttpMethod, Rate: defaultRate,
		Description: restjson.Value(in.Description), CreatedAt: now, ModifiedAt: now,
	}
	if in.InvocationRateLimitPerSecond != nil {
		d.Rate = int(*in.InvocationRateLimitPerSecond)
	}
	_, err = s.opts.Records.APIDestinations.Create(ctx, keyOf(c, in.Name), d)
	if fault.Is(err, fault.Conflict) {
		return nil, fault.New(fault.Exists, "An api-destination '%s' already exists.", in.Name)
	}
	if err != nil {
		return nil, err
	}
	return &CreateApiDestinationResponse{
		ApiDestinationArn: destinationARN(c, &d), ApiDestinationState: s.stateOf(ctx, c, &d),
		CreationTime: restjson.EpochOf(d.CreatedAt), LastModifiedTime: restjson.EpochOf(d.ModifiedAt),
	}, nil
}

// stateOf tells whether an API destination can be called: while its connection is authorized.
func (s *Service) stateOf(ctx context.Context, c awsapi.Caller, d *resource.APIDestination) *string {
	r, err := s.opts.Records.Connections.Get(ctx, keyOf(c, d.Connection))
	if err != nil || r.Value.State != resource.ConnectionAuthorized {
		return new(resource.DestinationInactive)
	}
	return new(resource.DestinationActive)
}

// connectionOf returns the ARN of an API destination's connection, nil when it is gone.
func (s *Service) connectionOf(ctx context.Context, c awsapi.Caller, d *resource.APIDestination) *string {
	r, err := s.opts.Records.Connections.Get(ctx, keyOf(c, d.Connection))
	if err != nil {
		return nil
	}
	return connectionARN(c, &r.Value)
}

// DescribeAPIDestination describes an API destination.
func (s *Service) DescribeAPIDestination(ctx context.Context, c awsapi.Caller, in *DescribeApiDestinationRequest) (*DescribeApiDestinationResponse, error) {
	rec, err := s.opts.Records.APIDestinations.Get(ctx, keyOf(c, in.Name))
	if err != nil {
		return nil, noDestination(err, in.Name)
	}
	if err := c.May(named(c, typeDestination, in.Name), nil); err != nil {
		return nil, err
	}
	w := s.wireDestination(ctx, c, &rec.Value)
	return &DescribeApiDestinationResponse{
		ApiDestinationArn: w.ApiDestinationArn, ApiDestinationState: w.ApiDestinationState, ConnectionArn: w.ConnectionArn,
		CreationTime: w.CreationTime, Description: given(rec.Value.Description), HttpMethod: w.HttpMethod, InvocationEndpoint: w.InvocationEndpoint,
		InvocationRateLimitPerSecond: w.InvocationRateLimitPerSecond, LastModifiedTime: w.LastModifiedTime, Name: w.Name,
	}, nil
}

func (s *Service) wireDestination(ctx context.Context, c awsapi.Caller, d *resource.APIDestination) ApiDestination {
	return ApiDestination{
		ApiDestinationArn: destinationARN(c, d), ApiDestinationState: s.stateOf(ctx, c, d), ConnectionArn: s.connectionOf(ctx, c, d),
		CreationTime: restjson.EpochOf(d.CreatedAt), HttpMethod: new(d.Method), InvocationEndpoint: new(d.Endpoint),
		InvocationRateLimitPerSecond: toInt32(&d.Rate), LastModifiedTime: restjson.EpochOf(d.ModifiedAt), Name: new(d.Name),
	}
}

// UpdateAPIDestination changes an API destination.
func (s *Service) UpdateAPIDestination(ctx context.Context, c awsapi.Caller, in *UpdateApiDestinationRequest) (*UpdateApiDestinationResponse, error) {
	connection := ""
	if in.InvocationEndpoint != nil {
		if err := s.checkURL("InvocationEndpoint", *in.InvocationEndpoint); err != nil {
			return nil, err
		}
	}
	if in.ConnectionArn != nil {
		var err error
		if connection, err = s.connectionName(ctx, c, *in.ConnectionArn); err != nil {
			return nil, err
		}
	}
	a, now := named(c, typeDestination, in.Name), s.opts.Clock().UTC().Truncate(time.Millisecond)
	rec, err := s.opts.Records.APIDestinations.Update(ctx, keyOf(c, in.Name), func(d resource.APIDestination) (resource.APIDestination, error) {
		if err := c.May(a, nil); err != nil {
			return d, err
		}
		set(&d.Description, in.Description)
		set(&d.Endpoint, in.InvocationEndpoint)
		set(&d.Method, in.HttpMethod)
		if connection != "" {
			d.Connection = connection
		}
		if in.InvocationRateLimitPerSecond != nil {
			d.Rate = int(*in.InvocationRateLimitPerSecond)
		}
		d.ModifiedAt = now
		return d, nil
	})
	if err != nil {
		return nil, noDestination(err, in.Name)
	}
	d := &rec.Value
	return &UpdateApiDestinationResponse{
		ApiDestinationArn: destinationARN(c, d), ApiDestinationState: s.stateOf(ctx, c, d),
		CreationTime: restjson.EpochOf(d.CreatedAt), LastModifiedTime: restjson.EpochOf(d.ModifiedAt),
	}, nil
}

// DeleteAPIDestination removes an API destination. What waits for it cannot be delivered any more.
func (s *Service) DeleteAPIDestination(ctx context.Context, c awsapi.Caller, in *DeleteApiDestinationRequest) (*DeleteApiDestinationResponse, error) {
	a := named(c, typeDestination, in.Name)
	_, err := s.opts.Records.APIDestinations.Delete(ctx, keyOf(c, in.Name), func(resource.APIDestination) error { return c.May(a, nil) })
	if err != nil {
		return nil, noDestination(err, in.Name)
	}
	return nil, nil //nolint:nilnil // an empty answer
}

// ListAPIDestinations lists API destinations by the beginning of their names, and by connection.
func (s *Service) ListAPIDestinations(ctx context.Context, c awsapi.Caller, in *ListApiDestinationsRequest) (*ListApiDestinationsResponse, error) {
	out := &ListApiDestinationsResponse{ApiDestinations: []ApiDestination{}}
	want := func(d *resource.APIDestination) bool {
		return in.ConnectionArn == nil || restjson.Value(s.connectionOf(ctx, c, d)) == *in.ConnectionArn
	}
	var err error
	out.NextToken, err = list(ctx, c, s.opts.Pager, "ListApiDestinations "+restjson.Value(in.ConnectionArn), s.opts.Records.APIDestinations,
		page{in.NamePrefix, in.NextToken, in.Limit}, want, func(d *resource.APIDestination) {
			out.ApiDestinations = append(out.ApiDestinations, s.wireDestination(ctx, c, d))
		})
	return out, err
}
