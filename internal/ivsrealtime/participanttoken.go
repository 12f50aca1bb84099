package ivsrealtime

import (
	"context"
	"slices"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/token"
)

// Capabilities of a token.
const (
	capabilityPublish   = "PUBLISH"
	capabilitySubscribe = "SUBSCRIBE"
)

// defaultDuration is how many minutes a token lives when the caller does not say.
const defaultDuration int32 = 720

// grant is what a token shall allow: what CreateStage and CreateParticipantToken have in common.
type grant ParticipantTokenConfiguration

// CreateParticipantToken returns a token for a new participant. It is not stored, so it cannot be shown again.
func (s *Service) CreateParticipantToken(
	ctx context.Context, c awsapi.Caller, in *CreateParticipantTokenRequest,
) (*CreateParticipantTokenResponse, error) {
	st, err := s.stage(ctx, c, in.StageArn)
	if err != nil {
		return nil, err
	}
	t, err := s.mint(c, st.ARN, grant{
		Attributes: in.Attributes, Capabilities: in.Capabilities, Duration: in.Duration, UserId: in.UserId,
	})
	if err != nil {
		return nil, err
	}
	return &CreateParticipantTokenResponse{ParticipantToken: &t}, nil
}

// mint makes a participant and its token. What the caller did not say is not in the answer, except for what the token
// can do and for how long.
func (s *Service) mint(c awsapi.Caller, stage arn.ARN, g grant) (ParticipantToken, error) {
	if n := token.AttributesSize(g.Attributes); n > token.MaxAttributes {
		return ParticipantToken{}, fault.New(fault.Invalid,
			"attributes have %d bytes together, and may have %d", n, token.MaxAttributes)
	}
	duration, capabilities := defaultDuration, distinct(g.Capabilities)
	set(&duration, g.Duration)
	if len(capabilities) == 0 {
		capabilities = []string{capabilityPublish, capabilitySubscribe}
	}
	now := s.opts.Clock().UTC().Truncate(time.Second)
	e := s.endpointsFor(c, now)
	claims := token.Claims{
		ParticipantID: arn.NewID(), StageARN: stage, Attributes: g.Attributes,
		Publish:   slices.Contains(capabilities, capabilityPublish),
		Subscribe: slices.Contains(capabilities, capabilitySubscribe),
		IssuedAt:  now, Expires: now.Add(time.Duration(duration) * time.Minute),
		EventsURL: e.Events, WHIPURL: e.WHIP,
	}
	set(&claims.UserID, g.UserId)
	text, err := s.opts.Tokens.Mint(claims)
	if err != nil {
		return ParticipantToken{}, err
	}
	return ParticipantToken{
		ParticipantId: &claims.ParticipantID, Token: &text, UserId: g.UserId, Attributes: g.Attributes,
		Duration: &duration, Capabilities: capabilities, ExpirationTime: restjson.Time(claims.Expires),
	}, nil
}
