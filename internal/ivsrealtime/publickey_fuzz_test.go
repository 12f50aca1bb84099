package ivsrealtime

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/token"
)

// FuzzPublicKey: a text is refused as invalid, or holds a key whose one encoding is what was found in it.
func FuzzPublicKey(f *testing.F) {
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		f.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	for _, seed := range []string{text, "mine: " + text + text, text[1:], text[:100], "", "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, material string) {
		found, err := keyInPEM(material)
		if err == nil {
			var key *ecdsa.PublicKey
			if key, err = token.ParsePublicKey(found); err == nil {
				again, err := x509.MarshalPKIXPublicKey(key)
				if err != nil || !bytes.Equal(again, found) {
					t.Errorf("%x is encoded as %x: %v", found, again, err)
				}
				return
			}
		}
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("error %v", err)
		}
	})
}
