package rtc

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

// minimal is the shortest offer that is accepted.
const minimal = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\n" +
	"a=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-256 " + print + "\r\na=setup:actpass\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\n" +
	"a=ice-pwd:abcdefghijklmnopqrstuv\r\na=fingerprint:sha-256 " + print + "\r\na=setup:actpass\r\na=sendonly\r\n" +
	"a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n" +
	"a=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1;profile-level-id=42e01f\r\n" +
	"a=rtpmap:103 H264/90000\r\na=fmtp:103 packetization-mode=0;profile-level-id=42e01f\r\n" +
	"a=rid:low send\r\na=rid:hi send\r\na=simulcast:send low;hi\r\n" +
	"a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n" +
	"a=candidate:1 1 udp 1 evil.example 1 typ host\r\n"

const print = "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99"

func TestParseOffer(t *testing.T) {
	t.Parallel()
	o, err := ParseOffer(minimal)
	if err != nil {
		t.Fatal(err)
	}
	v := o.Video
	if len(v.Codecs) != 2 || v.Codecs[0].Name != "VP8" || v.Codecs[0].RTXPayloadType != 97 || v.Codecs[1].PayloadType != 102 {
		t.Errorf("codecs %+v", v.Codecs)
	}
	if strings.Join(v.RIDs, ",") != "low,hi" || v.Extensions.TransportSeq != 3 || !v.Sends || v.Receives {
		t.Errorf("section %+v", v)
	}
}

