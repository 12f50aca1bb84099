package rtc

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/rivus-live/rivus/internal/rtc/transport"
)

// Bounds of an offer. Browsers offer about 8 kB with 60 payload types and three simulcast layers.
const (
	maxOffer      = 64 << 10
	maxSections   = 8
	maxFormats    = 128
	maxAttributes = 1024
	maxRIDs       = 4   // simulcast layers that we take
	maxRID        = 32  // bytes of the name of one
	maxPrints     = 4   // fingerprints that are compared
	maxToken      = 256 // of a user fragment, a password, a MID
)

// ErrOffer is behind every error of ParseOffer.
var ErrOffer = errors.New("the SDP offer cannot be used")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrOffer, fmt.Sprintf(format, args...))
}

// URIs of the header extensions that we negotiate.
const (
	uriTransportSeq = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
	uriAudioLevel   = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
	uriOrientation  = "urn:3gpp:video-orientation"
	uriCaptureTime  = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
	uriMID          = "urn:ietf:params:rtp-hdrext:sdes:mid"
	uriRID          = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
	uriRepairedRID  = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
	uriDescriptor   = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
)

// Extensions are the ids of header extensions in one media section; 0 means not offered.
type Extensions struct {
	TransportSeq, AudioLevel, Orientation, CaptureTime, MID, DependencyDescriptor uint8
}

// Section is one media section of an offer.
type Section struct {
	Kind       Kind
	MID        string
	Sends      bool     // the peer wants to send
	Receives   bool     // the peer wants to receive
	Codecs     []Codec  // those we carry, in the peer's order
	RIDs       []string // simulcast layers of the peer that we take, at most four, in the order of its a=rid lines
	Preference []string // the same, as its a=simulcast line has them, most preferred first (RFC 8853, section 5.1); nil: it has none
	Extensions Extensions

	index   int
	reduced bool             // RTCP without reports is understood (RFC 5506)
	ids     map[string]uint8 // extensions we negotiate: URI -> id
}

// Offer is a checked SDP offer: bundled, multiplexed, with at most one section of each kind.
type Offer struct {
	Audio, Video *Section // nil when absent or rejected by the peer
	Software     string   // the session name or tool, for logs

	desc *sdp.SessionDescription
}

// ParseOffer reads an SDP offer (RFC 8829, RFC 9725 section 4.2) and refuses what is malformed, unbounded or beyond a
// WHIP or WHEP session. Candidates in it are ignored: the peer's checks tell where it is.
func ParseOffer(text string) (*Offer, error) {
	if len(text) > maxOffer {
		return nil, refuse("it is longer than %d bytes", maxOffer)
	}
	desc := &sdp.SessionDescription{}
	if err := desc.UnmarshalString(text); err != nil || !plain(text) {
		return nil, refuse("it is not SDP")
	}
	if n := len(desc.MediaDescriptions); n == 0 || n > maxSections {
		return nil, refuse("it has %d media sections", n)
	}
	o := &Offer{desc: desc, Software: string(desc.SessionName)}
	var mids []string
	for i, m := range desc.MediaDescriptions {
		s, err := parseSection(desc, m)
		if err != nil {
			return nil, err
		}
		if s == nil {
			continue
		}
		s.index = i
		if slices.Contains(mids, s.MID) {
			return nil, refuse("two sections have the MID %q", s.MID)
		}
		mids = append(mids, s.MID)
		slot := &o.Audio
		if s.Kind == Video {
			slot = &o.Video
		}
		if *slot != nil {
			return nil, refuse("it has two %s sections", s.Kind)
		}
		*slot = s
	}
	if len(mids) == 0 {
		return nil, refuse("it has neither audio nor video")
	}
	return o, o.bundled(mids)
}

// plain tells whether a text has no control characters but the ends of its lines, so that nothing we repeat of it makes
// another line for somebody else.
func plain(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\r' && !strings.HasPrefix(text[i+1:], "\n"):
			return false
		case c < ' ' && c != '\r' && c != '\n' && c != '\t', c == 0x7f:
			return false
		}
	}
	return true
}

// bundled checks that all sections share one transport (RFC 9725, section 4.4).
func (o *Offer) bundled(mids []string) error {
	if len(mids) == 1 {
		return nil
	}
	for _, a := range o.desc.Attributes {
		if !isBundle(a) {
			continue
		}
		group := strings.Fields(a.Value)[1:]
		if !slices.ContainsFunc(mids, func(mid string) bool { return !slices.Contains(group, mid) }) {
			return nil
		}
	}
	return refuse("its sections are not bundled")
}

// isBundle tells the attribute that lists bundled sections (RFC 9143, section 7.1).
func isBundle(a sdp.Attribute) bool { return a.Key == "group" && strings.HasPrefix(a.Value, "BUNDLE ") }

