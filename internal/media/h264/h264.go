// Package h264 holds all knowledge of H.264 bitstreams: parameter sets, access units and their two byte formats.
//
// An access unit inside Rivus is normalized: NAL units, each behind its length in 4 bytes, none of them empty. The
// functions for access units never read outside them, whatever the bytes are, and allocate only where they say so.
//
// Imports: fault, media; mediacommon's bitstream reader.
package h264

import (
	"encoding/binary"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/media"
)

// The types of NAL units (H.264, table 7-1) that this package tells apart.
const (
	nalSlice        = 1 // of another picture than an IDR
	nalIDR          = 5
	nalSPS          = 7
	nalPPS          = 8
	nalDelimiter    = 9
	nalSPSExtension = 13
)

const (
	lengthSize     = 4 // of a normalized access unit
	startCode      = "\x00\x00\x00\x01"
	unitDelimiter  = startCode + "\x09\xF0" // any slice type may follow
	delimiterBytes = len(unitDelimiter)

	// maxUnits bounds the NAL units of an access unit: more than the slices of the largest picture in small packets.
	maxUnits = 1 << 14
)

// Framing is how one encoder puts NAL units into its payloads.
type Framing struct {
	Size  int  // bytes of the length before each NAL unit: 1, 2 or 4
	glued bool // start codes were found inside units
}

// Normalize checks the NAL unit lengths of a payload and returns it as a normalized access unit; one of length 0 when
// the payload holds nothing. A length that leaves the payload is fault.Invalid.
//
// Some encoders leave start codes inside a unit, or send a byte stream where lengths belong (H.264, Annex B). Both are
// taken apart at the start codes: no valid unit holds one (H.264, 7.4.1). An ordinary stream does not pay for it: slices
// of other than IDR pictures, nearly all there is of it, are searched only once another unit has held a start code.
//
// It takes the payload over: with a length size of 4 and no start codes the result shares its memory; else it is a new
// slice of at most 2.5 times the size.
func (f *Framing) Normalize(payload []byte) ([]byte, error) {
	if f.Size != 1 && f.Size != 2 && f.Size != lengthSize {
		return nil, fault.New(fault.Invalid, "NAL unit length size of %d bytes, not 1, 2 or 4", f.Size)
	}
	units, bytes, glued := 0, 0, false
	for at := 0; at < len(payload); {
		n, err := checkedLength(payload, at, f.Size)
		if err != nil && isByteStream(payload) {
			return appendUnits(make([]byte, 0, len(payload)+len(payload)/4), payload, 0)
		}
		if err != nil {
			return nil, err
		}
		at += f.Size
		if n > 0 {
			units++
			bytes += n
			glued = glued || f.isGlued(payload[at:at+n])
		}
		at += n
	}
	if units > maxUnits {
		return nil, tooManyUnits(units)
	}
	if glued {
		f.glued = true
		return appendLengths(make([]byte, 0, bytes+bytes/4+units*lengthSize), payload, f.Size, true)
	}
	switch {
	case f.Size != lengthSize:
		return appendLengths(make([]byte, 0, bytes+units*lengthSize), payload, f.Size, false)
	case bytes+units*lengthSize != len(payload):
		// An empty unit frees its length: what is written never passes what is read.
		return appendLengths(payload[:0], payload, f.Size, false)
	}
	return payload, nil
}

// isGlued reports whether a unit holds a start code, as far as it is worth a look.
func (f *Framing) isGlued(nal []byte) bool {
	return (f.glued || nalType(nal) != nalSlice) && startCodeAt(nal) >= 0
}

// appendLengths appends the units of a payload whose lengths are good.
func appendLengths(out, payload []byte, size int, glued bool) ([]byte, error) {
	for at, units := 0, 0; at < len(payload); units++ {
		n := unitLength(payload[at:], size)
		at += size
		switch unit := payload[at : at+n]; {
		case n == 0:
		case glued:
			var err error
			if out, err = appendUnits(out, unit, units); err != nil {
				return nil, err
			}
		default:
			out = binary.BigEndian.AppendUint32(out, uint32(n))
			out = append(out, unit...)
		}
		at += n
	}
	return out, nil
}

