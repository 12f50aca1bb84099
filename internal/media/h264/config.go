package h264

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"

	bitstream "github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/media"
)

const (
	maxSPS = 31     // numOfSequenceParameterSets has 5 bits
	maxPPS = 255    // numOfPictureParameterSets has 8
	maxSet = 0xFFFF // a set's length has 16

	// maxSets bounds the bytes of all sets together; they are copied with every change of one.
	maxSets = 64 << 10

	// maxSide bounds width and height well above level 6.2, so that no arithmetic on a hostile size overflows.
	maxSide = 16384
)

var (
	errShort  = errors.New("ends too early")
	errNoSets = errors.New("a sequence and a picture parameter set are needed")
)

// ParseConfig reads an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1), or the parameter sets as a byte stream,
// which some encoders send in its place, and returns its track, or fault.Invalid. The track's Config is the record written anew with every parameter set and a NAL length size of 4;
// hand the payloads that follow to Normalize together with LengthSize(record).
func ParseConfig(record []byte) (*media.Track, error) {
	if LengthSize(record) == 0 {
		return nil, fault.New(fault.Invalid, "H.264 configuration is not valid: bad version or length size")
	}
	parse := parseSets
	if isByteStream(record) {
		parse = streamSets
	}
	sets, err := parse(record)
	if err == nil {
		var t *media.Track
		if t, err = sets.track(); err == nil {
			return t, nil
		}
	}
	return nil, fault.Wrap(fault.Invalid, err, "H.264 configuration is not valid")
}

// LengthSize returns the number of bytes (1, 2 or 4) before each NAL unit of the payloads that follow the record, 0 if
// the record is not valid. A byte stream has none; 4 is as good as any then.
func LengthSize(record []byte) int {
	if isByteStream(record) {
		return lengthSize
	}
	if len(record) < 6 || record[0] != 1 {
		return 0
	}
	if size := int(record[4]&3) + 1; size != 3 {
		return size
	}
	return 0
}

// parameterSets are the sets of one configuration, each a NAL unit without start code.
type parameterSets struct {
	sps, pps, ext [][]byte // ext: sequence parameter set extensions
}

// parseSets copies the parameter sets out of a record. Bytes after the last set it knows are ignored, as is a missing
// or damaged extension: many encoders leave it out.
func parseSets(record []byte) (*parameterSets, error) {
	var p parameterSets
	var err error
	rest := record[6:]
	if p.sps, rest, err = takeSets(rest, int(record[5]&maxSPS), nalSPS); err != nil {
		return nil, fmt.Errorf("sequence parameter set %w", err)
	}
	if len(rest) < 1 {
		return nil, fmt.Errorf("picture parameter sets: %w", errShort)
	}
	if p.pps, rest, err = takeSets(rest[1:], int(rest[0]), nalPPS); err != nil {
		return nil, fmt.Errorf("picture parameter set %w", err)
	}
	if len(p.sps) == 0 || len(p.pps) == 0 {
		return nil, errNoSets
	}
	if longRecord(p.sps[0]) && len(rest) >= 4 {
		if ext, _, err := takeSets(rest[4:], int(rest[3]), nalSPSExtension); err == nil {
			p.ext = ext
		}
	}
	return &p, nil
}

// streamSets copies the parameter sets out of a byte stream.
func streamSets(b []byte) (*parameterSets, error) {
	au, err := appendUnits(nil, b, 0)
	if err != nil {
		return nil, err
	}
	return carriedSets(au)
}

// carriedSets copies the parameter sets out of a normalized access unit.
func carriedSets(au []byte) (*parameterSets, error) {
	var p parameterSets
	for nal, rest := cut(au); nal != nil; nal, rest = cut(rest) {
		if !isSet(nal) {
			continue
		}
		if err := p.replace(nal); err != nil {
			return nil, err
		}
	}
	if len(p.sps) == 0 || len(p.pps) == 0 {
		return nil, errNoSets
	}
	return &p, nil
}

// takeSets cuts n NAL units of one type, each behind a 16-bit length, from the front of b.
func takeSets(b []byte, n int, want byte) (sets [][]byte, rest []byte, err error) {
	for i := range n {
		if len(b) < 2 {
			return nil, nil, fmt.Errorf("%d: %w", i, errShort)
		}
		size := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; size > len(b) {
			return nil, nil, fmt.Errorf("%d of %d bytes: %w", i, size, errShort)
		}
		if size < 2 || nalType(b) != want {
			return nil, nil, fmt.Errorf("%d is not one", i)
		}
		sets = append(sets, append([]byte(nil), b[:size]...))
		b = b[size:]
	}
	return sets, b, nil
}

