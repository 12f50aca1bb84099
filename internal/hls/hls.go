// Package hls turns the frames of one rendition into HLS parts, segments and playlists.
//
// A Packager owns the live window of one rendition. It does no HTTP and starts no goroutine: the goroutine that
// writes frames publishes an immutable Snapshot for every part (every segment, without low latency), and any number
// of readers may hold one, render its playlist (once, whoever asks first) or wait for the next. Bytes handed out are
// shared by all viewers and never change.
//
// The rules come from RFC 8216bis (draft-pantos-hls-rfc8216bis); clauses are named where they force the code.
//
// Imports: media, media/id3, media/mp4, media/mpegts, resource, fault.
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

// Options configures a Packager. The zero value packages low-latency-less MPEG-TS: set what the channel says.
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
	// Reports tells how far the other renditions of the presentation are, for EXT-X-RENDITION-REPORT. It is called
	// when a playlist is rendered, from a reader's goroutine; nil means that there are no others.
	Reports func() []Report
	// Clock stands in for frames that do not say when they arrived; nil means time.Now.
	Clock func() time.Time
	// Logger gets a line now and then about what the packager had to repair; nil discards.
	Logger *slog.Logger
}

// Report is one EXT-X-RENDITION-REPORT (RFC 8216bis 4.4.5.4).
type Report struct {
	URI      string // of the other media playlist, relative to this one
	LastMSN  int64
	LastPart int // -1: no parts
}
