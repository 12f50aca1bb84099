package token

import (
	"context"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// Records are what a verification looks up. What does not exist is fault.NotFound.
type Records interface {
	PublicKey(ctx context.Context, a arn.ARN) (resource.PublicKey, error)
	Stage(ctx context.Context, a arn.ARN) (resource.Stage, error)
	// Disconnected reports whether the participant's tokens are no good any more.
	Disconnected(ctx context.Context, stage arn.ARN, participantID string) (bool, error)
}

// Tables are the Records in the store. Their answers come from memory; what is not there is asked for once.
type Tables struct{ Stages records.Stages }

// PublicKey implements Records.
func (t Tables) PublicKey(ctx context.Context, a arn.ARN) (resource.PublicKey, error) {
	r, err := t.Stages.PublicKeys.Get(ctx, store.Key{Scope: a.Scope, ID: a.ID})
	return r.Value, err
}

// Stage implements Records.
func (t Tables) Stage(ctx context.Context, a arn.ARN) (resource.Stage, error) {
	r, err := t.Stages.Stages.Get(ctx, store.Key{Scope: a.Scope, ID: a.ID})
	return r.Value, err
}

// Disconnected implements Records. It looks in memory only, since hardly anybody is in the table: another node's entry
// counts as soon as it has arrived here, and the media side watches for those that cross a join.
func (t Tables) Disconnected(ctx context.Context, stage arn.ARN, participantID string) (bool, error) {
	_, err := t.Stages.Disconnected.Find(ctx, "participant", records.DisconnectedValue(stage, participantID))
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}
