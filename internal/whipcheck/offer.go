package whipcheck

import (
	"crypto/rand"
	"errors"
	"strings"
)

// iceOptions is what the checker's offers and fragments say of its ICE.
const iceOptions = "a=ice-options:trickle\r\n"

// wireOffer adds to an offer of Pion's what RFC 9725 demands of a client and Pion does not write.
func wireOffer(local string) string {
	s := strings.ReplaceAll(local, "a=rtcp-mux\r\n", "a=rtcp-mux\r\na=rtcp-mux-only\r\n")
	if i := strings.Index(s, "m="); i >= 0 && !strings.Contains(s, "a=ice-options:") {
		s = s[:i] + iceOptions + s[i:]
	}
	return s
}

// bothWays returns the offer with sendrecv sections.
func bothWays(offer string) string {
	return strings.NewReplacer("a=sendonly\r\n", "a=sendrecv\r\n", "a=recvonly\r\n", "a=sendrecv\r\n").Replace(offer)
}

// dtlsClient returns the offer of a client that can only be a DTLS client.
func dtlsClient(offer string) string {
	return strings.ReplaceAll(offer, "a=setup:actpass", "a=setup:active")
}

// videoSection returns where the video section of one of our offers begins and ends.
func videoSection(offer string) (begin, end int) {
	begin = strings.Index(offer, "m=video")
	if begin < 0 {
		return len(offer), len(offer)
	}
	if next := strings.Index(offer[begin+1:], "m="); next >= 0 {
		return begin, begin + 1 + next
	}
	return begin, len(offer)
}

// twoVideos returns the offer with a second video track.
func twoVideos(offer string) string {
	begin, end := videoSection(offer)
	lines := strings.SplitAfter(offer[begin:end], "\r\n")
	var second strings.Builder
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "a=mid:"):
			line = "a=mid:second\r\n"
		case strings.HasPrefix(line, "a=ssrc"), strings.HasPrefix(line, "a=candidate"), strings.HasPrefix(line, "a=end-of"):
			continue
		case strings.HasPrefix(line, "a=msid:"):
			stream, _, _ := strings.Cut(line, " ")
			line = stream + " second\r\n"
		}
		second.WriteString(line)
	}
	head, rest, _ := strings.Cut(offer, "a=group:BUNDLE ")
	group, rest, _ := strings.Cut(rest, "\r\n")
	return head + "a=group:BUNDLE " + group + " second\r\n" + rest + second.String()
}

// unknownVideo returns the offer with a video section that no server can accept.
func unknownVideo(offer string) string {
	begin, end := videoSection(offer)
	var b strings.Builder
	for _, line := range strings.SplitAfter(offer[begin:end], "\r\n") {
		switch {
		case strings.HasPrefix(line, "m=video"):
			line = "m=video 9 UDP/TLS/RTP/SAVPF 120\r\n"
		case strings.HasPrefix(line, "a=rtpmap:"), strings.HasPrefix(line, "a=fmtp:"), strings.HasPrefix(line, "a=rtcp-fb:"):
			continue
		}
		b.WriteString(line)
	}
	return offer[:begin] + b.String() + "a=rtpmap:120 X-WHIPCHECK/90000\r\n" + offer[end:]
}

// largeOffer returns the offer followed by megabytes of attributes that mean nothing.
func largeOffer(offer string) string {
	const size = 4 << 20
	line := "a=x-whipcheck:" + strings.Repeat("x", 1000) + "\r\n"
	return offer + strings.Repeat(line, size/len(line))
}

// fragment is one of ours for a PATCH (RFC 8840, section 4.4; RFC 9725, section 4.3).
type fragment struct {
	ufrag, password string
	group, media    string // the BUNDLE line, and the first section's m= and mid lines
	candidates      []string
}

// fragmentOf takes a fragment out of one of our offers.
func fragmentOf(offer string) (fragment, error) {
	d, err := parseSDP(offer)
	if err != nil {
		return fragment{}, err
	}
	s := d.tagged()
	if s == nil {
		return fragment{}, errors.New("our offer has no section")
	}
	var f fragment
	f.ufrag, _ = d.get(s, "ice-ufrag")
	f.password, _ = d.get(s, "ice-pwd")
	f.group = "a=group:BUNDLE " + strings.Join(d.bundle(), " ") + "\r\n"
	mid, _ := s.get("mid")
	f.media = "m=" + s.kind + " 9 " + s.proto + " " + strings.Join(s.formats, " ") + "\r\na=mid:" + mid + "\r\n"
	f.candidates = s.all("candidate")
	return f, nil
}

// renewed returns the fragment with credentials that nobody has used.
func (f fragment) renewed() fragment {
	f.ufrag, f.password = rand.Text()[:8], rand.Text()+rand.Text()
	return f
}

// text returns the fragment as it is sent.
func (f fragment) text() string {
	var b strings.Builder
	b.WriteString(iceOptions + f.group + f.media)
	b.WriteString("a=ice-ufrag:" + f.ufrag + "\r\na=ice-pwd:" + f.password + "\r\n")
	for _, c := range f.candidates {
		b.WriteString("a=candidate:" + c + "\r\n")
	}
	b.WriteString("a=end-of-candidates\r\n")
	return b.String()
}

// unusable returns the fragment with candidates that no server can use: of an unknown transport, at a host that does not
// exist.
func (f fragment) unusable() fragment {
	f.candidates = []string{
		"1 1 sctp 2122260223 192.0.2.1 61764 typ host",
		"2 1 udp 2122194687 whipcheck.invalid 61765 typ host",
	}
	return f
}
