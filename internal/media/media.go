// Package media holds the nouns that every media package shares: a codec, a track, a frame and its time base, and a ring of
// frames.
//
// A Frame is a value whose bytes are immutable from the moment it is made: ingest reads them from the socket once and
// everyone after that holds the same slice. A Track is immutable as well; when an encoder changes its parameters,
// later frames point to a new Track, and consumers compare the pointers.
//
// Imports: nothing of Rivus.
package media

import "time"

// VideoTimeScale is the number of ticks in a second of every video track.
const VideoTimeScale = 90000

// Track describes one elementary stream of a broadcast. It is immutable.
type Track struct {
	Codec     Codec
	TimeScale int64  // ticks in a second: VideoTimeScale, or the audio sample rate
	Config    []byte // AVCDecoderConfigurationRecord (ISO/IEC 14496-15) or AudioSpecificConfig (14496-3)
	CodecName string // RFC 6381, beginning with the codec's sample entry, for instance "avc1.64002A" or "mp4a.40.2"

	Width, Height int     // video, in pixels after cropping
	FrameRate     float64 // video, frames a second as the parameter sets or the encoder tell it; 0 when neither does
	SPS, PPS      []byte  // video: first sequence and picture parameter set, without start code

	SampleRate, Channels int // audio
	Bitrate              int // bits a second as the encoder announced it; 0 when it did not
}

// IsVideo reports whether the track carries pictures.
func (t *Track) IsVideo() bool { return t.Codec.Describe().Video }

// FrameTicks returns how long an audio frame lasts in ticks of the track.
func (t *Track) FrameTicks() int64 { return t.Codec.Describe().FrameSamples }

// Duration converts ticks of the track to a duration, rounding to the nanosecond.
func (t *Track) Duration(ticks int64) time.Duration {
	s, r := ticks/t.TimeScale, ticks%t.TimeScale
	return time.Duration(s)*time.Second + time.Duration(r*int64(time.Second)/t.TimeScale)
}

// Ticks converts a duration to ticks of the track, rounding down.
func (t *Track) Ticks(d time.Duration) int64 {
	s, r := int64(d/time.Second), int64(d%time.Second)
	return s*t.TimeScale + r*t.TimeScale/int64(time.Second)
}

// Frame is one coded access unit on the timeline of a broadcast.
//
// All tracks of a broadcast share the timeline's zero. Within one track DTS grows strictly; it never jumps back.
type Frame struct {
	Track   *Track
	DTS     int64     // decode time in ticks of the track
	Offset  int32     // presentation time minus decode time, in ticks of the track
	Key     bool      // video: an IDR access unit; audio: always true
	Data    []byte    // see the track's codec; immutable
	Arrived time.Time // when its last byte came from the socket, for PROGRAM-DATE-TIME and latency figures
}

// PTS returns the presentation time in ticks of the track.
func (f *Frame) PTS() int64 { return f.DTS + int64(f.Offset) }

// Time returns the decode time since the timeline's zero.
func (f *Frame) Time() time.Duration { return f.Track.Duration(f.DTS) }
