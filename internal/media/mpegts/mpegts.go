// Package mpegts writes MPEG transport streams (ISO/IEC 13818-1) as HLS wants them: H.264, AAC in ADTS and timed ID3.
//
// A Muxer holds the continuity counters, so one Muxer serves a stream from its first segment to its last, and its parts
// may be cut between any two calls. Everything appends to a slice and knows its exact size beforehand; nothing here
// allocates when the slice has the room.
//
// Imports: media, media/h264, media/aac.
package mpegts

import "github.com/rivus-live/rivus/internal/media"

// TablesSize is the number of bytes AppendTables writes: one packet each for PAT and PMT.
const TablesSize = 2 * 188

// Muxer writes one program with up to one video, one audio and one timed-ID3 stream. It is for one goroutine.
type Muxer struct{}

// NewMuxer returns a muxer for the tracks, either of which may be nil.
func NewMuxer(video, audio *media.Track) *Muxer { return &Muxer{} }

// SetTracks changes which streams the program has. Continuity counters run on; the version of the PMT grows when the
// set of streams has changed. The next AppendTables tells it.
func (m *Muxer) SetTracks(video, audio *media.Track) {}

// AppendTables appends PAT and PMT.
func (m *Muxer) AppendTables(dst []byte) []byte { return dst }

// VideoSize returns the number of bytes AppendVideo writes for the frame.
func (m *Muxer) VideoSize(f *media.Frame) int { return 0 }

// AppendVideo appends one access unit as a PES packet, with the clock reference and, on a key frame, the random access
// indicator and the parameter sets.
func (m *Muxer) AppendVideo(dst []byte, f *media.Frame) []byte { return dst }

// AudioSize returns the number of bytes AppendAudio writes for the frames.
func (m *Muxer) AudioSize(frames []media.Frame) int { return 0 }

// AppendAudio appends consecutive access units in one PES packet. It begins another one where the frames do not follow
// each other without a gap, or where the packet's length would not fit its field.
func (m *Muxer) AppendAudio(dst []byte, frames []media.Frame) []byte { return dst }

// ID3Size returns the number of bytes AppendID3 writes for the tag.
func (m *Muxer) ID3Size(tag []byte) int { return 0 }

// AppendID3 appends an ID3 tag that takes effect at pts, in ticks of media.VideoTimeScale on the broadcast's timeline.
// A tag longer than MaxTag is left out.
func (m *Muxer) AppendID3(dst []byte, pts int64, tag []byte) []byte { return dst }

// MaxTag is the length in bytes of the longest tag that fits one PES packet.
const MaxTag = 65535 - 8
