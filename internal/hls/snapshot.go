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
	segments []*segment // complete: those still kept, then the listed ones
	listed   int        // index of the first listed one
	skipped  int64      // discontinuities before the first listed one

	open     head // the segment that is growing
	parts    []part
	partTags []byte

	hintMSN  int64
	hintPart int

	ended       bool
	info        VariantInfo
	full, delta Body
}

// stream is what all snapshots of a packager have in common. It is complete once a snapshot is ready.
type stream struct {
	plan
	lowLatency bool
	extension  string
	mediaType  string
	version    int   // EXT-X-VERSION that the container needs
	skipUntil  int64 // CAN-SKIP-UNTIL in ticks, 0: no delta updates
	reports    func() []Report
	zipper     zipper
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
		return s.open.msn
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
	return len(s.segments[len(s.segments)-1].parts) - 1
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
	return s.segments[len(s.segments)-1].msn
}

// segment returns a complete segment that is listed or still kept.
func (s *Snapshot) segment(msn int64) *segment {
	if len(s.segments) == 0 {
		return nil
	}
	if i := msn - s.segments[0].msn; i >= 0 && i < int64(len(s.segments)) {
		return s.segments[i]
	}
	return nil
}

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
		sum += g.duration
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
		sum += s.parts[i].duration
	}
	return sum
}

// infoOf describes the tracks, with the bit rates that were measured.
func infoOf(p plan, w *window, video, audio *media.Track) VariantInfo {
	v := VariantInfo{
		Bandwidth: w.peak, AverageBandwidth: w.average,
		Codecs: video.CodecName, Width: video.Width, Height: video.Height, FrameRate: frameRate(p.interval, video.FrameRate),
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
