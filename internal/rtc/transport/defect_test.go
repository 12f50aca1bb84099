package transport

import (
	"errors"
	"testing"
)

// TestPanicEndsThePeer: a panic in what takes a peer's packets, or in its turn, ends that peer and no other one.
func TestPanicEndsThePeer(t *testing.T) {
	t.Parallel()
	for name, tcp := range map[string]bool{"UDP": false, "TCP": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			other := connect(s, options{tcp: tcp})
			c := connect(s, options{tcp: tcp, media: func([]byte) { panic("injected") }})
			c.sendRTP(packetOf(t, 7, 1, 100))
			receive(t, "the end", c.peer.Ended())
			if err := c.peer.Reason(); !errors.Is(err, ErrDefect) {
				t.Errorf("ended with %v", err)
			}
			c.sendRTP(packetOf(t, 7, 2, 100)) // is not served any more
			other.report(1)
			receive(t, "RTCP of the other peer", other.rtcp)
			if n := s.Panics(); n != 1 {
				t.Errorf("%d panics are counted", n)
			}
			c.peer.Close()
		})
	}
}

// TestPanicInATurn is TestPanicEndsThePeer for the timer that all peers share.
func TestPanicInATurn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	beats := make(chan struct{}, 1)
	bad := s.NewPeer(Config{Beat: func() { panic("injected") }, Certificate: s.cert, Loggers: quiet()})
	good := s.NewPeer(Config{Beat: func() {
		select {
		case beats <- struct{}{}:
		default:
		}
	}, Certificate: s.cert, Loggers: quiet()})
	defer good.Close()
	receive(t, "the end", bad.Ended())
	if err := bad.Reason(); !errors.Is(err, ErrDefect) {
		t.Errorf("ended with %v", err)
	}
	bad.Close()
	for range 2 { // one may have been before the panic
		receive(t, "a turn of the other peer", beats)
	}
}
