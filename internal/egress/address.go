package egress

import (
	"net/netip"
	"slices"
)

// special are the networks within the ranges of public addresses that lead elsewhere: into the operator's network, to this
// machine, to a cloud's metadata, to an IPv4 address in other clothes, or nowhere (the special-purpose registries of IANA).
var special = prefixes( //nolint:gochecknoglobals // a constant table
	"0.0.0.0/8",         // this network, unspecified
	"10.0.0.0/8",        // private
	"100.64.0.0/10",     // carrier-grade NAT
	"127.0.0.0/8",       // loopback
	"168.63.129.16/32",  // the host of a virtual machine, at one of the clouds
	"169.254.0.0/16",    // link-local, metadata
	"172.16.0.0/12",     // private
	"192.0.0.0/24",      // protocol assignments
	"192.0.2.0/24",      // documentation
	"192.31.196.0/24",   // AS112
	"192.52.193.0/24",   // AMT
	"192.88.99.0/24",    // 6to4 relays
	"192.168.0.0/16",    // private
	"192.175.48.0/24",   // AS112
	"198.18.0.0/15",     // benchmarking
	"198.51.100.0/24",   // documentation
	"203.0.113.0/24",    // documentation
	"224.0.0.0/4",       // multicast
	"240.0.0.0/4",       // reserved, broadcast
	"2001::/23",         // protocol assignments, Teredo, ORCHID
	"2001:db8::/32",     // documentation
	"2002::/16",         // 6to4
	"2620:4f:8000::/48", // AS112
	"3fff::/20",         // documentation
)

// unicast is the part of IPv6 that is public at all: mapped, translated (NAT64), unique local, link-local and multicast
// addresses are outside of it.
var unicast = netip.MustParsePrefix("2000::/3") //nolint:gochecknoglobals // a constant

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, s := range texts {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// Public tells whether an address is one of the public internet.
func Public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" || a.Is6() && !unicast.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// allowed tells whether a request may go to an address. An IPv4 address that is written as an IPv6 one is the same address,
// and reached as such.
func (c *Client) allowed(a netip.Addr) bool {
	if a = a.Unmap(); a.Zone() != "" {
		return false
	}
	if c.opt.AllowLoopback && a.IsLoopback() {
		return true
	}
	return Public(a) || slices.ContainsFunc(c.opt.AllowPrivate, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Private tells whether a host is written as an address that is not public, or as "localhost": one that others cannot
// listen to on the way.
func Private(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && !Public(a)
}
