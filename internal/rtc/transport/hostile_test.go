package transport

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/tls"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/rivus-live/rivus/internal/rtc/ice"
)

// TestLibraryIsPatched holds the DTLS library at a version without the panics of clients that were found in 2026: a server
// key exchange that is cut off, and records that are shorter than their cipher needs.
func TestLibraryIsPatched(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile(filepath.Join("..", "..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`github.com/pion/dtls/v3 v(\d+)\.(\d+)\.(\d+)\b`).FindStringSubmatch(string(mod))
	if found == nil {
		t.Fatal("the library is not in go.mod")
	}
	major, _ := strconv.Atoi(found[1])
	minor, _ := strconv.Atoi(found[2])
	patch, _ := strconv.Atoi(found[3])
	if major != 3 || minor < 1 || minor == 1 && patch < 8 {
		t.Errorf("the library is %s", found[0])
	}
}

// wire is the Socket of a peer whose other end is a DTLS server in the same process.
type wire struct{ to func([]byte) }

func (w *wire) WriteToAddrPort(b []byte, _ netip.AddrPort) (int, error) {
	w.to(bytes.Clone(b))
	return len(b), nil
}

func (w *wire) LocalAddr() net.Addr { return &net.UDPAddr{} }

// hostile is a DTLS server that a peer of ours is the client of, without a network in between.
type hostile struct {
	peer *Peer
	pipe *pipe
}

// newHostile lets the peer trust the certificate; change is what becomes of the server's datagrams.
func newHostile(tb testing.TB, certificate []byte, patience time.Duration, change func(b []byte) [][]byte) *hostile {
	tb.Helper()
	h := &hostile{pipe: newPipe()}
	m := NewMux(&wire{to: h.pipe.push})
	h.peer = m.NewPeer(Config{
		Remote: ice.Credentials{Ufrag: "them", Password: "their secret password, long"}, Active: true,
		Fingerprints: []Fingerprint{printOf(certificate)}, Certificate: newCertificate(tb), Loggers: quiet(),
	})
	h.peer.dtls.patience = patience
	h.pipe.send = func(b []byte) {
		for _, changed := range change(b) {
			if h.peer.enter() {
				h.peer.dtls.record(changed)
				h.peer.leave()
			}
		}
	}
	h.peer.way.Store(&way{path: ice.Path{Addr: netip.MustParseAddrPort("192.0.2.1:1")}})
	tb.Cleanup(func() {
		_ = h.pipe.Close()
		h.peer.Close()
		m.Close()
	})
	return h
}

// shake runs the handshake, and the server's side of it, to its end: connected or not.
func (h *hostile) shake(tb testing.TB, certificate tls.Certificate, options ...dtls.ServerOption) (connected bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), wait)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() {
		conn, err := dtls.ServerWithOptions(h.pipe, h.pipe.RemoteAddr(), append(options, dtls.WithCertificates(certificate),
			dtls.WithLoggerFactory(quiet()), dtls.WithInsecureSkipVerifyHello(true), dtls.WithClientAuth(dtls.RequireAnyClientCert),
			dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80))...)
		if err != nil {
			tb.Error(err)
			return
		}
		_ = conn.HandshakeContext(ctx)
		<-ctx.Done()
		_ = h.pipe.Close() // so that closing has nobody to wait for
		_ = conn.Close()
	})
	h.peer.spawn(h.peer.dtls.run)
	select {
	case <-h.peer.Connected():
		return true
	case <-h.peer.Ended():
		return false
	case <-ctx.Done():
		tb.Fatal("the handshake has no end")
		return false
	}
}

func whole(b []byte) [][]byte { return [][]byte{b} }

// TestClientOfServers: as the client we connect to the server that the offer named, with its keys, and to no other.
func TestClientOfServers(t *testing.T) {
	t.Parallel()
	ours, others := newCertificate(t), newCertificate(t)
	h := newHostile(t, ours.Certificate[0], wait, whole)
	if !h.shake(t, ours) || h.peer.keys.Load() == nil || h.peer.keys.Load().rtpOut == nil {
		t.Errorf("not connected with GCM: %v", h.peer.Reason())
	}
	h = newHostile(t, ours.Certificate[0], wait, whole)
	if h.shake(t, others) || !strings.Contains(h.peer.Reason().Error(), errFingerprint.Error()) {
		t.Errorf("another's certificate: %v", h.peer.Reason())
	}
	h = newHostile(t, ours.Certificate[0], wait, whole)
	if h.shake(t, tls.Certificate{Certificate: ours.Certificate, PrivateKey: forger{ours.PrivateKey.(*ecdsa.PrivateKey).Public()}}) {
		t.Error("connected to somebody who has not the key of the certificate")
	}
}

