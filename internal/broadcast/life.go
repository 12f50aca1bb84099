package broadcast

import (
	"fmt"
	"slices"
	"time"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/resource"
)

// The times in the life of a stream (spec ivs.md 7.3 and 14.2; the first two are not published).
const (
	settleTime   = 2 * time.Second // after it went live, a stream's health is still unknown
	starvingTime = 3 * time.Second // without media, a stream is starving
	silenceLimit = ingest.Silence  // without media, it ends
	maxDuration  = 48 * time.Hour
)

// moves are the legal steps of a stream.
var moves = map[resource.StreamState][]resource.StreamState{ //nolint:gochecknoglobals // a constant table
	resource.Starting: {resource.Live, resource.Ended},
	resource.Live:     {resource.Stalled, resource.Ended},
	resource.Stalled:  {resource.Live, resource.Ended},
	resource.Ended:    nil,
}

// life is where a stream is and when the next thing happens to it by itself. It is pure: time comes in as an argument,
// and what must be told to the world comes out as edges.
type life struct {
	state   resource.StreamState
	health  resource.Health
	created time.Time
	started time.Time // zero until live
	ended   time.Time // zero until ended
}

func newLife(now time.Time) life {
	return life{state: resource.Starting, health: resource.Unknown, created: now}
}

func (l *life) to(next resource.StreamState) error {
	if !slices.Contains(moves[l.state], next) {
		return fmt.Errorf("broadcast: %s -> %s is not a transition", l.state, next)
	}
	l.state = next
	return nil
}

// playable makes a starting stream live.
func (l *life) playable(now time.Time) ([]edge, error) {
	if err := l.to(resource.Live); err != nil {
		return nil, err
	}
	l.started = now
	return []edge{streamStart}, nil
}

// end ends the stream. One that never was playable has a session that ends, and no stream.
func (l *life) end(now time.Time) ([]edge, error) {
	watched := l.state != resource.Starting
	if err := l.to(resource.Ended); err != nil {
		return nil, err
	}
	l.ended = now
	if watched {
		return []edge{sessionEnded, streamEnd}, nil
	}
	return []edge{sessionEnded}, nil
}

// tick does what is due, given when media last came, and reports whether anything changed.
func (l *life) tick(now, lastMedia time.Time) (edges []edge, changed bool, err error) {
	starving := now.Sub(lastMedia) >= starvingTime
	switch {
	case l.state == resource.Live && starving:
		return l.turn(resource.Stalled, resource.Starving, starvationStart)
	case l.state == resource.Stalled && !starving:
		return l.turn(resource.Live, resource.Healthy, starvationEnd)
	case l.state == resource.Live && l.health == resource.Unknown && now.Sub(l.started) >= settleTime:
		l.health = resource.Healthy
		return nil, true, nil
	}
	return nil, false, nil
}

// turn makes a step of a stream that is on air.
func (l *life) turn(next resource.StreamState, health resource.Health, e edge) ([]edge, bool, error) {
	if err := l.to(next); err != nil {
		return nil, false, err
	}
	l.health = health
	return []edge{e}, true, nil
}

// expired tells whether a limit ends the stream now.
func (l *life) expired(now, lastMedia time.Time) (Reason, bool) {
	switch {
	case l.state == resource.Ended:
		return 0, false
	case now.Sub(lastMedia) >= silenceLimit:
		return Silence, true
	case now.Sub(l.created) >= maxDuration:
		return DurationCap, true
	}
	return 0, false
}

// next is when tick or expired should be asked again.
func (l *life) next(lastMedia time.Time) time.Time {
	at := earlier(lastMedia.Add(silenceLimit), l.created.Add(maxDuration))
	if l.state == resource.Live {
		at = earlier(at, lastMedia.Add(starvingTime))
		if l.health == resource.Unknown {
			at = earlier(at, l.started.Add(settleTime))
		}
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Reason says why a session ended.
type Reason uint8

// The reasons.
const (
	EncoderClosed  Reason = iota + 1 // the encoder ended the stream in good order
	ConnectionLost                   // the connection broke
	Silence                          // no media for 30 s
	DurationCap                      // 48 h
	Stopped                          // StopStream
	Refused                          // the encoder sent what cannot be carried
	Fenced                           // another node has the channel
	Shutdown                         // this node stops
	Abandoned                        // the node that ran it died
	Defective                        // a defect of the server
)

// refusal returns what the publisher is told.
func (r Reason) refusal() *ingest.Refusal {
	switch r {
	case Silence:
		return &ingest.Refusal{Kind: ingest.Silent, Text: "No media arrived for 30 seconds."}
	case DurationCap:
		return &ingest.Refusal{Kind: ingest.TimeIsUp, Text: "The stream has reached 48 hours."}
	case Stopped:
		return &ingest.Refusal{Kind: ingest.Stopped, Text: "The stream was stopped."}
	case Shutdown:
		return &ingest.Refusal{Kind: ingest.Shutdown, Text: "The server stops."}
	default:
		return &ingest.Refusal{Kind: ingest.Failed, Text: "The server cannot go on with this stream."}
	}
}

// String returns the reason for operators and session records.
func (r Reason) String() string {
	switch r {
	case EncoderClosed:
		return "encoder closed"
	case ConnectionLost:
		return "connection lost"
	case Silence:
		return "30 s of silence"
	case DurationCap:
		return "48 h reached"
	case Stopped:
		return "stopped"
	case Refused:
		return "media refused"
	case Fenced:
		return "another node has the channel"
	case Shutdown:
		return "server stopped"
	case Abandoned:
		return "server died"
	case Defective:
		return "a defect of the server"
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}
