package rtctest

import (
	"net"
	"sync/atomic"
	"testing"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// Lossy is a bad network in front of a client: it loses RTP packets that come from the server, always the same ones.
type Lossy struct {
	Every      int // each so manieth packet is lost; 0: none
	Burst      int // so many in a row are lost
	BurstEvery int // at each so manieth loss

	mux       *ice.UDPMuxDefault
	dropped   atomic.Int64
	unplugged atomic.Bool
}

// Apply returns the setting that puts a client behind the network.
func (l *Lossy) Apply(tb testing.TB) func(*webrtc.SettingEngine) {
	tb.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	l.mux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: &lossyConn{UDPConn: udp, lossy: l}})
	tb.Cleanup(func() { _ = l.mux.Close() })
	return func(s *webrtc.SettingEngine) { s.SetICEUDPMux(l.mux) }
}

// Dropped returns how many packets were lost.
func (l *Lossy) Dropped() int { return int(l.dropped.Load()) }

// Unplug cuts the client off, in both directions.
func (l *Lossy) Unplug() { l.unplugged.Store(true) }

// Vanish closes the client's socket without a word.
func (l *Lossy) Vanish() {
	l.Unplug()
	_ = l.mux.Close()
}

type lossyConn struct {
	*net.UDPConn
	lossy *Lossy

	count, losses, left int // the reader's
}

// ReadFrom returns the next packet that is not lost.
func (c *lossyConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, addr, err := c.UDPConn.ReadFrom(b)
		if err != nil || !c.loses(b[:n]) {
			return n, addr, err //nolint:wrapcheck // of a test
		}
		c.lossy.dropped.Add(1)
	}
}

// WriteTo sends, unless the client is cut off.
func (c *lossyConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if c.lossy.unplugged.Load() {
		return len(b), nil
	}
	return c.UDPConn.WriteTo(b, addr) //nolint:wrapcheck // of a test
}

func (c *lossyConn) loses(b []byte) bool {
	if c.lossy.unplugged.Load() {
		return true
	}
	if len(b) < 500 || b[0]>>6 != 2 || c.lossy.Every == 0 {
		return false
	}
	if c.left > 0 {
		c.left--
		return true
	}
	if c.count++; c.count%c.lossy.Every != 0 {
		return false
	}
	if c.losses++; c.lossy.BurstEvery > 0 && c.losses%c.lossy.BurstEvery == 0 {
		c.left = c.lossy.Burst - 1
	}
	return true
}
