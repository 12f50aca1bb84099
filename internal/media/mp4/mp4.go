// Package mp4 writes fragmented MP4 (ISO/IEC 14496-12): initialization segments and fragments.
//
// Everything appends to a slice and knows its exact size beforehand, so that a caller may allocate once; nothing here
// allocates when the slice has the room.
//
// Imports: media, media/h264.
package mp4

import "github.com/rivus-live/rivus/internal/media"

// The track ids, the same in every initialization segment and fragment whether or not the other track exists.
const (
	VideoTrackID = 1
	AudioTrackID = 2
)

// InitSize returns the number of bytes AppendInit writes.
func InitSize(tracks []*media.Track) int { return 0 }

// AppendInit appends an initialization segment (ftyp, moov) for at most one video and one audio track.
func AppendInit(dst []byte, tracks []*media.Track) []byte { return dst }

// SchemeID3 is the emsg scheme of a message that is an ID3 tag.
const SchemeID3 = "https://aomedia.org/emsg/ID3"

// Emsg is an event message (ISO/IEC 23009-1, 5.10.3.3), written as version 1 with an empty value.
type Emsg struct {
	Scheme    string
	TimeScale uint32
	PTS       int64 // presentation time in TimeScale, on the timeline of the fragments; not negative
	Duration  uint32
	ID        uint32 // players ignore a second message of the same scheme and id
	Data      []byte
}

// Sample is one access unit of a run.
type Sample struct {
	Data     []byte
	Duration uint32 // ticks of the track
	Offset   int32  // presentation time minus decode time, ticks of the track; may be negative
	Key      bool   // video: an IDR access unit; ignored for audio
}

// Run is a sequence of samples of one track. A run without samples is left out.
type Run struct {
	Track    *media.Track
	TrackID  uint32 // 0: VideoTrackID or AudioTrackID, by the track's codec
	BaseTime int64  // decode time of the first sample, ticks of the track; not negative
	Samples  []Sample
}

// Fragment is one movie fragment: the event messages, then moof and mdat with the video and the audio run.
type Fragment struct {
	Sequence     uint32 // grows with every fragment of a track
	Video, Audio Run
	Emsgs        []Emsg
}

// Size returns the number of bytes Append writes.
func (f *Fragment) Size() int { return 0 }

// Append appends the fragment. Without any sample it is the event messages alone.
func (f *Fragment) Append(dst []byte) []byte { return dst }
