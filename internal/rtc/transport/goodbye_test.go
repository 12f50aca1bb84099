package transport

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// TestGoodbyeIsTheAlert: a flight that is sent again while the association is put away, because the peer's came again, is
// not taken for our closing alert. It still goes out.
func TestGoodbyeIsTheAlert(t *testing.T) {
	t.Parallel()
	record := func(kind byte) []byte { return append([]byte{kind, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 5, 0, 2}, 1, 0) }
	for name, order := range map[string][]byte{
		"before": {typeHandshake, typeAlert}, "after": {typeAlert, typeHandshake}, "both": {typeChange, typeAlert, typeChange},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			c := connect(s, options{})
			c.settle()
			r := newRecords(c.peer)
			r.keep()
			for _, kind := range order {
				if _, err := r.WriteTo(record(kind), nil); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.kept(); !bytes.Equal(got, record(typeAlert)) {
				t.Errorf("kept %x", got)
			}
		})
	}
}

// hooked is a socket that calls a function before or after the datagram that makes a client connected.
type hooked struct {
	Socket
	before, after func()
}

func (h *hooked) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	last := len(b) > 0 && b[0] == typeChange
	if last && h.before != nil {
		h.before()
	}
	n, err := h.Socket.WriteToAddrPort(b, to)
	if last && h.after != nil {
		h.after()
	}
	return n, err
}

// TestCloseAtTheEndOfTheHandshake: whoever has our last flight is connected, and hears the goodbye also when we close
// before our own side has noticed that it is.
func TestCloseAtTheEndOfTheHandshake(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			made := make(chan *client, 1)
			var once sync.Once
			closed := make(chan error, 1)
			closeIt := func() {
				once.Do(func() {
					c := <-made
					go func() {
						c.peer.Close()
						closed <- nil
					}()
					<-c.peer.ctx.Done()
				})
			}
			s := newServerOn(t, func(out Socket) Socket {
				if when == "before" {
					return &hooked{Socket: out, before: closeIt}
				}
				return &hooked{Socket: out, after: closeIt}
			})
			c := newClient(s, options{})
			made <- c
			c.check()
			defer func() { _ = receive(t, "the end of Close", closed) }()
			if err := c.handshake(options{}); err != nil {
				if !strings.Contains(err.Error(), "CloseNotify") { // it came with the flight
					t.Error(err)
				}
				return
			}
			gone := make(chan error, 1)
			go func() {
				_, err := c.conn.Read(make([]byte, 100))
				gone <- err
			}()
			if err := receive(t, "the goodbye", gone); !errors.Is(err, io.EOF) {
				t.Errorf("the client hears %v", err)
			}
		})
	}
}
