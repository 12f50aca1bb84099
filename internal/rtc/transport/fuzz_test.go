package transport

import (
	"bytes"
	"errors"
	"net/netip"
	"sync"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/stun/v4"
)

// counting is a socket that notes who was sent how much.
type counting struct {
	Socket
	mu   sync.Mutex
	sent map[netip.AddrPort]int
}

func (c *counting) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	c.mu.Lock()
	c.sent[to] += len(b)
	c.mu.Unlock()
	return c.Socket.WriteToAddrPort(b, to)
}

// FuzzDatagram throws bytes at the port, from an address that nobody has checked, from that of a peer in the middle of
// its handshake, and from that of a connected peer. A stranger gets nothing back, and nothing that is known changes.
func FuzzDatagram(f *testing.F) {
	s := newServer(f)
	socket := &counting{Socket: s.out, sent: make(map[netip.AddrPort]int)}
	s.Mux.out = socket
	c := connect(s, options{})
	c.settle()
	connected := c.peer.way.Load()
	shaking := newClient(s, options{})
	shaking.check()
	until(f, "a way", func() bool { return shaking.peer.way.Load() != nil })
	at := shaking.peer.way.Load().path.Addr
	for _, m := range [][]stun.Setter{
		{stun.BindingRequest, stun.NewUsername(c.remote.Ufrag + ":them"), stun.NewShortTermIntegrity("guessed"), stun.Fingerprint},
		{stun.BindingRequest, stun.Fingerprint},
		{stun.BindingSuccess, stun.NewShortTermIntegrity("guessed"), stun.Fingerprint},
		{stun.BindingError, stun.CodeRoleConflict, stun.Fingerprint},
	} {
		built, err := stun.Build(m...)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(built.Raw)
	}
	f.Add([]byte{22, 254, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0})
	f.Add([]byte{21, 254, 253, 0, 1, 0, 0, 0, 0, 0, 1, 0, 2, 2, 40})
	f.Add([]byte{0x80, 201, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 0x80, 0, 0, 1})
	stranger := netip.MustParseAddrPort("192.0.2.77:7777")
	f.Fuzz(func(t *testing.T, b []byte) {
		was := size(s.Mux)
		s.Datagram(bytes.Clone(b), stranger)
		s.Datagram(bytes.Clone(b), at)
		s.Datagram(bytes.Clone(b), connected.path.Addr)
		socket.mu.Lock()
		sent := socket.sent[stranger]
		socket.mu.Unlock()
		if sent != 0 {
			t.Fatalf("a stranger was sent %d bytes", sent)
		}
		if is := size(s.Mux); is != was {
			t.Fatalf("%d peers and addresses became %d", was, is)
		}
		select {
		case <-c.peer.Ended():
			t.Fatal("a connected peer has ended")
		case <-c.rtcp:
			t.Fatal("forged RTCP is heard")
		default:
		}
		if c.peer.way.Load() != connected {
			t.Fatal("a connected peer was moved")
		}
	})
}

func size(m *Mux) int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.ufrags) + len(m.addrs)
}

// FuzzFrame: a frame is what its length says, and never longer than the buffer.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{0, 3, 1, 2, 3, 4})
	f.Add([]byte{0, 0})
	f.Add([]byte{0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, room := bytes.NewReader(b), make([]byte, 100)
		for {
			before := r.Len()
			n, err := ReadFrame(r, room)
			if err != nil {
				if errors.Is(err, errFrame) && before-r.Len() != 2 {
					t.Fatal("a frame that is too long was read")
				}
				return
			}
			at := len(b) - before
			if before-r.Len() != 2+n || !bytes.Equal(room[:n], b[at+2:at+2+n]) {
				t.Fatalf("read %d bytes as a frame of %d", before-r.Len(), n)
			}
		}
	})
}

// FuzzHeaderSize: what both read, we read as another implementation does.
func FuzzHeaderSize(f *testing.F) {
	f.Add(packetOf(f, 1, 2, 3))
	f.Add([]byte{0x9f, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := headerSize(b)
		if n > len(b) {
			t.Fatalf("a header of %d bytes in %d", n, len(b))
		}
		var h rtp.Header
		if other, err := h.Unmarshal(b); err == nil && n != 0 && other != n {
			t.Fatalf("%d, another implementation says %d", n, other)
		}
	})
}

// FuzzSift: what passes is records without a plain alert, to the last byte.
func FuzzSift(f *testing.F) {
	f.Add([]byte{21, 254, 253, 0, 1, 0, 0, 0, 0, 0, 1, 0, 2, 2, 40})
	f.Add([]byte{22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 40})
	f.Fuzz(func(t *testing.T, b []byte) {
		alerts, ok := sift(b)
		if !ok {
			return
		}
		for rest := b; len(rest) > 0; {
			if rest[0] == 21 && rest[3] == 0 && rest[4] == 0 {
				t.Fatal("a plain alert passes")
			}
			if rest[0] != 21 && alerts {
				t.Fatal("not all are alerts")
			}
			rest = rest[13+int(rest[11])<<8+int(rest[12]):]
		}
	})
}
