package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// maxKeys bounds the signing keys that a Verifier remembers. One is made for each caller, day, region and service.
const maxKeys = 1024

// Verifier proves signatures. It is safe for use by several goroutines.
type Verifier struct {
	secret func(accessKeyID string) (string, bool)

	mu   sync.RWMutex
	keys map[scope]*signingKey
}

// scope is what a signing key is derived for.
type scope struct{ accessKeyID, day, region, service string }

// signingKey is a derived key, as what computes signatures with it, and the secret that it came from, so that a changed
// secret is noticed.
type signingKey struct {
	secret  string
	provers sync.Pool // of *prover
}

func newSigningKey(secret string, s scope) *signingKey {
	key := deriveKey(secret, s)
	return &signingKey{secret: secret, provers: sync.Pool{New: func() any { return newProver(key) }}}
}

// NewVerifier returns a verifier that looks secrets up with the given function.
func NewVerifier(secret func(accessKeyID string) (string, bool)) *Verifier {
	return &Verifier{secret: secret, keys: map[scope]*signingKey{}}
}

// Pending is a request whose signature is well formed and fresh, and whose caller is known but not proved.
type Pending struct {
	verifier *Verifier
	request  *http.Request
	query    url.Values
	claim    claim
	secret   string
}

// Begin checks everything about a signature that does not need the body, so that a server can refuse strangers before
// it reads what they send. The error is an *Error.
func (v *Verifier) Begin(r *http.Request, now time.Time) (*Pending, error) {
	var query url.Values
	if r.URL.RawQuery != "" {
		var err error
		if query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return nil, refuse(Incomplete, "The query string is malformed")
		}
	}
	c, err := parse(r, query)
	if err != nil {
		return nil, err
	}
	if err := c.fresh(now); err != nil {
		return nil, err
	}
	secret, ok := v.secret(c.accessKeyID)
	if !ok {
		return nil, refuse(Unrecognized, "The security token included in the request is invalid.")
	}
	return &Pending{verifier: v, request: r, query: query, claim: c, secret: secret}, nil
}

// Identity returns what the request claims. It is not proved until Finish.
func (p *Pending) Identity() Identity {
	return Identity{
		AccessKeyID: p.claim.accessKeyID, Region: p.claim.region, Service: p.claim.service, SignedHost: hostOf(p.request),
	}
}

// SessionToken returns the token of temporary credentials that came with the request, "" without. It is a secret.
func (p *Pending) SessionToken() string { return p.claim.sessionToken }

// SignsSessionToken reports whether the token, if there is one, is part of what is signed.
func (p *Pending) SignsSessionToken() bool {
	return p.claim.presigned || p.claim.signs("x-amz-security-token")
}

// Unsigned reports whether the signature leaves the body out, so that it holds for any body.
func (p *Pending) Unsigned() bool { return p.claim.content == UnsignedPayload }

// Finish proves the signature over the request and its body, given as HashBody returns it. The error is an *Error.
func (p *Pending) Finish(bodyHash string) (Identity, error) {
	content, err := p.content(bodyHash)
	if err != nil {
		return Identity{}, err
	}
	key, known := p.verifier.signingKey(p.scope(), p.secret)
	if !p.holds(key, content, encodedOrder) && !(repeats(p.query) && p.holds(key, content, plainOrder)) {
		return Identity{}, refuse(Invalid, "The request signature we calculated does not match the signature you provided. "+
			"Check your AWS Secret Access Key and signing method.")
	}
	if !known {
		p.verifier.remember(p.scope(), key)
	}
	return p.Identity(), nil
}

// holds reports whether the signature is the right one, in constant time.
func (p *Pending) holds(key *signingKey, content string, order queryOrder) bool {
	with := key.provers.Get().(*prover)
	want := with.sign(&p.claim, p.request, p.query, order, content)
	if cap(with.text) <= maxKept {
		key.provers.Put(with)
	}
	return hmac.Equal(want[:], p.claim.signature[:])
}

func (p *Pending) scope() scope {
	return scope{p.claim.accessKeyID, p.claim.day, p.claim.region, p.claim.service}
}

// content returns what stands for the body in the canonical request. A client that names the hash must name the right
// one; one that leaves the body out must have signed that it does.
func (p *Pending) content(bodyHash string) (string, error) {
	switch p.claim.content {
	case "", bodyHash:
		return bodyHash, nil
	case UnsignedPayload:
		if p.claim.presigned || p.claim.signs("x-amz-content-sha256") {
			return UnsignedPayload, nil
		}
		return "", refuse(Invalid, "'x-amz-content-sha256' must be among the SignedHeaders when the payload is unsigned")
	}
	return "", refuse(Invalid, "The value of 'x-amz-content-sha256' does not match the body")
}

// signingKey returns the key of a scope, and whether it was remembered.
func (v *Verifier) signingKey(s scope, secret string) (key *signingKey, known bool) {
	v.mu.RLock()
	key = v.keys[s]
	v.mu.RUnlock()
	if key != nil && hmac.Equal([]byte(key.secret), []byte(secret)) {
		return key, true
	}
	return newSigningKey(secret, s), false
}

// remember keeps a key that has proved right. When there are too many it starts over: days pass, callers stay.
func (v *Verifier) remember(s scope, k *signingKey) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.keys) >= maxKeys {
		clear(v.keys)
	}
	v.keys[s] = k
}

// deriveKey hashes a secret down to the key for one day, region and service.
func deriveKey(secret string, s scope) [sha256.Size]byte {
	key := []byte("AWS4" + secret)
	var sum [sha256.Size]byte
	for _, part := range [...]string{s.day, s.region, s.service, terminator} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(sum[:0])
	}
	return sum
}

// Verify proves a request's signature without remembering keys, for tools and tests; servers use a Verifier.
func Verify(r *http.Request, bodyHash string, now time.Time, secret func(accessKeyID string) (string, bool)) (Identity, error) {
	p, err := NewVerifier(secret).Begin(r, now)
	if err != nil {
		return Identity{}, err
	}
	return p.Finish(bodyHash)
}
