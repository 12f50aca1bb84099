package rtmp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/rtmp/chunk"
	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

// TestHostile sends what no encoder sends, after the handshake or after a publish, and holds that the server says why.
func TestHostile(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	s := start(t, rtmp.Options{Handler: h, MaxMessageSize: 1 << 20}, nil)
	header := func(stream byte, length int, kind byte) []byte {
		return []byte{stream, 0, 0, 0, byte(length >> 16), byte(length >> 8), byte(length), kind, 1, 0, 0, 0}
	}
	var manyStreams, manyOpen []byte
	for i := range 5000 {
		manyStreams = append(manyStreams, 1, byte(i), byte(i>>8), 0, 0, 0, 0, 0, 0, 9, 1, 0, 0, 0)
	}
	for i := range byte(60) {
		manyOpen = append(append(manyOpen, header(3+i, 1<<20, 9)...), make([]byte, 64<<10)...)
	}
	for name, c := range map[string]struct {
		bytes  []byte
		reason string
	}{
		"oversized message":     {header(6, 1<<20+1, 9), "the limit is 1048576"},
		"oversized script":      {header(6, 1<<19, 18), "the limit is 262144"},
		"many chunk streams":    {manyStreams, "more than 64 chunk streams"},
		"many open messages":    {manyOpen, "unfinished messages"},
		"no such chunk stream":  {[]byte{0xC9}, "begins with a header of format 3"},
		"command that is noise": {append(header(3, 4, 20), "\xff\xff\xff\xff"...), "amf0"},
		"command of one value":  {append(header(3, 1, 20), 5), "does not begin with its name"},
		"broken aggregate":      {append(header(3, 4, 22), "abcd"...), "aggregate"},
	} {
		t.Run(name, func(t *testing.T) {
			c1 := s.dial(t, "app/"+goodKey, rtmptest.Options{})
			if err := c1.Write(c.bytes); err != nil && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "pipe") {
				t.Fatal(err)
			}
			if err := c1.Wait(); err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("the peer was told %v", err)
			}
			if got := h.wait(t); got.err == nil || !strings.Contains(got.err.Error(), c.reason) {
				t.Errorf("the handler was told %v", got.err)
			}
		})
	}
}

// TestGarbage holds that peers that speak something else are gone at once.
func TestGarbage(t *testing.T) {
	t.Parallel()
	s := start(t, rtmp.Options{Handler: newRecorder()}, nil)
	good := append([]byte{3}, make([]byte, 2*1536)...)
	for name, b := range map[string][]byte{
		"HTTP":             []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"TLS":              {0x16, 3, 1, 0, 200},
		"zero":             {0},
		"noise":            append(bytes.Clone(good), bytes.Repeat([]byte{0xAA}, 5000)...),
		"huge command":     append(bytes.Clone(good), 3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 20, 0, 0, 0, 0),
		"huge early video": append(bytes.Clone(good), 3, 0, 0, 0, 0x02, 0, 0, 9, 0, 0, 0, 0),
	} {
		var d net.Dialer
		c, err := d.DialContext(t.Context(), "tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		send(t, c.SetDeadline(time.Now().Add(patience)))
		if name == "TLS" { // a version that we do not know, and too little of a C1: the peer must be able to give up
			send(t, c.Close())
			continue
		}
		_, err = c.Write(b)
		send(t, err)
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: is still served", name)
		}
		_ = c.Close()
	}
}

