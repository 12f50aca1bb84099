package broadcast

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/store"
)

// request is what a publisher asks for.
type request struct {
	key      string // a secret
	secure   bool
	remote   string // address without port
	software string
	priority priority
	// target is the wanted target duration, 0 when the publisher did not ask for one.
	target time.Duration
}

// priority is a takeover priority as a publisher gives it (spec ivs.md 7.4).
type priority struct {
	given bool
	value int32 // 1 to 2^31-1; 0 when not given or not valid
}

func newRequest(p *rtmp.Publication) request {
	return request{
		key:      p.Key,
		secure:   p.Secure,
		remote:   p.Remote.Addr().Unmap().String(),
		software: p.FlashVersion,
		priority: parsePriority(p.Query),
		target:   parseTarget(p.Query),
	}
}

func parsePriority(q url.Values) priority {
	if !q.Has("priority") {
		return priority{}
	}
	n, err := strconv.ParseInt(q.Get("priority"), 10, 32)
	if err != nil || n < 1 {
		return priority{given: true}
	}
	return priority{given: true, value: int32(n)} // ParseInt was told 32 bits
}

// parseTarget reads keyframeInterval, whole seconds from 2 to 6. Anything else is no wish: the first GOP decides then.
func parseTarget(q url.Values) time.Duration {
	n, err := strconv.Atoi(q.Get("keyframeInterval"))
	if err != nil || n < 2 || n > 6 {
		return 0
	}
	return time.Duration(n) * time.Second
}

// refusedKey is the one answer to a wrong, deleted or foreign key, so that it tells nothing about what exists.
func refusedKey() error {
	return &rtmp.Rejection{Code: rtmp.CodeBadName, Description: "The stream key is not valid."}
}

// authorize finds the channel of a request's key. Every failure to match costs the same work and gives the same answer.
func (m *Manager) authorize(ctx context.Context, r request) (store.Record[resource.Channel], error) {
	var none store.Record[resource.Channel]
	now, id := m.opt.Clock(), keyID(r.key)
	who := guesser(r.remote, id)
	if !m.guesses.allowed(who, now) {
		return none, refusedKey()
	}
	rec, err := m.opt.Channels.Find(ctx, "streamKey", id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return none, err
	}
	if !holdsKey(&rec.Value, rec.Key.Region, r.key) {
		m.guesses.failed(who, now)
		return none, refusedKey()
	}
	if !r.secure && !rec.Value.InsecureIngest && !m.opt.AllowInsecure {
		return none, &rtmp.Rejection{Code: rtmp.CodeDenied, Description: "This channel takes RTMPS only."}
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
