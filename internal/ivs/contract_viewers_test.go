package ivs_test

import (
	"context"
	"crypto/elliptic"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"
)

// ARNs as those in contract_test.go.
const (
	noKeyPair      = "arn:aws:ivs:" + region + ":" + account + ":playback-key/000000000000"
	foreignKeyPair = "arn:aws:ivs:" + region + ":444455556666:playback-key/000000000000"
	foreignPolicy  = "arn:aws:ivs:" + region + ":444455556666:playback-restriction-policy/000000000000"
)

// importKey imports a new key.
func importKey(ctx context.Context, s scene) error {
	text, _ := newKey(s.t, elliptic.P384())
	_, err := s.api.ImportPlaybackKeyPair(ctx, &sdk.ImportPlaybackKeyPairInput{PublicKeyMaterial: &text})
	return err
}

// fourth calls something four times, of which the first three succeed.
func fourth(call func(context.Context, scene) error) func(context.Context, scene) error {
	return func(ctx context.Context, s scene) error {
		for range 3 {
			check(s.t, call(ctx, s))
		}
		s.advance(1e9) // the call rate is another matter
		return call(ctx, s)
	}
}

func keyPairCases() []contractCase {
	get := func(a string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.GetPlaybackKeyPair(ctx, &sdk.GetPlaybackKeyPairInput{Arn: &a})
			return err
		}
	}
	remove := func(a string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.DeletePlaybackKeyPair(ctx, &sdk.DeletePlaybackKeyPairInput{Arn: &a})
			return err
		}
	}
	return []contractCase{
		{
			operation: "ImportPlaybackKeyPair", code: "ValidationException", status: 400, text: "PEM",
			call: func(ctx context.Context, s scene) error {
				_, err := s.api.ImportPlaybackKeyPair(ctx, &sdk.ImportPlaybackKeyPairInput{PublicKeyMaterial: aws.String("x")})
				return err
			},
		},
		{
			operation: "ImportPlaybackKeyPair", code: "ConflictException", status: 409, text: "imported already",
			call: func(ctx context.Context, s scene) error {
				text, _ := newKey(s.t, elliptic.P384())
				in := &sdk.ImportPlaybackKeyPairInput{PublicKeyMaterial: &text}
				_, err := s.api.ImportPlaybackKeyPair(ctx, in)
				check(s.t, err)
				_, err = s.api.ImportPlaybackKeyPair(ctx, in)
				return err
			},
		},
		{operation: "ImportPlaybackKeyPair", code: "ServiceQuotaExceededException", status: 402, quotas: true, text: "3 playback key pairs", call: fourth(importKey)},
		{operation: "GetPlaybackKeyPair", code: "AccessDeniedException", status: 403, text: "not authorized", call: get(foreignKeyPair)},
		{operation: "GetPlaybackKeyPair", code: "ResourceNotFoundException", status: 404, text: noKeyPair, call: get(noKeyPair)},
		{operation: "GetPlaybackKeyPair", code: "ValidationException", status: 400, call: get(noChannel)},
		{
			operation: "ListPlaybackKeyPairs", code: "ValidationException", status: 400,
			call: func(ctx context.Context, s scene) error {
				_, err := s.api.ListPlaybackKeyPairs(ctx, &sdk.ListPlaybackKeyPairsInput{NextToken: aws.String("bm90IGEgdG9rZW4")})
				return err
			},
		},
		{operation: "DeletePlaybackKeyPair", code: "AccessDeniedException", status: 403, text: "not authorized", call: remove(foreignKeyPair)},
		{operation: "DeletePlaybackKeyPair", code: "ResourceNotFoundException", status: 404, text: noKeyPair, call: remove(noKeyPair)},
		{operation: "DeletePlaybackKeyPair", code: "ValidationException", status: 400, call: remove(noARN)},
	}
}

