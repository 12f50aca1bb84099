package rtc

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rivus-live/rivus/internal/rtc/ice"
)

// msid names the stream that a subscriber's tracks belong to.
const msid = "rivus"

// answer is what the answers to one offer are made of.
type answer struct {
	session     uint64
	version     int
	grouped     bool   // the offer has a BUNDLE group
	setup       string // our DTLS role: passive, as the server chooses the cipher, if the peer leaves it to us
	sections    []answerSection
	fingerprint string
	candidates  []string
}

// answerSection answers one media section of the offer.
type answerSection struct {
	media, protocol, format string // of the offer's first line
	mid                     string
	maps                    []string // what the offer says about format
	accepted                *accepted
	extensions              []string
}

// accepted is what an answer says about a media section that is not rejected.
type accepted struct {
	codec     *Codec
	sends     bool     // we do; otherwise we receive
	known     []string // URIs of the header extensions that we write or read
	rids      []string // simulcast layers that we receive
	ssrc, rtx uint32   // that we send with; rtx 0: no retransmission
}

// newAnswer lays an answer out: the offer's sections in their order, those rejected that are not accepted.
func (e *Engine) newAnswer(o *Offer, sections [2]*accepted) (*answer, error) {
	candidates, err := e.candidates()
	if err != nil {
		return nil, err
	}
	a := layOut(o, sections)
	a.session, a.fingerprint, a.candidates = uint64(random())<<30|uint64(random()>>2), e.fingerprint, candidates
	return a, nil
}

func layOut(o *Offer, sections [2]*accepted) *answer {
	a := &answer{grouped: slices.ContainsFunc(o.desc.Attributes, isBundle), setup: "passive"}
	if o.insists() {
		a.setup = "active"
	}
	for i, m := range o.desc.MediaDescriptions {
		s := answerSection{media: m.MediaName.Media, protocol: strings.Join(m.MediaName.Protos, "/"), format: "0"}
		if len(m.MediaName.Formats) > 0 {
			s.format = m.MediaName.Formats[0]
		}
		for _, attribute := range m.Attributes {
			if pt, _, _ := strings.Cut(attribute.Value, " "); attribute.Key == "rtpmap" && pt == s.format {
				s.maps = append(s.maps, attribute.Value)
			}
		}
		s.mid, _ = m.Attribute("mid")
		if section := o.section(i); section != nil {
			if s.accepted = sections[section.Kind]; s.accepted != nil {
				s.extensions = extensionLines(section, s.accepted.known)
			}
		}
		a.sections = append(a.sections, s)
	}
	return a
}

// extensionLines returns the header extensions of a section that are known, with the offer's numbers.
func extensionLines(s *Section, known []string) []string {
	var out []string
	for _, uri := range known {
		if id := s.ids[uri]; id != 0 {
			out = append(out, fmt.Sprintf("%d %s", id, uri))
		}
	}
	return out
}

// text writes the answer with these credentials (RFC 8829, section 5.3; RFC 9725, section 4.2).
func (a *answer) text(c ice.Credentials) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	a.version++
	line("v=0\r\no=- %d %d IN IP4 0.0.0.0\r\ns=-\r\nt=0 0", a.session, a.version)
	if a.grouped {
		group := "a=group:BUNDLE"
		for _, s := range a.sections {
			if s.accepted != nil {
				group += " " + s.mid
			}
		}
		line("%s", group)
	}
	line("a=msid-semantic:WMS %s", msid)
	for i := range a.sections {
		s := &a.sections[i]
		if s.accepted == nil {
			line("m=%s 0 %s %s\r\nc=IN IP4 0.0.0.0", s.media, s.protocol, s.format)
			if s.mid != "" {
				line("a=mid:%s", s.mid)
			}
			line("a=inactive")
			for _, m := range s.maps { // some stacks look up the codecs of rejected sections too
				line("a=rtpmap:%s", m)
			}
			continue
		}
		s.text(line)
		line("a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:%s\r\na=setup:%s", c.Ufrag, c.Password, a.fingerprint, a.setup)
		for _, candidate := range a.candidates {
			line("a=candidate:%s", candidate)
		}
		line("a=end-of-candidates")
	}
	return b.String()
}

// text writes what a section says of media.
func (s *answerSection) text(line func(string, ...any)) {
	t, c := s.accepted, s.accepted.codec
	formats, repairs := fmt.Sprint(c.PayloadType), c.RTXPayloadType != 0
	if repairs {
		formats += fmt.Sprint(" ", c.RTXPayloadType)
	}
	direction := "recvonly"
	if t.sends {
		direction = "sendonly"
	}
	line("m=%s 9 %s %s\r\nc=IN IP4 0.0.0.0\r\na=mid:%s\r\na=%s\r\na=rtcp-mux\r\na=rtcp-rsize",
		s.media, s.protocol, formats, s.mid, direction)
	channels := ""
	if c.Channels > 1 {
		channels = fmt.Sprint("/", c.Channels)
	}
	line("a=rtpmap:%d %s/%d%s", c.PayloadType, c.Name, c.ClockRate, channels)
	if c.Fmtp != "" {
		line("a=fmtp:%d %s", c.PayloadType, c.Fmtp)
	}
	for _, f := range feedbacks[kindOf(s.media)] {
		if slices.Contains(c.Feedback, f) {
			line("a=rtcp-fb:%d %s", c.PayloadType, f)
		}
	}
	if repairs {
		line("a=rtpmap:%d rtx/%d\r\na=fmtp:%d apt=%d", c.RTXPayloadType, c.ClockRate, c.RTXPayloadType, c.PayloadType)
	}
	for _, e := range s.extensions {
		line("a=extmap:%s", e)
	}
	if t.sends {
		t.sources(line, s.media)
	}
	if len(t.rids) > 0 {
		for _, rid := range t.rids {
			line("a=rid:%s recv", rid)
		}
		line("a=simulcast:recv %s", strings.Join(t.rids, ";"))
	}
}

// sources names the streams that we send (RFC 5576, RFC 8830).
func (t *accepted) sources(line func(string, ...any), media string) {
	line("a=msid:%s %s", msid, media)
	if t.rtx != 0 {
		line("a=ssrc-group:FID %d %d", t.ssrc, t.rtx)
	}
	for _, ssrc := range []uint32{t.ssrc, t.rtx} {
		if ssrc != 0 {
			line("a=ssrc:%d cname:%s\r\na=ssrc:%d msid:%s %s", ssrc, msid, ssrc, msid, media)
		}
	}
}

// kindOf reads the kind of a section that is carried.
func kindOf(media string) Kind {
	if media == Audio.String() {
		return Audio
	}
	return Video
}
