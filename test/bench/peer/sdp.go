package peer

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// Header extensions that we offer, with our ids for them.
const (
	uriMID          = "urn:ietf:params:rtp-hdrext:sdes:mid"
	uriRID          = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
	uriTransportSeq = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
	uriAudioLevel   = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
	uriSendTime     = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"

	idMID, idRID, idTransportSeq, idAudioLevel = 1, 2, 3, 4
)

// Payload types that we offer.
const (
	typeOpus = 111
	typeH264 = 102
	typeRTX  = 103
)

// h264 is constrained baseline, as browsers offer it first for real-time video.
const h264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"

// description is what we need of the other side's SDP.
type description struct {
	ufrag, pwd string
	controls   bool // the other side chooses the pair of addresses
	candidate  netip.AddrPort
	sections   []section
	text       *sdp.SessionDescription
}

// section is one media section of it.
type section struct {
	kind         string
	codec, rtx   uint8
	twcc         uint8 // id of the transport-wide numbers, 0: none
	repairs      map[uint32]uint32
	feedback     bool // transport-wide feedback is wanted
	remb         bool
	nack         bool
	extensions   map[string]uint8
	chosen       []string // payload types of an answer
	retransmits  string   // payload type of chosen
	inactive     bool
	isConnection bool // a data channel's
}

func parse(text string) (*description, error) {
	d := &description{text: &sdp.SessionDescription{}}
	if err := d.text.UnmarshalString(text); err != nil {
		return nil, fmt.Errorf("peer: the other side's SDP: %w", err)
	}
	_, lite := d.text.Attribute("ice-lite")
	for _, m := range d.text.MediaDescriptions {
		d.sections = append(d.sections, readSection(m))
		for _, a := range append(slices.Clone(d.text.Attributes), m.Attributes...) {
			switch a.Key {
			case "ice-ufrag":
				d.ufrag = a.Value
			case "ice-pwd":
				d.pwd = a.Value
			case "ice-lite":
				lite = true
			case "candidate":
				d.addCandidate(a.Value)
			}
		}
	}
	d.controls = !lite
	if d.ufrag == "" || d.pwd == "" {
		return nil, errors.New("peer: the other side has no ICE credentials")
	}
	return d, nil
}

// addCandidate takes the first UDP address of the other side.
func (d *description) addCandidate(value string) {
	f := strings.Fields(strings.TrimPrefix(value, "candidate:"))
	if len(f) < 8 || f[1] != "1" || !strings.EqualFold(f[2], "udp") || d.candidate.IsValid() {
		return
	}
	ip, err := netip.ParseAddr(f[4])
	port, portErr := strconv.ParseUint(f[5], 10, 16)
	if err == nil && portErr == nil && ip.Is4() {
		d.candidate = netip.AddrPortFrom(ip, uint16(port))
	}
}

func readSection(m *sdp.MediaDescription) section {
	s := section{
		kind: m.MediaName.Media, repairs: map[uint32]uint32{}, extensions: map[string]uint8{},
		isConnection: m.MediaName.Media == "application",
	}
	names, formats := map[string]string{}, map[string]string{}
	for _, a := range m.Attributes {
		first, rest, _ := strings.Cut(a.Value, " ")
		switch a.Key {
		case "rtpmap":
			name, _, _ := strings.Cut(rest, "/")
			names[first] = strings.ToLower(name)
		case "fmtp":
			formats[first] = rest
		case "extmap":
			id, _, _ := strings.Cut(first, "/")
			s.extensions[rest] = number8(id)
		case "ssrc-group":
			if f := strings.Fields(rest); first == "FID" && len(f) == 2 {
				s.repairs[number32(f[1])] = number32(f[0])
			}
		case "inactive":
			s.inactive = true
		}
	}
	s.choose(m.MediaName.Formats, names, formats)
	for _, a := range m.Attributes {
		pt, what, _ := strings.Cut(a.Value, " ")
		if a.Key != "rtcp-fb" || pt != "*" && (len(s.chosen) == 0 || pt != s.chosen[0]) {
			continue
		}
		switch strings.TrimSpace(what) {
		case "transport-cc":
			s.feedback = true
		case "goog-remb":
			s.remb = true
		case "nack":
			s.nack = true
		}
	}
	s.twcc = s.extensions[uriTransportSeq]
	return s
}

// choose picks the codec that programs have, and its retransmission.
func (s *section) choose(order []string, names, formats map[string]string) {
	want := map[string]string{"audio": "opus", "video": "h264"}[s.kind]
	i := slices.IndexFunc(order, func(pt string) bool {
		return want != "" && names[pt] == want && (want == "opus" || strings.Contains(formats[pt], "packetization-mode=1"))
	})
	if i < 0 {
		return
	}
	s.chosen, s.codec = []string{order[i]}, number8(order[i])
	for _, pt := range order {
		if names[pt] == "rtx" && formats[pt] == "apt="+order[i] {
			s.chosen, s.rtx, s.retransmits = append(s.chosen, pt), number8(pt), pt
			break
		}
	}
}

func number8(s string) uint8 {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return 0
	}
	return uint8(n)
}

