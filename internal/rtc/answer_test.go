package rtc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/rivus-live/rivus/internal/rtc/ice"
	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

// subscriberOffer is the shortest offer of a subscriber.
var subscriberOffer = strings.ReplaceAll(minimal[:strings.Index(minimal, "a=rid")], "sendonly", "recvonly") + //nolint:gochecknoglobals // a constant
	"a=extmap:3 " + uriTransportSeq + "\r\na=extmap:4 " + uriMID + "\r\n"

// answerTo returns the answer to an offer that gets video, and perhaps audio.
func answerTo(tb testing.TB, e *Engine, text string, audio bool) (*Outbound, *sdp.SessionDescription) {
	tb.Helper()
	o, err := ParseOffer(text)
	if err != nil {
		tb.Fatal(err)
	}
	var a *Codec
	if audio {
		a = first(o.Audio)
	}
	out, err := e.Send(o, a, first(o.Video), nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(out.Close)
	d := &sdp.SessionDescription{}
	if err := d.UnmarshalString(out.Answer()); err != nil {
		tb.Fatalf("%v\n%s", err, out.Answer())
	}
	return out, d
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	out, _ := answerTo(t, e, subscriberOffer, true)
	text := out.Answer()
	ssrc, _, rtx, _ := out.Video().Stream()
	for _, want := range []string{
		"a=group:BUNDLE 0 1\r\n", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n",
		"a=rtpmap:111 opus/48000/2\r\n", "a=rtpmap:96 VP8/90000\r\n", "a=rtcp-fb:96 nack pli\r\n", "a=fmtp:97 apt=96\r\n",
		"a=extmap:3 " + uriTransportSeq + "\r\n", "a=fingerprint:" + e.fingerprint + "\r\n",
		"a=ssrc-group:FID " + strconv.Itoa(int(ssrc)) + " " + strconv.Itoa(int(rtx)) + "\r\n", "a=msid:rivus video\r\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	for attribute, want := range map[string]int{"a=setup:passive": 2, "a=sendonly": 2, "a=rtcp-mux\r": 2, "a=end-of-candidates": 2, uriMID: 0, "a=ice-lite": 0} {
		if n := strings.Count(text, attribute); n != want {
			t.Errorf("%d times %s, want %d", n, attribute, want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	out, d := answerTo(t, e, subscriberOffer, false)
	if d.MediaDescriptions[0].MediaName.Port.Value != 0 || !strings.Contains(out.Answer(), "a=group:BUNDLE 1\r\n") {
		t.Errorf("a rejected section:\n%s", out.Answer())
	}
	before := out.Answer()
	after, err := out.Restart("fresh", "fresh-secret-password-long")
	if err != nil || after == before || out.RemoteUfrag() != "fresh" || !strings.Contains(after, " 2 IN IP4") {
		t.Errorf("%v\n%s", err, after)
	}
	f, err := out.Candidates()
	if err != nil || f.Ufrag == "" || strings.Contains(before, f.Ufrag) || len(f.Candidates) != 2 {
		t.Errorf("%+v %v", f, err)
	}
	if _, err := out.Restart("a", "b"); err == nil {
		t.Error("short credentials are taken")
	}
}

// TestAnswerToAPublisher: one codec of each kind, the layers, what we read of the extensions, and none of its candidates.
func TestAnswerToAPublisher(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	o, err := ParseOffer(minimal)
	if err != nil {
		t.Fatal(err)
	}
	in, err := e.Receive(o, nil, &o.Video.Codecs[1])
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	text := in.Answer()
	for _, want := range []string{
		"a=group:BUNDLE 1\r\n", "m=audio 0 ", "m=video 9 UDP/TLS/RTP/SAVPF 102\r\n", "a=recvonly\r\n", "a=setup:passive\r\n",
		"a=fmtp:102 packetization-mode=1;profile-level-id=42e01f\r\n", "a=extmap:3 " + uriTransportSeq + "\r\n",
		"a=rid:low recv\r\na=rid:hi recv\r\na=simulcast:recv low;hi\r\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, not := range []string{"evil", "VP8", "rtx", " 103", ":103", "a=ssrc", "a=msid:", "sendonly"} {
		if strings.Contains(text, not) {
			t.Errorf("there is %q", not)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestAnswerRefusesSectionsNotOffers: offers with more than we carry, or with sections that say less than others, are
// answered section by section, in their order; what is refused has the port 0 and is not in the bundle.
func TestAnswerRefusesSectionsNotOffers(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	for name, c := range map[string]struct{ sections, group string }{
		"bundle-only-bare":      {"audio 9 0, video 9 1", "0 1"},
		"data-channel-beside":   {"audio 9 0, video 9 1, application 0 2", "0 1"},
		"dtls-passive":          {"audio 9 0, video 9 1", "0 1"},
		"four-rids":             {"audio 9 0, video 9 1", "0 1"},
		"rejected-application":  {"audio 9 0, application 0 2", "0"},
		"rejected-video-no-mid": {"audio 9 0, video 0 ", "0"},
		"spare-sections":        {"audio 9 0, video 0 1, video 9 2, audio 0 3, video 0 4", "0 2"},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", "offers", name+".sdp"))
		if err != nil {
			t.Fatal(err)
		}
		o, err := ParseOffer(string(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		in, err := e.Receive(o, first(o.Audio), first(o.Video))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		t.Cleanup(in.Close)
		checkAnswer(t, o, in.Answer())
		sections, group := outline(t, in.Answer())
		if sections != c.sections || group != c.group {
			t.Errorf("%s: sections %q in the bundle %q, want %q in %q\n%s", name, sections, group, c.sections, c.group, in.Answer())
		}
	}
}

// outline returns an answer's sections, as "media port mid" in their order, and its bundle. Every accepted section has
// what ICE and DTLS need, and no other has.
func outline(t *testing.T, answer string) (sections, group string) {
	t.Helper()
	d := &sdp.SessionDescription{}
	if err := d.UnmarshalString(answer); err != nil {
		t.Fatalf("%v\n%s", err, answer)
	}
	var list []string
	for _, m := range d.MediaDescriptions {
		mid, _ := m.Attribute("mid")
		list = append(list, fmt.Sprintf("%s %d %s", m.MediaName.Media, m.MediaName.Port.Value, mid))
		for _, key := range []string{"ice-ufrag", "ice-pwd", "fingerprint", "setup", "rtcp-mux", "candidate"} {
			if _, has := m.Attribute(key); has != (m.MediaName.Port.Value != 0) {
				t.Errorf("section %q: it has a=%s: %v", mid, key, has)
			}
		}
	}
	for _, a := range d.Attributes {
		if mids, ok := strings.CutPrefix(a.Value, "BUNDLE "); ok && a.Key == "group" {
			group = mids
		}
	}
	return strings.Join(list, ", "), group
}

// TestClientsWithMoreThanWeCarry: a data channel beside a publisher's media, and a subscriber's spare sections, keep
// nobody from the media.
func TestClientsWithMoreThanWeCarry(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	pub := rtctest.NewPublisher(t, rtctest.Options{RIDs: []string{"a", "b", "c", "d"}})
	if _, err := pub.PC.CreateDataChannel("chat", nil); err != nil {
		t.Fatal(err)
	}
	in := receive(t, e, pub)
	if sections, group := outline(t, in.Answer()); sections != "audio 9 0, video 9 1, application 0 2" || group != "0 1" {
		t.Errorf("sections %q in the bundle %q", sections, group)
	}
	sub := rtctest.NewSubscriber(t, rtctest.Options{})
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if _, err := sub.PC.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			t.Fatal(err)
		}
	}
	out, _ := answerTo(t, e, sub.Offer(t), true)
	sub.Answer(t, out.Answer())
	rtctest.WaitClosed(t, "subscriber connects", out.Connected())
	layers := make(chan string, 8)
	run(t, in, func(l *Layer) Feed {
		layers <- nameOf(l)
		if l.Kind == Audio {
			return &passOn{engine: e, to: out.Audio()}
		}
		return nil
	})
	pub.Run(30, 1)
	var seen []string
	for range 5 {
		seen = append(seen, rtctest.Receive(t, "a layer", layers))
	}
	slices.Sort(seen)
	if want := []string{"audio ", "video a", "video b", "video c", "video d"}; !slices.Equal(seen, want) {
		t.Errorf("layers %q", seen)
	}
	sub.Wait(t, "audio", rtctest.IsAudio)
}

// TestAnswerGivesTheRole: we are the DTLS server unless the peer insists on being it.
func TestAnswerGivesTheRole(t *testing.T) {
	t.Parallel()
	e := newTestEngine(t)
	for offered, want := range map[string]string{"actpass": "passive", "active": "passive", "passive": "active"} {
		out, _ := answerTo(t, e, strings.ReplaceAll(subscriberOffer, "actpass", offered), true)
		if n := strings.Count(out.Answer(), "a=setup:"+want+"\r\n"); n != 2 {
			t.Errorf("an offer that is %s:\n%s", offered, out.Answer())
		}
	}
}

func TestReceiveNeedsDistinctPayloadTypes(t *testing.T) {
	t.Parallel()
	o, err := ParseOffer(strings.ReplaceAll(minimal, "111", "97"))
	if err != nil {
		t.Fatal(err)
	}
	if in, err := newTestEngine(t).Receive(o, first(o.Audio), first(o.Video)); !errors.Is(err, ErrOffer) {
		t.Errorf("%v %v", in, err)
	}
}

func TestSendNeedsAFingerprint(t *testing.T) {
	t.Parallel()
	o, err := ParseOffer(strings.ReplaceAll(subscriberOffer, "sha-256 ", "md5 "))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newTestEngine(t).Send(o, first(o.Audio), nil, nil); err == nil {
		t.Error("a certificate that nobody can check")
	}
}

// wellFormed is a line of SDP without control characters.
var wellFormed = regexp.MustCompile(`^[a-z]=[^\x00-\x08\x0a-\x1f]*$`) //nolint:gochecknoglobals // a constant

// FuzzAnswer: the answer to whatever is accepted is SDP, has the offer's sections, and says nothing that was not asked
// for.
func FuzzAnswer(f *testing.F) {
	f.Add(subscriberOffer)
	f.Add(strings.ReplaceAll(subscriberOffer, "a=group:BUNDLE 0 1\r\nm=audio", "m=audio"))
	f.Add(minimal)
	for _, name := range []string{"bundle-only-bare", "data-channel-beside", "four-rids", "rejected-application", "rejected-video-no-mid", "spare-sections"} {
		text, err := os.ReadFile(filepath.Join("testdata", "offers", name+".sdp"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(rtctest.NewSubscriber(f, rtctest.Options{Video: webrtc.MimeTypeAV1}).Offer(f))
	f.Fuzz(func(t *testing.T, text string) {
		o, err := ParseOffer(text)
		if err != nil {
			return
		}
		for _, sections := range [][2]*accepted{
			{newSender(Audio, first(o.Audio), o.Audio, []uint32{1, 2}).accepted(), newSender(Video, first(o.Video), o.Video, []uint32{3, 4}).accepted()},
			receiving(o, first(o.Audio), first(o.Video)),
		} {
			checkAnswer(t, o, layOut(o, sections).text(ice.Credentials{Ufrag: "ours", Password: "our password"}))
		}
	})
}

// checkAnswer checks what holds of every answer.
func checkAnswer(t *testing.T, o *Offer, answer string) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSuffix(answer, "\r\n"), "\r\n") {
		if !wellFormed.MatchString(line) {
			t.Fatalf("the line %q", line)
		}
	}
	d := &sdp.SessionDescription{}
	if err := d.UnmarshalString(answer); err != nil {
		t.Fatalf("%v\n%s", err, answer)
	}
	if len(d.MediaDescriptions) != len(o.desc.MediaDescriptions) {
		t.Fatalf("%d sections of %d", len(d.MediaDescriptions), len(o.desc.MediaDescriptions))
	}
	for i, m := range d.MediaDescriptions {
		offered := o.desc.MediaDescriptions[i]
		for _, format := range m.MediaName.Formats {
			if !slices.Contains(offered.MediaName.Formats, format) && m.MediaName.Port.Value != 0 {
				t.Fatalf("format %s was not offered", format)
			}
		}
		mid, _ := m.Attribute("mid")
		if want, _ := offered.Attribute("mid"); mid != want {
			t.Fatalf("section %q became %q", want, mid)
		}
	}
}
