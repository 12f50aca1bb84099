package rtmp

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/media/amf0"
	"github.com/rivus-live/rivus/internal/rtmp/chunk"
)

func TestParseTarget(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ app, name, wantApp, wantKey, wantQuery string }{
		{"app", "key", "app", "key", ""},
		{"app/", "key", "app", "key", ""},
		{"/app/", "/key", "app", "key", ""},
		{"app/key", "", "app", "key", ""},
		{"app/key/", "", "app", "key", ""},
		{"app/inner", "key", "app/inner", "key", ""},
		{"app", "key?priority=1&keyframeInterval=2", "app", "key", "keyframeInterval=2&priority=1"},
		{"app/key?priority=1", "", "app", "key", "priority=1"},
		{"app?priority=1&x=2", "key?priority=3", "app", "key", "priority=3&x=2"},
		{"app/key", "?priority=1", "app", "key", "priority=1"},
		{"app", "key?a=%zz&b=1", "app", "key", "b=1"},
		{"app", "key?a=1?b=2", "app", "key", "a=1%3Fb%3D2"},
		{"app", " key", "app", "key", ""},
		{"app", "key\r\n", "app", "key", ""},
		{"app", "\tkey\u00a0", "app", "key", ""},
		{"app", "\ufeffkey\u200b", "app", "key", ""},
		{"app", "key\n?priority=1 ", "app", "key", "priority=1"},
		{"app", "key?priority=1\n", "app", "key", "priority=1"},
		{"app ", "key", "app", "key", ""},
		{"app/ key\n", "", "app", "key", ""},
		{"app/ key ?priority=1\n", " ", "app", "key", "priority=1"},
		{"app", "k ey", "app", "k ey", ""},
		{"app", "", "app", "", ""},
		{"", "key", "", "key", ""},
	} {
		got, err := parseTarget(c.app, c.name)
		if err != nil || got.app != c.wantApp || got.key != c.wantKey || got.query.Encode() != c.wantQuery {
			t.Errorf("parseTarget(%q, %q) = %+v, %v", c.app, c.name, got, err)
		}
	}
	long := strings.Repeat("x", 2000)
	for _, c := range [][2]string{{long, ""}, {"app", long}, {"app", "key?" + long}, {"app?" + long, "key"}, {"app", "key?" + strings.Repeat("a&", 33)}} {
		if got, err := parseTarget(c[0], c[1]); err == nil || strings.Contains(err.Error(), "xxx") {
			t.Errorf("parseTarget(%.20q, %.20q) = %+v, %v", c[0], c[1], got, err)
		}
	}
}

// duplex reads from one place and writes to another.
type duplex struct {
	io.Reader
	io.Writer
}

func handshakeTable() map[string]struct {
	bytes []byte
	err   string // part of the error; "" if the handshake succeeds
} {
	hello := bytes.Repeat([]byte("hello wo"), helloSize/8)
	signed := bytes.Clone(hello)
	copy(signed[4:], []byte{0x80, 0, 7, 2})
	whole := func(version byte, c1 []byte) []byte { return append(append([]byte{version}, c1...), hello...) }
	return map[string]struct {
		bytes []byte
		err   string
	}{
		"plain":         {whole(3, hello), ""},
		"signed":        {whole(3, signed), ""},
		"newer version": {whole(6, hello), ""},
		"text":          {[]byte("GET / HTTP/1.1\r\n\r\n"), "not RTMP: the first byte is 0x47"},
		"old version":   {whole(2, hello), "not RTMP"},
		"nothing":       {nil, "EOF"},
		"cut in C1":     {[]byte{3, 0, 0}, "EOF"},
		"cut in C2":     {whole(3, hello)[:2000], "EOF"},
	}
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	for name, c := range handshakeTable() {
		var out bytes.Buffer
		err := handshake(duplex{bytes.NewReader(c.bytes), &out})
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: error %v, want %q", name, err, c.err)
		}
		checkAnswer(t, name, c.bytes, out.Bytes())
	}
}

// checkAnswer holds that S0 to S2 come whole or not at all, in the simple form, with C1 as S2.
func checkAnswer(t *testing.T, name string, in, out []byte) {
	t.Helper()
	if len(out) == 0 {
		return
	}
	if len(out) != 1+2*helloSize || out[0] != 3 || !bytes.Equal(out[1:9], make([]byte, 8)) {
		t.Fatalf("%s: answer of %d bytes begins %x", name, len(out), out[:min(len(out), 9)])
	}
	if !bytes.Equal(out[1+helloSize:], in[1:1+helloSize]) {
		t.Errorf("%s: S2 is not C1", name)
	}
}

