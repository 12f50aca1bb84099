// Package seal makes the cipher under which Rivus keeps secrets in its records and in the hands of clients.
//
// Imports: nothing of Rivus.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
)

// KeySize is how many bytes a key has.
const KeySize = 32

// New returns AES-256-GCM that puts a random nonce of 12 bytes in front of what it seals: 2^32 messages may be sealed with one
// key (NIST SP 800-38D, 8.3). A key of another size is an error.
func New(key []byte) (cipher.AEAD, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("seal: a key of %d bytes, and not of %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return aead, nil
}