func TestParseOfferRefuses(t *testing.T) {
	t.Parallel()
	change := func(old, now string) string { return strings.ReplaceAll(minimal, old, now) }
	for name, text := range map[string]string{
		"nothing":        "",
		"text":           "hello",
		"lone return":    change("opus/48000/2", "opus/48000/2\ra=evil"),
		"control":        change("a=mid:1", "a=mid:1\x00"),
		"long":           minimal + strings.Repeat("a=x\r\n", 20_000),
		"no media":       minimal[:strings.Index(minimal, "m=audio")],
		"data alone":     change("m=audio 9 UDP/TLS/RTP/SAVPF 111", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel")[:strings.Index(minimal, "m=video")],
		"all rejected":   strings.NewReplacer("m=audio 9", "m=audio 0", "m=video 9", "m=video 0").Replace(minimal),
		"no bundle":      change("a=group:BUNDLE 0 1\r\n", ""),
		"half a bundle":  change("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"),
		"no mid":         change("a=mid:1\r\n", ""),
		"same mid":       change("a=mid:1", "a=mid:0"),
		"no mux":         change("a=rtcp-mux\r\n", ""),
		"no ufrag":       change("a=ice-ufrag:abcd\r\n", ""),
		"short password": change("abcdefghijklmnopqrstuv", "abc"),
		"no fingerprint": change("a=fingerprint:", "a=thumbprint:"),
		"no role":        change("actpass", "holdconn"),
		"same layer":     change("a=rid:hi send", "a=rid:low send"),
		"endless layer":  change("a=rid:hi send", "a=rid:"+strings.Repeat("x", maxRID+1)+" send"),
	} {
		if _, err := ParseOffer(text); !errors.Is(err, ErrOffer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSimulcastPreference: what an offer may say about its layers, and what we take of it.
func TestSimulcastPreference(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rids, simulcast, layers, preference string }{
		"the order of preference":  {"low mid hi", "send hi;mid;low", "low mid hi", "hi mid low"},
		"no order":                 {"low hi", "", "low hi", ""},
		"four":                     {"a b c d", "send a;b;c;d", "a b c d", "a b c d"},
		"five, least liked first":  {"a b c d e", "send e;d;c;b;a", "b c d e", "e d c b"},
		"five without an order":    {"a b c d e", "", "a b c d", ""},
		"alternatives":             {"a b c", "send a,b;c", "a c", "a c"},
		"paused":                   {"a b", "send ~b;~a", "a b", "b a"},
		"both directions":          {"a b", "recv x;y send b;a", "a b", "b a"},
		"not in the list":          {"a b", "send b", "b", "b"},
		"not announced, and twice": {"a b", "send a;z;a;b", "a b", "a b"},
		"only receives":            {"a b", "recv a;b", "a b", ""},
		"cut off":                  {"a b", "send", "a b", ""},
	} {
		lines := ""
		for _, rid := range strings.Fields(c.rids) {
			lines += "a=rid:" + rid + " send\r\n"
		}
		if c.simulcast != "" {
			lines += "a=simulcast:" + c.simulcast + "\r\n"
		}
		o, err := ParseOffer(strings.Replace(minimal, "a=rid:low send\r\na=rid:hi send\r\na=simulcast:send low;hi\r\n", lines, 1))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v := o.Video; strings.Join(v.RIDs, " ") != c.layers || strings.Join(v.Preference, " ") != c.preference {
			t.Errorf("%s: layers %q in the order %q", name, v.RIDs, v.Preference)
		}
	}
}

// TestParameterSets: those of an offer are taken when they are whole and few, and are no part of the format.
func TestParameterSets(t *testing.T) {
	t.Parallel()
	good := rtctest.ParameterSets()
	_, pps, _ := strings.Cut(good, ",")
	for name, c := range map[string]struct {
		sets string
		want int
	}{
		"two": {good, 2}, "three": {good + "," + pps, 3}, "no PPS": {"Z0LgH4xo", 0}, "none": {"", 0}, "not Base64": {"%%%," + pps, 0},
		"something else": {good + ",Bgc=", 0}, "too many": {good + strings.Repeat(","+pps, 7), 0},
		"too long": {"Z" + strings.Repeat("AAAA", 400) + "AAA," + pps, 0},
	} {
		o, err := ParseOffer(strings.ReplaceAll(minimal, "packetization-mode=1;", "packetization-mode=1;sprop-parameter-sets="+c.sets+";"))
		if err != nil {
			t.Fatal(err)
		}
		if h := o.Video.Codecs[1]; len(h.Sets) != c.want || h.Fmtp != "packetization-mode=1;profile-level-id=42e01f" {
			t.Errorf("%s: %d sets, %q", name, len(h.Sets), h.Fmtp)
		}
	}
}

func TestMatchPrefersTheProfile(t *testing.T) {
	t.Parallel()
	h := func(pt uint8, profile string) Codec {
		return Codec{Name: "H264", PayloadType: pt, Fmtp: "packetization-mode=1;profile-level-id=" + profile}
	}
	offered := []Codec{{Name: "VP8", PayloadType: 96}, h(98, "42e01f"), h(100, "64001f")}
	published := h(1, "640028")
	if m, ok := published.Match(offered); !ok || m.PayloadType != 100 {
		t.Errorf("%+v %v", m, ok)
	}
	published = h(1, "4d0032")
	if m, ok := published.Match(offered); !ok || m.PayloadType != 98 {
		t.Errorf("%+v %v", m, ok)
	}
	if _, ok := (&Codec{Name: "AV1"}).Match(offered); ok {
		t.Error("AV1 matched")
	}
}

// FuzzOffer: whatever is accepted is within bounds. FuzzAnswer has what becomes of it.
func FuzzOffer(f *testing.F) {
	f.Add(minimal)
	f.Add(strings.ReplaceAll(minimal, "m=video 9", "m=video 0"))
	f.Add(rtctest.NewPublisher(f, rtctest.Options{RIDs: []string{"a", "b"}}).Offer(f))
	f.Add(rtctest.NewSubscriber(f, rtctest.Options{}).Offer(f))
	f.Fuzz(func(t *testing.T, text string) {
		o, err := ParseOffer(text)
		if err != nil {
			if !errors.Is(err, ErrOffer) {
				t.Fatal(err)
			}
			return
		}
		for _, s := range []*Section{o.Audio, o.Video} {
			if s == nil {
				continue
			}
			if s.MID == "" || len(s.RIDs) > maxRIDs || len(s.Preference) > len(s.RIDs) || len(s.Codecs) > maxFormats || o.ufrag() == "" || len(o.password()) < 22 {
				t.Fatalf("%+v", s)
			}
			for _, c := range s.Codecs {
				if c.PayloadType < 20 || c.PayloadType > 127 || c.PayloadType >= 64 && c.PayloadType < 96 {
					t.Fatalf("payload type %d", c.PayloadType)
				}
			}
		}
	})
}

// FuzzFragment: what is accepted is bounded and survives being written and read again.
func FuzzFragment(f *testing.F) {
	f.Add("a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\na=end-of-candidates\r\n")
	f.Add("a=candidate:x\n")
	f.Add("hello")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseFragment(text)
		if err != nil {
			return
		}
		if len(a.Candidates) > maxCandidates || len(a.Ufrag) > maxToken || len(a.Password) > maxToken {
			t.Fatalf("unbounded: %+v", a)
		}
		if a.Ufrag == "" || a.Password == "" {
			return
		}
		b, err := ParseFragment(a.String())
		if err != nil || b.Ufrag != a.Ufrag || b.Password != a.Password || len(b.Candidates) != len(a.Candidates) || b.End != a.End {
			t.Fatalf("%v: %+v became %+v", err, a, b)
		}
	})
}

// TestTransportOfTheBundle: sections that name a transport each share that of the first in the bundle, whatever its kind,
// and of the next when that one is rejected (RFC 9143, section 7.3.1).
func TestTransportOfTheBundle(t *testing.T) {
	t.Parallel()
	section := func(media string, port int, mid string) string {
		return fmt.Sprintf("m=%s %d UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:%s\r\na=rtcp-mux\r\na=setup:actpass\r\n"+
			"a=ice-ufrag:ufrag%s\r\na=ice-pwd:0123456789012345678901%s\r\na=fingerprint:sha-256 %s\r\na=rtpmap:96 %s\r\n",
			media, port, mid, mid, mid, strings.Repeat("AB:", 31)+"AB", map[string]string{"audio": "opus/48000/2", "video": "VP8/90000"}[media])
	}
	offer := func(group string, sections ...string) string {
		return "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE " + group + "\r\n" + strings.Join(sections, "")
	}
	for name, c := range map[string]struct{ offer, want string }{
		"audio first":           {offer("0 1", section("audio", 9, "0"), section("video", 9, "1")), "ufrag0"},
		"video first":           {offer("0 1", section("video", 9, "0"), section("audio", 9, "1")), "ufrag0"},
		"the group's order":     {offer("1 0", section("audio", 9, "0"), section("video", 9, "1")), "ufrag1"},
		"the first is not ours": {offer("0 1", section("video", 0, "0"), section("audio", 9, "1")), "ufrag1"},
		"a second of its kind":  {offer("0 1 2", section("video", 9, "0"), section("video", 9, "1"), section("audio", 9, "2")), "ufrag0"},
	} {
		o, err := ParseOffer(c.offer)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := o.transport("ice-ufrag"); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if strings.Count(c.offer, "m=video 9") != o.Sending[Video] {
			t.Errorf("%s: %d videos are sent", name, o.Sending[Video])
		}
	}
}
