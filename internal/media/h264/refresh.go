package h264

import (
	"bytes"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/bits"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/media"
)

// Refresh returns the track that holds from this normalized access unit on: t itself, or a new one when the access
// unit carries a parameter set that t's configuration lacks. A set replaces the one of its kind and id. Call it on
// every access unit; it allocates only on a change. Sets that make no sense are fault.Invalid, and t still holds.
func Refresh(t *media.Track, au []byte) (*media.Track, error) {
	var changed *parameterSets
	for nal, rest := cut(au); nal != nil; nal, rest = cut(rest) {
		if !isSet(nal) || changed == nil && has(t.Config, nal) {
			continue
		}
		if changed == nil {
			changed = ownSets(t.Config)
		}
		if err := changed.replace(nal); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "H.264 parameter set inside the stream is not valid")
		}
	}
	if changed == nil {
		return t, nil
	}
	next, err := changed.track()
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "H.264 parameter set inside the stream is not valid")
	}
	if bytes.Equal(next.Config, t.Config) {
		return t, nil // a set came twice, and the second restored the first
	}
	next.Bitrate = t.Bitrate
	if next.FrameRate == 0 {
		next.FrameRate = t.FrameRate
	}
	return next, nil
}

// Begin returns the track of the parameter sets that a normalized access unit carries, nil when they are not both there.
// It is for encoders that send no configuration before their pictures. Sets that make no sense are fault.Invalid.
func Begin(au []byte) (*media.Track, error) {
	if !carriesSets(au) {
		return nil, nil
	}
	sets, err := carriedSets(au)
	if err == nil {
		var t *media.Track
		if t, err = sets.track(); err == nil {
			return t, nil
		}
	}
	return nil, fault.Wrap(fault.Invalid, err, "H.264 parameter set inside the stream is not valid")
}

// isSet reports whether a NAL unit belongs in a configuration.
func isSet(nal []byte) bool {
	switch nalType(nal) {
	case nalSPS, nalPPS, nalSPSExtension:
		return true
	}
	return false
}

// has reports whether a record of ours holds exactly this set.
func has(record, nal []byte) bool {
	for set := range configSets(record) {
		if bytes.Equal(set, nal) {
			return true
		}
	}
	return false
}

// ownSets takes a record of ours apart. The sets share its memory, which is never written again.
func ownSets(record []byte) *parameterSets {
	var p parameterSets
	for set := range configSets(record) {
		list := p.list(set)
		*list = append(*list, set)
	}
	return &p
}

// list returns where sets of the NAL unit's type are kept.
func (p *parameterSets) list(nal []byte) *[][]byte {
	switch nalType(nal) {
	case nalSPS:
		return &p.sps
	case nalPPS:
		return &p.pps
	}
	return &p.ext
}

// replace puts a copy of the set in the place of the one with the same id, or behind all others.
func (p *parameterSets) replace(nal []byte) error {
	if len(nal) > maxSet {
		return fmt.Errorf("a parameter set of %d bytes is too long", len(nal))
	}
	id, err := setID(nal)
	if err != nil {
		return err
	}
	list := p.list(nal)
	own := bytes.Clone(nal)
	for i, set := range *list {
		if other, err := setID(set); err == nil && other == id {
			(*list)[i] = own
			return nil
		}
	}
	*list = append(*list, own)
	return nil
}

// setID reads the id of a parameter set. It stands so near the front that no emulation prevention byte comes before it.
func setID(nal []byte) (uint32, error) {
	at := 8
	if nalType(nal) == nalSPS {
		at = 32 // behind profile, constraints and level
	}
	if at >= 8*len(nal) {
		return 0, fmt.Errorf("parameter set id: %w", errShort)
	}
	id, err := bits.ReadGolombUnsigned(nal, &at)
	if err != nil {
		return 0, fmt.Errorf("parameter set id: %w", err)
	}
	return id, nil
}
