// Package aac reads AAC configurations and writes ADTS headers.
//
// Rivus carries AAC-LC with frames of 1,024 samples, at the rates and channel layouts that an ADTS header can name,
// because a transport stream has no other place for them.
//
// Imports: fault, media; mediacommon's bitstream reader.
package aac

import (
	"fmt"
	"slices"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/media"
)

// FrameSamples is the number of samples a channel in one access unit.
const FrameSamples = 1024

// rates are the sampling frequencies by their index (ISO/IEC 14496-3, table 1.18).
var rates = [...]int{ //nolint:gochecknoglobals // a constant table
	96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
}

// ParseConfig reads an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) and returns its track; TimeScale is the sample
// rate. The track's Config is written anew in two bytes.
//
// An AAC-LC configuration followed by an extension for SBR or PS is the AAC-LC core alone: that is what a decoder
// without the extension plays. Everything else is refused by its name, with fault.Invalid.
func ParseConfig(asc []byte) (*media.Track, error) {
	if len(asc) < 2 {
		return nil, fault.New(fault.Invalid, "AAC configuration of %d bytes is too short", len(asc))
	}
	if object := objectType(asc); object != aacLC {
		return nil, fault.New(fault.Invalid, "audio is %s; only AAC-LC is supported", objectName(object))
	}
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(asc); err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "AAC configuration is not valid")
	}
	rate := slices.Index(rates[:], c.SampleRate)
	switch {
	case rate < 0:
		return nil, fault.New(fault.Invalid, "AAC sample rate of %d Hz is not one of the standard rates", c.SampleRate)
	case c.ChannelConfig == 0:
		return nil, fault.New(fault.Invalid, "AAC channel layouts defined inside the stream are not supported")
	case c.FrameLengthFlag:
		return nil, fault.New(fault.Invalid, "AAC frames of 960 samples are not supported")
	case c.DependsOnCoreCoder:
		return nil, fault.New(fault.Invalid, "scalable AAC is not supported")
	}
	channels := int(c.ChannelConfig)
	if channels == 7 { // 7.1: the one number that is not its own count
		channels = 8
	}
	return &media.Track{
		Codec:      media.AAC,
		TimeScale:  int64(c.SampleRate),
		Config:     []byte{aacLC<<3 | byte(rate)>>1, byte(rate)<<7 | c.ChannelConfig<<3},
		CodecName:  fmt.Sprintf("mp4a.40.%d", aacLC),
		SampleRate: c.SampleRate,
		Channels:   channels,
	}, nil
}

// aacLC is the audio object type of AAC-LC (ISO/IEC 14496-3, table 1.17).
const aacLC = 2

// objectType reads the audio object type, which takes 5 bits or, escaped, 11.
func objectType(asc []byte) int {
	object := int(asc[0] >> 3)
	if object == 31 {
		object = 32 + int(asc[0]&7)<<3 + int(asc[1]>>5)
	}
	return object
}

// objectName names an audio object type as people who set up an encoder know it.
func objectName(object int) string {
	switch object {
	case 1:
		return "AAC Main"
	case aacLC:
		return "AAC-LC"
	case 3:
		return "AAC SSR"
	case 4:
		return "AAC LTP"
	case 5:
		return "HE-AAC"
	case 6, 20:
		return "scalable AAC"
	case 17, 19:
		return "error resilient AAC"
	case 23:
		return "AAC-LD"
	case 29:
		return "HE-AAC v2"
	case 32, 33, 34:
		return "MPEG-1 audio"
	case 36:
		return "ALS"
	case 39:
		return "AAC-ELD"
	case 42:
		return "xHE-AAC"
	}
	return fmt.Sprintf("MPEG-4 audio object type %d", object)
}
