package rtc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/pion/ice/v4"

	"github.com/rivus-live/rivus/internal/rtc/burst"
	"github.com/rivus-live/rivus/internal/rtc/sendonly"
)

// Sizes of the sockets and of what TCP peers may have waiting.
const (
	socketBuffer   = 4 << 20
	tcpWriteBuffer = 512 << 10
	tcpReadBuffer  = 64 // packets
	portAttempts   = 32
	maxTCPConns    = 4096
	stunPatience   = 10 * time.Second
)

// Port is the one address that all peers connect to: UDP and TCP on the same port number. What comes there is for
// peers of Pion, or for our own, which send only.
type Port struct {
	addr   netAddr
	udp    *burst.Conn
	own    *sendonly.Mux
	udpMux *ice.UDPMuxDefault
	tcpMux *ice.TCPMuxDefault
	once   sync.Once
}

// netAddr is where a Port listens.
type netAddr struct {
	host string
	port int
	ip   net.IP
}

// Listen opens addr, "host:port", for UDP and TCP. Port 0 picks one that is free for both.
func Listen(ctx context.Context, addr string, log *slog.Logger) (*Port, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("rtc: listen: %w", err)
	}
	var lastErr error
	for range portAttempts {
		p, err := open(ctx, host, port, log)
		if err == nil {
			return p, nil
		}
		lastErr = err
		if port != "0" || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, fmt.Errorf("rtc: listen: %w", lastErr)
}

// open opens both sockets; the TCP one may find its port taken when UDP was free to choose.
func open(ctx context.Context, host, port string, log *slog.Logger) (*Port, error) {
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	udp, ok := pc.(*net.UDPConn)
	if !ok {
		_ = pc.Close()
		return nil, fmt.Errorf("a UDP socket is a %T", pc)
	}
	// Smaller buffers than asked for cost packets under load; the system's limits are the operator's to raise.
	_ = udp.SetReadBuffer(socketBuffer)
	_ = udp.SetWriteBuffer(socketBuffer)
	local := udp.LocalAddr().(*net.UDPAddr) //nolint:errcheck,forcetypeassert // of a UDP socket
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(local.Port)))
	if err != nil {
		_ = udp.Close()
		return nil, err
	}
	loggers := loggers{log}
	p := &Port{addr: netAddr{host: host, port: local.Port, ip: local.IP}, udp: burst.New(udp, true)}
	p.own = sendonly.NewMux(p.udp)
	p.udpMux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: &rest{Conn: p.udp, own: p.own}, Logger: loggers.NewLogger("ice")})
	p.tcpMux = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: newStreams(l, p.own), Logger: loggers.NewLogger("ice-tcp"),
		ReadBufferSize: tcpReadBuffer, WriteBufferSize: tcpWriteBuffer,
		FirstStunBindTimeout: stunPatience, AliveDurationForConnFromStun: stunPatience,
	})
	return p, nil
}

// Addr returns "host:port" with the port that was opened.
func (p *Port) Addr() string { return net.JoinHostPort(p.addr.host, strconv.Itoa(p.addr.port)) }

// Flush sends the RTP packets that wait for more.
func (p *Port) Flush() { p.udp.Flush() }

// Stats returns counters of the RTP packets sent over UDP.
func (p *Port) Stats() burst.Stats { return p.udp.Stats() }

// Close closes both sockets. Peers that still use them fail.
func (p *Port) Close() error {
	var err error
	p.once.Do(func() {
		err = errors.Join(p.udpMux.Close(), p.tcpMux.Close(), p.udp.Close())
		p.own.Close()
	})
	return err
}

// rest is the UDP socket as Pion sees it: whoever reads it serves our own peers on the way, and gets the rest. So both
// share one reader, and nothing is copied between them.
type rest struct {
	*burst.Conn
	own *sendonly.Mux
}

// ReadFromAddrPort returns the next datagram that is not only for one of our own peers.
func (r *rest) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := r.Conn.ReadFromAddrPort(b)
		if err != nil || !r.own.Datagram(b[:n], from) {
			return n, from, err //nolint:wrapcheck // Pion looks at it
		}
	}
}

// ReadFrom is ReadFromAddrPort for another address type.
func (r *rest) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := r.ReadFromAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}
