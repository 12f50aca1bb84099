package rtc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/pion/ice/v4"
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

// Port is the one address that all peers connect to: UDP and TCP on the same port number.
type Port struct {
	addr   netAddr
	udp    *burstConn
	tcp    net.Listener
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
	return listen(ctx, addr, log, true)
}

func listen(ctx context.Context, addr string, log *slog.Logger, offload bool) (*Port, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("rtc: listen: %w", err)
	}
	var lastErr error
	for range portAttempts {
		p, err := open(ctx, host, port, log, offload)
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
func open(ctx context.Context, host, port string, log *slog.Logger, offload bool) (*Port, error) {
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
	p := &Port{
		addr: netAddr{host: host, port: local.Port, ip: local.IP},
		udp:  newBurstConn(udp, offload),
		tcp:  &boundedListener{Listener: l, slots: make(chan struct{}, maxTCPConns), closed: make(chan struct{})},
	}
	p.udpMux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: p.udp, Logger: loggers.NewLogger("ice")})
	p.tcpMux = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: p.tcp, Logger: loggers.NewLogger("ice-tcp"),
		ReadBufferSize: tcpReadBuffer, WriteBufferSize: tcpWriteBuffer,
		FirstStunBindTimeout: stunPatience, AliveDurationForConnFromStun: stunPatience,
	})
	return p, nil
}

// Addr returns "host:port" with the port that was opened.
func (p *Port) Addr() string { return net.JoinHostPort(p.addr.host, strconv.Itoa(p.addr.port)) }

// Flush sends the RTP packets that wait for more.
func (p *Port) Flush() { p.udp.Flush() }

// PortStats are counters of a Port since it was opened.
type PortStats struct {
	Packets uint64 // RTP packets sent over UDP
	Calls   uint64 // system calls for them
	Failed  uint64 // packets that the system refused
	Offload bool   // packets leave in runs that the kernel splits
}

// Stats returns the counters.
func (p *Port) Stats() PortStats {
	p.udp.sending.Lock()
	offload := p.udp.offload
	p.udp.sending.Unlock()
	return PortStats{Packets: p.udp.sent.Load(), Calls: p.udp.calls.Load(), Failed: p.udp.failed.Load(), Offload: offload}
}

// Close closes both sockets. Peers that still use them fail.
func (p *Port) Close() error {
	var err error
	p.once.Do(func() {
		err = errors.Join(p.udpMux.Close(), p.tcpMux.Close(), p.udp.Close())
	})
	return err
}

// boundedListener accepts no more connections than it has slots; others wait in the system's queue.
type boundedListener struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

// Close stops accepting.
func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// Accept waits for a slot, then for a connection.
func (l *boundedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &boundedConn{Conn: c, free: func() { <-l.slots }}, nil
}

// boundedConn gives its slot back when it is closed.
type boundedConn struct {
	net.Conn
	free func()
	once sync.Once
}

// Close closes the connection.
func (c *boundedConn) Close() error {
	c.once.Do(c.free)
	return c.Conn.Close()
}
