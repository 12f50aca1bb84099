package origin

import (
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/origin/playhttp"
)

// maxTarget is the longest Target Duration that has cache rules of its own, in seconds.
const maxTarget = 60

// cacheRules are the Cache-Control values for each Target Duration, ready to be put into an answer. They follow RFC
// 8216bis B.1: a playlist that answers a blocking reload never changes its meaning and may stay for six Target Durations;
// one that was simply loaded is stale after half a one. Media never changes at all: the stream id in its path makes
// the URL unique for ever, and it is worth keeping as long as the packager does, which is the live window and its length
// again, about twenty Target Durations.
type cacheRules [maxTarget + 1]struct{ blocking, plain, media playhttp.Field }

func newCacheRules() *cacheRules {
	rule := func(format string, seconds int) playhttp.Field {
		return playhttp.NewField("Cache-Control", fmt.Sprintf(format, seconds))
	}
	c := &cacheRules{}
	for t := range c {
		s := max(t, 1)
		c[t].blocking = rule("public, max-age=%d", 6*s)
		c[t].plain = rule("public, max-age=%d", max(s/2, 1))
		c[t].media = rule("public, max-age=%d, immutable", 20*s)
	}
	return c
}

// playlist returns the rule for a media playlist; settled says that it answers a blocking reload or is the last one.
func (c *cacheRules) playlist(target time.Duration, settled bool) playhttp.Field {
	if settled {
		return c[index(target)].blocking
	}
	return c[index(target)].plain
}

func (c *cacheRules) media(target time.Duration) playhttp.Field { return c[index(target)].media }

func index(target time.Duration) int { return int(min(max(target/time.Second, 0), maxTarget)) }
