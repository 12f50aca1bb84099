package app

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pemFiles are a certificate and its key in two files.
type pemFiles struct{ chain, key string }

// makePair returns a new certificate and key in PEM.
func makePair(t *testing.T) (chain, key []byte) {
	t.Helper()
	b, err := makeSelfSigned([]string{"localhost"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(b)
	return pem.EncodeToMemory(block), rest
}

// put replaces a file as certificate tools do: whole, by a rename.
func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestCertificateIsRenewed replaces the files of a certificate in every order that a tool may, and looks at what
// handshakes get.
func TestCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := pemFiles{filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "key.pem")}
	oldChain, oldKey := makePair(t)
	put(t, p.chain, oldChain)
	put(t, p.key, oldKey)
	now := time.Now()
	var log bytes.Buffer
	f, err := openCertificate(p.chain, p.key, func() time.Time { return now }, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	served := func(wait time.Duration) []byte {
		now = now.Add(wait)
		cert, err := f.certificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	}
	newChain, newKey := makePair(t)
	put(t, p.chain, newChain)
	if got := served(certificateCheck); !bytes.Equal(got, oldChain) {
		t.Fatal("a chain without its key is served")
	}
	if got := served(certificateCheck); !bytes.Equal(got, oldChain) || strings.Count(log.String(), "not renewed") != 1 {
		t.Fatalf("told again and again:\n%s", log.String())
	}
	put(t, p.key, newKey)
	if got := served(certificateCheck / 2); !bytes.Equal(got, oldChain) {
		t.Fatal("looked at the files with every handshake")
	}
	if got := served(certificateCheck / 2); !bytes.Equal(got, newChain) || !strings.Contains(log.String(), "certificate renewed") {
		t.Fatalf("the renewed certificate is not served:\n%s", log.String())
	}
	if err := os.Remove(p.chain); err != nil {
		t.Fatal(err)
	}
	if got := served(certificateCheck); !bytes.Equal(got, newChain) {
		t.Fatal("a file that is gone took the certificate with it")
	}
	put(t, p.chain, []byte("garbage"))
	if got := served(certificateCheck); !bytes.Equal(got, newChain) {
		t.Fatal("garbage took the certificate with it")
	}
	put(t, p.chain, oldChain)
	put(t, p.key, oldKey)
	if got := served(certificateCheck); !bytes.Equal(got, oldChain) {
		t.Fatal("it is not renewed after a failure")
	}
}

func TestCertificateThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	chain, _ := makePair(t)
	_, otherKey := makePair(t)
	put(t, filepath.Join(dir, "chain.pem"), chain)
	put(t, filepath.Join(dir, "other.pem"), otherKey)
	for _, key := range []string{"none.pem", "other.pem", "chain.pem"} {
		if _, err := openCertificate(filepath.Join(dir, "chain.pem"), filepath.Join(dir, key), time.Now, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s was taken for a key", key)
		}
	}
	if _, err := tls.X509KeyPair(chain, otherKey); err == nil {
		t.Error("the test's pairs fit together")
	}
}
