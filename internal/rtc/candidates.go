package rtc

import (
	"fmt"
	"net"
	"net/netip"
)

// Priorities of candidates (RFC 8445, section 5.1.2.1; RFC 6544, section 4.2): every way over UDP comes before every
// one over TCP, and the addresses of a list in its order.
const (
	preferUDP  = 126<<24 | 65535<<8 | 255
	preferTCP  = 99<<24 | (4<<13|8191)<<8 | 255
	preference = 1 << 8 // one step of the local preference
)

// maxAddresses bounds what is advertised of a machine with many addresses.
const maxAddresses = 16

// candidates returns the values of our candidate attributes.
func (e *Engine) candidates() ([]string, error) {
	addrs := e.opt.ExternalIPs
	if len(addrs) == 0 {
		var err error
		if addrs, err = e.opt.Port.addr.addresses(); err != nil {
			return nil, fmt.Errorf("rtc: addresses of this machine: %w", err)
		}
	}
	var out []string
	for i, ip := range addrs {
		port, less := e.opt.Port.addr.port, i*preference
		out = append(out,
			fmt.Sprintf("%d 1 udp %d %s %d typ host", 2*i+1, preferUDP-less, ip, port),
			fmt.Sprintf("%d 1 tcp %d %s %d typ host tcptype passive", 2*i+2, preferTCP-less, ip, port))
	}
	return out, nil
}

// addresses returns those that the port can be reached at: the one that it listens on, or all of the machine but the
// local ones.
func (a *netAddr) addresses() ([]netip.Addr, error) {
	own, _ := netip.AddrFromSlice(a.ip)
	own = own.Unmap()
	if !own.IsUnspecified() {
		return []netip.Addr{own}, nil
	}
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller does
	}
	var out []netip.Addr
	for _, n := range list {
		ipNet, ok := n.(*net.IPNet)
		if !ok {
			continue
		}
		ip, _ := netip.AddrFromSlice(ipNet.IP)
		if ip = ip.Unmap(); ip.IsGlobalUnicast() && (own.Is6() || ip.Is4()) && len(out) < maxAddresses {
			out = append(out, ip)
		}
	}
	if len(out) == 0 { // a machine without a network
		out = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return out, nil
}
