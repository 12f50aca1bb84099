package whipcheck

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		field string
		want  []link // nil for one that is refused
	}{
		{`<stun:a.example>; rel="ice-server"`, []link{{"stun:a.example", []attribute{{"rel", "ice-server"}}}}},
		{`<turn:a.example?transport=udp>;REL=ice-server ; username="a\"b" ;credential=x`, []link{{
			"turn:a.example?transport=udp", []attribute{{"rel", "ice-server"}, {"username", `a"b`}, {"credential", "x"}},
		}}},
		{`<a>; rel=x, <b,c>; rel="y z",, <d>`, []link{{"a", []attribute{{"rel", "x"}}}, {"b,c", []attribute{{"rel", "y z"}}}, {"d", nil}}},
		{`<>;;a;b=";,"`, []link{{"", []attribute{{"a", ""}, {"b", ";,"}}}}},
		{`stun:a.example; rel="ice-server"`, nil},
		{`<a; rel="x"`, nil},
		{`<a>; rel="x`, nil},
		{`<a>; rel=`, nil},
		{`<a>; "x"`, nil},
		{`<a> rel="x"`, nil},
		{"<a>; rel=\"\x01\"", nil},
		{"<a>; rel=\"\\\x01\"", nil},
		{`<a b>`, nil},
	}
	for _, test := range tests {
		got, err := parseLinks(test.field)
		if (err == nil) != (test.want != nil) || err == nil && !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %q, %v", test.field, got, err)
		}
	}
}

func TestICEServers(t *testing.T) {
	t.Parallel()
	with := `; rel="ice-server"; username="u"; credential="c"`
	tests := []struct {
		value string
		good  bool
	}{
		{`<stun:a.example>; rel="ice-server"`, true},
		{`<stun:a.example:3478>; rel="ice-server"`, true},
		{`<stuns:[2001:db8::1]:5349>; rel="ice-server"`, true},
		{`<turn:a.example>` + with, true},
		{`<turns:a.example:443?transport=tcp>` + with, true},
		{`<stun:a.example?transport=udp>; rel="ice-server"`, false},
		{`<stun://a.example>; rel="ice-server"`, false},
		{`<stun:>; rel="ice-server"`, false},
		{`<stun:u@a.example>; rel="ice-server"`, false},
		{`<stun:a.example:0>; rel="ice-server"`, false},
		{`<turn:a.example:99999>` + with, false},
		{`<turn:a.example?proto=udp>` + with, false},
		{`<turn:a.example?transport=>` + with, false},
		{`<turn:a.example>; rel="ice-server"; username="u"`, false},
		{`<https://a.example/>` + with, false},
		{`<%zz>` + with, false},
	}
	for _, test := range tests {
		list, err := parseLinks(test.value)
		if err != nil {
			t.Errorf("%s: %v", test.value, err)
			continue
		}
		if problem := checkICEServer(&list[0]); (problem == "") != test.good {
			t.Errorf("%s: %q", test.value, problem)
		}
	}
}

func TestHeaderValues(t *testing.T) {
	t.Parallel()
	for tag, good := range map[string]bool{
		`"x"`: true, `""`: true, `"é!#"`: true, ``: false, `x`: false, `"`: false, `W/"x"`: false, `"a b"`: false, `"a"b"`: false, "\"\x7f\"": false,
	} {
		if problem := checkETag(tag); (problem == "") != good {
			t.Errorf("ETag %q: %q", tag, problem)
		}
	}
	for value, good := range map[string]bool{
		"0": true, "120": true, "Wed, 21 Oct 2015 07:28:00 GMT": true,
		"-1": false, "1.5": false, "soon": false, "2015-10-21T07:28:00Z": false, "99999999999999999999": false,
	} {
		if problem := checkRetryAfter(value); (problem == "") != good {
			t.Errorf("Retry-After %q: %q", value, problem)
		}
	}
	for value, want := range map[string]string{
		`application/sdp`: "", `application/sdp; valid-until="Wed, 09 Oct 2024 10:00:00 GMT"`: "Wed, 09 Oct 2024 10:00:00 GMT",
		`application/sdp; valid-until=x`: "x", `application/sdp; valid-until="x`: `"x`,
	} {
		if got := validUntil(value); got != want {
			t.Errorf("%s: valid until %q, want %q", value, got, want)
		}
	}
}

