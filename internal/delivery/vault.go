package delivery

import (
	"context"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rivus-live/rivus/internal/seal"
	"github.com/rivus-live/rivus/internal/store"
)

// Vault encrypts what connections must keep secret. Its key is in the store, apart from the records.
type Vault struct{ aead cipher.AEAD }

// Secrets are what a connection keeps secret.
type Secrets struct {
	Password     string  `json:"password,omitempty"`
	APIKey       string  `json:"apiKey,omitempty"`
	ClientSecret string  `json:"clientSecret,omitempty"`
	Invocation   Members `json:"invocation"` // values of secret parameters
	OAuth        Members `json:"oauth"`
}

// Members are the values of secret parameters by their keys.
type Members struct {
	Header map[string]string `json:"header,omitempty"`
	Query  map[string]string `json:"query,omitempty"`
	Body   map[string]string `json:"body,omitempty"`
}

// OpenVault returns the vault of a store.
func OpenVault(ctx context.Context, s *store.Store) (*Vault, error) {
	key, err := s.Secret(ctx, "connection-secrets", seal.KeySize)
	if err != nil {
		return nil, fmt.Errorf("delivery: key of the connections: %w", err)
	}
	return NewVault(key)
}

// NewVault returns the vault of a key of 32 bytes.
func NewVault(key []byte) (*Vault, error) {
	aead, err := seal.New(key)
	if err != nil {
		return nil, fmt.Errorf("delivery: %w", err)
	}
	return &Vault{aead: aead}, nil
}

// Seal encrypts the secrets of a connection, which no other connection can open.
func (v *Vault) Seal(uuid string, s Secrets) ([]byte, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("delivery: encode secrets: %w", err)
	}
	return v.aead.Seal(nil, nil, plain, []byte(uuid)), nil
}

// Open decrypts the secrets of a connection.
func (v *Vault) Open(uuid string, sealed []byte) (Secrets, error) {
	var s Secrets
	if len(sealed) == 0 {
		return s, nil
	}
	plain, err := v.aead.Open(nil, nil, sealed, []byte(uuid))
	if err != nil {
		return s, errors.New("delivery: the secrets of the connection are damaged")
	}
	if err := json.Unmarshal(plain, &s); err != nil {
		return s, fmt.Errorf("delivery: decode the secrets of a connection: %w", err)
	}
	return s, nil
}
