package origin

import (
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/origin/playhttp"
)

// maxTarget is the longest Target Duration that has cache rules of its own, in seconds.
const maxTarget = 60

// cacheRules are the Cache-Control values for each Target Duration, ready to be put into an answer. Two kinds of caches
// read them: the private one of a browser, and shared ones between it and the server.
//
// A playlist that grows is never fresh in a private cache: a player asks for it because it wants a newer one, and some
// ask again with the very directives of an earlier blocking reload (video.js does at the end of every segment), which an
// answer out of their own cache turns into a freeze. It costs a request that the server answers from memory, or with 304.
// A shared cache exists to make one request out of those of many viewers, who all come within a moment of each other. Half
// a Target Duration is enough for that, and less than the least segment, so that a repeated request finds news there too;
// the six Target Durations that RFC 8216bis B.1 has for blocking reloads would not.
//
// What never changes may stay: the last playlist of a stream, and all media, because the stream id in its path makes the
// URL unique for ever. It is worth keeping as long as the packager does, which is the live window and its length again,
// about twenty Target Durations.
//
// What is in a path with a viewer's pass is for that viewer's own cache: the same answer without the shared ones. Each of its
// requests has to come here, where the pass is looked at.
type cacheRules [maxTarget + 1]struct{ shared, private rules }

type rules struct{ live, last, media playhttp.Field }

func newCacheRules() *cacheRules {
	rule := func(format string, seconds int) playhttp.Field {
		return playhttp.NewField("Cache-Control", fmt.Sprintf(format, seconds))
	}
	c := &cacheRules{}
	for t := range c {
		s := max(t, 1)
		c[t].shared = rules{
			rule("public, max-age=0, s-maxage=%d", max(s/2, 1)), rule("public, max-age=%d", 6*s), rule("public, max-age=%d, immutable", 20*s),
		}
		c[t].private = rules{rule("private, max-age=%d", 0), rule("private, max-age=%d", 6*s), rule("private, max-age=%d, immutable", 20*s)}
	}
	return c
}

// playlist returns the rule for a media playlist; ended says that it is the last one, named that its path has a pass.
func (c *cacheRules) playlist(target time.Duration, ended, named bool) playhttp.Field {
	r := c.of(target, named)
	if ended {
		return r.last
	}
	return r.live
}

func (c *cacheRules) media(target time.Duration, named bool) playhttp.Field {
	return c.of(target, named).media
}

func (c *cacheRules) of(target time.Duration, named bool) *rules {
	r := &c[index(target)]
	if named {
		return &r.private
	}
	return &r.shared
}

func index(target time.Duration) int { return int(min(max(target/time.Second, 0), maxTarget)) }
