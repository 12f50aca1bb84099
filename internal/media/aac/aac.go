// Package aac reads AAC configurations and writes ADTS headers.
//
// Rivus carries AAC-LC with frames of 1,024 samples, at the rates and channel layouts that an ADTS header can name,
// because a transport stream has no other place for them.
//
// Imports: media, mediacommon's bitstream reader.
package aac

import "github.com/rivus-live/rivus/internal/media"

const (
	// FrameSamples is the number of samples a channel in one access unit.
	FrameSamples = 1024
	// HeaderSize is the number of bytes AppendADTS writes.
	HeaderSize = 7
	// MaxFrame is the size in bytes of the largest access unit whose length an ADTS header can tell.
	MaxFrame = 1<<13 - 1 - HeaderSize
)

// ParseConfig reads an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) and returns its track; TimeScale is the sample
// rate.
func ParseConfig(asc []byte) (*media.Track, error) { return nil, nil }

// CheckFrame tells whether an access unit can be carried: not empty and no longer than MaxFrame.
func CheckFrame(au []byte) error { return nil }

// AppendADTS appends the header (ISO/IEC 13818-7, 6.2) of an access unit of size bytes. The track must come from
// ParseConfig and size must be at most MaxFrame.
func AppendADTS(dst []byte, t *media.Track, size int) []byte { return dst }
