package rtmp_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
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
			t.Helper()
			send(t, rtmptest.New(c, rtmptest.Options{}).Handshake())
		}, 10 * time.Second, "no publish request in time"},
		"stops after connect": {func(t *testing.T, c net.Conn) {
			t.Helper()
			client := rtmptest.New(c, rtmptest.Options{})
			send(t, client.Handshake(), client.Connect("app"))
		}, 10 * time.Second, "no publish request in time"},
		"stops after publish": {func(t *testing.T, c net.Conn) {
			t.Helper()
			client := rtmptest.New(c, rtmptest.Options{})
			send(t, client.Handshake(), client.Publish("app", "key"))
		}, 30 * time.Second, "no media in time"},
		"stops inside a message": {func(t *testing.T, c net.Conn) {
			t.Helper()
			client := rtmptest.New(c, rtmptest.Options{})
			send(t, client.Handshake(), client.Publish("app", "key"), client.Write([]byte("\x06\x00\x00\x00\x00\x10\x00\x09\x01\x00\x00\x00abc")))
		}, 30 * time.Second, "no media in time"},
		"hangs up": {func(t *testing.T, c net.Conn) {
			t.Helper()
			client := rtmptest.New(c, rtmptest.Options{})
			send(t, client.Handshake(), client.Publish("app", "key"), client.Video(0, []byte("x")), client.Close())
		}, -1, "encoder hung up"},
		"is not RTMP": {func(t *testing.T, c net.Conn) {
			t.Helper()
			_, err := c.Write([]byte("G"))
			send(t, err)
		}, 0, "not RTMP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := inBubble(t, o, func(t *testing.T, peer net.Conn) {
				t.Helper()
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
		t.Helper()
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
		t.Helper()
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
			t.Helper()
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
