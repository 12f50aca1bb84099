package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/ivsrealtime"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
	"github.com/rivus-live/rivus/internal/token"
)

// realtime holds what both sides of stages work with: the API writes some of the records, the media side the others, and
// both know the tokens.
type realtime struct {
	records ivsrealtime.Options
	tokens  *token.Authority
	service *ivsrealtime.Service
}

// openRealtime opens the records of stages and makes the authority for their tokens.
func (s *server) openRealtime(ctx context.Context) error {
	o, age := &s.realtime.records, s.cfg.StageHistory
	err := errors.Join(
		keep(&o.Stages)(store.OpenTable(ctx, s.store, store.StageDefinition())),
		keep(&o.PublicKeys)(store.OpenTable(ctx, s.store, store.PublicKeyDefinition())),
		keep(&o.StorageConfigurations)(store.OpenTable(ctx, s.store, store.StorageConfigurationDefinition())),
		keep(&o.Disconnected)(store.OpenTable(ctx, s.store, store.DisconnectedDefinition())),
		keep(&o.Sessions)(store.OpenTable(ctx, s.store, store.StageSessionDefinition())),
		keep(&o.Participants)(store.OpenTable(ctx, s.store, store.ParticipantDefinition())),
		keep(&o.SessionHistory)(store.OpenLogAge[resource.StageSession](ctx, s.store, store.StageSessionLog, age)),
		keep(&o.ParticipantHistory)(store.OpenLogAge[resource.Participant](ctx, s.store, store.ParticipantLog, age)),
		keep(&o.ParticipantEvents)(store.OpenLogAge[resource.ParticipantEvent](ctx, s.store, store.ParticipantEventLog, age)),
	)
	if err != nil {
		return fmt.Errorf("records of stages: %w", err)
	}
	seed, err := s.store.Secret(ctx, "participant-token", 32)
	if err != nil {
		return fmt.Errorf("participant token key: %w", err)
	}
	s.realtime.tokens, err = token.NewAuthority(token.Options{
		Seed: seed, Clock: s.clock,
		Records: token.Tables{Stages: o.Stages, PublicKeys: o.PublicKeys, Burnt: o.Disconnected},
	})
	return err
}

// keep stores the result of an open call and passes its error on.
func keep[T any](to *T) func(T, error) error {
	return func(v T, err error) error {
		*to = v
		return err
	}
}

// newRealtime makes the service of stages. Media is nil until stages run here: nobody is connected.
func (s *server) newRealtime(pager *awsapi.Pager, tags *tagging.Registry) *ivsrealtime.Service {
	o := s.realtime.records
	o.Tokens, o.Pager, o.Tags, o.Quotas = s.realtime.tokens, pager, tags, s.cfg.Quotas == "aws"
	o.Clock, o.Logger = s.clock, s.log
	o.Unbuilt = awsapi.Unbuilt{Accept: s.cfg.AcceptUnbuilt, Logger: s.log}
	o.Closed = s.stages.manager == nil
	return ivsrealtime.New(o)
}
