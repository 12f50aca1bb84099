package rtc

import (
	"strings"
	"testing"
)

// balanced is an offer of audio and video with a transport each, and retransmissions with the given parameters.
func balanced(group, apt string) string {
	section := func(media, mid, ufrag, maps string) string {
		return "m=" + media + "\nc=IN IP4 0.0.0.0\na=mid:" + mid + "\na=sendonly\na=rtcp-mux\na=setup:actpass\na=ice-ufrag:" + ufrag +
			"\na=ice-pwd:abcdefghijklmnopqrstuvwx\na=fingerprint:sha-256 " + strings.TrimSuffix(strings.Repeat("AB:", 32), ":") + "\n" + maps
	}
	text := "v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE " + group + "\n" +
		section("video 9 UDP/TLS/RTP/SAVPF 96 97", "v", "videoufrag", "a=rtpmap:96 VP8/90000\na=rtpmap:97 rtx/90000\na=fmtp:97 "+apt+"\n") +
		section("audio 9 UDP/TLS/RTP/SAVPF 111", "a", "audioufrag", "a=rtpmap:111 opus/48000/2\n")
	return strings.ReplaceAll(text, "\n", "\r\n")
}

// TestRetransmissionTime: what an offer says of its retransmissions beside their payload type does not lose them.
func TestRetransmissionTime(t *testing.T) {
	t.Parallel()
	for _, fmtp := range []string{"apt=96", "apt=96;rtx-time=3000", "rtx-time=3000; apt=96"} {
		o, err := ParseOffer(balanced("v a", fmtp))
		if err != nil {
			t.Fatal(err)
		}
		if got := o.Video.Codecs[0].RTXPayloadType; got != 97 {
			t.Errorf("%q: %d", fmtp, got)
		}
	}
}
