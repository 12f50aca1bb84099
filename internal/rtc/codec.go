package rtc

import (
	"encoding/base64"
	"strings"
)

// Kind is what a track carries.
type Kind uint8

// The kinds.
const (
	Audio Kind = iota
	Video
)

// String returns the kind as SDP names it.
func (k Kind) String() string {
	if k == Audio {
		return "audio"
	}
	return "video"
}

// Codec is one codec as a peer offered it.
type Codec struct {
	Name           string // "opus", "H264", "VP8", "VP9" or "AV1"
	PayloadType    uint8
	RTXPayloadType uint8 // 0: no retransmission
	ClockRate      uint32
	Channels       uint16
	Fmtp           string   // without parameter sets
	Sets           [][]byte // parameter sets of H.264 that stand in the offer, nil: none that can be used
	Feedback       []string // what the peer offered of feedbacks, as "nack pli"
}

// Codecs that Rivus carries, by kind.
var known = map[Kind][]string{ //nolint:gochecknoglobals // a constant table
	Audio: {"opus"},
	Video: {"H264", "VP8", "VP9", "AV1"},
}

// feedbacks are the RTCP messages that we send and understand (RFC 4585, RFC 5104, transport-wide congestion control).
var feedbacks = map[Kind][]string{ //nolint:gochecknoglobals // a constant table
	Audio: {"transport-cc"},
	Video: {"nack", "nack pli", "ccm fir", "transport-cc"},
}

// Bounds of the parameter sets of an offer: they have to fit one packet.
const (
	maxSets      = 8
	maxSetsBytes = 1000
)

// takeSets moves the parameter sets out of the fmtp line (RFC 6184, section 8.1): they are of the sender's stream, and
// nothing that is agreed on.
func (c *Codec) takeSets() {
	const name = "sprop-parameter-sets"
	var rest []string
	for part := range strings.SplitSeq(c.Fmtp, ";") {
		if k, v, _ := strings.Cut(strings.TrimSpace(part), "="); strings.EqualFold(k, name) {
			c.Sets = readSets(v)
		} else {
			rest = append(rest, part)
		}
	}
	c.Fmtp = strings.Join(rest, ";")
}

// readSets reads NAL units in Base64; nil when they are not a sequence parameter set, a picture parameter set, and more of
// both.
func readSets(list string) (sets [][]byte) {
	const sps, pps = 7, 8
	var kinds [32]int
	size := 0
	for text := range strings.SplitSeq(list, ",") {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(b) < 2 || len(sets) == maxSets {
			return nil
		}
		kinds[b[0]&0x1f]++
		size += len(b)
		sets = append(sets, b)
	}
	if size > maxSetsBytes || kinds[sps] == 0 || kinds[pps] == 0 || kinds[sps]+kinds[pps] != len(sets) {
		return nil
	}
	return sets
}

// parameter returns a value of the codec's fmtp line.
func (c *Codec) parameter(name string) string {
	for part := range strings.SplitSeq(c.Fmtp, ";") {
		if k, v, _ := strings.Cut(strings.TrimSpace(part), "="); strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// usable tells whether we forward this flavour of the codec.
func (c *Codec) usable() bool {
	switch c.Name {
	case "opus":
		return c.ClockRate == 48000
	case "H264":
		return c.ClockRate == 90000 && c.parameter("packetization-mode") == "1"
	case "VP9":
		profile := c.parameter("profile-id")
		return c.ClockRate == 90000 && (profile == "" || profile == "0")
	default:
		return c.ClockRate == 90000
	}
}

// Match returns which of the offered codecs plays what a publisher sends as c: the same codec, and of H.264 the same
// profile if there is one. False: the offer has no such codec.
func (c *Codec) Match(offered []Codec) (Codec, bool) {
	best := -1
	for i := range offered {
		o := &offered[i]
		if o.Name != c.Name {
			continue
		}
		if c.Name == "H264" && profile(o) == profile(c) {
			return *o, true
		}
		if best < 0 {
			best = i
		}
	}
	if best < 0 {
		return Codec{}, false
	}
	return offered[best], true
}

// profile is profile_idc and the constraint flags of an H.264 codec, without the level (RFC 6184, section 8.1).
func profile(c *Codec) string {
	p := strings.ToLower(c.parameter("profile-level-id"))
	if len(p) < 4 {
		return "4200" // the default: Baseline
	}
	return p[:4]
}
