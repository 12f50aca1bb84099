package origin

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// audienceShards spreads the viewers of one stream over locks.
	audienceShards = 16
	// minGeneration is the least age of a generation: a viewer that asks no more counts for one to two of them.
	minGeneration = 10 * time.Second
	// maxGeneration keeps the promise that a viewer who left is forgotten within a minute.
	maxGeneration = 25 * time.Second
	// audienceIdle is when a stream that nobody asked about is forgotten whole.
	audienceIdle = time.Minute
)

// audiences counts the playback sessions of every stream. It has no goroutine: viewers are kept in two generations, the
// older of which is thrown away as a whole when the younger has reached its age, by whoever comes next.
type audiences struct {
	limit int64 // of viewers in all
	size  atomic.Int64
	clock func() time.Time

	mu      sync.RWMutex
	streams map[string]*audience
}

func newAudiences(limit int64, clock func() time.Time) *audiences {
	return &audiences{limit: limit, clock: clock, streams: map[string]*audience{}}
}

// audience is one stream's viewers.
type audience struct {
	shards [audienceShards]shard
	used   atomic.Int64 // Unix seconds of the last request
}

// shard holds the viewers whose id hashes to it. A viewer is in one of the two generations, never in both, so the count
// is the sum of their sizes.
type shard struct {
	mu         sync.Mutex
	young, old map[viewerID]struct{}
	started    time.Time
	age        time.Duration
	_          [64]byte // keeps neighbours' locks off this cache line
}

// seen notes a request of a viewer that is already known, and reports false for one that is not.
func (a *audiences) seen(streamID string, id viewerID) bool {
	s := a.stream(streamID)
	if s == nil {
		return false
	}
	now := a.clock()
	s.used.Store(now.Unix())
	return s.shard(id).touch(a, id, now, false)
}

// addViewer notes the first request of a viewer whose id has been verified. Every viewer is expected to ask again within
// three target durations; the generation is at least that long. Past the limit nobody is added.
func (a *audiences) addViewer(streamID string, id viewerID, targetDuration time.Duration) {
	s := a.stream(streamID)
	if s == nil {
		s = a.open(streamID, min(max(3*targetDuration, minGeneration), maxGeneration))
	}
	now := a.clock()
	s.used.Store(now.Unix())
	s.shard(id).touch(a, id, now, a.size.Load() < a.limit)
}

// count returns the number of viewers of a stream.
func (a *audiences) count(streamID string) int64 {
	s := a.stream(streamID)
	if s == nil {
		return 0
	}
	return s.count(a, a.clock())
}

func (a *audiences) stream(id string) *audience {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.streams[id]
}

// open makes the audience of a stream and, since that is rare, drops those that nobody has asked about for a while.
func (a *audiences) open(streamID string, generation time.Duration) *audience {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock()
	for id, s := range a.streams {
		if now.Unix()-s.used.Load() > int64(audienceIdle/time.Second) {
			a.size.Add(-s.drop())
			delete(a.streams, id)
		}
	}
	s := a.streams[streamID]
	if s == nil {
		s = &audience{}
		for i := range s.shards {
			s.shards[i].age = generation
		}
		s.used.Store(now.Unix())
		a.streams[strings.Clone(streamID)] = s // not the whole request that it is a part of
	}
	return s
}

func (s *audience) shard(id viewerID) *shard { return &s.shards[id[0]%audienceShards] }

func (s *audience) count(a *audiences, now time.Time) (n int64) {
	for i := range s.shards {
		h := &s.shards[i]
		h.mu.Lock()
		a.size.Add(-h.turn(now))
		n += int64(len(h.young) + len(h.old))
		h.mu.Unlock()
	}
	return n
}

// drop empties the audience and returns how many it held.
func (s *audience) drop() (n int64) {
	for i := range s.shards {
		h := &s.shards[i]
		h.mu.Lock()
		n += int64(len(h.young) + len(h.old))
		h.young, h.old = nil, nil
		h.mu.Unlock()
	}
	return n
}

// touch puts the viewer into the young generation if it is known or may be added, and reports whether it is there.
func (h *shard) touch(a *audiences, id viewerID, now time.Time, mayAdd bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	a.size.Add(-h.turn(now))
	if _, ok := h.young[id]; ok {
		return true
	}
	if _, ok := h.old[id]; ok {
		delete(h.old, id)
	} else if !mayAdd {
		return false
	} else {
		a.size.Add(1)
	}
	if h.young == nil {
		h.young = map[viewerID]struct{}{}
	}
	h.young[id] = struct{}{}
	return true
}

// turn starts a new generation when the young one has reached its age, and returns how many viewers that forgot.
func (h *shard) turn(now time.Time) (gone int64) {
	switch passed := now.Sub(h.started); {
	case passed < h.age:
		return 0
	case passed < 2*h.age:
		gone = int64(len(h.old))
		h.old, h.young = h.young, nil
		h.started = h.started.Add(h.age)
	default:
		gone = int64(len(h.old) + len(h.young))
		h.old, h.young = nil, nil
		h.started = now
	}
	return gone
}
