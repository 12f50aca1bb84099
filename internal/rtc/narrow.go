package rtc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// kept are the attributes of a media section that survive narrowing; those with payload types are filtered besides.
var kept = []string{ //nolint:gochecknoglobals // a constant table
	"mid", "rtcp-mux", "rtcp-rsize", "bundle-only", "ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup", "msid",
	"ssrc", "ssrc-group", "rid", "simulcast",
}

// narrow returns a publisher's offer as Pion gets it: of each section the one codec that was chosen, the extensions we
// know, the direction we allow, and no candidate. A section without a choice becomes inactive.
func (o *Offer) narrow(choice map[Kind]*Codec) (string, error) {
	d := *o.desc
	d.MediaDescriptions = make([]*sdp.MediaDescription, 0, len(o.desc.MediaDescriptions))
	d.Attributes = slices.DeleteFunc(slices.Clone(o.desc.Attributes), func(a sdp.Attribute) bool {
		switch a.Key {
		case "group", "ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup", "extmap-allow-mixed", "msid-semantic":
			return false
		}
		return true
	})
	for i, m := range o.desc.MediaDescriptions {
		d.MediaDescriptions = append(d.MediaDescriptions, o.narrowSection(i, m, choice))
	}
	b, err := d.Marshal()
	if err != nil {
		return "", fmt.Errorf("rtc: rewrite the offer: %w", err)
	}
	return string(b), nil
}

func (o *Offer) narrowSection(i int, m *sdp.MediaDescription, choice map[Kind]*Codec) *sdp.MediaDescription {
	out := *m
	out.Attributes = nil
	section := o.section(i)
	direction := "sendonly"
	var codec *Codec
	if section != nil {
		codec = choice[section.Kind]
	}
	formats := m.MediaName.Formats[:min(1, len(m.MediaName.Formats))]
	if codec == nil {
		direction = "inactive"
	} else {
		formats = []string{strconv.Itoa(int(codec.PayloadType))}
		if codec.RTXPayloadType != 0 {
			formats = append(formats, strconv.Itoa(int(codec.RTXPayloadType)))
		}
	}
	out.MediaName.Formats = formats
	for _, a := range m.Attributes {
		if keepAttribute(a, formats, section) {
			out.Attributes = append(out.Attributes, a)
		}
	}
	out.Attributes = append(out.Attributes, sdp.Attribute{Key: direction})
	return &out
}

// section returns what was read of the i-th section, nil for a rejected one.
func (o *Offer) section(i int) *Section {
	for _, s := range []*Section{o.Audio, o.Video} {
		if s != nil && s.index == i {
			return s
		}
	}
	return nil
}

func keepAttribute(a sdp.Attribute, formats []string, s *Section) bool {
	first, rest, _ := strings.Cut(a.Value, " ")
	switch a.Key {
	case "rtpmap", "fmtp":
		return slices.Contains(formats, first)
	case "rtcp-fb":
		return first == "*" || slices.Contains(formats, first)
	case "extmap":
		uri, _, _ := strings.Cut(rest, " ")
		return s != nil && s.ids[uri] != 0
	}
	return slices.Contains(kept, a.Key)
}

// everywhere copies the candidates of an answer's first section into all others that were accepted: some stacks look
// into every section (RFC 8843 lets them be in one).
// Candidates for RTCP alone are dropped, because it is always multiplexed.
func everywhere(text string) (string, error) {
	d := &sdp.SessionDescription{}
	if err := d.UnmarshalString(text); err != nil {
		return "", fmt.Errorf("rtc: read our answer: %w", err)
	}
	var candidates []sdp.Attribute
	isCandidate := func(a sdp.Attribute) bool { return a.Key == "candidate" || a.Key == "end-of-candidates" }
	for _, m := range d.MediaDescriptions {
		for _, a := range m.Attributes {
			if isCandidate(a) && !isRTCP(a) {
				candidates = append(candidates, a)
			}
		}
	}
	for _, m := range d.MediaDescriptions {
		m.Attributes = slices.DeleteFunc(m.Attributes, isCandidate)
		if m.MediaName.Port.Value != 0 {
			m.Attributes = append(m.Attributes, candidates...)
		}
	}
	b, err := d.Marshal()
	if err != nil {
		return "", fmt.Errorf("rtc: write our answer: %w", err)
	}
	return string(b), nil
}

// isRTCP tells a candidate of component 2.
func isRTCP(a sdp.Attribute) bool {
	fields := strings.Fields(a.Value)
	return len(fields) > 1 && fields[1] == "2"
}
