package token

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"sync"
)

// maxProofs is how many tokens a generation of proofs holds, of 32 bytes each.
const maxProofs = 4096

// proofs remembers whose signatures were found good: a participant shows the same token with every request, and to check
// a signature on P-384 takes longer than everything else that a join does before its handshake. Nothing but the
// signature is remembered; keys that were deleted, times and burnt tokens are looked at each time. A token is known by a
// hash of it and of the key, so that nothing can be learnt from how long a look takes. It is safe for concurrent use.
type proofs struct {
	mu          sync.Mutex
	newer, past map[proof]struct{} // two generations: when the newer is full, the past is forgotten
}

type proof [sha256.Size]byte

// proofOf names the proof that a key signed a token.
func proofOf(key *ecdsa.PublicKey, text string) (proof, bool) {
	point, err := key.Bytes()
	if err != nil {
		return proof{}, false
	}
	return sha256.Sum256(append(point, text...)), true // all points have one length
}

func (p *proofs) known(of proof) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.newer[of]; ok {
		return true
	}
	_, ok := p.past[of]
	if ok {
		p.add(of)
	}
	return ok
}

func (p *proofs) remember(of proof) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(of)
}

// add makes a proof one of the newer generation. The caller holds the lock.
func (p *proofs) add(of proof) {
	if p.newer == nil || len(p.newer) == maxProofs {
		p.newer, p.past = make(map[proof]struct{}), p.newer
	}
	p.newer[of] = struct{}{}
}
