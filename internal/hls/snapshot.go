package hls

import "time"

// Snapshot is the state of a rendition at one moment. It is immutable and stays valid as long as somebody holds it.
type Snapshot struct {
	changed chan struct{}
	full    Body
}

// Ready reports whether the playlist may be shown: the target duration is fixed and one segment is complete.
func (s *Snapshot) Ready() bool { return false }

// Ended reports whether the rendition is over; its playlist has EXT-X-ENDLIST.
func (s *Snapshot) Ended() bool { return false }

// TargetDuration returns EXT-X-TARGETDURATION, 0 while the snapshot is not ready.
func (s *Snapshot) TargetDuration() time.Duration { return 0 }

// PartTarget returns PART-TARGET, 0 without low latency or while the snapshot is not ready.
func (s *Snapshot) PartTarget() time.Duration { return 0 }

// LastMSN returns the media sequence number of the newest segment that has something in the playlist, -1 if none.
func (s *Snapshot) LastMSN() int64 { return -1 }

// LastPart returns the index of the newest part within LastMSN, -1 without parts.
func (s *Snapshot) LastPart() int { return -1 }

// Changed returns a channel that is closed when a newer snapshot has been published. It is never closed after the end.
func (s *Snapshot) Changed() <-chan struct{} { return s.changed }

// Playlist returns the media playlist, or, if delta is set and there is something to skip, its delta update
// (RFC 8216bis 6.2.5.1). It costs nothing until the Body is asked for its bytes.
func (s *Snapshot) Playlist(delta bool) *Body { return &s.full }

// Info returns what the multivariant playlist says of the rendition.
func (s *Snapshot) Info() VariantInfo { return VariantInfo{} }
