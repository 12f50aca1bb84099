package origin

import (
	"net/http"
	"slices"
	"sync/atomic"
)

// Kind says what a request was for.
type Kind uint8

// The kinds of requests.
const (
	Other Kind = iota // no playback path, or a method that has none
	Multivariant
	Playlist
	Init
	Segment
	Part
	kinds
)

// String returns the kind in one lower-case word, for metrics.
func (k Kind) String() string {
	return [...]string{"other", "multivariant", "playlist", "init", "segment", "part"}[min(k, kinds-1)]
}

// StatusGone counts requests that were not answered because the viewer hung up while they waited.
const StatusGone = 499

// statuses are those that the handler ever answers; the first counts what is not in the list.
//
//nolint:gochecknoglobals // a constant table
var statuses = [...]int{
	0, http.StatusOK, http.StatusNoContent, http.StatusPartialContent, http.StatusNotModified, http.StatusBadRequest,
	http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestURITooLong,
	http.StatusRequestedRangeNotSatisfiable, StatusGone, http.StatusInternalServerError, http.StatusServiceUnavailable,
}

// counters are the live numbers behind Stats.
type counters struct {
	requests [kinds][len(statuses)]atomic.Int64
	bytes    [kinds]atomic.Int64
	waits    atomic.Int64
	late     atomic.Int64
}

func (c *counters) answered(k Kind, status int) {
	c.requests[k][max(slices.Index(statuses[:], status), 0)].Add(1)
}

// Stats are counts since the handler was made, but for Waits and Viewers, which are of now.
type Stats struct {
	Requests []RequestCount // those that are not 0
	Bytes    map[Kind]int64 // of bodies, handed to the kernel
	Waits    int64          // requests that wait for a playlist or a part
	// LateParts counts the parts that a viewer had asked for before they existed and whose last byte was handed to the
	// kernel later than one part duration after the last frame in it had arrived.
	LateParts int64
	Viewers   int64 // playback sessions of all streams, some of which may just have gone
}

// RequestCount is how often requests of one kind were answered with one status.
type RequestCount struct {
	Kind   Kind
	Status int
	Count  int64
}

// Panics returns how many requests have panicked on connections that the handler serves itself.
func (h *Handler) Panics() int64 { return h.server.Panics() }

// Stats returns the present numbers.
func (h *Handler) Stats() Stats {
	s := Stats{
		Bytes:     map[Kind]int64{},
		Waits:     h.stats.waits.Load(),
		LateParts: h.stats.late.Load(),
		Viewers:   h.audiences.size.Load(),
	}
	for k := range kinds {
		s.Bytes[k] = h.stats.bytes[k].Load()
		for i, status := range statuses {
			if n := h.stats.requests[k][i].Load(); n > 0 {
				s.Requests = append(s.Requests, RequestCount{k, status, n})
			}
		}
	}
	return s
}
