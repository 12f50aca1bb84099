package config

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// maxDrainDelay is longer than any load balancer takes to notice, and shorter than anybody waits for a stop.
const maxDrainDelay = time.Hour

// minAuditBytes is room for the calls of some hours.
const minAuditBytes = 1 << 20

// problems collects what cannot work.
type problems []error

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

// Validate reports every setting that cannot work, each with its flag and what to do about it, and spells names as the
// rest of the program does, whatever their case. It is the one place where flags are judged: a server that starts has
// none that is ignored because it makes no sense.
func (c *Config) Validate() error {
	var p problems
	c.checkNames(&p)
	c.checkAddresses(&p)
	c.checkExposure(&p)
	c.checkCertificate(&p)
	c.checkFiles(&p)
	c.checkState(&p)
	c.checkTimes(&p)
	c.checkLimits(&p)
	c.checkTargets(&p)
	return errors.Join(p...)
}

// videoCodecs are the values of --codecs, as stages spell them.
var videoCodecs = []string{"H264", "VP8", "VP9", "AV1"} //nolint:gochecknoglobals // a constant table

// checkNames judges the flags whose values are words, and spells them.
func (c *Config) checkNames(p *problems) {
	for _, n := range []struct {
		flag   string
		value  *string
		values []string
	}{
		{"--quotas", &c.Quotas, []string{"off", "aws"}},
		{"--log-level", &c.LogLevel, []string{"debug", "info", "warn", "error"}},
		{"--log-format", &c.LogFormat, []string{"text", "json"}},
	} {
		spell(p, n.flag, n.value, n.values)
	}
	for i := range c.Codecs {
		spell(p, "--codecs", &c.Codecs[i], videoCodecs)
	}
	if strings.EqualFold(c.MediaAddr, Off) {
		c.MediaAddr = Off
	}
}

// spell writes a value as it stands among the values that there are.
func spell(p *problems, flag string, value *string, values []string) {
	i := slices.IndexFunc(values, func(v string) bool { return strings.EqualFold(v, strings.TrimSpace(*value)) })
	if i < 0 {
		p.add("%s: %q is not one of %s", flag, *value, strings.Join(values, ", "))
		return
	}
	*value = values[i]
}

// checkAddresses judges where the server listens, and as what it is known.
func (c *Config) checkAddresses(p *problems) {
	for _, a := range []struct{ flag, addr string }{
		{"--http-addr", c.HTTPAddr}, {"--rtmp-addr", c.RTMPAddr}, {"--rtmps-addr", c.RTMPSAddr}, {"--media-addr", c.MediaAddr}, {"--admin-addr", c.AdminAddr},
	} {
		if a.addr == "" && a.flag != "--http-addr" || a.addr == Off && a.flag == "--media-addr" {
			continue
		}
		if !isHostPort(a.addr) {
			p.add("%s: %q is not host:port", a.flag, a.addr)
		}
	}
	if c.PublicURL != "" && !isOrigin(c.PublicURL) {
		p.add("--public-url: not an http or https origin such as https://live.example.com")
	}
	if e := c.IngestEndpoint; e != "" && !isHost(e) && !isHostPort(e) {
		p.add("--ingest-endpoint: %q has to be a host, or host:port, without a scheme or path: encoders put those around it", e)
	}
	for _, check := range []func() error{
		func() error { _, err := c.ExternalIPs(); return err },
		func() error { _, err := c.Proxies(); return err },
	} {
		if err := check(); err != nil {
			p.add("%w", err)
		}
	}
}

// checkExposure refuses what would be open to everybody, or to nobody, by mistake.
func (c *Config) checkExposure(p *problems) {
	if !c.Insecure && !c.TLS() && !Loopback(c.HTTPAddr) {
		p.add("--http-addr %s is public and has no TLS: give --tls-cert and --tls-key, --tls-self-signed, or --insecure", c.HTTPAddr)
	}
	if !c.Insecure && c.RTMPAddr != "" && !Loopback(c.RTMPAddr) && c.InsecureIngestAllowed() {
		p.add("--allow-insecure-ingest on the public address %s sends stream keys in the clear: give --insecure as well if you mean it", c.RTMPAddr)
	}
	if c.RTMPSAddr != "" && !c.TLS() && !Loopback(c.RTMPSAddr) {
		p.add("--rtmps-addr %s needs --tls-cert and --tls-key, or --tls-self-signed", c.RTMPSAddr)
	}
	if c.AdminAddr != "" && !Loopback(c.AdminAddr) {
		p.add("--admin-addr %s must be a loopback address: it serves profiles and metrics without authentication", c.AdminAddr)
	}
	if host := c.publicHost(); host != "" && isOrigin(c.PublicURL) && !Loopback(host) && Loopback(c.MediaAddr) {
		p.add("--media-addr %s is a loopback address, so nobody who comes by --public-url %s can join a stage: give an address that is reached from there, such as --media-addr :8189 (and --external-ip behind a NAT), or --media-addr off",
			c.MediaAddr, c.PublicURL)
	}
}

