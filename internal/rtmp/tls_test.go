package rtmp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

// TestServeConn serves connections that the caller has accepted, before their TLS handshake.
func TestServeConn(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	s := rtmp.NewServer(rtmp.Options{Handler: h})
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeConn(t.Context(), tls.Server(ours, selfSigned(t)), true)
	}()
	c := rtmptest.New(tls.Client(theirs, &tls.Config{InsecureSkipVerify: true}), rtmptest.Options{})
	send(t, c.Handshake(), c.Publish("app", goodKey), c.Video(7, make([]byte, 100_000)), c.Unpublish(), c.Wait(), c.Close())
	<-done
	if got := h.wait(t); !got.Secure || len(got.messages) != 1 || len(got.messages[0].Payload) != 100_000 {
		t.Errorf("%d messages, then %v", len(got.messages), got.err)
	}
}

// TestPlainOnSecure holds that a peer without TLS is gone at once.
func TestPlainOnSecure(t *testing.T) {
	t.Parallel()
	s := start(t, rtmp.Options{Handler: newRecorder()}, selfSigned(t))
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Write(append([]byte{3}, make([]byte, 1536)...))
	send(t, err, c.SetReadDeadline(time.Now().Add(patience)))
	if b, err := io.ReadAll(c); err == nil && len(b) > 100 {
		t.Errorf("was answered %d bytes", len(b))
	}
	send(t, c.Close())
}

// selfSigned returns a TLS configuration with a certificate of its own.
func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// describe shows whatever a strange library has decoded.
func describe(v any) string { return fmt.Sprintf("%+v\n", v) }