func policyCases() []contractCase {
	create := func(in sdk.CreatePlaybackRestrictionPolicyInput) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.CreatePlaybackRestrictionPolicy(ctx, &in)
			return err
		}
	}
	get := func(a string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.GetPlaybackRestrictionPolicy(ctx, &sdk.GetPlaybackRestrictionPolicyInput{Arn: &a})
			return err
		}
	}
	update := func(a string, countries ...string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.UpdatePlaybackRestrictionPolicy(ctx, &sdk.UpdatePlaybackRestrictionPolicyInput{Arn: &a, AllowedCountries: countries})
			return err
		}
	}
	remove := func(a string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.DeletePlaybackRestrictionPolicy(ctx, &sdk.DeletePlaybackRestrictionPolicyInput{Arn: &a})
			return err
		}
	}
	const create1, get1, update1, delete1 = "CreatePlaybackRestrictionPolicy", "GetPlaybackRestrictionPolicy", "UpdatePlaybackRestrictionPolicy", "DeletePlaybackRestrictionPolicy"
	return []contractCase{
		{operation: create1, code: "ValidationException", status: 400, text: "ISO 3166", call: create(sdk.CreatePlaybackRestrictionPolicyInput{AllowedCountries: []string{"XX"}})},
		{operation: create1, code: "ServiceQuotaExceededException", status: 402, quotas: true, text: "3 playback restriction", call: fourth(create(sdk.CreatePlaybackRestrictionPolicyInput{}))},
		{
			operation: create1, code: "ThrottlingException", status: 429, quotas: true,
			call: func(ctx context.Context, s scene) (err error) {
				for range 6 {
					err = create(sdk.CreatePlaybackRestrictionPolicyInput{})(ctx, s)
				}
				return err
			},
		},
		{operation: get1, code: "AccessDeniedException", status: 403, text: "not authorized", call: get(foreignPolicy)},
		{operation: get1, code: "ResourceNotFoundException", status: 404, text: noPolicy, call: get(noPolicy)},
		{operation: get1, code: "ValidationException", status: 400, call: get(noChannel)},
		{
			operation: "ListPlaybackRestrictionPolicies", code: "ValidationException", status: 400,
			call: func(ctx context.Context, s scene) error {
				_, err := s.api.ListPlaybackRestrictionPolicies(ctx, &sdk.ListPlaybackRestrictionPoliciesInput{MaxResults: aws.Int32(101)})
				return err
			},
		},
		{operation: update1, code: "AccessDeniedException", status: 403, text: "not authorized", call: update(foreignPolicy)},
		{operation: update1, code: "ResourceNotFoundException", status: 404, text: noPolicy, call: update(noPolicy)},
		{operation: update1, code: "ValidationException", status: 400, text: "ISO 3166", call: update(noPolicy, "XX")},
		{operation: delete1, code: "AccessDeniedException", status: 403, text: "not authorized", call: remove(foreignPolicy)},
		{operation: delete1, code: "ResourceNotFoundException", status: 404, text: noPolicy, call: remove(noPolicy)},
		{operation: delete1, code: "ValidationException", status: 400, call: remove(noARN)},
		{
			operation: delete1, code: "ConflictException", status: 409, text: "is used by arn:aws:ivs:",
			call: func(ctx context.Context, s scene) error {
				p, err := s.api.CreatePlaybackRestrictionPolicy(ctx, &sdk.CreatePlaybackRestrictionPolicyInput{})
				check(s.t, err)
				arn := p.PlaybackRestrictionPolicy.Arn
				_, err = s.api.CreateChannel(ctx, &sdk.CreateChannelInput{PlaybackRestrictionPolicyArn: arn})
				check(s.t, err)
				return remove(*arn)(ctx, s)
			},
		},
	}
}

func revocationCases() []contractCase {
	revoke := func(channel string, version int32) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			a := channel
			if a == "" {
				a = *s.channel
			}
			_, err := s.api.StartViewerSessionRevocation(ctx, &sdk.StartViewerSessionRevocationInput{
				ChannelArn: &a, ViewerId: aws.String("x"), ViewerSessionVersionsLessThanOrEqualTo: version,
			})
			return err
		}
	}
	batch := func(n int) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.BatchStartViewerSessionRevocation(ctx, &sdk.BatchStartViewerSessionRevocationInput{
				ViewerSessions: slices.Repeat([]types.BatchStartViewerSessionRevocationViewerSession{{ChannelArn: s.channel, ViewerId: aws.String("x")}}, n),
			})
			return err
		}
	}
	often := func(n int, call func(context.Context, scene) error) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) (err error) {
			for range n {
				err = call(ctx, s)
			}
			return err
		}
	}
	const start1, batch1 = "StartViewerSessionRevocation", "BatchStartViewerSessionRevocation"
	return []contractCase{
		{operation: start1, code: "AccessDeniedException", status: 403, text: "not authorized", call: revoke(foreignChannel, 0)},
		{operation: start1, code: "ResourceNotFoundException", status: 404, text: noChannel, call: revoke(noChannel, 0)},
		{operation: start1, code: "ValidationException", status: 400, text: "greater than or equal to 0", call: revoke("", -1)},
		{operation: start1, code: "ThrottlingException", status: 429, quotas: true, call: often(11, revoke("", 0))},
		{
			operation: start1, code: "InternalServerException", status: 500,
			call: func(ctx context.Context, s scene) error {
				s.conn.Close()
				return revoke("", 0)(ctx, s)
			},
		},
		{operation: batch1, code: "ValidationException", status: 400, call: batch(21)},
		{operation: batch1, code: "ThrottlingException", status: 429, quotas: true, call: often(3, batch(1))},
	}
}
