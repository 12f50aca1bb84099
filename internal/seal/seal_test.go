package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"github.com/rivus-live/rivus/internal/seal"
)

// TestSeal: what is sealed is opened with its key and what it goes with, and in no other way; the nonce is in front.
func TestSeal(t *testing.T) {
	t.Parallel()
	key := bytes.Repeat([]byte{7}, seal.KeySize)
	c, err := seal.New(key)
	if err != nil {
		t.Fatal(err)
	}
	text, with := []byte("text"), []byte("with")
	sealed := c.Seal(nil, nil, text, with)
	if again := c.Seal(nil, nil, text, with); bytes.Equal(sealed, again) {
		t.Error("the same text is sealed twice in the same way")
	}
	if got, err := c.Open(nil, nil, sealed, with); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%q, %v", got, err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := plain.Open(nil, sealed[:12], sealed[12:], with); err != nil || !bytes.Equal(got, text) {
		t.Errorf("the form on disk: %q, %v", got, err)
	}
	for n := range sealed {
		bad := bytes.Clone(sealed)
		bad[n] ^= 1
		if _, err := c.Open(nil, nil, bad, with); err == nil {
			t.Errorf("byte %d was changed", n)
		}
		if _, err := c.Open(nil, nil, sealed[:n], with); err == nil {
			t.Errorf("%d bytes are opened", n)
		}
	}
	if _, err := c.Open(nil, nil, sealed, []byte("other")); err == nil {
		t.Error("it is opened with something else")
	}
	if _, err := seal.New(key[:16]); err == nil {
		t.Error("a short key is taken")
	}
}