// checkCertificate reads the certificate: a file that is missing or does not fit is known before anything runs.
func (c *Config) checkCertificate(p *problems) {
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		p.add("--tls-cert and --tls-key go together")
	case c.TLSCert == "":
	case c.TLSSelfSigned:
		p.add("--tls-self-signed and --tls-cert exclude each other")
	default:
		if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			p.add("--tls-cert, --tls-key: %w", err)
		}
	}
}

// checkFiles judges whether files are there that are read later; what is in them, whoever reads them says.
func (c *Config) checkFiles(p *problems) {
	if c.GeoIPDB == "" {
		return
	}
	if info, err := os.Stat(c.GeoIPDB); err != nil {
		p.add("--geoip-db: %w", err)
	} else if !info.Mode().IsRegular() {
		p.add("--geoip-db: %s is not a file", c.GeoIPDB)
	}
}

var (
	accountID   = regexp.MustCompile(`^[0-9]{12}$`)
	accessKeyID = regexp.MustCompile(`^\w{1,128}$`)
)

// checkState judges where state is kept and whose it is. No message has a secret, which a NATS URL may hold too.
func (c *Config) checkState(p *problems) {
	if strings.TrimSpace(c.DataDir) == "" {
		p.add("--data-dir: a directory is needed, also with --nats-url")
	}
	if c.NATSURL != "" && !areNATS(c.NATSURL) {
		p.add("--nats-url: not a URL such as nats://nats.example.com:4222, nor several with commas between them")
	}
	switch {
	case !slices.Contains([]int{0, 1, 3, 5}, c.NATSReplicas):
		p.add("--nats-replicas: %d is not 1, 3 or 5: an even number of copies outlives no more losses than one less", c.NATSReplicas)
	case c.NATSReplicas > 1 && c.NATSURL == "":
		p.add("--nats-replicas %d needs --nats-url: the engine in the process is one server", c.NATSReplicas)
	}
	if !accountID.MatchString(c.AccountID) {
		p.add("--account-id: %q is not 12 digits", c.AccountID)
	}
	if (c.AccessKeyID == "") != (c.SecretAccessKey == "") {
		p.add("--access-key-id and --secret-access-key go together")
	}
	if c.AccessKeyID != "" && !accessKeyID.MatchString(c.AccessKeyID) {
		p.add("--access-key-id has to be of up to 128 letters, digits and underscores: it stands in signatures")
	}
	if strings.ContainsFunc(c.SecretAccessKey, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		p.add("--secret-access-key has a blank or a line break in it: no client would sign with that")
	}
}

func (c *Config) checkTimes(p *problems) {
	if c.DrainDelay < 0 || c.DrainDelay > maxDrainDelay {
		p.add("--drain-delay: %s is not between 0 and %s", c.DrainDelay, maxDrainDelay)
	}
	if c.AuditKeep < time.Hour {
		p.add("--audit-keep: %s is less than an hour", c.AuditKeep)
	}
	if c.AuditMaxBytes < minAuditBytes {
		p.add("--audit-max-bytes: %d is less than %d", c.AuditMaxBytes, minAuditBytes)
	}
	if c.StageHistory < time.Hour {
		p.add("--stage-history: %s is less than an hour", c.StageHistory)
	}
}

// mostStrangers is more than the connections that any one address has between it and a server.
const mostStrangers = 1 << 16

func (c *Config) checkLimits(p *problems) {
	if c.MaxStrangers < 1 || c.MaxStrangers > mostStrangers {
		p.add("--max-strangers: %d is not between 1 and %d", c.MaxStrangers, mostStrangers)
	}
}

// isHostPort reports whether s is host:port with a port that exists; the host may be empty.
func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host != "" && !isHost(host) {
		return false
	}
	return portExists(port)
}

// isHost reports whether s may be a name or an address, without a port.
func isHost(s string) bool {
	return s != "" && (net.ParseIP(s) != nil || !strings.ContainsAny(s, ":/@?#[]%\\ \t\r\n"))
}

// isOrigin reports whether s is an http or https URL of a scheme and a host only.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && portExists(u.Port()) && u.User == nil &&
		strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
}

// areNATS reports whether s is what a NATS client connects to: URLs with commas between them, whose scheme may be left out.
func areNATS(s string) bool {
	for one := range strings.SplitSeq(s, ",") {
		if one = strings.TrimSpace(one); !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		u, err := url.Parse(one)
		if err != nil || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) || u.Hostname() == "" || !portExists(u.Port()) {
			return false
		}
	}
	return true
}

// portExists reports whether a port, which may be left out, is a number in range or the name of a service.
func portExists(port string) bool {
	_, err := net.DefaultResolver.LookupPort(context.Background(), "tcp", port)
	return err == nil
}