func number32(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// Offer returns the SDP with which the peer asks to send its program or to receive sound and video.
func (p *Peer) Offer() string {
	var b strings.Builder
	p.head(&b, "0 1")
	direction := "recvonly"
	if p.opt.Program != nil {
		direction = "sendonly"
	}
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("m=audio 9 UDP/TLS/RTP/SAVPF %d", typeOpus)
	p.transport(&b, "0", direction)
	line("a=extmap:%d %s", idAudioLevel, uriAudioLevel)
	line("a=rtpmap:%d opus/48000/2", typeOpus)
	line("a=rtcp-fb:%d transport-cc", typeOpus)
	line("a=fmtp:%d minptime=10;useinbandfec=1", typeOpus)
	p.announce(&b, 0)
	line("m=video 9 UDP/TLS/RTP/SAVPF %d %d", typeH264, typeRTX)
	p.transport(&b, "1", direction)
	line("a=rtpmap:%d H264/90000", typeH264)
	for _, feedback := range []string{"transport-cc", "ccm fir", "nack", "nack pli"} {
		line("a=rtcp-fb:%d %s", typeH264, feedback)
	}
	line("a=fmtp:%d %s", typeH264, h264)
	line("a=rtpmap:%d rtx/90000", typeRTX)
	line("a=fmtp:%d apt=%d", typeRTX, typeH264)
	if p.opt.Program == nil || !p.opt.Program.simulcast() {
		p.announce(&b, 1)
		return b.String()
	}
	line("a=extmap:%d %s", idRID, uriRID)
	var names []string
	for _, l := range p.opt.Program.Layers {
		line("a=rid:%s send", l.RID)
		names = append(names, l.RID)
	}
	line("a=msid:bench video")
	line("a=simulcast:send %s", strings.Join(names, ";"))
	return b.String()
}

// announce names the SSRC of a stream.
func (p *Peer) announce(b *strings.Builder, stream int) {
	if p.opt.Program == nil {
		return
	}
	track := [...]string{"audio", "video"}[stream]
	fmt.Fprintf(b, "a=msid:bench %s\r\na=ssrc:%d cname:bench\r\na=ssrc:%d msid:bench %s\r\n", track, p.sends[stream].ssrc, p.sends[stream].ssrc, track)
}

// head writes the lines of the session.
func (p *Peer) head(b *strings.Builder, bundle string) {
	fmt.Fprintf(b, "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE %s\r\na=msid-semantic: WMS *\r\n", bundle)
}

// transport writes the lines that all sections have.
func (p *Peer) transport(b *strings.Builder, mid, direction string) {
	p.connection(b, mid)
	fmt.Fprintf(b, "a=%s\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=extmap:%d %s\r\na=extmap:%d %s\r\n",
		direction, idMID, uriMID, idTransportSeq, uriTransportSeq)
}

// connection writes how the peer is reached, which is by its checks.
func (p *Peer) connection(b *strings.Builder, mid string) {
	fmt.Fprintf(b, "c=IN IP4 0.0.0.0\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:%s\r\na=setup:active\r\na=mid:%s\r\n",
		p.ufrag, p.pwd, p.opt.Identity.fingerprint, mid)
}

// Accept takes the answer to Offer.
func (p *Peer) Accept(answer string) error {
	d, err := parse(answer)
	if err != nil {
		return err
	}
	d.controls = false // who offers does, unless both are lite
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remote = d
	return nil
}

// Answer takes an offer, the first or a later one of the same connection, and accepts what is in it.
func (p *Peer) Answer(offer string) (string, error) {
	d, err := parse(offer)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.remote != nil && !d.candidate.IsValid() {
		d.candidate = p.remote.candidate
	}
	p.remote = d
	var mids []string
	for _, m := range d.text.MediaDescriptions {
		mid, _ := m.Attribute("mid")
		mids = append(mids, mid)
	}
	var b strings.Builder
	p.head(&b, strings.Join(mids, " "))
	for i, m := range d.text.MediaDescriptions {
		p.answerSection(&b, mids[i], &d.sections[i], m)
	}
	return b.String(), nil
}

// answerSection answers one section of an offer.
func (p *Peer) answerSection(b *strings.Builder, mid string, s *section, m *sdp.MediaDescription) {
	protocol := strings.Join(m.MediaName.Protos, "/")
	if s.isConnection {
		fmt.Fprintf(b, "m=application 9 %s webrtc-datachannel\r\n", protocol)
		p.connection(b, mid)
		b.WriteString("a=sctp-port:5000\r\n")
		return
	}
	direction := "recvonly"
	if s.inactive || len(s.chosen) == 0 {
		direction = "inactive"
	}
	formats := s.chosen
	if len(formats) == 0 {
		formats = m.MediaName.Formats[:1]
	}
	fmt.Fprintf(b, "m=%s 9 %s %s\r\n", s.kind, protocol, strings.Join(formats, " "))
	p.connection(b, mid)
	fmt.Fprintf(b, "a=%s\r\na=rtcp-mux\r\na=rtcp-rsize\r\n", direction)
	for _, a := range m.Attributes {
		first, rest, _ := strings.Cut(a.Value, " ")
		wanted := false
		switch a.Key {
		case "rtpmap", "fmtp", "rtcp-fb":
			wanted = slices.Contains(formats, first)
		case "extmap":
			wanted = rest == uriTransportSeq || rest == uriMID || rest == uriSendTime
		}
		if wanted {
			fmt.Fprintf(b, "a=%s:%s\r\n", a.Key, a.Value)
		}
	}
}

// AddCandidate takes an address of the other side that was not in its description.
func (p *Peer) AddCandidate(value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.remote != nil {
		p.remote.addCandidate(value)
	}
}

// Reachable reports whether an address of the other side is known.
func (p *Peer) Reachable() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.remote != nil && p.remote.candidate.IsValid()
}
