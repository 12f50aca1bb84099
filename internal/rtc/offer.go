package rtc

import (
	"cmp"
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
	maxSections   = 32
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

// Offer is a checked SDP offer: bundled and multiplexed. Of each kind it has one section, the first that could be used;
// others are refused in the answer, as are those that carry neither audio nor video.
type Offer struct {
	Audio, Video *Section // nil when absent or rejected by the peer
	Sending      [2]int   // by kind: how many sections the peer wants to send in
	Software     string   // the session name or tool, for logs

	desc  *sdp.SessionDescription
	group []string // MIDs of the sections that share one transport
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
	o := &Offer{desc: desc, Software: string(desc.SessionName), group: bundle(desc)}
	if err := o.checkNames(); err != nil {
		return nil, err
	}
	for i, m := range desc.MediaDescriptions {
		s, err := o.parseSection(m)
		if err != nil {
			return nil, err
		}
		if s == nil {
			continue
		}
		s.index = i
		if s.Sends {
			o.Sending[s.Kind]++
		}
		if slot := o.slot(s.Kind); s.better(*slot) {
			*slot = s
		}
	}
	return o, o.bundled()
}

// checkNames checks the MIDs, which the answer repeats; a section that the peer rejects needs none.
func (o *Offer) checkNames() error {
	var seen []string
	for _, m := range o.desc.MediaDescriptions {
		mid, ok := m.Attribute("mid")
		switch {
		case !ok && !carried(m):
			continue
		case mid == "" || len(mid) > maxToken || strings.ContainsAny(mid, " \t"):
			return refuse("its %s section has no MID", printable(m.MediaName.Media))
		case slices.Contains(seen, mid):
			return refuse("two sections have the MID %q", mid)
		}
		seen = append(seen, mid)
	}
	return nil
}

// slot returns the place of the section of a kind.
func (o *Offer) slot(k Kind) **Section {
	if k == Video {
		return &o.Video
	}
	return &o.Audio
}

// better tells whether s is to be used rather than an earlier section of its kind: only when the peer will neither send
// nor receive there, or has no codec for us. What a browser page has to spare comes after what it uses.
func (s *Section) better(earlier *Section) bool {
	usable := func(s *Section) bool { return (s.Sends || s.Receives) && len(s.Codecs) > 0 }
	return earlier == nil || !usable(earlier) && usable(s)
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

// bundle returns the MIDs of the first BUNDLE group.
func bundle(desc *sdp.SessionDescription) []string {
	for _, a := range desc.Attributes {
		if isBundle(a) {
			return strings.Fields(a.Value)[1:]
		}
	}
	return nil
}

// bundled checks that there is something to carry, on one transport (RFC 9725, section 4.4).
func (o *Offer) bundled() error {
	switch {
	case o.Audio == nil && o.Video == nil:
		return refuse("it has neither audio nor video")
	case o.Audio == nil || o.Video == nil:
		return nil
	case !slices.Contains(o.group, o.Audio.MID) || !slices.Contains(o.group, o.Video.MID):
		return refuse("its sections are not bundled")
	}
	return nil
}

// isBundle tells the attribute that lists bundled sections (RFC 9143, section 7.1).
func isBundle(a sdp.Attribute) bool { return a.Key == "group" && strings.HasPrefix(a.Value, "BUNDLE ") }

// carried tells whether a section is for us: audio or video that the peer does not itself reject. A port of 0 rejects it,
// unless it only waits for the bundle (RFC 9143, section 6).
func carried(m *sdp.MediaDescription) bool {
	_, only := m.Attribute("bundle-only")
	media := m.MediaName.Media
	return (media == "audio" || media == "video") && (m.MediaName.Port.Value != 0 || only)
}

// parseSection reads one section; nil for one that is to be rejected.
func (o *Offer) parseSection(m *sdp.MediaDescription) (*Section, error) {
	if !carried(m) {
		return nil, nil //nolint:nilnil // documented
	}
	s := &Section{Kind: kindOf(m.MediaName.Media), Sends: true, Receives: true, ids: map[string]uint8{}}
	if len(m.MediaName.Formats) > maxFormats || len(m.Attributes) > maxAttributes {
		return nil, refuse("its %s section is too long", s.Kind)
	}
	s.MID, _ = m.Attribute("mid")
	if _, mux := o.lookup(m, "rtcp-mux"); !mux {
		return nil, refuse("its %s section does not multiplex RTCP", s.Kind)
	}
	_, s.reduced = o.lookup(m, "rtcp-rsize")
	if err := o.checkTransport(m); err != nil {
		return nil, err
	}
	if err := s.readAttributes(m); err != nil {
		return nil, err
	}
	s.Codecs = readCodecs(s.Kind, m)
	return s, nil
}

// lookup returns an attribute of a section's transport: its own, or that above it, or, as a bundled section may leave out
// what all of the bundle share, that of the first section of the bundle that has it (RFC 9143, section 7.1.3).
func (o *Offer) lookup(m *sdp.MediaDescription, key string) (string, bool) {
	if v, ok := m.Attribute(key); ok {
		return v, true
	}
	if v, ok := o.desc.Attribute(key); ok {
		return v, true
	}
	if mid, _ := m.Attribute("mid"); !slices.Contains(o.group, mid) {
		return "", false
	}
	for _, other := range o.desc.MediaDescriptions {
		mid, _ := other.Attribute("mid")
		if v, ok := other.Attribute(key); ok && slices.Contains(o.group, mid) {
			return v, true
		}
	}
	return "", false
}

// checkTransport checks what ICE and DTLS need.
func (o *Offer) checkTransport(m *sdp.MediaDescription) error {
	get := func(key string) string { v, _ := o.lookup(m, key); return v }
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
	case "actpass", "active", "passive":
		return nil
	}
	return refuse("its DTLS role must be actpass, active or passive")
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
			c := Codec{Fmtp: fmtps[pt]} // RFC 4588, section 8.6: rtx-time may stand beside apt
			if apt := strings.TrimSpace(c.parameter("apt")); apt != "" {
				rtx[apt] = payloadType(pt)
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
		if c.Name == "H264" {
			c.takeSets()
		}
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

// insists tells whether the peer is the DTLS server and nothing else, as FFmpeg's WHIP muxer is unless told otherwise.
func (o *Offer) insists() bool { return o.transport("setup") == "passive" }

// transport returns an attribute of the one transport that all sections share: that of the first section in the bundle
// that is not rejected (RFC 9143, section 7.3.1). Others may name a transport of their own, which is then of no use.
func (o *Offer) transport(key string) string {
	sections := slices.DeleteFunc([]*Section{o.Audio, o.Video}, func(s *Section) bool { return s == nil })
	slices.SortFunc(sections, func(a, b *Section) int {
		return cmp.Or(slices.Index(o.group, a.MID)-slices.Index(o.group, b.MID), a.index-b.index)
	})
	for _, s := range sections {
		if v, ok := o.lookup(o.desc.MediaDescriptions[s.index], key); ok {
			return v
		}
	}
	return ""
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
