package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"
)

// tag returns an FLV tag with the size of the tag before it.
func tag(kind byte, stamp uint32, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, 0)
	b = append(b, kind, byte(len(body)>>16), byte(len(body)>>8), byte(len(body)))
	b = append(b, byte(stamp>>16), byte(stamp>>8), byte(stamp), byte(stamp>>24), 0, 0, 0)
	return append(b, body...)
}

const flvHeader = "FLV\x01\x05\x00\x00\x00\x09"

func testFile() []byte {
	return bytes.Join([][]byte{
		[]byte(flvHeader),
		tag(18, 0, "script"),
		tag(9, 0, "\x17\x00\x00\x00\x00config"),
		tag(8, 0, "\xAF\x00\x11\x90"),
		tag(9, 100, "\x17\x01\x00\x00\x00\x00\x00\x00\x02\x65\x01"),
		tag(9, 140, "\x27\x01\x00\x00\x00\x00\x00\x00\x02\x41\x01"),
		tag(8, 121, "\xAF\x01raw"),
		tag(9, 1100, "\x17\x01\x00\x00\x00\x00\x00\x00\x02\x65\x02"),
	}, nil)
}

func TestParseClip(t *testing.T) {
	t.Parallel()
	c, err := parseClip(append(testFile(), 0, 0, 0, 0), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if string(c.video) != "\x17\x00\x00\x00\x00config" || string(c.audio) != "\xAF\x00\x11\x90" {
		t.Errorf("headers %q and %q", c.video, c.audio)
	}
	type frame struct {
		at    time.Duration
		audio bool
	}
	want := []frame{{0, false}, {0, true}, {40 * time.Millisecond, false}}
	if len(c.messages) != len(want) {
		t.Fatalf("%d messages, want %d", len(c.messages), len(want))
	}
	for i, m := range c.messages {
		if (frame{m.at, m.audio}) != want[i] {
			t.Errorf("message %d at %v, audio %v; want %v", i, m.at, m.audio, want[i])
		}
		if !m.audio && !bytes.HasSuffix(m.body[:m.stamp], []byte(stampUUID)) {
			t.Errorf("message %d has no room for a stamp: %q", i, m.body)
		}
	}
}

func TestParseClipRefusesWhatIsCut(t *testing.T) {
	t.Parallel()
	file := testFile()
	for n := range file {
		c, err := parseClip(file[:n], time.Second)
		if err == nil && (c.video == nil || c.audio == nil || len(c.messages) < 2) {
			t.Fatalf("%d of %d bytes make half a clip", n, len(file))
		}
	}
	if _, err := parseClip(file[:len(file)-1], time.Second); !errors.Is(err, errTruncated) {
		t.Errorf("a last tag that is cut: %v", err)
	}
}

func TestStampSurvives(t *testing.T) {
	t.Parallel()
	body := []byte("\x27\x01\x00\x00\x00\x00\x00\x00\x02\x41\x01")
	stamped, at := withStamp(body, 5)
	if n := binary.BigEndian.Uint32(stamped[5:]); int(n) != stampSize {
		t.Errorf("NAL unit of %d bytes, want %d", n, stampSize)
	}
	if rest := stamped[5+4+stampSize:]; !bytes.Equal(rest, body[5:]) {
		t.Errorf("after the stamp comes %x", rest)
	}
	first, last := time.Unix(1700000000, 123456789), time.Unix(1800000000, 1)
	putStamp(stamped[at:], first)
	part := bytes.Clone(stamped)
	putStamp(stamped[at:], last)
	part = append(append(part, stamped...), "sound"...)
	if got, ok := lastStamp(part); !ok || !got.Equal(last) {
		t.Errorf("lastStamp = %v, %v; want %v", got, ok, last)
	}
	for _, none := range []string{"", stampUUID, stampUUID + "not hexadecimal!"} {
		if got, ok := lastStamp([]byte(none)); ok {
			t.Errorf("lastStamp(%q) = %v", none, got)
		}
	}
}
