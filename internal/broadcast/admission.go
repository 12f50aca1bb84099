package broadcast

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// refusedKey is the one answer to a wrong, deleted or foreign key, so that it tells nothing about what exists.
func refusedKey() error {
	return &ingest.Refusal{Kind: ingest.InvalidKey, Text: "The stream key is not valid."}
}

// authorize finds the channel of a request's key. Every failure to match costs the same work and gives the same answer.
func (m *Manager) authorize(ctx context.Context, r ingest.Request) (store.Record[resource.Channel], error) {
	var none store.Record[resource.Channel]
	now, id := m.opt.Clock(), keyID(r.Key)
	who := guesser(r.Remote, id)
	if !m.guesses.allowed(who, now) {
		return none, refusedKey()
	}
	rec, err := m.opt.Records.Channels.Find(ctx, "streamKey", id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return none, err
	}
	if !holdsKey(&rec.Value, rec.Key.Region, r.Key) {
		m.guesses.failed(who, now)
		return none, refusedKey()
	}
	if !r.Secure && !rec.Value.InsecureIngest && !m.opt.AllowInsecure {
		return none, &ingest.Refusal{Kind: ingest.Insecure, Text: "This channel takes encrypted connections only."}
	}
	return rec, nil
}

// keyID returns the id inside a stream key, "sk_<region>_<id>_<secret>" (spec ivs.md 1.3), or what no key has.
func keyID(key string) string {
	parts := strings.Split(key, "_")
	if len(parts) != 4 || parts[0] != "sk" {
		return ""
	}
	return parts[2]
}

// holdsKey compares a presented key with all keys of a channel in constant time. A channel without keys, or one that
// does not exist, costs as much as one with a key.
func holdsKey(ch *resource.Channel, region, presented string) bool {
	keys, known := ch.StreamKeys, 1
	if len(keys) == 0 {
		keys, known = []resource.StreamKey{{ID: "000000000000", Secret: "000000000000000000000000000000"}}, 0
	}
	want, found := sha256.Sum256([]byte(presented)), 0
	for _, k := range keys {
		have := sha256.Sum256([]byte(k.Value(region)))
		found |= subtle.ConstantTimeCompare(want[:], have[:])
	}
	return found&known == 1
}
