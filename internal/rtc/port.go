package rtc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/rivus-live/rivus/internal/rtc/burst"
	"github.com/rivus-live/rivus/internal/rtc/transport"
)

// Attempts to find a free port, and bounds of TCP peers that have not said who they are.
const (
	portAttempts = 32
	maxTCPConns  = 4096
	stunPatience = 10 * time.Second
)

// Port is the one address that all peers connect to: UDP and TCP on the same port number.
type Port struct {
	addr    netAddr
	udp     *burst.Conn
	peers   *transport.Mux
	streams *streams
	once    sync.Once
	done    sync.WaitGroup
}

// netAddr is where a Port listens.
type netAddr struct {
	host string
	port int
	ip   net.IP
}

// Listen opens addr, "host:port", for UDP and TCP. Port 0 picks one that is free for both. TCP connections are accepted
// from what door makes of the listener; nil leaves it as it is.
func Listen(ctx context.Context, addr string, door func(net.Listener) net.Listener) (*Port, error) {
	if door == nil {
		door = func(l net.Listener) net.Listener { return l }
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("rtc: listen: %w", err)
	}
	var lastErr error
	for range portAttempts {
		p, err := open(ctx, host, port, door)
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
func open(ctx context.Context, host, port string, door func(net.Listener) net.Listener) (*Port, error) {
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
	local := udp.LocalAddr().(*net.UDPAddr) //nolint:errcheck,forcetypeassert // of a UDP socket
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(local.Port)))
	if err != nil {
		_ = udp.Close()
		return nil, err
	}
	p := &Port{addr: netAddr{host: host, port: local.Port, ip: local.IP}, udp: burst.New(udp, true)}
	p.peers = transport.NewMux(p.udp)
	reader, err := p.udp.NewReader(func(b []byte, from netip.AddrPort) { p.peers.Datagram(b, from) })
	if err != nil {
		p.peers.Close()
		return nil, errors.Join(err, p.udp.Close(), l.Close())
	}
	p.streams = newStreams(door(l), p.peers)
	p.done.Go(func() { p.read(reader) })
	return p, nil
}

// read serves all peers that are reached over UDP, until the socket is closed.
func (p *Port) read(r *burst.Reader) {
	for {
		if err := r.Read(); errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// Addr returns "host:port" with the port that was opened.
func (p *Port) Addr() string { return net.JoinHostPort(p.addr.host, strconv.Itoa(p.addr.port)) }

// Stats returns counters of what is sent and read over UDP.
func (p *Port) Stats() burst.Stats { return p.udp.Stats() }

// Panics returns how many panics have ended a peer, or cost a datagram.
func (p *Port) Panics() int64 { return p.peers.Panics() }

// Close closes both sockets. Peers that still use them fail.
func (p *Port) Close() error {
	var err error
	p.once.Do(func() {
		err = errors.Join(p.streams.Close(), p.udp.Close())
		p.done.Wait()
		p.peers.Close()
	})
	return err
}
