package chunk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func testLimits() Limits {
	return Limits{MaxMedia: 1 << 16, MaxOther: 1 << 12, MaxPending: 1 << 17, MaxStreams: 8}
}

// readAll reads messages until the bytes end or are refused.
func readAll(r *Reader) ([]Message, error) {
	var all []Message
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
}

type written struct {
	name   string
	format Format
	stream uint32
	m      Message
	bytes  string
}

// writtenTable is what Append writes and Reader reads.
func writtenTable() []written {
	ping := Message{Type: TypeUserControl, Timestamp: 5, Payload: []byte{0, 6, 0, 0, 0, 1}}
	audio := Message{Type: TypeAudio, StreamID: 1, Timestamp: 0x010203, Payload: []byte("abcdefg")}
	late, wrap := audio, audio
	late.Timestamp, wrap.Timestamp = 0x01FFFFFF, 0xFFFFFF
	return []written{
		{"one chunk", Format{Size: 128}, 2, ping, "\x02\x00\x00\x05\x00\x00\x06\x04\x00\x00\x00\x00\x00\x06\x00\x00\x00\x01"},
		{
			"three chunks",
			Format{Size: 3},
			4, audio,
			"\x04\x01\x02\x03\x00\x00\x07\x08\x01\x00\x00\x00abc\xc4def\xc4g",
		},
		{
			"extended time, repeated",
			Format{Size: 4},
			4, late,
			"\x04\xff\xff\xff\x00\x00\x07\x08\x01\x00\x00\x00\x01\xff\xff\xffabcd\xc4\x01\xff\xff\xffefg",
		},
		{
			"extended time, once",
			Format{Size: 4, ExtendedOnce: true},
			4, late,
			"\x04\xff\xff\xff\x00\x00\x07\x08\x01\x00\x00\x00\x01\xff\xff\xffabcd\xc4efg",
		},
		{
			"smallest extended time",
			Format{Size: 7},
			4, wrap,
			"\x04\xff\xff\xff\x00\x00\x07\x08\x01\x00\x00\x00\x00\xff\xff\xffabcdefg",
		},
		{"two-byte header", Format{Size: 4}, 64, audio, "\x00\x00\x01\x02\x03\x00\x00\x07\x08\x01\x00\x00\x00abcd\xc0\x00efg"},
		{"three-byte header", Format{Size: 4}, 65599, audio, "\x01\xff\xff\x01\x02\x03\x00\x00\x07\x08\x01\x00\x00\x00abcd\xc1\xff\xffefg"},
		{"empty", Format{Size: 4}, 4, Message{Type: TypeVideo, Payload: []byte{}}, "\x04\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x00"},
	}
}

func TestBothWays(t *testing.T) {
	t.Parallel()
	for _, c := range writtenTable() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := string(c.format.Append(nil, c.stream, c.m)); got != c.bytes {
				t.Errorf("wrote %q, want %q", got, c.bytes)
			}
			for _, source := range []io.Reader{strings.NewReader(c.bytes), iotest.OneByteReader(strings.NewReader(c.bytes))} {
				r := NewReader(source, 0, testLimits())
				r.chunkSize = c.format.Size
				got, err := readAll(r)
				if err != nil || !reflect.DeepEqual(got, []Message{c.m}) {
					t.Errorf("read %+v, %v; want %+v", got, err, c.m)
				}
			}
		})
	}
}

type readCase struct {
	name  string
	bytes string
	times []uint32 // of the messages, in order
	bodys []string
	err   string // part of the Error that ends the reading, "" if none
}

// head is a header of format 0 for a message on message stream 1.
func head(chunkStream byte, time uint32, length int, kind uint8) string {
	b := []byte{chunkStream, byte(time >> 16), byte(time >> 8), byte(time)}
	b = append(b, byte(length>>16), byte(length>>8), byte(length), kind, 1, 0, 0, 0)
	return string(b)
}

