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
	"testing/synctest"
	"time"

	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/rtmp/chunk"
	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

// inBubble serves one end of a pipe under fake time and runs f on the other end. It returns the log.
func inBubble(t *testing.T, o rtmp.Options, f func(t *testing.T, peer net.Conn)) string {
	t.Helper()
	log := &logbook{}
	synctest.Test(t, func(t *testing.T) {
		o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		s := rtmp.NewServer(o)
		ours, peer := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.ServeConn(t.Context(), ours, false)
		}()
		f(t, peer)
		<-done
		if st := s.Stats(); st.Open != 0 || st.Publishing != 0 {
			t.Errorf("stats %+v", st)
		}
		_ = peer.Close()
	})
	return log.String()
}

// gone waits until the server has closed the connection and reports after how long.
func gone(t *testing.T, peer net.Conn) time.Duration {
	t.Helper()
	begun := time.Now()
	if _, err := io.Copy(io.Discard, peer); err != nil {
		t.Errorf("connection ended with %v", err)
	}
	return time.Since(begun)
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	accepts := after(func(p *rtmp.Publication) error {
		for {
			if _, err := p.Read(); err != nil {
				return err
			}
		}
	})
	o := rtmp.Options{Handler: accepts, HandshakeTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second, WriteTimeout: 5 * time.Second}
	for name, c := range map[string]struct {
		peer   func(t *testing.T, peer net.Conn)
		after  time.Duration // from the end of peer to the end of the connection
		reason string
	}{
		"says nothing":      {func(*testing.T, net.Conn) {}, 10 * time.Second, "no publish request in time"},
		"stops in C1":       {func(_ *testing.T, c net.Conn) { _, _ = c.Write(append([]byte{3}, make([]byte, 100)...)) }, 10 * time.Second, "no publish request in time"},
		"one byte a second": {dripping, 0, "no publish request in time"},
		"stops after the handshake": {func(t *testing.T, c net.Conn) {
			send(t, rtmptest.New(c, rtmptest.Options{}).Handshake())
		}, 10 * time.Second, "no publish request in time"},
		"stops after connect": {func(t *testing.T, c net.Conn) {
			client := rtmptest.New(c, rtmptest.Options{})
			send(t, client.Handshake(), client.Connect("app"))
		}, 10 * time.Second, "no publish request in time"},
		"stops after publish": {func(t *testing.T, c net.Conn) {
			client := rtmptest.New(c, rtmptest.Options{})
			send(t, client.Handshake(), client.Publish("app", "key"))
		}, 30 * time.Second, "no media in time"},
		"stops inside a message": {func(t *testing.T, c net.Conn) {
			client := rtmptest.New(c, rtmptest.Options{})
			send(t, client.Handshake(), client.Publish("app", "key"), client.Write([]byte("\x06\x00\x00\x00\x00\x10\x00\x09\x01\x00\x00\x00abc")))
		}, 30 * time.Second, "no media in time"},
		"hangs up": {func(t *testing.T, c net.Conn) {
			client := rtmptest.New(c, rtmptest.Options{})
			send(t, client.Handshake(), client.Publish("app", "key"), client.Video(0, []byte("x")), client.Close())
		}, -1, "encoder hung up"},
		"never reads": {func(t *testing.T, c net.Conn) {
			_, err := c.Write(make([]byte, 1)) // C0 of a wrong version would be too easy
			send(t, err)
		}, 0, "not RTMP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := inBubble(t, o, func(t *testing.T, peer net.Conn) {
				c.peer(t, peer)
				if c.after < 0 {
					return
				}
				if got := gone(t, peer); got != c.after {
					t.Errorf("was served for %v, want %v", got, c.after)
				}
			})
			if strings.Count(log, "connection closed") != 1 || !strings.Contains(log, c.reason) {
				t.Errorf("log is\n%s", log)
			}
		})
	}
}

// dripping sends a good handshake, too slowly.
func dripping(_ *testing.T, c net.Conn) {
	hello := append([]byte{3}, make([]byte, 1536)...)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for i := range hello {
		<-ticker.C
		if _, err := c.Write(hello[i : i+1]); err != nil {
			return
		}
	}
}

func TestWriteDeadline(t *testing.T) {
	t.Parallel()
	o := rtmp.Options{Handler: newRecorder(), WriteTimeout: 3 * time.Second, HandshakeTimeout: time.Minute}
	log := inBubble(t, o, func(t *testing.T, peer net.Conn) {
		_, err := peer.Write(append([]byte{3}, make([]byte, 1536)...)) // and does not take S0 to S2
		send(t, err)
		begun := time.Now()
		synctest.Wait()
		<-time.After(2999 * time.Millisecond)
		if _, err := peer.Write([]byte("late")); !errors.Is(err, io.ErrClosedPipe) || time.Since(begun) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
	if !strings.Contains(log, "i/o timeout") && !strings.Contains(log, "reason") {
		t.Errorf("log is\n%s", log)
	}
}

// TestReadGoesOn holds that a silence in the middle of a message loses nothing.
func TestReadGoesOn(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789"), 2000)
	var silences int
	h := after(func(p *rtmp.Publication) error {
		p.SetIdle(time.Second)
		for {
			m, err := p.Read()
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				silences++
			case err != nil:
				return err
			case !bytes.Equal(m.Payload, body):
				return errors.New("payload differs")
			default:
				return &rtmp.Rejection{Code: "test.Done"}
			}
		}
	})
	inBubble(t, rtmp.Options{Handler: h}, func(t *testing.T, peer net.Conn) {
		c := rtmptest.New(peer, rtmptest.Options{})
		send(t, c.Handshake(), c.Publish("app", "key"))
		wire := chunk.Format{Size: 64 << 10}.Append(nil, 6, chunk.Message{Type: chunk.TypeVideo, StreamID: 1, Payload: body})
		for _, part := range [][]byte{wire[:3], wire[3:9], wire[9:5000], wire[5000:]} {
			<-time.After(1400 * time.Millisecond)
			send(t, c.Write(part))
		}
		status, is := errors.AsType[*rtmptest.Status](c.Wait())
		if !is || status.Code != "test.Done" {
			t.Errorf("ended with %v", status)
		}
	})
	if silences != 5 { // the last part comes after 5.6 s, and the count starts anew with each Read
		t.Errorf("%d silences", silences)
	}
}

func TestRefusalIsSlow(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{0, -1, 2 * time.Second} {
		inBubble(t, rtmp.Options{Handler: newRecorder(), RefusalDelay: delay}, func(t *testing.T, peer net.Conn) {
			c := rtmptest.New(peer, rtmptest.Options{})
			send(t, c.Handshake())
			begun := time.Now()
			status, is := errors.AsType[*rtmptest.Status](c.Publish("app", "sk_wrong"))
			if !is || status.Code != rtmp.CodeBadName {
				t.Errorf("refused with %v", status)
			}
			want := map[time.Duration]time.Duration{0: 500 * time.Millisecond, -1: 0, 2 * time.Second: 2 * time.Second}[delay]
			if took := time.Since(begun); took != want {
				t.Errorf("took %v, want %v", took, want)
			}
			gone(t, peer)
		})
	}
}

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