// forger signs for a key of P-256 that it does not know, as the signature of an empty hash: with e = 0, any multiple R = vQ
// of the public point makes the pair r = R.x, s = r/v. It calls that Ed25519, which hashes nothing beforehand.
type forger struct{ victim crypto.PublicKey }

func (f forger) Public() crypto.PublicKey {
	return ed25519.PublicKey(make([]byte, ed25519.PublicKeySize))
}

func (f forger) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	q, _ := f.victim.(*ecdsa.PublicKey)
	curve, v := elliptic.P256(), big.NewInt(7)
	r, _ := curve.ScalarMult(q.X, q.Y, v.Bytes()) //nolint:staticcheck // what the attack needs
	n := curve.Params().N
	r.Mod(r, n)
	s := new(big.Int).Mul(r, new(big.Int).ModInverse(v, n))
	return asn1.Marshal(struct{ R, S *big.Int }{r, s.Mod(s, n)})
}

// TestHandshakeIsBounded: messages, and all of them together, have a length that is enough.
func TestHandshakeIsBounded(t *testing.T) {
	t.Parallel()
	cert := newCertificate(t)
	fragment := func(length, seq int) []byte {
		b := make([]byte, 13+12+1000)
		copy(b, []byte{22, 254, 253})
		b[11], b[12] = byte((len(b)-13)>>8), byte(len(b)-13)
		copy(b[13:], []byte{11, byte(length >> 16), byte(length >> 8), byte(length), byte(seq >> 8), byte(seq), 0, 0, 0, 0, 1000 >> 8, 1000 & 255})
		return b
	}
	if _, ok := sift(fragment(maxMessage, 1)); !ok {
		t.Error("a long message is refused")
	}
	if _, ok := sift(fragment(maxMessage+1, 1)); ok {
		t.Error("a message that is too long passes")
	}
	h := newHostile(t, cert.Certificate[0], wait, func(b []byte) (out [][]byte) {
		for i := range maxHandshake/1000 + 1 {
			out = append(out, fragment(1000, i+1))
		}
		return append(out, b)
	})
	if h.shake(t, cert) || !errors.Is(h.peer.Reason(), errHandshake) {
		t.Errorf("a flood ends with %v", h.peer.Reason())
	}
}

// FuzzServerFlights: whatever becomes of the datagrams of a server, our handshake with it neither panics nor outlasts its
// patience, and takes no more than it may. An input is a program: each four bytes change a datagram.
func FuzzServerFlights(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 20, 1})                                  // a bit of the first flight
	f.Add([]byte{0, 1, 30, 0, 1, 1, 60, 0, 2, 2, 0, 0})         // cuts and repetitions
	f.Add([]byte{0, 3, 11, 255, 0, 0, 13, 12, 1, 0, 13 + 9, 7}) // lengths and types
	f.Add([]byte{0, 0, 13 + 12 + 3, 2, 1, 0, 13 + 12 + 3, 17})
	cert := newCertificate(f)
	f.Fuzz(func(t *testing.T, program []byte) {
		count := byte(0)
		h := newHostile(t, cert.Certificate[0], 150*time.Millisecond, func(b []byte) [][]byte {
			out := mutate(b, count, program)
			count++
			return out
		})
		h.shake(t, cert, dtls.WithFlightInterval(20*time.Millisecond), dtls.WithMTU(300))
		h.peer.dtls.mu.Lock()
		defer h.peer.dtls.mu.Unlock()
		if h.peer.dtls.taken > maxHandshake+(1<<16) {
			t.Errorf("took %d bytes", h.peer.dtls.taken)
		}
	})
}

// mutate does what the program says to the datagram with a number: {number, operation, place, value}.
func mutate(b []byte, number byte, program []byte) [][]byte {
	out := [][]byte{b}
	for ; len(program) >= 4; program = program[4:] {
		if program[0]%16 != number%16 || len(b) == 0 {
			continue
		}
		at, value := int(program[2])%len(b), program[3]
		switch program[1] % 4 {
		case 0:
			b[at] ^= value
		case 1:
			b = b[:at]
		case 2:
			for range value % 8 {
				out = append(out, bytes.Clone(b))
			}
		case 3:
			b[at] = value
		}
		out[0] = b
	}
	return out
}
