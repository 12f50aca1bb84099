package hls

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/media"
)

// Packager cuts the frames of one rendition. Write, Metadata and End belong to one goroutine at a time; everything
// else may be called from any.
type Packager struct {
	opts Options
	snap atomic.Pointer[Snapshot]
}

// NewPackager returns a packager that waits for frames.
func NewPackager(opts Options) *Packager {
	p := &Packager{opts: opts}
	p.snap.Store(&Snapshot{changed: make(chan struct{})})
	return p
}

// Write takes the next frame of any track; DTS grows strictly within a track. A frame that points to a new Track
// changes the parameters: the next segment gets a discontinuity and a new init segment. The packager keeps the frame's
// bytes until the part that holds them closes. It allocates once a part, not once a frame.
func (p *Packager) Write(f media.Frame) error { return nil }

// Metadata puts an ID3 tag with one PRIV frame at the current place of the stream (spec ivs.md 12).
func (p *Packager) Metadata(owner string, text []byte) {}

// End closes what is open and ends the playlist. Later writes fail.
func (p *Packager) End() {}

// Snapshot returns the newest state, never nil.
func (p *Packager) Snapshot() *Snapshot { return p.snap.Load() }

// Await returns a snapshot whose playlist has the given part of the given segment, or the whole segment if part is
// negative (RFC 8216bis 6.2.5.2). What is already there, or will never come because the stream has ended, is answered
// at once; more than two segments ahead is fault.Invalid; the caller's context ends a wait with its error.
func (p *Packager) Await(ctx context.Context, msn int64, part int) (*Snapshot, error) {
	return nil, fault.New(fault.NotBuilt, "not yet")
}

// Resource returns a file that the playlists name: "init1.mp4", "seg42.m4s", "seg42.3.m4s", "seg42.ts", … The part that
// is hinted as the next one is waited for. fault.NotFound when it is gone or was never there.
func (p *Packager) Resource(ctx context.Context, name string) (Resource, error) {
	return Resource{}, fault.New(fault.NotBuilt, "not yet")
}

// Resource is one file as it goes to viewers.
type Resource struct {
	ContentType       string
	Data              [][]byte // slices shared by all viewers, in order; do not modify
	Size              int64
	FirstFrameArrived time.Time // zero for init segments
	LastFrameArrived  time.Time
}

// Stats counts what a packager holds.
type Stats struct {
	Bytes    int64 // of parts and init segments, listed or kept after their removal
	Segments int   // complete ones, listed or kept
	Pending  int64 // bytes of frames that are not in a part yet
}

// Stats returns the present counts.
func (p *Packager) Stats() Stats { return Stats{} }
