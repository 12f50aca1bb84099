package app

import (
	"context"
	"errors"
	"testing"

	"github.com/rivus-live/rivus/internal/ingest"
)

// namedSink says where a publisher has come to.
type namedSink string

func (s namedSink) Publish(context.Context, ingest.Request, ingest.Source) error {
	return errors.New(string(s))
}

// Keys go to what they are for, and everything that is no key to where all wrong keys get one answer.
func TestKeyRouter(t *testing.T) {
	t.Parallel()
	k := keyRouter{channels: namedSink("channel"), stages: namedSink("stage")}
	for key, want := range map[string]string{
		"sk_us-west-2_Wd9sLr27YbVn_k3Jw8ZpQ0sTnXyB5cDfGhL2mRvUe6A":       "channel",
		"rt_123456789012_us-west-2_AbCdEfGh1234_k3Jw8ZpQ0sTnXyB5cDfGhL2": "stage",
		"": "channel", "x": "channel", "rt": "channel", "sk_rt_": "channel",
	} {
		if err := k.Publish(t.Context(), ingest.Request{Key: key}, nil); err == nil || err.Error() != want {
			t.Errorf("%q went to %v, want %s", key, err, want)
		}
	}
}