// parseSection reads one section; nil for one that the peer itself rejects.
func parseSection(desc *sdp.SessionDescription, m *sdp.MediaDescription) (*Section, error) {
	s := &Section{Sends: true, Receives: true, ids: map[string]uint8{}}
	switch m.MediaName.Media {
	case "audio":
		s.Kind = Audio
	case "video":
		s.Kind = Video
	default:
		return nil, refuse("it has a section for %q; only audio and video are carried", printable(m.MediaName.Media))
	}
	if len(m.MediaName.Formats) > maxFormats || len(m.Attributes) > maxAttributes {
		return nil, refuse("its %s section is too long", s.Kind)
	}
	mid, ok := m.Attribute("mid")
	if !ok || mid == "" || len(mid) > maxToken || strings.ContainsAny(mid, " \t") {
		return nil, refuse("its %s section has no MID", s.Kind)
	}
	s.MID = mid
	if m.MediaName.Port.Value == 0 {
		if _, only := m.Attribute("bundle-only"); !only {
			return nil, nil //nolint:nilnil // documented
		}
	}
	if _, mux := m.Attribute("rtcp-mux"); !mux {
		return nil, refuse("its %s section does not multiplex RTCP", s.Kind)
	}
	_, s.reduced = m.Attribute("rtcp-rsize")
	if err := checkTransport(desc, m); err != nil {
		return nil, err
	}
	if err := s.readAttributes(m); err != nil {
		return nil, err
	}
	s.Codecs = readCodecs(s.Kind, m)
	return s, nil
}

// checkTransport checks what ICE and DTLS need, in the section or above it.
func checkTransport(desc *sdp.SessionDescription, m *sdp.MediaDescription) error {
	get := func(key string) string {
		if v, ok := m.Attribute(key); ok {
			return v
		}
		v, _ := desc.Attribute(key)
		return v
	}
	if n := len(get("ice-ufrag")); n < 4 || n > maxToken {
		return refuse("it has no usable ice-ufrag")
	}
	if n := len(get("ice-pwd")); n < 22 || n > maxToken {
		return refuse("it has no usable ice-pwd")
	}
	if n := len(get("fingerprint")); n == 0 || n > maxToken {
		return refuse("it has no DTLS fingerprint")
	}
	switch get("setup") {
	case "actpass", "active":
		return nil
	}
	return refuse("its DTLS role must be actpass or active")
}

// readAttributes reads direction, simulcast layers and header extensions.
func (s *Section) readAttributes(m *sdp.MediaDescription) error {
	simulcast := ""
	for _, a := range m.Attributes {
		switch a.Key {
		case "sendonly":
			s.Receives = false
		case "recvonly":
			s.Sends = false
		case "inactive":
			s.Sends, s.Receives = false, false
		case "rid":
			id, rest, _ := strings.Cut(a.Value, " ")
			if !strings.HasPrefix(rest, "send") {
				continue
			}
			if id == "" || len(id) > maxRID || slices.Contains(s.RIDs, id) {
				return refuse("it has a malformed simulcast layer")
			}
			s.RIDs = append(s.RIDs, id)
		case "simulcast":
			simulcast = a.Value
		case "extmap":
			s.readExtension(a.Value)
		}
	}
	s.chooseLayers(simulcast)
	return nil
}

// chooseLayers settles which of the announced layers we take: those that the simulcast attribute sends (RFC 8853, section
// 5.1), of alternatives the first, and of too many the most preferred. An answer may leave out the others (section 5.3.2).
func (s *Section) chooseLayers(simulcast string) {
	words := strings.Fields(simulcast)
	for i := 0; i+1 < len(words); i += 2 {
		if words[i] != "send" {
			continue
		}
		for stream := range strings.SplitSeq(words[i+1], ";") {
			id, _, _ := strings.Cut(stream, ",")
			id = strings.TrimPrefix(id, "~") // paused at first
			if slices.Contains(s.RIDs, id) && !slices.Contains(s.Preference, id) && len(s.Preference) < maxRIDs {
				s.Preference = append(s.Preference, id)
			}
		}
	}
	if s.Preference != nil {
		s.RIDs = slices.DeleteFunc(s.RIDs, func(id string) bool { return !slices.Contains(s.Preference, id) })
	}
	s.RIDs = s.RIDs[:min(len(s.RIDs), maxRIDs)]
}

// layers returns the simulcast layers that we take, in the order of an answer.
func (s *Section) layers() []string {
	if s.Preference != nil {
		return s.Preference
	}
	return s.RIDs
}

