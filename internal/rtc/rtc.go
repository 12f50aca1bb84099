// Package rtc makes WebRTC connections: ports, SDP, codecs and header extensions. It is the one place that configures
// Pion.
//
// An Engine makes peers on one Port, which is one UDP and one TCP port for everybody. Receive answers a publisher's
// offer, Send a subscriber's. Publishers are peer connections of Pion; subscribers have a transport of our own (package
// sendonly), which shares the sockets. Both are DTLS servers, so that the server picks AES-128-GCM, and take exactly
// one codec of each kind from the offer, so that a publication's codecs are known before its first packet. An Inbound
// hands out its RTP layers as they appear; an Outbound takes finished RTP packets and hands back RTCP. What peers send
// is bounded before it is looked at: the size and the sections of an offer, candidates, streams of a connection, what
// waits for a slow TCP peer.
//
// Concurrency: everything may be called from any goroutine, except that one goroutine at a time reads a Layer or
// writes to a Sender. Close returns when the last goroutine of the peer has ended; never call it from a callback.
//
// Imports: rtc/burst, rtc/ice, rtc/sendonly.
package rtc

import (
	"context"
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

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/transport/v4/packetio"
	"github.com/pion/webrtc/v4"
)

// Times of a connection. A peer that is silent for longer than silence and grace together is gone: browsers check
// consent every five seconds at most (RFC 7675), the service shows a lost participant for up to ten.
const (
	silence       = 6 * time.Second
	grace         = 3 * time.Second
	dtlsPatience  = 10 * time.Second
	dtlsRepeat    = 100 * time.Millisecond
	keyValidity   = 10 * 365 * 24 * time.Hour
	maxPacket     = 1472
	maxStreams    = 32 // RTP and as many RTCP streams that one connection may have
	rtpWaiting    = 1 << 20
	rtcpWaiting   = 64 << 10
	nackInterval  = 50 * time.Millisecond
	nackTimes     = 5 // that a packet is asked for; what comes on an RTX stream is not noticed
	twccInterval  = 50 * time.Millisecond
	reportPeriod  = time.Second
	replayWindow  = 1024
	maxRestarts   = 100
	gatherTimeout = 5 * time.Second
	handshakeEnd  = 500 * time.Millisecond
)

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
	certificate webrtc.Certificate // the same, as Pion wants it
	fingerprint string             // of it, as SDP shows it
}

// NewEngine returns an engine with a new DTLS key.
func NewEngine(o Options) (*Engine, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Engine{opt: o}
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
	e.certificate = webrtc.CertificateFromX509(key, leaf)
	e.fingerprint = "sha-256 " + strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(der)), " ", ":")
	return nil
}

// Flush sends the packets that Senders were given and that wait for more. Call it at the end of every burst.
func (e *Engine) Flush() { e.opt.Port.Flush() }

// settings returns how Pion has to behave, with buffers made by factory.
func (e *Engine) settings(factory func(packetio.BufferPacketType, uint32) packetBuffer) (webrtc.SettingEngine, error) {
	var s webrtc.SettingEngine
	s.LoggerFactory = loggers{e.opt.Logger}
	// Not ICE-lite: a lite agent must wait for the peer to nominate, which some do 200 ms later. Candidates of peers are
	// not used (narrow), so our checks only ever answer a peer's own, authenticated ones.
	s.SetLite(false)
	s.SetNetworkTypes([]webrtc.NetworkType{
		webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6,
	})
	s.SetICEUDPMux(e.opt.Port.udpMux)
	s.SetICETCPMux(e.opt.Port.tcpMux)
	s.DisableActiveTCP(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetIncludeLoopbackCandidate(e.opt.Port.addr.ip.IsLoopback())
	s.SetICETimeouts(silence, grace, time.Second)
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	s.SetDTLSInsecureSkipHelloVerify(true) // ICE has proved the address already
	s.SetDTLSRetransmissionInterval(dtlsRepeat)
	s.SetDTLSConnectContextMaker(func() (context.Context, func()) {
		return context.WithTimeout(context.Background(), dtlsPatience)
	})
	s.SetSRTPReplayProtectionWindow(replayWindow)
	s.DisableMediaEngineCopy(true)
	s.BufferFactory = func(kind packetio.BufferPacketType, ssrc uint32) packetBuffer { return factory(kind, ssrc) }
	if err := s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return s, fmt.Errorf("rtc: set the DTLS role: %w", err)
	}
	if len(e.opt.ExternalIPs) > 0 {
		rule := webrtc.ICEAddressRewriteRule{AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteReplace}
		for _, ip := range e.opt.ExternalIPs {
			rule.External = append(rule.External, ip.String())
		}
		if err := s.SetICEAddressRewriteRules(rule); err != nil {
			return s, fmt.Errorf("rtc: external address: %w", err)
		}
	}
	return s, nil
}

// media returns a media engine with exactly these codecs and extensions.
func media(choice map[Kind]*Codec, extensions map[Kind][]string) (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	for k, c := range choice {
		if c == nil {
			continue
		}
		if err := c.register(m, k); err != nil {
			return nil, fmt.Errorf("rtc: %w", err)
		}
		kind := webrtc.RTPCodecTypeAudio
		if k == Video {
			kind = webrtc.RTPCodecTypeVideo
		}
		for _, uri := range extensions[k] {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, kind); err != nil {
				return nil, fmt.Errorf("rtc: register extension: %w", err)
			}
		}
	}
	return m, nil
}

// receiving returns what watches over the packets of a publisher: retransmission requests, transport-wide feedback and
// receiver reports.
func receiving(l loggers) (*interceptor.Registry, error) {
	r := &interceptor.Registry{}
	n, err := nack.NewGeneratorInterceptor(
		nack.GeneratorInterval(nackInterval), nack.GeneratorMaxNacksPerPacket(nackTimes), nack.WithGeneratorLoggerFactory(l))
	if err != nil {
		return nil, fmt.Errorf("rtc: %w", err)
	}
	t, err := twcc.NewSenderInterceptor(twcc.SendInterval(twccInterval), twcc.WithLoggerFactory(l))
	if err != nil {
		return nil, fmt.Errorf("rtc: %w", err)
	}
	p, err := report.NewReceiverInterceptor(report.ReceiverInterval(reportPeriod), report.WithReceiverLoggerFactory(l))
	if err != nil {
		return nil, fmt.Errorf("rtc: %w", err)
	}
	r.Add(n)
	r.Add(t)
	r.Add(p)
	return r, nil
}
