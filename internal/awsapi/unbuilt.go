package awsapi

import (
	"context"
	"log/slog"

	"github.com/rivus-live/rivus/internal/fault"
)

// Unbuilt decides about requests that refer to a capability which this version of Rivus does not have: a recording that
// is never made must not look as if it were.
type Unbuilt struct {
	Accept bool         // store such references without effect, for applications under test that cannot leave them out
	Logger *slog.Logger // told of each reference that is stored
}

// Refer checks the member of a request that refers to such a capability. No reference passes, and so does the one that
// the record has held before. The error is a fault.Invalid that names the member.
func (u Unbuilt) Refer(ctx context.Context, c Caller, member, wanted, stored string) error {
	if wanted == "" || wanted == stored {
		return nil
	}
	if !u.Accept {
		return fault.New(fault.Invalid, "%s cannot be used: what it refers to is not implemented in this version of Rivus. "+
			"Leave it out, or start the server with --accept-unbuilt to have it stored without effect", member)
	}
	u.Logger.LogAttrs(ctx, slog.LevelWarn, "stored without effect: a reference to what is not implemented",
		slog.String("member", member), slog.String("arn", wanted), slog.String("action", c.Action), slog.String("request_id", c.RequestID))
	return nil
}
