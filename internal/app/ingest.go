package app

import (
	"context"
	"strings"

	"github.com/rivus-live/rivus/internal/ingest"
)

// stageKey begins the stream keys of stages (spec ivs-realtime.md 2); those of channels begin with "sk_".
const stageKey = "rt_"

// keyRouter sends every publisher to what its key is for, whatever protocol it speaks.
type keyRouter struct {
	channels ingest.Sink // also for what has the form of no key, so that all wrong ones get one answer
	stages   ingest.Sink
}

// Publish serves one publisher (ingest.Sink).
func (k keyRouter) Publish(ctx context.Context, r ingest.Request, s ingest.Source) error {
	if strings.HasPrefix(r.Key, stageKey) {
		return k.stages.Publish(ctx, r, s)
	}
	return k.channels.Publish(ctx, r, s)
}

// noEncoders is the sink of stages as long as they take no encoders. It looks at no key: the answer says nothing about what
// exists.
type noEncoders struct{}

// Publish refuses the publisher (ingest.Sink).
func (noEncoders) Publish(context.Context, ingest.Request, ingest.Source) error {
	return &ingest.Refusal{Kind: ingest.Unserved, Text: "This key is for a stage, and stages of this server take no encoders yet."}
}
