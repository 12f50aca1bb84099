package ivs

import (
	"context"
	"crypto/md5" //nolint:gosec // the service names keys by it; nothing is proved with it
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/quota"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
	"github.com/rivus-live/rivus/internal/token"
)

// ImportPlaybackKeyPair stores the public half of a key that the account signs viewers' tokens with. A key can be there once.
func (s *Service) ImportPlaybackKeyPair(
	ctx context.Context, c awsapi.Caller, in *ImportPlaybackKeyPairRequest,
) (*ImportPlaybackKeyPairResponse, error) {
	der, err := playbackKey(in.PublicKeyMaterial)
	if err != nil {
		return nil, err
	}
	tags, err := tagging.Tagged(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	k := resource.PlaybackKeyPair{
		ARN: resource.PlaybackKeyARN(c.Scope, arn.NewID()), SPKI: der, Fingerprint: fingerprint(der), Tags: tags,
		CreatedAt: s.opts.Clock().UTC(),
	}
	set(&k.Name, in.Name)
	_, err = s.opts.Viewers.PlaybackKeys.Under(guardOf(c.Scope)).Create(ctx, keyOf(k.ARN), k, func() error {
		same, err := s.opts.Viewers.PlaybackKeys.List(ctx, store.Query{Scope: c.Scope, Index: "fingerprint", Value: k.Fingerprint, Limit: 1})
		if err != nil {
			return err
		}
		if len(same.Records) > 0 {
			return fault.New(fault.Conflict, "The public key was imported already, as %s", same.Records[0].Value.ARN)
		}
		return s.withinQuota(s.opts.Viewers.PlaybackKeys.Count(c.Scope), quota.PlaybackKeyPairs, "playback key pairs", c.Region)
	})
	if err != nil {
		return nil, err
	}
	return &ImportPlaybackKeyPairResponse{KeyPair: wirePlaybackKey(k)}, nil
}

// maxMaterial bounds what is read as a key. A public key on P-384 has 215 characters in PEM.
const maxMaterial = 4096

// playbackKey returns the DER of the public key in a text: in PEM (RFC 7468) or, as a sample of the service has it, without the
// lines around it (spec ivs.md 4.4).
func playbackKey(material string) ([]byte, error) {
	if len(material) > maxMaterial {
		return nil, fault.New(fault.Invalid, "publicKeyMaterial has more than %d bytes", maxMaterial)
	}
	body := material
	if _, rest, armoured := strings.Cut(material, "-----BEGIN PUBLIC KEY-----"); armoured {
		body, _, armoured = strings.Cut(rest, "-----END PUBLIC KEY-----")
		if !armoured {
			body = "-"
		}
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), ""))
	if err != nil || len(der) == 0 {
		return nil, fault.New(fault.Invalid, "publicKeyMaterial is not a public key in PEM")
	}
	key, err := token.ParsePublicKey(der)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(key)
}

// fingerprint returns the fingerprint of a public key as the service makes it (spec ivs.md 1.5).
func fingerprint(der []byte) string {
	sum := md5.Sum(der) //nolint:gosec // see above
	parts := make([]string, len(sum))
	for i := range sum {
		parts[i] = hex.EncodeToString(sum[i : i+1])
	}
	return strings.Join(parts, ":")
}

// GetPlaybackKeyPair returns a playback key pair.
func (s *Service) GetPlaybackKeyPair(
	ctx context.Context, c awsapi.Caller, in *GetPlaybackKeyPairRequest,
) (*GetPlaybackKeyPairResponse, error) {
	k, err := get(ctx, c, s.opts.Viewers.PlaybackKeys, in.Arn, tagsOfKeyPair)
	if err != nil {
		return nil, err
	}
	return &GetPlaybackKeyPairResponse{KeyPair: wirePlaybackKey(k)}, nil
}

// ListPlaybackKeyPairs returns a page of playback key pairs by id, without their fingerprints. As many as an account may have
// fit on one (spec ivs.md 2.5).
func (s *Service) ListPlaybackKeyPairs(
	ctx context.Context, c awsapi.Caller, in *ListPlaybackKeyPairsRequest,
) (*ListPlaybackKeyPairsResponse, error) {
	size := 100
	if s.opts.Quotas {
		size = quota.PlaybackKeyPairs
	}
	found, next, err := listed(ctx, c, s.opts.Pager.Pages(c, "ListPlaybackKeyPairs", ""), s.opts.Viewers.PlaybackKeys, in.NextToken,
		awsapi.PageSize(in.MaxResults, size), wirePlaybackKeySummary)
	if err != nil {
		return nil, err
	}
	return &ListPlaybackKeyPairsResponse{KeyPairs: found, NextToken: next}, nil
}

// DeletePlaybackKeyPair deletes a playback key pair. Tokens that it has signed let nobody in any more; who watches goes on.
func (s *Service) DeletePlaybackKeyPair(
	ctx context.Context, c awsapi.Caller, in *DeletePlaybackKeyPairRequest,
) (*DeletePlaybackKeyPairResponse, error) {
	a, err := c.Own(in.Arn)
	if err != nil {
		return nil, err
	}
	_, err = s.opts.Viewers.PlaybackKeys.Delete(ctx, keyOf(a), func(k resource.PlaybackKeyPair) error { return c.May(a, k.Tags) })
	if err != nil {
		return nil, awsapi.Naming(err, in.Arn)
	}
	return &DeletePlaybackKeyPairResponse{}, nil
}

func wirePlaybackKey(k resource.PlaybackKeyPair) *PlaybackKeyPair {
	return &PlaybackKeyPair{Arn: new(k.ARN.String()), Fingerprint: &k.Fingerprint, Name: &k.Name, Tags: tagging.Shown(k.Tags)}
}

func wirePlaybackKeySummary(k resource.PlaybackKeyPair) PlaybackKeyPairSummary {
	return PlaybackKeyPairSummary{Arn: new(k.ARN.String()), Name: &k.Name, Tags: tagging.Shown(k.Tags)}
}