func FuzzHandshake(f *testing.F) {
	for _, c := range handshakeTable() {
		f.Add(c.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		in := bytes.NewReader(b)
		err := handshake(duplex{in, &out})
		if err == nil && len(b)-in.Len() != 1+2*helloSize {
			t.Errorf("took %d bytes", len(b)-in.Len())
		}
		checkAnswer(t, "fuzz", b, out.Bytes())
	})
}

// FuzzCommand holds that a command that parses is one that can be written again and means the same.
func FuzzCommand(f *testing.F) {
	for _, values := range [][]any{
		{"connect", 1.0, amf0.Object{{Name: "app", Value: "app"}}},
		{"publish", 5.0, nil, "key", "live"},
		{"createStream", 4.0, nil},
		{"bad"},
		{1.0, "swapped"},
	} {
		b, err := amf0.Append(nil, values...)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, false)
		f.Add(append([]byte{0}, b...), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, amf3 bool) {
		m := chunk.Message{Type: chunk.TypeCommandAMF0, StreamID: 1, Payload: b}
		if amf3 {
			m.Type = chunk.TypeCommandAMF3
		}
		cmd, err := parseCommand(m)
		if err != nil {
			return
		}
		again, err := amf0.Append(nil, append([]any{cmd.name, cmd.transaction}, cmd.args...)...)
		if err != nil {
			t.Fatal(err)
		}
		cmd2, err := parseCommand(chunk.Message{Type: chunk.TypeCommandAMF0, Payload: again})
		if err != nil || cmd2.name != cmd.name || len(cmd2.args) != len(cmd.args) {
			t.Errorf("%+v became %+v, %v", cmd, cmd2, err)
		}
		if target, err := parseTarget(cmd.text(0), cmd.text(1)); err == nil {
			if len(target.app) > maxName || len(target.key) > maxName || len(target.query) > maxParameters || strings.Contains(target.key, "?") {
				t.Errorf("target %+v", target)
			}
		}
	})
}

// FuzzAggregate holds that the parts of an aggregate are inside it and never more than it holds.
func FuzzAggregate(f *testing.F) {
	f.Add([]byte("\x08\x00\x00\x02\x00\x00\x05\x00\x00\x00\x00ab\x00\x00\x00\x0d\x09\x00\x00\x01\x00\x00\x09\x00\x00\x00\x00c"))
	f.Add([]byte("\x08\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		messages, err := splitAggregate(chunk.Message{Timestamp: 7, Payload: b}, time.Time{})
		if err != nil {
			if _, is := errors.AsType[*chunk.Error](err); !is {
				t.Errorf("error %v", err)
			}
			return
		}
		total := 0
		for _, m := range messages {
			total += 11 + len(m.Payload)
		}
		if total > len(b) {
			t.Errorf("%d bytes of messages in %d", total, len(b))
		}
	})
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, request := range []amf0.Object{nil, {{Name: "fourCcList", Value: amf0.StrictArray{"*"}}}, {{Name: "videoFourCcInfoMap", Value: amf0.Object{}}}} {
		properties, info := connectResult(request)
		b := appendCommand(nil, commandStream, 0, "_result", 1.0, properties, info)
		values, err := amf0.Decode(b[12:]) // behind one full header: it fits into one chunk
		if err != nil || len(values) != 4 {
			t.Fatalf("%v, %v", values, err)
		}
		if list, ok := values[3].(amf0.Object).Get("fourCcList"); ok != (request != nil) {
			t.Errorf("fourCcList %v, %v", list, ok)
		}
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	g := newGate(4, 2)
	enter := func(addr string, want bool) {
		t.Helper()
		if got := g.enter(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s may enter: %v, want %v", addr, got, want)
		}
	}
	enter("192.0.2.1", true)
	enter("192.0.2.1", true)
	enter("192.0.2.1", false)
	enter("2001:db8::1", true)
	enter("2001:db8::ffff:2%eth0", true)
	enter("192.0.2.2", false) // four are open
	g.leave(netip.MustParseAddr("192.0.2.1"))
	enter("2001:db8::3", false) // two of its network are open
	enter("2001:db8:0:1::3", true)
	if g.count() != 4 {
		t.Errorf("%d are open", g.count())
	}
	g = newGate(10, 1)
	for range 2 {
		if !g.enter(netip.Addr{}) {
			t.Error("connections without an address count as one network")
		}
	}
}
