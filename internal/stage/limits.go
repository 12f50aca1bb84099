package stage

import (
	"strconv"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/resource"
)

// Limits are the quotas of stages (spec ivs-realtime.md 9 and 15.2); 0 stands for none.
type Limits struct {
	Participants int // of one stage, connected
	Publishers   int // of one stage
	Subscribers  int // of one stage: participants with a subscription

	// Of an account in a region, as far as this node has them.
	RegionPublishers, RegionSubscriptions int

	Pixels          int           // of a picture, in any orientation; more ends the publication
	PublishBitrate  int           // bits a second of all layers and retransmissions; more ends the publication
	DownloadBitrate int           // bits a second to a participant; lower layers are chosen to keep to it
	Duration        time.Duration // of a publication or a subscription, which ends then
}

// ServiceLimits are those of the service.
func ServiceLimits() Limits {
	return Limits{
		Participants: 10_012, Publishers: 12, Subscribers: 10_000, RegionPublishers: 1000, RegionSubscriptions: 20_000,
		Pixels: 1280 * 720, PublishBitrate: 8_500_000, DownloadBitrate: 8_500_000, Duration: 24 * time.Hour,
	}
}

// reached reports whether one more would be too many.
func reached(limit, n int) bool { return limit > 0 && n >= limit }

// census counts what runs in each account and region.
type census struct {
	mu    sync.Mutex
	areas map[arn.Scope]area
}

type area struct{ publishers, subscriptions int }

// enter counts a publisher or a subscription, unless the limit is reached.
func (c *census) enter(s arn.Scope, what func(*area) *int, limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.areas[s]
	n := what(&a)
	if reached(limit, *n) {
		return false
	}
	*n++
	if c.areas == nil {
		c.areas = make(map[arn.Scope]area)
	}
	c.areas[s] = a
	return true
}

func (c *census) leave(s arn.Scope, what func(*area) *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.areas[s]
	*what(&a)--
	c.areas[s] = a
	if a == (area{}) {
		delete(c.areas, s)
	}
}

func publishers(a *area) *int    { return &a.publishers }
func subscriptions(a *area) *int { return &a.subscriptions }

// rateWatch measures a rate over the last few looks at a counter, for limits that one burst must not break.
type rateWatch struct {
	samples [rateSamples]struct {
		at    time.Duration
		bytes int64
	}
	n int
}

// rateSamples looks, one a second, are three seconds.
const rateSamples = 4

// look notes the counter and returns the bits a second since the oldest look, 0 while there are too few.
func (r *rateWatch) look(now time.Duration, bytes int64) int {
	oldest := r.samples[r.n%rateSamples]
	r.samples[r.n%rateSamples].at, r.samples[r.n%rateSamples].bytes = now, bytes
	r.n++
	if r.n <= rateSamples || now <= oldest.at {
		return 0
	}
	return int(float64(bytes-oldest.bytes) * 8 / (now - oldest.at).Seconds())
}

// enforce ends what has gone on for too long or takes too much. The room calls it once a second.
func (r *room) enforce(now time.Time) {
	l := &r.manager.opt.Limits
	for _, p := range r.participants {
		if pub := p.publication; pub != nil && p.standing == Recorded {
			rate := pub.rate.look(r.manager.env.now(), pub.bytes.Load())
			switch {
			case l.Duration > 0 && now.Sub(pub.started) >= l.Duration:
				r.exceeded(p, pub, errTooLong)
			case l.PublishBitrate > 0 && rate > l.PublishBitrate:
				r.exceeded(p, pub, fail(0, resource.ErrorBitrateExceeded,
					strconv.Itoa(rate/1000)+" kbit/s are more than the stage allows"))
			}
		}
		for _, s := range p.subs {
			for s != nil {
				older := s.older
				if l.Duration > 0 && now.Sub(s.started) >= l.Duration {
					r.expire(p, s)
				}
				s = older
			}
		}
	}
}

var errTooLong = fail(0, resource.ErrorStreamDurationExceeded, "it has gone on for as long as it may")

// exceeded ends a publication that breaks a limit, and says why.
func (r *room) exceeded(p *participant, pub *publication, err error) {
	if p.publication != pub && p.next != pub {
		return
	}
	code := codeOf(err)
	r.event(p, resource.ParticipantEvent{Name: resource.EventPublishError, ErrorCode: code})
	p.tell(typeError, errorPayload{Code: code, Message: err.Error(), Request: "PUBLISH"})
	r.log.Info("publication ended by a limit", "participant_id", p.id, "cause", code)
	r.unpublish(p, pub)
}

// expire ends a subscription that has gone on for too long.
func (r *room) expire(p *participant, s *subscription) {
	code := codeOf(errTooLong)
	r.event(p, resource.ParticipantEvent{Name: resource.EventSubscribeError, RemoteParticipantID: s.publisher, ErrorCode: code})
	p.tell(typeError, errorPayload{Code: code, Message: errTooLong.Error(), Request: "SUBSCRIBE", ID: s.publisher})
	r.unsubscribe(p, s)
}
