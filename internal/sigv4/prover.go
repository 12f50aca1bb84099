package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"net/url"
)

// prover computes signatures with one signing key, one after another: the state of the key's hash and the memory for
// the texts serve again. It is used by one goroutine at a time.
type prover struct {
	mac  hash.Hash
	text []byte
	sum  [sha256.Size]byte
}

// maxKept is the most memory that a prover may hold to be kept: one long header must not cost memory for ever.
const maxKept = 8 << 10

func newProver(key [sha256.Size]byte) *prover {
	return &prover{mac: hmac.New(sha256.New, key[:]), text: make([]byte, 0, 1024)}
}

// sign returns the signature that a claim should have: over the canonical request, by way of the string to sign.
func (p *prover) sign(
	c *claim, r *http.Request, query url.Values, order queryOrder, content string,
) [sha256.Size]byte {
	b := appendCanonical(p.text[:0], r, query, order, c.signedHeaders, content)
	digest := sha256.Sum256(b)
	b = append(b[:0], algorithm...)
	for _, line := range [...]string{"\n", c.stamp, "\n", c.day, "/", c.region, "/", c.service, "/", terminator, "\n"} {
		b = append(b, line...)
	}
	b = hex.AppendEncode(b, digest[:])
	p.text = b
	p.mac.Reset()
	p.mac.Write(b)
	p.mac.Sum(p.sum[:0])
	return p.sum
}
