package hls

import (
	"context"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
)

// Live is a Media Playlist as readers see it: its newest Snapshot and the files that it names. All methods may be called
// from any goroutine. Its writer is a Rendition or a Mirror.
type Live struct {
	snap    atomic.Pointer[Snapshot]
	reports atomic.Pointer[func() []Report] // what EXT-X-RENDITION-REPORT tells; nil: there are no other renditions
}

// newLive returns a Live that has nothing to show yet.
func newLive() *Live {
	l := &Live{}
	l.publish(&Snapshot{stream: &stream{}, hintPart: -1})
	return l
}

// publish stores a snapshot and wakes everybody who waits for it.
func (l *Live) publish(s *Snapshot) {
	s.changed = make(chan struct{})
	s.full.snapshot, s.delta.snapshot, s.delta.delta = s, s, true
	if old := l.snap.Swap(s); old != nil {
		close(old.changed)
	}
}

// Snapshot returns the newest state, never nil.
func (l *Live) Snapshot() *Snapshot { return l.snap.Load() }

// maxAhead is how many segments beyond the newest a request may ask for (RFC 8216bis 6.2.5.2).
const maxAhead = 2

// Await returns a snapshot whose playlist has the given part of the given segment, or the whole segment if part is
// negative (RFC 8216bis 6.2.5.2). What is already there, or will never come because the stream has ended, is answered
// at once; more than two segments ahead is fault.Invalid; the caller's context ends a wait with its error.
func (l *Live) Await(ctx context.Context, msn int64, part int) (*Snapshot, error) {
	for {
		s := l.snap.Load()
		if s.ended {
			return s, nil
		}
		if s.Ready() {
			if s.has(msn, part) {
				return s, nil
			}
			if s.tooFar(msn, part) {
				return nil, fault.New(fault.Invalid, "the request is too far ahead of the playlist")
			}
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Segment returns the complete segment with a media sequence number, as soon as there is one: what a recorder takes one
// after the other, without copying a byte. A reader that comes too late for it gets the oldest one that is still kept, whose
// number tells how many are lost. The error is io.EOF when the stream has ended before, fault.Invalid when the number is more
// than two beyond the newest, and the context's own when that ends.
func (l *Live) Segment(ctx context.Context, msn int64) (*Segment, error) {
	s, err := l.Await(ctx, msn, -1)
	if err != nil {
		return nil, err
	}
	if s.lastComplete() < msn {
		return nil, io.EOF
	}
	return s.Segment(max(msn, s.segments[0].MSN)), nil
}

// has reports whether the playlist lists a part, or a whole segment, or what comes after it. A part beyond the last one
// of its segment means the first of the next.
func (s *Snapshot) has(msn int64, part int) bool {
	last := s.lastComplete()
	if part < 0 || !s.stream.lowLatency || msn < last {
		return msn <= last
	}
	if msn == last {
		return part < len(s.segments[len(s.segments)-1].Parts) || len(s.parts) > 0
	}
	return msn == last+1 && part < len(s.parts)
}

// tooFar reports whether a request is beyond what a client can know of. The limit for parts is the number of them in
// three seconds, at least three.
func (s *Snapshot) tooFar(msn int64, part int) bool {
	if msn > s.LastMSN()+maxAhead {
		return true
	}
	limit := int(max(3*second/s.stream.part, 3))
	return s.stream.lowLatency && msn == s.lastComplete()+1 && part >= len(s.parts)+limit
}

// Resource is one file as it goes to viewers.
type Resource struct {
	ContentType       string
	Data              [][]byte // slices shared by all viewers, in order; do not modify
	Size              int64
	FirstFrameArrived time.Time // zero for init segments
	LastFrameArrived  time.Time
}

// Resource returns a file that the playlists name: "init1.mp4", "seg42.m4s", "seg42.3.m4s", "seg42.ts", … The part that
// is hinted as the next one is waited for. fault.NotFound when it is gone or was never there.
func (l *Live) Resource(ctx context.Context, name string) (Resource, error) {
	n, ok := parseName(name)
	if !ok {
		return Resource{}, notFound(name)
	}
	hinted := false
	for {
		s := l.snap.Load()
		if r, ok := s.find(n); ok {
			return r, nil
		}
		hinted = hinted || n.part >= 0 && n.msn == s.hintMSN && n.part == s.hintPart && n.extension == s.extension()
		if !hinted || !s.mayCome(n) {
			return Resource{}, notFound(name)
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			return Resource{}, ctx.Err()
		}
	}
}

func notFound(name string) error {
	return fault.New(fault.NotFound, "%.64q is not in the playlist", name)
}

// mayCome reports whether a part that is not there can still appear under its name.
func (s *Snapshot) mayCome(n fileName) bool {
	if s.ended {
		return false
	}
	return n.msn > s.open.MSN || n.msn == s.open.MSN && n.part >= len(s.parts)
}

func (s *Snapshot) extension() string { return s.stream.extension }

// find looks a file up. Parts exist as such only where they are listed.
func (s *Snapshot) find(n fileName) (Resource, bool) {
	if n.initNumber > 0 {
		return s.findInit(n.initNumber)
	}
	if n.extension != s.extension() || n.part >= 0 && !s.stream.lowLatency {
		return Resource{}, false
	}
	g := s.Segment(n.msn)
	parts := s.parts
	switch {
	case g == nil && (n.msn != s.open.MSN || n.part < 0):
		return Resource{}, false
	case g != nil && n.part < 0:
		if g.Size == 0 {
			return Resource{}, false
		}
		first, last := g.arrivals()
		return Resource{s.stream.mediaType, g.data, g.Size, first, last}, true
	case g != nil:
		parts = g.Parts
	}
	if n.part >= len(parts) || parts[n.part].Data == nil {
		return Resource{}, false
	}
	p := &parts[n.part]
	return Resource{s.stream.mediaType, [][]byte{p.Data}, int64(len(p.Data)), p.FirstArrived, p.LastArrived}, true
}

func (s *Snapshot) findInit(number int) (Resource, bool) {
	is := func(i *InitSection) bool { return i != nil && i.Number == number }
	found := s.open.Map
	for i := 0; !is(found) && i < len(s.segments); i++ {
		found = s.segments[i].Map
	}
	if !is(found) {
		return Resource{}, false
	}
	return Resource{ContentType: "video/mp4", Data: [][]byte{found.Data}, Size: int64(len(found.Data))}, true
}

// fileName is the name of a media file, taken apart.
type fileName struct {
	initNumber int // > 0: an initialization segment
	msn        int64
	part       int // -1: the whole segment
	extension  string
}

// parseName reads the names that playlists use, and no other spelling of them.
func parseName(name string) (fileName, bool) {
	if rest, ok := strings.CutPrefix(name, "init"); ok {
		number, ok := strings.CutSuffix(rest, ".mp4")
		n := parseNumber(number)
		return fileName{initNumber: int(n), part: -1}, ok && n > 0
	}
	rest, ok := strings.CutPrefix(name, "seg")
	dot := strings.LastIndexByte(rest, '.')
	if !ok || dot < 0 {
		return fileName{}, false
	}
	msn, index, isPart := strings.Cut(rest[:dot], ".")
	n := fileName{msn: parseNumber(msn), part: -1, extension: rest[dot:]}
	if isPart {
		n.part = int(parseNumber(index))
		if n.part < 0 {
			return fileName{}, false
		}
	}
	return n, n.msn >= 0
}

// parseNumber reads a decimal number without leading zeros, -1 if it is none.
func parseNumber(s string) int64 {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n > maxDirective || len(s) > 1 && s[0] == '0' {
		return -1
	}
	return int64(n)
}