// checkedLength reads the length of the unit at a place of a payload.
func checkedLength(payload []byte, at, size int) (int, error) {
	if size > len(payload)-at {
		return 0, fault.New(fault.Invalid, "NAL unit length at byte %d of %d is cut off", at, len(payload))
	}
	n := unitLength(payload[at:], size)
	if at += size; n > len(payload)-at {
		return 0, fault.New(fault.Invalid, "NAL unit of %d bytes at byte %d leaves its access unit of %d bytes",
			n, at, len(payload))
	}
	return n, nil
}

func tooManyUnits(n int) error {
	return fault.New(fault.Invalid, "access unit of %d NAL units, not more than %d", n, maxUnits)
}

// unitLength reads a NAL unit length of 1, 2 or 4 bytes.
func unitLength(b []byte, size int) int {
	switch size {
	case 1:
		return int(b[0])
	case 2:
		return int(binary.BigEndian.Uint16(b))
	}
	return int(binary.BigEndian.Uint32(b))
}

// cut returns the first NAL unit of a normalized access unit and what follows it. It returns nothing when the access
// unit is at its end, or is damaged.
func cut(au []byte) (nal, rest []byte) {
	if len(au) < lengthSize {
		return nil, nil
	}
	n := uint64(binary.BigEndian.Uint32(au))
	if n == 0 || n > uint64(len(au)-lengthSize) {
		return nil, nil
	}
	return au[lengthSize : lengthSize+n], au[lengthSize+n:]
}

// nalType returns the type of a NAL unit that is not empty.
func nalType(nal []byte) byte { return nal[0] & 0x1F }

// IsKey reports whether a normalized access unit holds an IDR picture. Encoders' own keyframe flags also mark pictures
// at which a player cannot start.
func IsKey(au []byte) bool {
	for nal, rest := cut(au); nal != nil; nal, rest = cut(rest) {
		if nalType(nal) == nalIDR {
			return true
		}
	}
	return false
}

// AnnexBSize returns the number of bytes AppendAnnexB writes.
func AnnexBSize(t *media.Track, au []byte, key bool) int {
	nal, rest := cut(au)
	size := 0
	if nal == nil || nalType(nal) != nalDelimiter {
		size = delimiterBytes
	}
	if key && !carriesSets(au) {
		for set := range configSets(t.Config) {
			size += len(startCode) + len(set)
		}
	}
	for ; nal != nil; nal, rest = cut(rest) {
		size += len(startCode) + len(nal)
	}
	return size
}

// AppendAnnexB appends a normalized access unit in the byte stream format (H.264, Annex B): an access unit delimiter if
// it lacks one, the track's parameter sets when key is set and it lacks its own, then its NAL units.
func AppendAnnexB(dst []byte, t *media.Track, au []byte, key bool) []byte {
	nal, rest := cut(au)
	if nal != nil && nalType(nal) == nalDelimiter {
		dst = append(append(dst, startCode...), nal...)
		nal, rest = cut(rest)
	} else {
		dst = append(dst, unitDelimiter...)
	}
	if key && !carriesSets(au) {
		for set := range configSets(t.Config) {
			dst = append(append(dst, startCode...), set...)
		}
	}
	for ; nal != nil; nal, rest = cut(rest) {
		dst = append(append(dst, startCode...), nal...)
	}
	return dst
}

// carriesSets reports whether an access unit brings parameter sets of both kinds.
func carriesSets(au []byte) bool {
	var sps, pps bool
	for nal, rest := cut(au); nal != nil; nal, rest = cut(rest) {
		switch nalType(nal) {
		case nalSPS:
			sps = true
		case nalPPS:
			pps = true
		}
	}
	return sps && pps
}