// track describes the sets. It fails when a player could not make sense of them.
func (p *parameterSets) track() (*media.Track, error) {
	if len(p.sps) > maxSPS || len(p.pps) > maxPPS {
		return nil, fmt.Errorf("%d sequence and %d picture parameter sets are too many", len(p.sps), len(p.pps))
	}
	if p.size() > maxSets {
		return nil, fmt.Errorf("%d bytes of parameter sets are too many", p.size())
	}
	var first bitstream.SPS
	for i, sps := range p.sps {
		var s bitstream.SPS
		if len(sps) < 4 {
			return nil, fmt.Errorf("sequence parameter set %d: %w", i, errShort)
		}
		if err := s.Unmarshal(sps); err != nil {
			return nil, fmt.Errorf("sequence parameter set %d: %w", i, err)
		}
		if i == 0 {
			first = s
		}
	}
	if err := checkPicture(&first); err != nil {
		return nil, err
	}
	sps := p.sps[0]
	return &media.Track{
		Codec:     media.H264,
		TimeScale: media.VideoTimeScale,
		Config:    p.appendRecord(nil, &first),
		CodecName: fmt.Sprintf("avc1.%02X%02X%02X", sps[1], sps[2], sps[3]),
		Width:     first.Width(),
		Height:    first.Height(),
		FrameRate: frameRate(&first),
		SPS:       sps,
		PPS:       p.pps[0],
	}, nil
}

// size returns the bytes of all sets.
func (p *parameterSets) size() int {
	n := 0
	for _, list := range [...][][]byte{p.sps, p.pps, p.ext} {
		for _, set := range list {
			n += len(set)
		}
	}
	return n
}

// checkPicture refuses sizes and formats that no level of the standard has.
func checkPicture(s *bitstream.SPS) error {
	if s.PicWidthInMbsMinus1 >= maxSide/16 || s.PicHeightInMapUnitsMinus1 >= maxSide/16 {
		return errors.New("the picture is too large")
	}
	if c := s.FrameCropping; c != nil && max(c.LeftOffset, c.RightOffset, c.TopOffset, c.BottomOffset) > maxSide {
		return errors.New("the picture is cropped to nothing")
	}
	if w, h := s.Width(), s.Height(); w <= 0 || w > maxSide || h <= 0 || h > 2*maxSide { // less than nothing wraps around
		return errors.New("the picture is cropped to nothing")
	}
	if s.ChromaFormatIdc > 3 || s.BitDepthLumaMinus8 > 6 || s.BitDepthChromaMinus8 > 6 {
		return errors.New("chroma format or bit depth is out of range")
	}
	return nil
}

// frameRate returns the frames a second that the parameter set tells, 0 when it tells none or nonsense.
func frameRate(s *bitstream.SPS) float64 {
	fps := s.FPS()
	if math.IsNaN(fps) || fps < 0.1 || fps > 1000 {
		return 0
	}
	return fps
}

// appendRecord writes an AVCDecoderConfigurationRecord with a NAL length size of 4.
func (p *parameterSets) appendRecord(dst []byte, first *bitstream.SPS) []byte {
	sps := p.sps[0]
	dst = append(dst, 1, sps[1], sps[2], sps[3], 0xFC|3)
	dst = appendSets(append(dst, 0xE0|byte(len(p.sps))), p.sps)
	dst = appendSets(append(dst, byte(len(p.pps))), p.pps)
	if !longRecord(sps) {
		return dst
	}
	dst = append(dst, 0xFC|byte(first.ChromaFormatIdc), 0xF8|byte(first.BitDepthLumaMinus8),
		0xF8|byte(first.BitDepthChromaMinus8), byte(len(p.ext)))
	return appendSets(dst, p.ext)
}

func appendSets(dst []byte, sets [][]byte) []byte {
	for _, set := range sets {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(set)))
		dst = append(dst, set...)
	}
	return dst
}

// longRecord reports whether records of the set's profile end with chroma format, bit depths and extensions.
func longRecord(sps []byte) bool {
	switch sps[1] {
	case profileBaseline, profileMain, profileExtended:
		return false
	}
	return true
}

// configSets yields the SPS, PPS and SPS extensions of a record that appendRecord wrote, in the order in which a byte
// stream carries them.
func configSets(record []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		b := record[5:]
		for group := range 3 {
			if group == 2 {
				if len(b) < 4 {
					return
				}
				b = b[3:]
			}
			n := int(b[0])
			if group == 0 {
				n &= maxSPS
			}
			b = b[1:]
			for range n {
				size := int(binary.BigEndian.Uint16(b))
				if !yield(b[2 : 2+size]) {
					return
				}
				b = b[2+size:]
			}
		}
	}
}