// TestOddCommands holds how the server answers what only some clients send.
func TestOddCommands(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	s := start(t, rtmp.Options{Handler: h}, nil)
	connect := func() *rtmptest.Client {
		var d net.Dialer
		nc, err := d.DialContext(t.Context(), "tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
		c := rtmptest.New(nc, rtmptest.Options{})
		send(t, nc.SetDeadline(time.Now().Add(patience)), c.Handshake())
		return c
	}
	c := connect()
	send(t, c.Command(1, "publish", 5.0, nil, goodKey))
	if status, is := errors.AsType[*rtmptest.Status](c.Wait()); !is || status.Code != rtmp.CodeFailed {
		t.Errorf("publish without connect: %v", status)
	}
	c = connect()
	send(t, c.Connect("app"), c.Command(1, "play", 5.0, nil, goodKey))
	if status, is := errors.AsType[*rtmptest.Status](c.Wait()); !is || status.Code != rtmp.CodePlayFailed {
		t.Errorf("play: %v", status)
	}
	c = connect()
	send(t, c.Connect("app"), c.Command(0, "_checkbw", 9.0, nil))
	if v, err := c.Await("_result"); err != nil || v[1] != 9.0 {
		t.Errorf("_checkbw: %v, %v", v, err)
	}
	ping := chunk.Message{Type: chunk.TypeUserControl, Payload: []byte{0, 6, 1, 2, 3, 4}}
	send(t, c.Command(0, "unknown", 10.0, nil), c.Send(2, ping))
	for {
		m, err := c.Read()
		if err != nil {
			t.Fatal(err)
		}
		if m.Type == chunk.TypeUserControl && bytes.Equal(m.Payload, []byte{0, 7, 1, 2, 3, 4}) {
			break
		}
	}
	// The rest as AMF3 commands, which are AMF0 behind a zero.
	payload := append([]byte{0}, "\x02\x00\x07publish\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x02\x00\x20"+goodKey...)
	send(t, c.Send(3, chunk.Message{Type: chunk.TypeCommandAMF3, StreamID: 1, Payload: payload}))
	if _, err := c.Await("onStatus"); err != nil {
		t.Fatal(err)
	}
	send(t, c.Command(1, "publish", 5.0, nil, "another"))
	if status, is := errors.AsType[*rtmptest.Status](second(c.Await("onStatus"))); !is || status.Code != rtmp.CodeBadName {
		t.Errorf("second publish: %v", status)
	}
	script := append([]byte{0}, "\x02\x00\x0aonMetaData\x05"...)
	send(t, c.Send(5, chunk.Message{Type: chunk.TypeDataAMF3, StreamID: 1, Payload: script}),
		c.Send(5, chunk.Message{Type: chunk.TypeAggregate, StreamID: 1, Timestamp: 1000, Payload: aggregate()}),
		c.Command(0, "deleteStream", 7.0, nil, 9.0), // another stream: not ours
		c.Audio(5000, []byte("x")), c.Command(0, "deleteStream", 7.0, nil, 1.0), c.Wait())
	got := h.wait(t)
	var times []uint32
	for _, m := range got.messages {
		times = append(times, m.Timestamp)
	}
	if len(times) != 4 || got.messages[0].Payload[0] != 2 || times[1] != 1000 || times[2] != 1033 || times[3] != 5000 {
		t.Errorf("messages at %v, then %v", times, got.err)
	}
}

func second[T any](_ T, err error) error { return err }

// aggregate holds an audio and a video tag, 33 ms apart.
func aggregate() []byte {
	tag := func(kind byte, time uint32, body string) []byte {
		b := []byte{kind, 0, 0, byte(len(body)), byte(time >> 16), byte(time >> 8), byte(time), byte(time >> 24), 0, 0, 0}
		b = append(b, body...)
		return binary.BigEndian.AppendUint32(b, uint32(len(b)))
	}
	return append(tag(8, 0x01FFFFF0, "abc"), tag(9, 0x02000011, "de")...)
}

// TestTimestamps holds that times come through as they were sent, in both extended forms.
func TestTimestamps(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	s := start(t, rtmp.Options{Handler: h}, nil)
	times := []uint32{0, 33, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0xFFFFFFFE, 1, 1 << 31, 5}
	body := bytes.Repeat([]byte{1, 0, 0, 0}, 1000) // could be taken for a time
	for _, once := range []bool{false, true} {
		c := s.dial(t, "app/"+goodKey, rtmptest.Options{Format: chunk.Format{Size: 200, ExtendedOnce: once}})
		for _, at := range times {
			send(t, c.Video(at, body))
		}
		send(t, c.Unpublish(), c.Wait())
		got := h.wait(t)
		if len(got.messages) != len(times) {
			t.Fatalf("%d messages, then %v", len(got.messages), got.err)
		}
		for i, m := range got.messages {
			if m.Timestamp != times[i] || !bytes.Equal(m.Payload, body) {
				t.Errorf("once %v: message %d is at %d, want %d", once, i, m.Timestamp, times[i])
			}
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for _, o := range []rtmp.Options{{MaxConnections: 2}, {MaxConnectionsPerIP: 2}} {
		h := newRecorder()
		o.Handler = h
		s := start(t, o, nil)
		a, b := s.dial(t, "app/"+goodKey, rtmptest.Options{}), s.dial(t, "app/"+goodKey, rtmptest.Options{})
		if _, err := rtmptest.Dial(t.Context(), s.url("app/"+goodKey), rtmptest.Options{}); err == nil {
			t.Error("a third connection was served")
		}
		if st := s.Stats(); st.Open != 2 || st.Publishing != 2 || st.Turned != 1 {
			t.Errorf("stats %+v", st)
		}
		send(t, a.Close(), b.Close())
		h.wait(t)
		h.wait(t)
	}
}

// TestShutdown holds that the end of the context ends every connection, whatever it is doing, and tells encoders.
func TestShutdown(t *testing.T) {
	t.Parallel()
	s := start(t, rtmp.Options{Handler: newRecorder()}, nil)
	c := s.dial(t, "app/"+goodKey, rtmptest.Options{})
	var d net.Dialer
	idle, err := d.DialContext(t.Context(), "tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 1)
	go func() {
		told <- c.Wait()
		_ = c.Close()
	}()
	s.stop()
	if status, is := errors.AsType[*rtmptest.Status](<-told); !is || status.Code != rtmp.CodeShutdown {
		t.Errorf("encoder was told %v", status)
	}
	_ = idle.Close()
}

// TestChurn holds that a thousand connections leave nothing behind.
func TestChurn(t *testing.T) { // not parallel: it counts the goroutines of the whole process
	h := after(func(p *rtmp.Publication) error {
		_, err := p.Read()
		return err
	})
	s := start(t, rtmp.Options{Handler: h}, nil)
	cycle := func(i int) {
		c := s.dial(t, "app/"+goodKey, rtmptest.Options{})
		switch i % 3 {
		case 0:
			send(t, c.Unpublish(), c.Wait())
		case 1:
			send(t, c.Video(0, []byte("x")), c.Wait())
		}
		send(t, c.Close())
	}
	cycle(0)
	settle(t, s)
	goroutines, handles := runtime.NumGoroutine(), openHandles(t)
	for i := range 1000 {
		cycle(i)
	}
	settle(t, s)
	if n := runtime.NumGoroutine(); n > goroutines+2 {
		t.Errorf("%d goroutines, before %d", n, goroutines)
	}
	if n := openHandles(t); n > handles+2 {
		t.Errorf("%d file handles, before %d", n, handles)
	}
	if st := s.Stats(); st.Accepted != 1001 {
		t.Errorf("stats %+v", st)
	}
}

// settle waits until no connection is open.
func settle(t *testing.T, s *running) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for s.Stats().Open > 0 {
		if ctx.Err() != nil {
			t.Fatal("connections stay open")
		}
		runtime.Gosched()
	}
}

func openHandles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

// TestReadAllocatesPayloadsOnly holds the budget of the hot path through a socket.
func TestReadAllocatesPayloadsOnly(t *testing.T) { // not parallel: testing.AllocsPerRun counts the whole process
	allocs := make(chan float64, 1)
	h := after(func(p *rtmp.Publication) error {
		_, err := p.Read()
		allocs <- testing.AllocsPerRun(200, func() {
			if err == nil {
				_, err = p.Read()
			}
		})
		return err
	})
	s := start(t, rtmp.Options{Handler: h}, nil)
	c := s.dial(t, "app/"+goodKey, rtmptest.Options{Format: chunk.Format{Size: 4096}})
	body := make([]byte, 16_700)
	for range 202 {
		send(t, c.Video(0, body))
	}
	if n := <-allocs; n != 1 {
		t.Errorf("a message costs %v allocations, want 1", n)
	}
}

// TestStrangersDoNotFloodTheLog lets many connections come to nothing. The first ones are told about, the rest is a number.
func TestStrangersDoNotFloodTheLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := rtmp.NewServer(rtmp.Options{Handler: newRecorder(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 500 {
		peer, nc := net.Pipe()
		go func() {
			_, _ = peer.Write([]byte("GET / HTTP/1.1\r\n"))
			_ = peer.Close()
		}()
		s.ServeConn(t.Context(), nc, false)
	}
	if lines := bytes.Count(log.Bytes(), []byte("\n")); lines == 0 || lines > 250 {
		t.Errorf("%d lines about 500 connections", lines)
	}
}
