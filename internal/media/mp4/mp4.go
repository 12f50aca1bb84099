// Package mp4 writes fragmented MP4 (ISO/IEC 14496-12): initialization segments and fragments.
//
// Everything appends to a slice and knows its exact size beforehand, so that a caller may allocate once; nothing about
// fragments allocates when the slice has the room.
//
// Imports: media, media/h264.
package mp4

import "github.com/rivus-live/rivus/internal/media"

// The track ids, the same in every initialization segment and fragment whether or not the other track exists.
const (
	VideoTrackID = 1
	AudioTrackID = 2
)

// trackID returns the id of a track by its codec.
func trackID(t *media.Track) uint32 {
	if t.IsVideo() {
		return VideoTrackID
	}
	return AudioTrackID
}
