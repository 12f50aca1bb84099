package hls

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
)

// maxAhead is how many segments beyond the newest a request may ask for (RFC 8216bis 6.2.5.2).
const maxAhead = 2

// Await returns a snapshot whose playlist has the given part of the given segment, or the whole segment if part is
// negative (RFC 8216bis 6.2.5.2). What is already there, or will never come because the stream has ended, is answered
// at once; more than two segments ahead is fault.Invalid; the caller's context ends a wait with its error.
func (p *Packager) Await(ctx context.Context, msn int64, part int) (*Snapshot, error) {
	for {
		s := p.snap.Load()
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

// has reports whether the playlist lists a part, or a whole segment, or what comes after it. A part beyond the last one
// of its segment means the first of the next.
func (s *Snapshot) has(msn int64, part int) bool {
	last := s.lastComplete()
	if part < 0 || !s.stream.lowLatency || msn < last {
		return msn <= last
	}
	if msn == last {
		return part < len(s.segments[len(s.segments)-1].parts) || len(s.parts) > 0
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
func (p *Packager) Resource(ctx context.Context, name string) (Resource, error) {
	n, ok := parseName(name)
	if !ok {
		return Resource{}, notFound(name)
	}
	hinted := false
	for {
		s := p.snap.Load()
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
	return n.msn > s.open.msn || n.msn == s.open.msn && n.part >= len(s.parts)
}

func (s *Snapshot) extension() string {
	if s.stream == nil {
		return ""
	}
	return s.stream.extension
}

// find looks a file up. Parts exist as such only where they are listed.
func (s *Snapshot) find(n fileName) (Resource, bool) {
	if n.initNumber > 0 {
		return s.findInit(n.initNumber)
	}
	if n.extension != s.extension() || n.part >= 0 && !s.stream.lowLatency {
		return Resource{}, false
	}
	g := s.segment(n.msn)
	parts := s.parts
	switch {
	case g == nil && (n.msn != s.open.msn || n.part < 0):
		return Resource{}, false
	case g != nil && n.part < 0:
		if g.size == 0 {
			return Resource{}, false
		}
		first, last := g.arrivals()
		return Resource{s.stream.mediaType, g.data, g.size, first, last}, true
	case g != nil:
		parts = g.parts
	}
	if n.part >= len(parts) || parts[n.part].data == nil {
		return Resource{}, false
	}
	p := &parts[n.part]
	return Resource{s.stream.mediaType, [][]byte{p.data}, int64(len(p.data)), p.first, p.last}, true
}

func (s *Snapshot) findInit(number int) (Resource, bool) {
	is := func(i *initSegment) bool { return i != nil && i.number == number }
	found := s.open.init
	for i := 0; !is(found) && i < len(s.segments); i++ {
		found = s.segments[i].init
	}
	if !is(found) {
		return Resource{}, false
	}
	return Resource{ContentType: "video/mp4", Data: [][]byte{found.data}, Size: int64(len(found.data))}, true
}

// arrivals returns when the first and the last frame of a segment came.
func (s *segment) arrivals() (first, last time.Time) {
	for i := range s.parts {
		if s.parts[i].data == nil {
			continue
		}
		if first.IsZero() {
			first = s.parts[i].first
		}
		last = s.parts[i].last
	}
	return first, last
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
