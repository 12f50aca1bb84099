package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/rivus-live/rivus/internal/config"
)

// selfSignedLife is how long a generated certificate is valid; one that ends within selfSignedRenew is replaced at start.
const (
	selfSignedLife  = 397 * 24 * time.Hour
	selfSignedRenew = 30 * 24 * time.Hour
)

// serverTLS returns the TLS configuration of the server: the operator's certificate, or a self-signed one kept in the
// data directory. TLS 1.2 is the oldest version, as for the service itself (spec ivs.md 7.1).
func serverTLS(c *config.Config, clock func() time.Time, log *slog.Logger) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if c.TLSCert == "" {
		cert, err := selfSigned(c.DataDir, hostsOf(c), clock())
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		t.Certificates = []tls.Certificate{cert}
		return t, nil
	}
	files, err := openCertificate(c.TLSCert, c.TLSKey, clock, log)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	t.GetCertificate = files.certificate
	return t, nil
}

// hostsOf lists the names and addresses that a self-signed certificate has to cover.
func hostsOf(c *config.Config) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	for _, addr := range []string{c.HTTPAddr, c.RTMPSAddr, c.IngestEndpoint} {
		if h, _, err := net.SplitHostPort(addr); err == nil && h != "" {
			hosts = append(hosts, h)
		}
	}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	return hosts
}

// selfSigned loads the certificate that an earlier start made, or makes one. The key never leaves its 0600 file.
func selfSigned(dir string, hosts []string, now time.Time) (tls.Certificate, error) {
	path := filepath.Join(dir, "self-signed.pem")
	if b, err := os.ReadFile(path); err == nil {
		cert, err := tls.X509KeyPair(b, b)
		if err == nil && cert.Leaf != nil && now.Add(selfSignedRenew).Before(cert.Leaf.NotAfter) {
			return cert, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return tls.Certificate{}, fmt.Errorf("read %s: %w", path, err)
	}
	b, err := makeSelfSigned(hosts, now)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := writeSecret(path, b); err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(b, b)
}

// makeSelfSigned returns a P-256 key and a certificate for it, both in PEM.
func makeSelfSigned(hosts []string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	t := x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "rivus self-signed"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(selfSignedLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, &t, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(b, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...), nil
}

// writeSecret writes a file that only its owner can read, complete or not at all.
func writeSecret(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // CreateTemp makes it 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}
