// Package config is the process configuration of rivus: one struct, its defaults and its validation.
//
// Flags are the only source of truth; each is also an environment variable with the prefix RIVUS_ (kong derives both
// from the tags). Only app reads a Config; every part below receives its own few options.
//
// Imports: nothing of Rivus; kong.
package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/alecthomas/kong"
)

// Config holds the flags of "rivus serve". Addresses are host:port; port 0 lets the system choose.
type Config struct {
	HTTPAddr  string `name:"http-addr" env:"RIVUS_HTTP_ADDR" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"API, playback and console. Speaks TLS when a certificate is given."`
	RTMPAddr  string `name:"rtmp-addr" env:"RIVUS_RTMP_ADDR" default:"127.0.0.1:1935" placeholder:"HOST:PORT" help:"Plain RTMP ingest; empty turns it off."`
	RTMPSAddr string `name:"rtmps-addr" env:"RIVUS_RTMPS_ADDR" default:"127.0.0.1:1936" placeholder:"HOST:PORT" help:"RTMPS ingest, and the same HTTP over TLS; empty turns it off. On loopback a self-signed certificate is made at the first start."`
	MediaAddr string `name:"media-addr" env:"RIVUS_MEDIA_ADDR" default:"127.0.0.1:8189" placeholder:"HOST:PORT" help:"WebRTC media of stages, UDP and TCP; \"off\" runs without stages. Browsers that ignore loopback candidates need a LAN address."`
	AdminAddr string `name:"admin-addr" env:"RIVUS_ADMIN_ADDR" default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"/healthz, /readyz, /metrics and pprof; loopback only, empty turns it off."`

	PublicURL      string   `name:"public-url" env:"RIVUS_PUBLIC_URL" placeholder:"URL" help:"Origin that answers name in URLs; default: scheme and host of the request."`
	IngestEndpoint string   `name:"ingest-endpoint" env:"RIVUS_INGEST_ENDPOINT" placeholder:"HOST[:PORT]" help:"Value of ingestEndpoint in answers; default: host of the request and the RTMPS port."`
	ExternalIP     []string `name:"external-ip" env:"RIVUS_EXTERNAL_IP" placeholder:"IP" help:"Address behind which --media-addr is reached, when there is a NAT."`
	Codecs         []string `name:"codecs" env:"RIVUS_CODECS" placeholder:"NAME" help:"Video codecs that stages accept: H264, VP8, VP9, AV1; all when not given."`
	TrustedProxies []string `name:"trusted-proxies" env:"RIVUS_TRUSTED_PROXIES" placeholder:"CIDR" help:"Proxies whose X-Forwarded-Proto, -Host and -For are believed."`

	GeoIPDB string `name:"geoip-db" env:"RIVUS_GEOIP_DB" placeholder:"FILE" help:"Database of countries in MaxMind's format (.mmdb), for playback restriction policies with countries. It may be replaced while the server runs."`

	DataDir         string `name:"data-dir" env:"RIVUS_DATA_DIR" default:"rivus-data" placeholder:"DIR" help:"State, root key and self-signed certificate."`
	NATSURL         string `name:"nats-url" env:"RIVUS_NATS_URL" placeholder:"URL" help:"External NATS JetStream instead of the embedded one."`
	NATSReplicas    int    `name:"nats-replicas" env:"RIVUS_NATS_REPLICAS" default:"0" placeholder:"COUNT" help:"Copies of all state that an external NATS cluster keeps: 1, 3 or 5. 0 is 3 in a cluster, which outlives the loss of one server, and 1 elsewhere."`
	AcceptDataLoss  bool   `name:"accept-data-loss" env:"RIVUS_ACCEPT_DATA_LOSS" help:"Start although the data directory is damaged."`
	AccountID       string `name:"account-id" env:"RIVUS_ACCOUNT_ID" default:"000000000000" placeholder:"12 DIGITS" help:"Account of the root key."`
	AccessKeyID     string `name:"access-key-id" env:"RIVUS_ACCESS_KEY_ID" placeholder:"ID" help:"Root access key; made once and kept in the data directory when not given."`
	SecretAccessKey string `name:"secret-access-key" env:"RIVUS_SECRET_ACCESS_KEY" placeholder:"SECRET" help:"Secret of the root access key; prefer the environment variable."`

	TLSCert       string `name:"tls-cert" env:"RIVUS_TLS_CERT" placeholder:"FILE" help:"PEM certificate chain."`
	TLSKey        string `name:"tls-key" env:"RIVUS_TLS_KEY" placeholder:"FILE" help:"PEM private key."`
	TLSSelfSigned bool   `name:"tls-self-signed" env:"RIVUS_TLS_SELF_SIGNED" help:"Serve HTTPS and RTMPS with a self-signed certificate, on any address."`
	Insecure      bool   `name:"insecure" env:"RIVUS_INSECURE" help:"Allow a public address without TLS."`

	MaxStrangers int `name:"max-strangers" env:"RIVUS_MAX_STRANGERS" default:"256" placeholder:"N" help:"TCP connections of one address (IPv6: /64) that may be open and have proved nothing yet: no TLS handshake, stream key, token or complete request. Loopback and --trusted-proxies are free."`

	AllowInsecureIngest *bool  `name:"allow-insecure-ingest" env:"RIVUS_ALLOW_INSECURE_INGEST" negatable:"" help:"Accept plain RTMP for channels that do not have insecureIngest; on when --rtmp-addr is loopback."`
	Quotas              string `name:"quotas" env:"RIVUS_QUOTAS" default:"off" help:"Service quotas and call rates: off or aws."`

	AWSEndpoints        []string `name:"aws-endpoint" env:"RIVUS_AWS_ENDPOINT" placeholder:"SERVICE=URL" help:"Where rules reach a service that is not this server: sqs, sns, events, lambda or logs."`
	AWSCredentials      []string `name:"aws-credentials" env:"RIVUS_AWS_CREDENTIALS" placeholder:"SERVICE=ID:SECRET" help:"Access key for the --aws-endpoint of a service; prefer the environment variable. The credentials of the machine are never used."`
	AllowTargets        []string `name:"allow-targets" env:"RIVUS_ALLOW_TARGETS" placeholder:"PATTERN" help:"ARNs that rules may have as targets at an --aws-endpoint, with * and ?; none when not given."`
	AllowPrivateTargets []string `name:"allow-private-targets" env:"RIVUS_ALLOW_PRIVATE_TARGETS" placeholder:"CIDR" help:"Networks that are not public and to which URLs of API users may lead. Loopback is allowed while this server listens on loopback only."`

	SNSCert string `name:"sns-cert" env:"RIVUS_SNS_CERT" placeholder:"FILE" help:"PEM certificate of the key that signs what topics send; one is made when not given."`
	SNSKey  string `name:"sns-key" env:"RIVUS_SNS_KEY" placeholder:"FILE" help:"PEM RSA key of --sns-cert."`

	AuditKeep      time.Duration `name:"audit-keep" env:"RIVUS_AUDIT_KEEP" default:"2160h" placeholder:"DURATION" help:"How long the audit keeps the records of calls."`
	AuditMaxBytes  int64         `name:"audit-max-bytes" env:"RIVUS_AUDIT_MAX_BYTES" default:"1073741824" placeholder:"BYTES" help:"How much room the audit may take; the oldest records go first."`
	AuditDataCalls bool          `name:"audit-data-calls" env:"RIVUS_AUDIT_DATA_CALLS" help:"Record calls that move data too: PutEvents, Publish, PutMetadata, CreateParticipantToken."`

	AcceptUnbuilt bool `name:"accept-unbuilt" env:"RIVUS_ACCEPT_UNBUILT" help:"Store references to capabilities that are not implemented (recording, ads) without effect, instead of refusing them."`

	DrainDelay   time.Duration `name:"drain-delay" env:"RIVUS_DRAIN_DELAY" default:"0s" placeholder:"DURATION" help:"How long to go on serving after SIGTERM, while /readyz says 503, before streams end."`
	StageHistory time.Duration `name:"stage-history" env:"RIVUS_STAGE_HISTORY" default:"1440h" placeholder:"DURATION" help:"How long ended stage sessions, their participants and events are kept."`

	LogLevel  string `name:"log-level" env:"RIVUS_LOG_LEVEL" default:"info" help:"debug, info, warn or error."`
	LogFormat string `name:"log-format" env:"RIVUS_LOG_FORMAT" default:"text" help:"text or json."`
	ReadyJSON bool   `name:"ready-json" env:"RIVUS_READY_JSON" help:"Print one line of JSON with all addresses to stdout once everything listens."`
}

