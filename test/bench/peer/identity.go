package peer

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
)

// Identity is a DTLS certificate that any number of peers may share.
type Identity struct {
	certificate tls.Certificate
	fingerprint string
}

// NewIdentity makes a certificate.
func NewIdentity() (*Identity, error) {
	c, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return nil, fmt.Errorf("peer: make a certificate: %w", err)
	}
	sum := sha256.Sum256(c.Certificate[0])
	var pairs []string
	for _, b := range sum {
		pairs = append(pairs, strings.ToUpper(hex.EncodeToString([]byte{b})))
	}
	return &Identity{c, "sha-256 " + strings.Join(pairs, ":")}, nil
}