// readExtension notes an extension that we negotiate (RFC 8285, section 5).
func (s *Section) readExtension(value string) {
	number, rest, _ := strings.Cut(value, " ")
	number, _, _ = strings.Cut(number, "/")
	id, err := strconv.ParseUint(number, 10, 8)
	if err != nil || id == 0 || id > 255 {
		return
	}
	uri, _, _ := strings.Cut(rest, " ")
	e := &s.Extensions
	switch n := uint8(id); uri {
	case uriTransportSeq:
		e.TransportSeq = n
	case uriAudioLevel:
		e.AudioLevel = n
	case uriOrientation:
		e.Orientation = n
	case uriCaptureTime:
		e.CaptureTime = n
	case uriMID:
		e.MID = n
	case uriDescriptor:
		e.DependencyDescriptor = n
	case uriRID, uriRepairedRID:
	default:
		return
	}
	s.ids[uri] = uint8(id)
}

// readCodecs returns the codecs of a section that we carry, in its order.
func readCodecs(k Kind, m *sdp.MediaDescription) []Codec {
	maps, fmtps, rtx := map[string]string{}, map[string]string{}, map[string]uint8{}
	feedback := map[string][]string{}
	for _, a := range m.Attributes {
		pt, value, _ := strings.Cut(a.Value, " ")
		switch a.Key {
		case "rtpmap":
			maps[pt] = value
		case "fmtp":
			fmtps[pt] = value
		case "rtcp-fb":
			feedback[pt] = append(feedback[pt], strings.TrimSpace(value))
		}
	}
	for pt, value := range maps {
		if name, _, _ := strings.Cut(value, "/"); strings.EqualFold(name, "rtx") && slices.Contains(m.MediaName.Formats, pt) {
			if apt, ok := strings.CutPrefix(fmtps[pt], "apt="); ok {
				rtx[strings.TrimSpace(apt)] = payloadType(pt)
			}
		}
	}
	var out []Codec
	for _, pt := range m.MediaName.Formats {
		c, ok := readCodec(k, payloadType(pt), maps[pt])
		if !ok {
			continue
		}
		c.Fmtp, c.RTXPayloadType = fmtps[pt], rtx[pt]
		c.Feedback = append(feedback[pt], feedback["*"]...)
		if c.usable() {
			out = append(out, c)
		}
	}
	return out
}

// readCodec reads the value of an rtpmap.
func readCodec(k Kind, pt uint8, value string) (Codec, bool) {
	name, rest, _ := strings.Cut(value, "/")
	clock, channels, _ := strings.Cut(rest, "/")
	i := slices.IndexFunc(known[k], func(n string) bool { return strings.EqualFold(n, name) })
	rate, err := strconv.ParseUint(clock, 10, 32)
	if i < 0 || err != nil || pt == 0 {
		return Codec{}, false
	}
	c := Codec{Name: known[k][i], PayloadType: pt, ClockRate: uint32(rate)}
	if n, err := strconv.ParseUint(channels, 10, 8); err == nil {
		c.Channels = uint16(n)
	}
	return c, true
}

// payloadType reads a payload type that may be multiplexed with RTCP (RFC 5761, section 4); 0 for any other.
func payloadType(s string) uint8 {
	n, err := strconv.ParseUint(s, 10, 7)
	if err != nil || n >= 64 && n <= 95 || n < 20 || len(s) > 1 && s[0] == '0' {
		return 0
	}
	return uint8(n)
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

// ufrag returns the peer's ICE user fragment, password what belongs to it.
func (o *Offer) ufrag() string    { return o.transport("ice-ufrag") }
func (o *Offer) password() string { return o.transport("ice-pwd") }

// transport returns an attribute of the one transport that all sections share.
func (o *Offer) transport(key string) string {
	for _, m := range o.desc.MediaDescriptions {
		if v, ok := m.Attribute(key); ok {
			return v
		}
	}
	v, _ := o.desc.Attribute(key)
	return v
}

// fingerprints returns those of the peer's certificate that can be checked.
func (o *Offer) fingerprints() []transport.Fingerprint {
	var out []transport.Fingerprint
	read := func(list []sdp.Attribute) {
		for _, a := range list {
			algorithm, value, _ := strings.Cut(a.Value, " ")
			f := transport.Fingerprint{Algorithm: algorithm, Value: strings.TrimSpace(value)}
			if a.Key == "fingerprint" && f.Usable() && !slices.Contains(out, f) && len(out) < maxPrints {
				out = append(out, f)
			}
		}
	}
	for _, m := range o.desc.MediaDescriptions {
		read(m.Attributes)
	}
	if len(out) == 0 {
		read(o.desc.Attributes)
	}
	return out
}

// printable shortens a word of the peer's for an error message.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 40)]
}
