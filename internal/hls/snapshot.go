package hls

import (
	"time"

	"github.com/rivus-live/rivus/internal/media"
)

// Snapshot is the state of a rendition at one moment. It is immutable and stays valid as long as somebody holds it.
// Snapshots share their lists, so a new one costs the same however long the window is.
type Snapshot struct {
	stream   *stream
	changed  chan struct{}
	segments []*Segment // complete: those still kept, then the listed ones
	listed   int        // index of the first listed one
	skipped  int64      // discontinuities before the first listed one

	open     Head // the segment that is growing
	parts    []Part
	partTags []byte

	hintMSN  int64
	hintPart int

	ended       bool
	info        VariantInfo
	full, delta Body
}

// stream is what all snapshots of a Live have in common. It is complete once a snapshot is ready.
type stream struct {
	target     int64 // TARGETDURATION, ticks
	part       int64 // PART-TARGET, ticks
	lowLatency bool
	container  string
	extension  string
	mediaType  string
	version    int   // EXT-X-VERSION that the container needs
	window     int   // least length of the playlist in target durations
	skipUntil  int64 // CAN-SKIP-UNTIL in ticks, 0: no delta updates
	live       *Live
	zipper     zipper
}

// newStream returns what the snapshots of a Live have in common.
func newStream(l *Live, f Format, c container) *stream {
	s := &stream{
		target: ticksOf(f.TargetDuration), part: ticksOf(f.PartTarget), lowLatency: f.LowLatency, container: f.Container,
		extension: c.extension(), mediaType: c.contentType(), version: c.version(), window: f.Window, live: l,
	}
	if s.lowLatency && s.window > skipTargets {
		s.skipUntil = skipTargets * s.target
	}
	return s
}

// Format is what never changes in a Media Playlist (RFC 8216bis 6.2.1): all that a Mirror of it must know.
type Format struct {
	Container      string        // resource.ContainerTS or resource.ContainerFMP4
	LowLatency     bool          // parts are listed
	TargetDuration time.Duration // whole seconds
	PartTarget     time.Duration // whole milliseconds
	Window         int           // least length of the playlist in target durations
}

// Format returns what is fixed. It is zero until the snapshot is ready.
func (s *Snapshot) Format() Format {
	if !s.Ready() {
		return Format{}
	}
	t := s.stream
	return Format{t.container, t.lowLatency, time.Duration(nanos(t.target)), time.Duration(nanos(t.part)), t.window}
}

// Ready reports whether the playlist may be shown: the target duration is fixed and one segment is complete.
func (s *Snapshot) Ready() bool { return len(s.segments) > 0 }

// Ended reports whether the rendition is over; its playlist has EXT-X-ENDLIST.
func (s *Snapshot) Ended() bool { return s.ended }

// TargetDuration returns EXT-X-TARGETDURATION, 0 while the snapshot is not ready.
func (s *Snapshot) TargetDuration() time.Duration {
	if !s.Ready() {
		return 0
	}
	return time.Duration(nanos(s.stream.target))
}

// PartTarget returns PART-TARGET, 0 without low latency or while the snapshot is not ready.
func (s *Snapshot) PartTarget() time.Duration {
	if !s.Ready() || !s.stream.lowLatency {
		return 0
	}
	return time.Duration(nanos(s.stream.part))
}

// LastMSN returns the media sequence number of the newest segment that has something in the playlist, -1 if none.
func (s *Snapshot) LastMSN() int64 {
	if s.showsOpen() {
		return s.open.MSN
	}
	return s.lastComplete()
}

// LastPart returns the index of the newest part within LastMSN, -1 without parts.
func (s *Snapshot) LastPart() int {
	switch {
	case !s.Ready() || !s.stream.lowLatency:
		return -1
	case s.showsOpen():
		return len(s.parts) - 1
	}
	return len(s.segments[len(s.segments)-1].Parts) - 1
}

// showsOpen reports whether parts of the open segment are listed.
func (s *Snapshot) showsOpen() bool {
	return s.Ready() && s.stream.lowLatency && !s.ended && len(s.parts) > 0
}

