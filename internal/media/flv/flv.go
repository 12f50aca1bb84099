// Package flv takes the bodies of FLV tags apart, which are also the bodies of RTMP audio, video and data messages.
//
// It reads the legacy headers (AVC, AAC) and the FourCC headers of Enhanced RTMP, and hands out slices of its input: it
// copies and allocates nothing. What Rivus does not carry is reported as an *UnsupportedError that names the codec.
//
// Imports: media/amf0.
package flv

// Kind says what a tag carries.
type Kind uint8

// The kinds of tags.
const (
	Other          Kind = iota // nothing to play: command frames, HDR metadata, channel layouts; skip it
	SequenceHeader             // Payload is an AVCDecoderConfigurationRecord or an AudioSpecificConfig
	NALUs                      // video: Payload is an access unit, NAL units with the length prefix of the configuration
	Raw                        // audio: Payload is one raw AAC access unit
	EndOfSequence              // the encoder has ended this sequence; no payload
)

// FrameType is how a video frame depends on others.
type FrameType uint8

// The frame types (FLV 10.1, E.4.3.1).
const (
	KeyFrame             FrameType = 1
	InterFrame           FrameType = 2
	DisposableInterFrame FrameType = 3
	GeneratedKeyFrame    FrameType = 4
	CommandFrame         FrameType = 5
)

// FourCC is a codec's four characters, big endian as on the wire.
type FourCC uint32

// The codecs that Rivus carries. Legacy headers are reported with the same values.
const (
	AVC FourCC = 'a'<<24 | 'v'<<16 | 'c'<<8 | '1'
	AAC FourCC = 'm'<<24 | 'p'<<16 | '4'<<8 | 'a'
)

// VideoTag is the body of a video tag. Payload is a slice of the parsed bytes.
type VideoTag struct {
	Kind            Kind
	FrameType       FrameType
	Codec           FourCC
	CompositionTime int32 // presentation minus decode time in ms, signed
	Payload         []byte
}

// AudioTag is the body of an audio tag. Payload is a slice of the parsed bytes.
type AudioTag struct {
	Kind    Kind
	Codec   FourCC
	Payload []byte
}

// Multitrack is what an UnsupportedError names when a packet holds several tracks, or one other than the first.
const Multitrack = "multitrack"

// UnsupportedError says that a tag is well-formed but carries something that Rivus does not.
type UnsupportedError struct {
	Media string // "video" or "audio"
	Codec string // what it is, for people: "HEVC (hvc1)", "MP3", Multitrack
}

// Error names the medium and the codec.
func (e *UnsupportedError) Error() string { return e.Media + " codec " + e.Codec + " is not supported" }
