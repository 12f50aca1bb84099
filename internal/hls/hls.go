// Package hls turns the frames of a broadcast into HLS: parts, segments and playlists of every rendition.
//
// It has three layers, and each knows only the ones below it:
//
//   - A Cutter is the plan of a presentation: target durations, the boundaries of segments and parts, media sequence
//     numbers, dates and discontinuities. It decides by the frames of one rendition, and all others follow.
//   - A Rendition is the writer of one Media Playlist: it keeps the frames of one encoding and writes them into a container,
//     part by part, where the Cutter says.
//   - A Live is what readers see: the newest Snapshot of a Media Playlist and its files. It does not know who writes it; a
//     Mirror writes one from the parts of another node.
//
// Nothing here does HTTP or starts a goroutine: the goroutine that writes frames publishes an immutable Snapshot for every
// part (every segment, without low latency), and any number of readers may hold one, render its playlist (once, whoever asks
// first) or wait for the next. Bytes handed out are shared by all readers and never change.
//
// The rules come from RFC 8216bis (draft-pantos-hls-rfc8216bis); clauses are named where they force the code. DESIGN.md
// beside this file says why it is cut so.
//
// Imports: fault, media, media/id3, media/mp4, media/mpegts, resource.
package hls

import (
	"log/slog"
	"time"
)

// Defaults of Options.
const (
	DefaultPartTarget = 200 * time.Millisecond
	DefaultWindow     = 10
	DefaultMaxBytes   = 512 << 20
)

// PlaylistName is the last element of a Media Playlist's path. Its files lie beside it, and the playlists of other
// renditions at "../<name>/" (see Presentation).
const PlaylistName = "index.m3u8"

// Options configures a Cutter and the renditions under it. The zero value packages low-latency-less MPEG-TS: set what the
// channel says.
type Options struct {
	// Container is resource.ContainerTS or resource.ContainerFMP4; empty means TS.
	Container string
	// LowLatency lists parts and everything that goes with them; without it the playlists are plain HLS.
	LowLatency bool
	// TargetDuration fixes EXT-X-TARGETDURATION; rounded up to whole seconds within 2..6 s. Zero takes it from the
	// first GOP.
	TargetDuration time.Duration
	// PartTarget is the wished part duration; the real one is the nearest whole number of frames. Zero means
	// DefaultPartTarget.
	PartTarget time.Duration
	// Window is the least length of the live playlist in target durations; zero means DefaultWindow, less than 3
	// counts as 3.
	Window int
	// MaxBytes bounds what is held for one rendition: frames, parts and, roughly, what it costs to keep them. It is
	// some 35 Mbit/s with the longest target duration. Zero means DefaultMaxBytes.
	MaxBytes int64
	// Clock stands in for frames that do not say when they arrived; nil means time.Now.
	Clock func() time.Time
	// Logger gets a line now and then about what had to be repaired; nil discards.
	Logger *slog.Logger
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() Options {
	if o.PartTarget <= 0 {
		o.PartTarget = DefaultPartTarget
	}
	if !o.LowLatency {
		o.PartTarget = plainPart
	}
	if o.Window <= 0 {
		o.Window = DefaultWindow
	}
	o.Window = max(o.Window, 3) // RFC 8216bis 6.2.2
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// plainPart is how long the buffers of a segment are when its parts are not listed: long enough for little overhead,
// short enough that frames do not pile up beside their copies.
const plainPart = 500 * time.Millisecond
