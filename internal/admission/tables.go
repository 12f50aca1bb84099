package admission

import (
	"context"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// Tables are the Records in the store.
type Tables struct{ records.Viewers }

// Policy implements Records.
func (t Tables) Policy(ctx context.Context, text string) (resource.PlaybackRestrictionPolicy, error) {
	r, err := t.Policies.Find(ctx, "arn", text)
	return r.Value, err
}

// Revocation implements Records.
func (t Tables) Revocation(channel arn.ARN, viewerID string) int64 {
	r, err := t.Revocations.Find(context.Background(), "viewer", records.RevokedValue(channel, viewerID))
	if err != nil { // not there: there is no other error of a look into memory
		return -1
	}
	return r.Value.Version
}

// WatchRevocations implements Records.
func (t Tables) WatchRevocations(ctx context.Context, fn func(resource.ViewerRevocation)) {
	t.Revocations.Watch(ctx, func(c store.Change[resource.ViewerRevocation]) {
		if c.New != nil {
			fn(*c.New)
		}
	})
}

// Use implements Records.
func (t Tables) Use(ctx context.Context, used resource.UsedToken) error {
	_, err := t.UsedTokens.Create(ctx, records.ViewerKey(used.ChannelARN, used.UUID), used)
	return err
}
