// Package rtc makes WebRTC connections: ports, SDP, codecs and header extensions.
//
// An Engine makes peers on one Port, which is one UDP and one TCP port for everybody. Receive answers a publisher's
// offer, Send a subscriber's. The transport is ours (package transport) on both sides, and the DTLS server, so that we
// pick AES-128-GCM, unless the peer insists on being that. An answer takes exactly one codec of each kind from the offer, so that a publication's codecs
// are known before its first packet. An Inbound hands on RTP packets, sorted by layers, as they come; an Outbound takes
// finished RTP packets and hands back RTCP. What peers send is bounded before it is looked at: the size and the sections
// of an offer, candidates, streams of a connection, what waits for a slow TCP peer.
//
// Concurrency: everything may be called from any goroutine, except that one goroutine at a time writes to a Sender.
// Close returns when nothing of the peer runs; never call it from a callback.
//
// Imports: rtc/burst, rtc/ice, rtc/reception, rtc/transport.
package rtc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net/netip"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/rtc/burst"
)

// keyValidity is how long the certificate of the DTLS handshakes is valid; it is made anew at every start.
const keyValidity = 10 * 365 * 24 * time.Hour

// maxRestarts bounds the ICE restarts of one connection.
const maxRestarts = 100

// Options configures an Engine. Port is required.
type Options struct {
	Port        *Port
	ExternalIPs []netip.Addr // advertised instead of the addresses of our interfaces, which are behind a NAT
	Logger      *slog.Logger // nil discards
}

// Engine makes peers.
type Engine struct {
	opt         Options
	keyPair     tls.Certificate
	fingerprint string // of it, as SDP shows it
}

// NewEngine returns an engine with a new DTLS key.
func NewEngine(o Options) (*Engine, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Engine{opt: o}
	if o.Port != nil {
		o.Port.peers.SetLogger(o.Logger)
	}
	return e, e.makeKey()
}

// makeKey makes the key and the certificate of all DTLS handshakes. Peers know it by its fingerprint; nothing in it says
// who we are.
func (e *Engine) makeKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("rtc: make the DTLS key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return fmt.Errorf("rtc: make the DTLS certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "WebRTC"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(keyValidity),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("rtc: make the DTLS certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("rtc: make the DTLS certificate: %w", err)
	}
	e.keyPair = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	e.fingerprint = "sha-256 " + strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(der)), " ", ":")
	return nil
}

// Batch is packets of Senders that leave together. It belongs to one goroutine, which ends it soon.
type Batch = burst.Batch

// Batch returns an empty batch.
func (e *Engine) Batch() *Batch { return e.opt.Port.udp.Batch() }