// lastComplete returns the sequence number of the newest complete segment, -1 if none.
func (s *Snapshot) lastComplete() int64 {
	if len(s.segments) == 0 {
		return -1
	}
	return s.segments[len(s.segments)-1].MSN
}

// Segment returns a complete segment that is listed or still kept, nil if there is none with that number.
func (s *Snapshot) Segment(msn int64) *Segment {
	if len(s.segments) == 0 {
		return nil
	}
	if i := msn - s.segments[0].MSN; i >= 0 && i < int64(len(s.segments)) {
		return s.segments[i]
	}
	return nil
}

// Segments returns the complete segments that are listed, the oldest first; do not modify.
func (s *Snapshot) Segments() []*Segment { return s.segments[s.listed:] }

// Growing returns the segment that is not complete yet and its parts so far; do not modify them.
func (s *Snapshot) Growing() (Head, []Part) { return s.open, s.parts }

// Hint returns the part that EXT-X-PRELOAD-HINT names; part is -1 when there is none.
func (s *Snapshot) Hint() (msn int64, part int) { return s.hintMSN, s.hintPart }

// DiscontinuitySequence returns EXT-X-DISCONTINUITY-SEQUENCE.
func (s *Snapshot) DiscontinuitySequence() int64 { return s.skipped }

// Changed returns a channel that is closed when a newer snapshot has been published. It is never closed after the end.
func (s *Snapshot) Changed() <-chan struct{} { return s.changed }

// Playlist returns the media playlist, or, if delta is set and there is something to skip, its delta update
// (RFC 8216bis 6.2.5.1). It costs nothing until the Body is asked for its bytes. A snapshot that is not ready has an
// empty playlist.
func (s *Snapshot) Playlist(delta bool) *Body {
	if delta && s.skippable() > 0 {
		return &s.delta
	}
	return &s.full
}

// Info returns what the multivariant playlist says of the rendition.
func (s *Snapshot) Info() VariantInfo { return s.info }

// PlaylistDuration returns the duration of what the playlist lists.
func (s *Snapshot) PlaylistDuration() time.Duration {
	var sum int64
	for _, g := range s.segments[s.listed:] {
		sum += g.Ticks
	}
	if s.showsOpen() {
		sum += s.openDuration()
	}
	return time.Duration(nanos(sum))
}

// openDuration returns the ticks of the open segment's parts.
func (s *Snapshot) openDuration() int64 {
	var sum int64
	for i := range s.parts {
		sum += s.parts[i].Ticks
	}
	return sum
}

// infoOf describes the tracks, with the bit rates that were measured and the interval between pictures in ticks. It is zero
// while there are no tracks.
func infoOf(interval int64, w *window, video, audio *media.Track) VariantInfo {
	if video == nil {
		return VariantInfo{}
	}
	v := VariantInfo{
		Bandwidth: w.peak, AverageBandwidth: w.average,
		Codecs: video.CodecName, Width: video.Width, Height: video.Height, FrameRate: frameRate(interval, video.FrameRate),
	}
	told := video.Bitrate
	if audio != nil {
		v.Codecs += "," + audio.CodecName
		told += audio.Bitrate
	}
	if v.Bandwidth == 0 {
		v.Bandwidth, v.AverageBandwidth = told+told/10, told
	}
	return v
}

// rateSlack is by how much a frame rate that was measured over a second or two may be off.
const rateSlack = 0.05

// frameRate returns what the parameter sets say if the pictures agree, else the nearest customary rate, else what was
// measured.
func frameRate(interval int64, told float64) float64 {
	measured := float64(second) / float64(interval)
	if told > 0 && abs64(measured-told) <= rateSlack*told {
		return told
	}
	best, off := measured, measured
	for _, rate := range [...]float64{
		5, 10, 12, 15, 20, 24000. / 1001, 24, 25, 30000. / 1001, 30, 48, 50, 60000. / 1001, 60, 90, 100, 120,
	} {
		if d := abs64(measured - rate); d <= rateSlack*rate && d < off {
			best, off = rate, d
		}
	}
	return best
}

func abs64(f float64) float64 {
	if f < 0 {
		return -f
	}
	return f
}
