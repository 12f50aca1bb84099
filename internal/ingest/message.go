package ingest

import (
	"time"

	"github.com/rivus-live/rivus/internal/media"
)

// Medium is what a message is about.
type Medium uint8

// The media.
const (
	Data Medium = iota // settings, timed metadata, or nothing that is carried
	Video
	Audio
)

// String returns the medium in one word.
func (m Medium) String() string {
	switch m {
	case Video:
		return "video"
	case Audio:
		return "audio"
	case Data:
	}
	return "data"
}

// Message is what one message of a publisher came to: at most one of a frame, timed metadata and an error, and perhaps new
// settings. Video and audio show that the publisher is still sending, also when they are of no use.
type Message struct {
	Medium  Medium
	Changed bool        // Source.Settings returns something new
	Frame   media.Frame // on the source's timeline, which begins where the source pleases; no frame: Track is nil
	Text    []byte      // timed metadata for the viewers, UTF-8; nil: none
	Err     error       // why the message is of no use: an *UnsupportedError, or what is wrong with it

	Size    int           // bytes of the message as it came
	Arrived time.Time     // when its last byte came
	At      time.Duration // on the publisher's own clock, which may jump
	Jumps   int           // jumps of that clock which were taken out for this message
}

// IsMedia reports whether a message shows that the publisher still sends media.
func (m *Message) IsMedia() bool { return m.Medium != Data }

// Settings is what a publisher tells of itself. It is what it says, not what is measured.
type Settings struct {
	Video, Audio *media.Track // nil until known

	Encoder                    string // its name; empty when the stream does not say
	FrameRate                  float64
	VideoBitrate, AudioBitrate int // bits a second
}

// UnsupportedError says that a message is well formed and of a kind that Rivus does not carry.
type UnsupportedError struct {
	Medium     Medium
	Codec      string // what it is, for people: "HEVC (hvc1)", "MP3", "multitrack"
	Multitrack bool   // it belongs to several tracks, or to one other than the first
	Variant    bool   // the codec is carried and this variant of it is not: Codec is a sentence that says so
}

// Error names the medium and the codec.
func (e *UnsupportedError) Error() string {
	if e.Variant {
		return e.Codec
	}
	return e.Medium.String() + " codec " + e.Codec + " is not supported"
}