func readTable() []readCase {
	setSize := func(n uint32) string {
		return head(2, 0, 4, TypeSetChunkSize) + string(binary.BigEndian.AppendUint32(nil, n))
	}
	body := strings.Repeat("x", 128)
	return []readCase{
		{
			name:  "differences in formats 1, 2 and 3",
			bytes: head(4, 100, 1, 8) + "a" + "\x44\x00\x00\x17\x00\x00\x02\x08bb" + "\x84\x00\x00\x18cc" + "\xc4dd",
			times: []uint32{100, 123, 147, 171}, bodys: []string{"a", "bb", "cc", "dd"},
		},
		{
			name:  "time wraps at 2^32",
			bytes: "\x04\xff\xff\xff\x00\x00\x01\x08\x01\x00\x00\x00\xff\xff\xff\xf0a" + "\x84\x00\x00\x20b",
			times: []uint32{0xFFFFFFF0, 0x10}, bodys: []string{"a", "b"},
		},
		{
			name:  "format 3 after format 0 early in the stream adds its time",
			bytes: head(4, 23, 1, 8) + "a\xc4b", times: []uint32{23, 46}, bodys: []string{"a", "b"},
		},
		{
			name:  "format 3 after format 0 late in the stream keeps the time",
			bytes: head(4, 60000, 1, 8) + "a\xc4b", times: []uint32{60000, 60000}, bodys: []string{"a", "b"},
		},
		{
			name:  "extended difference, repeated as sent",
			bytes: head(4, 5, 1, 9) + "a" + "\x44\xff\xff\xff\x00\x00\x81\x09\x01\x00\x00\x00" + body + "\xc4\x01\x00\x00\x00y",
			times: []uint32{5, 0x01000005}, bodys: []string{"a", body + "y"},
		},
		{
			name:  "extended difference, repeated as absolute time",
			bytes: head(4, 5, 1, 9) + "a" + "\x44\xff\xff\xff\x00\x00\x81\x09\x01\x00\x00\x00" + body + "\xc4\x01\x00\x00\x05y",
			times: []uint32{5, 0x01000005}, bodys: []string{"a", body + "y"},
		},
		{
			name: "extended time left away, even where a later payload looks like it",
			bytes: "\x04\xff\xff\xff\x00\x01\x84\x09\x01\x00\x00\x00\x01\x00\x00\x00" + body + "\xc4" + body + "\xc4\x01\x00\x00\x00" +
				body[4:] + "\xc4abcd",
			times: []uint32{0x01000000}, bodys: []string{body + body + "\x01\x00\x00\x00" + body[4:] + "abcd"},
		},
		{
			name:  "extended time left away and less than four bytes follow",
			bytes: "\x04\xff\xff\xff\x00\x00\x82\x09\x01\x00\x00\x00\x01\x02\x03\x04" + body + "\xc4\x01y",
			times: []uint32{0x01020304}, bodys: []string{body + "\x01y"},
		},
		{
			name:  "interleaved",
			bytes: head(6, 7, 130, 9) + body + head(4, 8, 1, 8) + "a" + "\xc6yz",
			times: []uint32{8, 7}, bodys: []string{"a", body + "yz"},
		},
		{
			name:  "chunk size grows inside a message",
			bytes: head(6, 7, 300, 9) + body + setSize(4096) + "\xc6" + strings.Repeat("y", 172),
			times: []uint32{7}, bodys: []string{body + strings.Repeat("y", 172)},
		},
		{
			name:  "abort",
			bytes: head(6, 7, 300, 9) + body + head(2, 0, 4, TypeAbort) + "\x00\x00\x00\x06" + "\xc6" + body + "\xc6" + body + "\xc6" + body[:44],
			times: []uint32{14}, bodys: []string{body + body + body[:44]},
		},
		{
			name:  "abort of an unknown stream and of none",
			bytes: head(2, 0, 4, TypeAbort) + "\x00\x00\x00\x09" + head(2, 0, 0, TypeAbort) + head(4, 8, 1, 8) + "a",
			times: []uint32{8}, bodys: []string{"a"},
		},
		{
			name:  "control stream that begins with format 1",
			bytes: "\x42\x00\x00\x05\x00\x00\x01\x04p", times: []uint32{5}, bodys: []string{"p"},
		},
		{name: "begins with format 2", bytes: "\x84\x00\x00\x05", err: "header of format 2"},
		{name: "begins with format 3", bytes: "\xc4", err: "header of format 3"},
		{name: "message inside another", bytes: head(4, 0, 200, 9) + body + head(4, 0, 1, 9), err: "inside another"},
		{name: "chunk size 0", bytes: setSize(0), err: "out of range"},
		{name: "chunk size too small", bytes: setSize(63), err: "out of range"},
		{name: "chunk size with the top bit", bytes: setSize(1 << 31), err: "out of range"},
		{name: "chunk size cut", bytes: head(2, 0, 3, TypeSetChunkSize) + "abc", err: "wrong length"},
		{name: "huge video", bytes: head(4, 0, 1<<16+1, 9), err: "the limit is 65536"},
		{name: "huge command", bytes: head(4, 0, 1<<12+1, 20), err: "the limit is 4096"},
		{
			name:  "too much unfinished",
			bytes: head(4, 0, 1<<16, 9) + body + head(5, 0, 1<<16, 9) + body + head(6, 0, 1, 9), err: "unfinished",
		},
		{
			name: "too many chunk streams",
			bytes: strings.Join([]string{
				head(3, 0, 0, 9), head(4, 0, 0, 9), head(5, 0, 0, 9), head(6, 0, 0, 9),
				head(7, 0, 0, 9), head(8, 0, 0, 9), head(9, 0, 0, 9), head(10, 0, 0, 9), head(11, 0, 0, 9),
			}, ""),
			times: make([]uint32, 8), bodys: make([]string, 8), err: "chunk streams",
		},
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	for _, c := range readTable() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sources := map[string]io.Reader{
				"whole":       strings.NewReader(c.bytes),
				"by byte":     iotest.OneByteReader(strings.NewReader(c.bytes)),
				"interrupted": &interrupted{rest: c.bytes},
			}
			for how, source := range sources {
				check(t, how, c, source)
			}
		})
	}
}