const goodAnswer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\na=ice-ufrag:abcd\r\n" +
	"a=ice-pwd:0123456789012345678901\r\na=candidate:1 1 udp 2130706431 192.0.2.1 1 typ host\r\na=end-of-candidates\r\n"

func TestSDP(t *testing.T) {
	t.Parallel()
	d, err := parseSDP(goodAnswer)
	if err != nil || len(d.sections) != 1 || d.tagged() == nil || d.candidates() != 1 {
		t.Fatalf("%+v, %v", d, err)
	}
	if _, err := parseSDP(strings.ReplaceAll(goodAnswer, "\r\n", "\n")); err != nil {
		t.Errorf("lines that end with LF alone: %v", err)
	}
	for name, bad := range map[string]string{
		"empty":               "",
		"another version":     strings.Replace(goodAnswer, "v=0", "v=1", 1),
		"no time":             strings.Replace(goodAnswer, "t=0 0\r\n", "", 1),
		"no session name":     strings.Replace(goodAnswer, "s=-\r\n", "", 1),
		"a line without type": goodAnswer + "hello\r\n",
		"an empty line":       goodAnswer + "\r\n",
		"an unknown type":     goodAnswer + "x=1\r\n",
		"a session line late": goodAnswer + "s=-\r\n",
		"no port":             strings.Replace(goodAnswer, "m=audio 9", "m=audio", 1),
		"port too large":      strings.Replace(goodAnswer, "m=audio 9", "m=audio 65536", 1),
		"a bad attribute":     goodAnswer + "a=:x\r\n",
		"a zero byte":         goodAnswer + "a=x:\x00\r\n",
		"many lines":          goodAnswer + strings.Repeat("a=x\r\n", maxLines),
		"many sections":       goodAnswer + strings.Repeat("m=audio 9 X 0\r\n", maxSections),
	} {
		if _, err := parseSDP(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	for value, good := range map[string]bool{
		"1 1 udp 2130706431 192.0.2.1 1 typ host":                                              true,
		"a+/ 1 tcp 1518280447 2001:db8::1 9 typ host tcptype active":                           true,
		"1 1 udp 1 x.local 1 typ srflx raddr 0.0.0.0 rport 0":                                  true,
		"1 1 udp 2130706431 192.0.2.1 1 host":                                                  false,
		"1 1 udp 2130706431 192.0.2.1 1 type host":                                             false,
		"? 1 udp 2130706431 192.0.2.1 1 typ host":                                              false,
		"1 0 udp 2130706431 192.0.2.1 1 typ host":                                              false,
		"1 1 udp 4294967295 192.0.2.1 1 typ host":                                              false,
		"1 1 udp 2130706431 192.0.2.1;x 1 typ host":                                            false,
		"1 1 udp 2130706431 192.0.2.1 70000 typ host":                                          false,
		"1 1 udp 2130706431 192.0.2.1 1 typ host generation":                                   false,
		"123456789012345678901234567890123 1 udp 2130706431 192.0.2.1 1 typ host generation 0": false,
	} {
		if problem := checkCandidate(value); (problem == "") != good {
			t.Errorf("%s: %q", value, problem)
		}
	}
}

// TestOffers: what we send is what it says it is.
func TestOffers(t *testing.T) {
	t.Parallel()
	p, err := newPeer(false)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	local, err := p.offer(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	plain := wireOffer(local)
	for name, offer := range map[string]string{
		"plain": plain, "both ways": bothWays(plain), "DTLS client": dtlsClient(plain), "two videos": twoVideos(plain), "unknown": unknownVideo(plain),
	} {
		d, err := parseSDP(offer)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, offer)
			continue
		}
		if len(d.bundle()) != len(d.sections) || lacking(d, "rtcp-mux-only") != "" || lacking(d, "msid") != "" {
			t.Errorf("%s:\n%s", name, offer)
		}
	}
	f, err := fragmentOf(plain)
	if err != nil || len(f.candidates) == 0 {
		t.Fatalf("%+v, %v", f, err)
	}
	for _, f := range []fragment{f, f.renewed(), f.unusable()} {
		d, err := parseFragment(f.text())
		if err != nil || len(d.sections) != 1 || d.candidates() != len(f.candidates) || checkCredentials(f.ufrag, f.password) != "" {
			t.Errorf("%v\n%s", err, f.text())
		}
	}
}

// text writes a description down again.
func (d *description) text() string {
	var b strings.Builder
	write := func(list []attribute) {
		for _, a := range list {
			fmt.Fprintf(&b, "a=%s:%s\r\n", a.key, a.value)
		}
	}
	write(d.attributes)
	for _, s := range d.sections {
		fmt.Fprintf(&b, "m=%s %d %s %s\r\n", s.kind, s.port, s.proto, strings.Join(s.formats, " "))
		write(s.attributes)
	}
	return b.String()
}

func FuzzLinks(f *testing.F) {
	for _, s := range []string{`<stun:a.example>; rel="ice-server"`, `<a>; rel=x, <b,c>; rel="y z",, <d>`, `<>;;a;b=";,\""`, `<a`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, field string) {
		list, err := parseLinks(field)
		if err != nil {
			return
		}
		var values []string
		for i := range list {
			_ = checkICEServer(&list[i])
			s := "<" + list[i].target + ">"
			for _, p := range list[i].params {
				s += "; " + p.key + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(p.value) + `"`
			}
			values = append(values, s)
		}
		again, err := parseLinks(strings.Join(values, ", "))
		if err != nil || !reflect.DeepEqual(list, again) {
			t.Errorf("%q: %q and then %q, %v", field, list, again, err)
		}
	})
}

