package token

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"testing"
)

// TestProofs: what was remembered is known, of one key and one text only, and there is a bound.
func TestProofs(t *testing.T) {
	t.Parallel()
	var keys [2]*ecdsa.PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	of := func(key int, text string) proof {
		p, ok := proofOf(&keys[key].PublicKey, text)
		if !ok {
			t.Fatal("no proof")
		}
		return p
	}
	var p proofs
	p.remember(of(0, "a.b.c"))
	for _, c := range []struct {
		key  int
		text string
		want bool
	}{{0, "a.b.c", true}, {1, "a.b.c", false}, {0, "a.b.d", false}, {0, "a.b.", false}} {
		if got := p.known(of(c.key, c.text)); got != c.want {
			t.Errorf("key %d, %s: %v", c.key, c.text, got)
		}
	}
	for i := range 5 * maxProofs {
		p.remember(of(0, fmt.Sprint(i)))
		if !p.known(of(0, "a.b.c")) {
			t.Fatalf("a token that is used is forgotten after %d others", i)
		}
	}
	if n := len(p.newer) + len(p.past); n > 2*maxProofs {
		t.Errorf("%d proofs", n)
	}
	if p.known(of(0, "0")) {
		t.Error("nothing is forgotten")
	}
}