func check(t *testing.T, how string, c readCase, source io.Reader) {
	t.Helper()
	r := NewReader(source, 64, testLimits())
	var got []Message
	var err error
	for {
		var more []Message
		more, err = readAll(r)
		got = append(got, more...)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	var times []uint32
	var bodys []string
	for _, m := range got {
		times, bodys = append(times, m.Timestamp), append(bodys, string(m.Payload))
	}
	if !reflect.DeepEqual(times, c.times) || !reflect.DeepEqual(bodys, c.bodys) {
		t.Errorf("%s: times %v, want %v; bodies %q, want %q", how, times, c.times, bodys, c.bodys)
	}
	broken, is := errors.AsType[*Error](err)
	switch {
	case c.err == "" && err != nil, c.err != "" && !is:
		t.Errorf("%s: error %v, want %q", how, err, c.err)
	case is && !strings.Contains(broken.Text, c.err):
		t.Errorf("%s: error %q, want %q", how, broken.Text, c.err)
	}
}

// interrupted gives one byte and one deadline error by turns.
type interrupted struct {
	rest string
	odd  bool
}

func (s *interrupted) Read(p []byte) (int, error) {
	if s.odd = !s.odd; s.odd {
		return 0, os.ErrDeadlineExceeded
	}
	if s.rest == "" {
		return 0, io.EOF
	}
	n := copy(p[:1], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func TestResizeKeepsWhatIsBuffered(t *testing.T) {
	t.Parallel()
	f := Format{Size: DefaultSize}
	bytes := f.Append(nil, 4, Message{Type: TypeAudio, Payload: []byte("a")})
	bytes = f.Append(bytes, 4, Message{Type: TypeAudio, Payload: []byte("b")})
	r := NewReader(strings.NewReader(string(bytes)), 64, testLimits())
	if m, err := r.Next(); err != nil || string(m.Payload) != "a" {
		t.Fatal(m, err)
	}
	r.Resize(1<<12, testLimits())
	if m, err := r.Next(); err != nil || string(m.Payload) != "b" {
		t.Fatal(m, err)
	}
}

// replay gives the same bytes for ever.
type replay struct {
	bytes []byte
	at    int
}

func (s *replay) Read(p []byte) (int, error) {
	n := copy(p, s.bytes[s.at:])
	s.at = (s.at + n) % len(s.bytes)
	return n, nil
}

func TestReaderAllocatesPayloadsOnly(t *testing.T) { // not parallel: testing.AllocsPerRun counts the whole process
	body := make([]byte, 17000)
	bytes := Format{Size: DefaultSize}.Append(nil, 6, Message{Type: TypeVideo, StreamID: 1, Payload: body})
	r := NewReader(&replay{bytes: bytes}, 1<<12, testLimits())
	if n := testing.AllocsPerRun(100, func() {
		if m, err := r.Next(); err != nil || len(m.Payload) != len(body) || cap(m.Payload) > len(body)*9/8 {
			t.Fatal(len(m.Payload), cap(m.Payload), err)
		}
	}); n != 1 {
		t.Errorf("a message costs %v allocations, want 1", n)
	}
}

func BenchmarkReader(b *testing.B) {
	for name, size := range map[string]int{"chunks of 128": 128, "chunks of 4096": 4096, "one chunk": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			m := Message{Type: TypeVideo, StreamID: 1, Payload: make([]byte, 16700)}
			bytes := Format{Size: size}.Append(nil, 6, m)
			r := NewReader(&replay{bytes: bytes}, 1<<15, testLimits())
			r.chunkSize = size
			b.ReportAllocs()
			b.SetBytes(int64(len(m.Payload)))
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzReader holds that bytes of any kind give messages within the limits, that memory stays within the limits, and that
// it makes no difference how the bytes arrive.
func FuzzReader(f *testing.F) {
	for _, c := range readTable() {
		f.Add([]byte(c.bytes))
	}
	for _, c := range writtenTable() {
		f.Add([]byte(c.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		limits := testLimits()
		whole := NewReader(bytes.NewReader(b), 1<<12, limits)
		got, err := readAll(whole)
		held := 0
		for _, s := range whole.streams {
			held += len(s.payload)
		}
		if held != whole.pending || held > limits.MaxPending || len(whole.streams) > limits.MaxStreams {
			t.Errorf("holds %d bytes, counts %d, on %d streams", held, whole.pending, len(whole.streams))
		}
		for _, m := range got {
			if len(m.Payload) > limits.MaxMedia {
				t.Errorf("message of %d bytes", len(m.Payload))
			}
		}
		again, err2 := readAll(NewReader(iotest.OneByteReader(bytes.NewReader(b)), 0, limits))
		if !reflect.DeepEqual(got, again) || !reflect.DeepEqual(err, err2) {
			t.Errorf("byte by byte: %+v, %v; whole: %+v, %v", again, err2, got, err)
		}
	})
}

// FuzzBothWays holds that the reader reads back what Append writes, in every format.
func FuzzBothWays(f *testing.F) {
	f.Add(uint32(4), uint32(0xFFFFFE), uint32(3), uint16(64), false, []byte("payload"), []byte("another"))
	f.Add(uint32(70), uint32(0xFFFFFFFF), uint32(0xFFFFFF), uint16(200), true, make([]byte, 1000), []byte{})
	f.Fuzz(func(t *testing.T, stream, time, delta uint32, size uint16, once bool, a, b []byte) {
		if len(a) > 1<<12 || len(b) > 1<<12 {
			t.Skip()
		}
		stream, size = 3+stream%65597, max(size, minChunkSize)
		if once && time >= extendedMark && len(a) > int(size) && bytes.HasPrefix(a[size:], binary.BigEndian.AppendUint32(nil, time)) {
			t.Skip() // nobody can tell these two forms apart
		}
		format := Format{Size: int(size), ExtendedOnce: once}
		want := []Message{
			{Type: TypeVideo, StreamID: 1, Timestamp: time, Payload: append([]byte{}, a...)},
			{Type: TypeVideo, StreamID: 1, Timestamp: time + delta, Payload: append([]byte{}, b...)},
		}
		wire := Format{Size: DefaultSize}.Append(nil, 2, Message{Type: TypeSetChunkSize, Payload: binary.BigEndian.AppendUint32(nil, uint32(size))})
		for _, m := range want {
			wire = format.Append(wire, stream, m)
		}
		got, err := readAll(NewReader(bytes.NewReader(wire), 0, testLimits()))
		if once && err != nil || once && !reflect.DeepEqual(got, want) {
			next := want[1].Payload
			if len(next) > int(size) && bytes.HasPrefix(next[size:], binary.BigEndian.AppendUint32(nil, time+delta)) {
				t.Skip()
			}
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("read %v, %v; want %v", got, err, want)
		}
	})
}
