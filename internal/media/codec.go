package media

// Codec names an elementary stream's coding.
type Codec uint8

// The codecs that Rivus carries on channels. Describe tells what each is; a new one is one more constant and one more entry
// of the table, and where its bytes must be framed anew for transport streams, that in media/mpegts.
const (
	H264 Codec = iota + 1 // ITU-T H.264; frames are AVCC access units with 4-byte NAL unit lengths
	AAC                   // ISO/IEC 14496-3 AAC-LC; frames are raw access units, no ADTS header
)

// CodecDescription is all that containers and playlists must know of a codec beside a track's own configuration.
type CodecDescription struct {
	Name  string // usual and short, as in logs
	Video bool   // it codes pictures

	ClockRate    int64 // ticks in a second of its tracks; 0: the sample rate
	FrameSamples int64 // audio: samples in an access unit

	// SampleEntry is its code in MP4 (ISO/IEC 14496-12, 8.5.2) and begins its name in CODECS (RFC 6381, 3.3); ConfigBox is the
	// box within that holds Track.Config: as it is or, in an "esds", as a decoder's specific information. Empty: MP4 cannot
	// carry it.
	SampleEntry, ConfigBox string
	// StreamType is its number in a program map table (ISO/IEC 13818-1, table 2-34), and Descriptors are what stands with it
	// there. 0: transport streams cannot carry it.
	StreamType  byte
	Descriptors string
}

// codecs is the table. The first entry is of no codec.
//
//nolint:gochecknoglobals // a constant table
var codecs = [...]CodecDescription{
	{Name: "unknown"},
	H264: {
		Name: "H264", Video: true, ClockRate: VideoTimeScale,
		SampleEntry: "avc1", ConfigBox: "avcC", // ISO/IEC 14496-15, 5.4.2
		StreamType: 0x1B, // in Annex B byte streams
	},
	AAC: {
		Name: "AAC", FrameSamples: 1024,
		SampleEntry: "mp4a", ConfigBox: "esds", // ISO/IEC 14496-14, 5.6
		StreamType: 0x0F, // in ADTS
	},
}

// Describe returns the codec's entry; do not modify. An unknown codec has one that fits into no container.
func (c Codec) Describe() *CodecDescription {
	if int(c) < len(codecs) {
		return &codecs[c]
	}
	return &codecs[0]
}

// Codecs returns all codecs.
func Codecs() []Codec {
	var all []Codec
	for c := range codecs[1:] {
		all = append(all, Codec(c+1))
	}
	return all
}

// String returns the codec's usual short name.
func (c Codec) String() string { return c.Describe().Name }

// InMP4 reports whether fragmented MP4 can carry it.
func (d *CodecDescription) InMP4() bool { return d.SampleEntry != "" }

// InTS reports whether transport streams can carry it.
func (d *CodecDescription) InTS() bool { return d.StreamType != 0 }
