package ivsrealtime

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
	"github.com/rivus-live/rivus/internal/token"
)

// ImportPublicKey stores the public half of a key that the account signs participant tokens with. A key can be there
// once.
func (s *Service) ImportPublicKey(
	ctx context.Context, c awsapi.Caller, in *ImportPublicKeyRequest,
) (*ImportPublicKeyResponse, error) {
	der, err := keyInPEM(in.PublicKeyMaterial)
	if err != nil {
		return nil, err
	}
	if _, err := token.ParsePublicKey(der); err != nil {
		return nil, err
	}
	tags, err := tagging.Tagged(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	k := resource.PublicKey{
		ARN: resource.PublicKeyARN(c.Scope, arn.NewID()), Material: in.PublicKeyMaterial, SPKI: der,
		Fingerprint: fingerprint(der), Tags: tags, CreatedAt: s.opts.Clock().UTC(),
	}
	set(&k.Name, in.Name)
	_, err = s.opts.Records.PublicKeys.Under(guardOf(c.Scope)).Create(ctx, keyOf(k.ARN), k, func() error {
		same, err := s.opts.Records.PublicKeys.List(ctx, store.Query{
			Scope: c.Scope, Index: "fingerprint", Value: k.Fingerprint, Limit: 1,
		})
		if err != nil {
			return err
		}
		if len(same.Records) > 0 {
			return fault.New(fault.Conflict, "The public key was imported already, as %s", same.Records[0].Value.ARN)
		}
		return s.withinQuota(s.opts.Records.PublicKeys.Count(c.Scope), quotaPublicKeys, "public keys", c.Region)
	})
	if err != nil {
		return nil, err
	}
	return &ImportPublicKeyResponse{PublicKey: wirePublicKey(k)}, nil
}

// maxMaterial bounds what is stored of a key. A public key on P-384 has 215 characters in PEM.
const maxMaterial = 4096

// keyInPEM returns the first block of a text in PEM (RFC 7468) that is a public key. Text may surround it, on the same
// lines as its boundaries too, which the model allows and other readers of PEM do not.
func keyInPEM(material string) ([]byte, error) {
	if len(material) > maxMaterial {
		return nil, fault.New(fault.Invalid, "publicKeyMaterial has more than %d bytes", maxMaterial)
	}
	_, rest, ok1 := strings.Cut(material, "-----BEGIN PUBLIC KEY-----")
	body, _, ok2 := strings.Cut(rest, "-----END PUBLIC KEY-----")
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), ""))
	if !ok1 || !ok2 || err != nil {
		return nil, fault.New(fault.Invalid, "publicKeyMaterial is not a public key in PEM")
	}
	return der, nil
}

// fingerprint returns the fingerprint of a public key: the first 16 bytes of the SHA-256 of its DER, in hexadecimal with
// colons. How the service makes its own is not published.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	parts := make([]string, 16)
	for i := range parts {
		parts[i] = fmt.Sprintf("%02x", sum[i])
	}
	return strings.Join(parts, ":")
}

// GetPublicKey returns a public key.
func (s *Service) GetPublicKey(ctx context.Context, c awsapi.Caller, in *GetPublicKeyRequest) (*GetPublicKeyResponse, error) {
	k, err := get(ctx, c, s.opts.Records.PublicKeys, in.Arn, tagsOfKey)
	if err != nil {
		return nil, err
	}
	return &GetPublicKeyResponse{PublicKey: wirePublicKey(k)}, nil
}

// ListPublicKeys returns a page of public keys by id, without their material.
func (s *Service) ListPublicKeys(
	ctx context.Context, c awsapi.Caller, in *ListPublicKeysRequest,
) (*ListPublicKeysResponse, error) {
	keys, next, err := listed(ctx, c, s.opts.Pager.Pages(c, "ListPublicKeys", ""), s.opts.Records.PublicKeys, in.NextToken,
		awsapi.PageSize(in.MaxResults, defaultLimit), func(k resource.PublicKey) (PublicKeySummary, error) {
			return wirePublicKeySummary(k), nil
		})
	if err != nil {
		return nil, err
	}
	return &ListPublicKeysResponse{PublicKeys: keys, NextToken: next}, nil
}

// DeletePublicKey deletes a public key. Tokens that it proves are no good from then on; who is connected stays.
func (s *Service) DeletePublicKey(
	ctx context.Context, c awsapi.Caller, in *DeletePublicKeyRequest,
) (*DeletePublicKeyResponse, error) {
	a, err := c.Own(in.Arn)
	if err != nil {
		return nil, err
	}
	_, err = s.opts.Records.PublicKeys.Delete(ctx, keyOf(a), func(k resource.PublicKey) error { return c.May(a, k.Tags) })
	if err != nil {
		return nil, awsapi.Naming(err, in.Arn)
	}
	return &DeletePublicKeyResponse{}, nil
}