func FuzzETag(f *testing.F) {
	for _, s := range []string{`"x"`, `W/"x"`, `"`, `""`, `"a"b"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		if checkETag(tag) != "" {
			return
		}
		inside := tag[1 : len(tag)-1]
		if tag != `"`+inside+`"` || strings.ContainsAny(inside, "\" \t\r\n\x00") {
			t.Errorf("%q is taken for a strong entity-tag", tag)
		}
	})
}

func FuzzFragment(f *testing.F) {
	f.Add("a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n")
	f.Add("a=ice-lite\nm=x 0 y z\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseFragment(text)
		if err != nil {
			return
		}
		again, err := parseFragment(d.text())
		if err != nil || !reflect.DeepEqual(d, again) {
			t.Errorf("%q: %+v and then %+v, %v", text, d, again, err)
		}
		if len(d.sections) > maxSections || len(d.attributes) > maxLines {
			t.Errorf("%d sections", len(d.sections))
		}
		// With it our connection is restarted: what comes out must be SDP still.
		if _, err := parseSDP(restarted(goodAnswer, d)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add(goodAnswer)
	f.Add(strings.Replace(goodAnswer, "a=group:BUNDLE 0", "a=group:BUNDLE", 1))
	o, err := parseSDP(goodAnswer)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseSDP(text)
		if err != nil {
			return
		}
		c := &checker{results: map[string]*Result{}}
		c.note(a)
		c.checkAnswer(o, &answer{body: text})
		for id, r := range c.results {
			if r.Verdict == Violated && r.Detail == "" || len(r.Detail) > 1000 {
				t.Errorf("%s: %q", id, r.Detail)
			}
		}
	})
}
