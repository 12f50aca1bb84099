package hlscheck

import (
	"context"
	"net/url"
	"time"
)

// removedSegment is a segment that has left the playlist and must still be there for a while (6.2.2): for its own
// duration and that of the longest playlist that listed it.
type removedSegment struct {
	msn    int64
	url    *url.URL
	bytes  *byteRange
	due    time.Time // when it is asked for
	latest time.Time // until when it must be there
}

// maxRemoved bounds how many removed segments wait to be asked for.
const maxRemoved = 64

// noteRemoved plans two loads of each segment that the newer playlist does not list any more: at once, and shortly
// before it may be deleted.
func (f *follower) noteRemoved(older, newer *mediaPlaylist, now time.Time) {
	if older.skip != nil {
		return
	}
	for msn := older.sequence; msn < min(newer.sequence, older.end()); msn++ {
		s := older.segment(msn)
		u, err := f.url.Parse(s.uri)
		if s.gap || err != nil || len(f.removed) >= maxRemoved {
			continue
		}
		keep := seconds(s.duration + older.duration())
		r := removedSegment{msn: msn, url: u, bytes: older.rangeOf(msn), due: now, latest: now.Add(keep)}
		f.removed = append(f.removed, r)
		r.due = now.Add(keep * 8 / 10)
		f.removed = append(f.removed, r)
	}
}

// checkRemoved asks for the removed segments that are due.
func (f *follower) checkRemoved(ctx context.Context) {
	waiting := f.removed[:0]
	for _, r := range f.removed {
		if time.Now().Before(r.due) {
			waiting = append(waiting, r)
			continue
		}
		a, err := get(ctx, f.c.client, r.url, r.bytes)
		if err != nil || time.Now().After(r.latest) {
			continue
		}
		var g findings
		g.must(a.ok(), "6.2.2", "segment %d is answered with status %d though it left the playlist only lately", r.msn, a.status)
		size, known := f.sizes[r.msn]
		g.must(!a.ok() || !known || size == len(a.body), "6.2.2", "segment %d changed its size after it left the playlist", r.msn)
		f.c.add(f.url, g)
	}
	f.removed = waiting
}
