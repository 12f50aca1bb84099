package notification

import (
	"context"
	"crypto"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // version 1 of the signature is defined with it (errata.md A5)
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/seal"
	"github.com/rivus-live/rivus/internal/store"
)

// Signer signs messages with a key that all nodes share, or that the operator brings. The shared one is made when it is needed
// first: that takes longer than a start may. It is safe for concurrent use.
type Signer struct {
	keys *store.Table[resource.SigningKey] // nil: the pair is there
	aead cipher.AEAD

	mu   sync.Mutex
	pair *pair
}

// pair is a key with its certificate.
type pair struct {
	key         *rsa.PrivateKey
	certificate []byte // PEM
	path        string // under which the certificate is served
}

const (
	keyBits     = 2048
	certificate = 30 * 365 * 24 * time.Hour // as long as anybody might want to look at a message
	pathPrefix  = "/SimpleNotificationService-"
	pathSuffix  = ".pem"
)

// OpenSigner returns a signer with the key of the store.
func OpenSigner(ctx context.Context, s *store.Store, keys *store.Table[resource.SigningKey]) (*Signer, error) {
	key, err := s.Secret(ctx, "signing-key", seal.KeySize)
	if err != nil {
		return nil, fmt.Errorf("notification: %w", err)
	}
	aead, err := seal.New(key)
	if err != nil {
		return nil, fmt.Errorf("notification: %w", err)
	}
	return &Signer{keys: keys, aead: aead}, nil
}

// NewSigner returns a signer with a key that the operator brings: PEM of a certificate, or of a chain, and of its RSA key.
func NewSigner(certificates, key []byte) (*Signer, error) {
	block, _ := pem.Decode(key)
	if block == nil {
		return nil, errors.New("the key is not PEM")
	}
	private, err := parseKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	p, err := newPair(private, certificates)
	if err != nil {
		return nil, err
	}
	return &Signer{pair: p}, nil
}

func parseKey(der []byte) (*rsa.PrivateKey, error) {
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("the key is neither PKCS #1 nor PKCS #8")
	}
	private, ok := k.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key is not an RSA key")
	}
	return private, nil
}

// newPair checks that a certificate is that of a key, and names it by its digest.
func newPair(key *rsa.PrivateKey, certificates []byte) (*pair, error) {
	block, _ := pem.Decode(certificates)
	if block == nil {
		return nil, errors.New("the certificate is not PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the certificate cannot be read: %w", err)
	}
	if !key.PublicKey.Equal(c.PublicKey) {
		return nil, errors.New("the certificate is not that of the key")
	}
	sum := sha256.Sum256(block.Bytes)
	return &pair{key: key, certificate: certificates, path: pathPrefix + hex.EncodeToString(sum[:16]) + pathSuffix}, nil
}

// signingKeyAt is where the shared key is.
func signingKeyAt() store.Key { return store.Key{ID: "sns"} }

// get returns the pair, and makes it when there is none yet.
func (s *Signer) get(ctx context.Context) (*pair, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pair != nil {
		return s.pair, nil
	}
	found, err := s.keys.Get(ctx, signingKeyAt())
	if fault.Is(err, fault.NotFound) {
		if found.Value, err = s.newKey(); err != nil {
			return nil, err
		}
		_, err = s.keys.Create(ctx, signingKeyAt(), found.Value)
		if fault.Is(err, fault.Conflict) { // another node was faster
			found, err = s.keys.GetNewest(ctx, signingKeyAt())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("notification: the signing key: %w", err)
	}
	s.pair, err = s.open(found.Value)
	return s.pair, err
}

// newKey makes a key with a certificate that it signs itself.
func (s *Signer) newKey() (resource.SigningKey, error) {
	var out resource.SigningKey
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return out, fmt.Errorf("notification: make the signing key: %w", err)
	}
	number, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return out, fmt.Errorf("notification: make the signing key: %w", err)
	}
	begin := time.Now().Add(-time.Hour) // for receivers whose clock is late
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: "sns.rivus"}, NotBefore: begin, NotAfter: begin.Add(certificate),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "sns.rivus"}}, &key.PublicKey, key)
	if err != nil {
		return out, fmt.Errorf("notification: make the signing certificate: %w", err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return out, fmt.Errorf("notification: encode the signing key: %w", err)
	}
	out.Certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	out.Sealed = s.aead.Seal(nil, nil, plain, []byte(out.Certificate))
	return out, nil
}

func (s *Signer) open(k resource.SigningKey) (*pair, error) {
	plain, err := s.aead.Open(nil, nil, k.Sealed, []byte(k.Certificate))
	if err != nil {
		return nil, errors.New("notification: the signing key is damaged")
	}
	key, err := parseKey(plain)
	if err != nil {
		return nil, fmt.Errorf("notification: %w", err)
	}
	return newPair(key, []byte(k.Certificate))
}

// sign returns the signature of a text in a version, "1" or "2", and the path of the certificate.
func (s *Signer) sign(ctx context.Context, version, text string) (signature, path string, err error) {
	p, err := s.get(ctx)
	if err != nil {
		return "", "", err
	}
	hash, digest := crypto.SHA1, []byte(nil)
	if version == "2" {
		sum := sha256.Sum256([]byte(text))
		hash, digest = crypto.SHA256, sum[:]
	} else {
		sum := sha1.Sum([]byte(text)) //nolint:gosec // as above
		digest = sum[:]
	}
	b, err := rsa.SignPKCS1v15(rand.Reader, p.key, hash, digest)
	if err != nil {
		return "", "", fmt.Errorf("notification: sign: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b), p.path, nil
}

// IsCertificate reports whether a path is that of a signing certificate.
func IsCertificate(path string) bool {
	return strings.HasPrefix(path, pathPrefix) && strings.HasSuffix(path, pathSuffix)
}

// ServeHTTP serves the certificate to whoever checks a signature.
func (s *Signer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p, err := s.get(r.Context())
	switch {
	case err != nil:
		http.Error(w, "the certificate is not there now", http.StatusServiceUnavailable)
	case r.URL.Path != p.path:
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Type", "application/x-pem-file")
		w.Header().Set("Cache-Control", "public, max-age=86400")
		_, _ = w.Write(p.certificate)
	}
}
