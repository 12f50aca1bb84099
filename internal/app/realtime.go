package app

import (
	"context"
	"fmt"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/ivsrealtime"
	"github.com/rivus-live/rivus/internal/stage"
	"github.com/rivus-live/rivus/internal/tagging"
	"github.com/rivus-live/rivus/internal/token"
)

// openTokens makes the authority for the tokens of participants, which both sides of stages ask.
func (s *server) openTokens(ctx context.Context) error {
	seed, err := s.store.Secret(ctx, "participant-token", 32)
	if err != nil {
		return fmt.Errorf("participant token key: %w", err)
	}
	s.tokens, err = token.NewAuthority(token.Options{Seed: seed, Clock: s.clock, Records: token.Tables{Stages: s.records.Stages}})
	return err
}

// newRealtime makes the service of stages. It commands participants wherever they are connected, so it does not ask whether
// this node has a media port.
func (s *server) newRealtime(pager *awsapi.Pager, tags *tagging.Registry) *ivsrealtime.Service {
	r := s.records.Stages
	return ivsrealtime.New(ivsrealtime.Options{
		Records: r, Media: &stage.Remote{Node: s.node, Sessions: r.Sessions.Table, Participants: r.Participants}, Closed: !s.stages.open(),
		Tokens: s.tokens, Pager: pager, Tags: tags, Quotas: s.cfg.Quotas == "aws", Clock: s.clock, Logger: s.log,
		Unbuilt: awsapi.Unbuilt{Accept: s.cfg.AcceptUnbuilt, Logger: s.log},
	})
}