// Default returns the configuration of a server started without flags and with an empty environment.
func Default() (Config, error) {
	var c Config
	if err := kong.ApplyDefaults(&c); err != nil {
		return c, fmt.Errorf("config: %w", err)
	}
	return c, nil
}

// Off is the value of --media-addr that runs a server without stages.
const Off = "off"

// publicHost returns the host of the public URL with a port, "" without a public URL.
func (c *Config) publicHost() string {
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	return net.JoinHostPort(u.Hostname(), "0")
}

// MediaUnreachable reports whether callers from elsewhere are let in by --http-addr and cannot reach --media-addr. It
// may be meant so; with a public URL, Validate refuses it.
func (c *Config) MediaUnreachable() bool {
	return !Loopback(c.HTTPAddr) && Loopback(c.MediaAddr)
}

// TLS reports whether --http-addr speaks TLS.
func (c *Config) TLS() bool { return c.TLSCert != "" || c.TLSSelfSigned }

// InsecureIngestAllowed tells whether plain RTMP is accepted for every channel.
func (c *Config) InsecureIngestAllowed() bool {
	if c.AllowInsecureIngest != nil {
		return *c.AllowInsecureIngest
	}
	return Loopback(c.RTMPAddr)
}

// Proxies returns the trusted proxies as prefixes; a bare address is a prefix of its full length.
func (c *Config) Proxies() ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(c.TrustedProxies))
	for _, s := range c.TrustedProxies {
		if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxies: %q is not an address or CIDR", s)
		}
		out = append(out, p)
	}
	return out, nil
}

// ExternalIPs returns the addresses of --external-ip, which go into candidates as they are.
func (c *Config) ExternalIPs() ([]netip.Addr, error) {
	var out []netip.Addr
	for _, s := range c.ExternalIP {
		ip, err := netip.ParseAddr(s)
		if err != nil || ip.Zone() != "" || ip.IsUnspecified() || ip.IsMulticast() {
			return nil, fmt.Errorf("--external-ip: %q is not an IP address that others can send to", s)
		}
		out = append(out, ip.Unmap())
	}
	return out, nil
}

// Loopback reports whether a host:port is reachable from this machine only.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// Reachable returns the address under which this machine reaches a listening one: an unspecified host, which one can
// listen on but not connect to, becomes the loopback address.
func Reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}
