package ivs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5" //nolint:gosec // the service names keys by it
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"
	"golang.org/x/sync/errgroup"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
)

// newKey returns a public key in PEM and its DER.
func newKey(tb testing.TB, curve elliptic.Curve) (text string, der []byte) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	check(tb, err)
	der, err = x509.MarshalPKIXPublicKey(&key.PublicKey)
	check(tb, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), der
}

// TestPlaybackKeyPairs goes through the life of keys.
func TestPlaybackKeyPairs(t *testing.T) {
	t.Parallel()
	e := start(t)
	api, ctx := e.api(), t.Context()
	text, der := newKey(t, elliptic.P384())
	made, err := api.ImportPlaybackKeyPair(ctx, &sdk.ImportPlaybackKeyPairInput{
		PublicKeyMaterial: &text, Name: aws.String("main"), Tags: map[string]string{"team": "live"},
	})
	check(t, err)
	k := made.KeyPair
	sum := md5.Sum(der) //nolint:gosec // see above
	plain := strings.ReplaceAll(*k.Fingerprint, ":", "")
	if len(*k.Fingerprint) != 47 || plain != hex.EncodeToString(sum[:]) || *k.Name != "main" || k.Tags["team"] != "live" ||
		!strings.HasPrefix(*k.Arn, "arn:aws:ivs:"+region+":"+account+":playback-key/") {
		t.Errorf("%+v", k)
	}
	body := base64.StdEncoding.EncodeToString(der)
	for _, again := range []string{text, body, "-----BEGIN PUBLIC KEY-----" + body + "-----END PUBLIC KEY-----", "words\r\n" + strings.ReplaceAll(text, "\n", "\r\n")} {
		_, err = api.ImportPlaybackKeyPair(ctx, &sdk.ImportPlaybackKeyPairInput{PublicKeyMaterial: &again})
		wantCode(t, err, "ConflictException")
	}
	other, err := e.in("eu-west-1").ImportPlaybackKeyPair(ctx, &sdk.ImportPlaybackKeyPairInput{PublicKeyMaterial: &body})
	check(t, err)
	if *other.KeyPair.Name != "" || other.KeyPair.Tags == nil {
		t.Errorf("%+v", other.KeyPair)
	}
	got, err := api.GetPlaybackKeyPair(ctx, &sdk.GetPlaybackKeyPairInput{Arn: k.Arn})
	check(t, err)
	if *got.KeyPair.Fingerprint != *k.Fingerprint || got.KeyPair.Tags["team"] != "live" {
		t.Errorf("%+v", got.KeyPair)
	}
	list, err := api.ListPlaybackKeyPairs(ctx, &sdk.ListPlaybackKeyPairsInput{})
	check(t, err)
	if len(list.KeyPairs) != 1 || *list.KeyPairs[0].Arn != *k.Arn || list.KeyPairs[0].Tags["team"] != "live" || list.NextToken != nil {
		t.Errorf("%+v", list)
	}
	_, err = api.DeletePlaybackKeyPair(ctx, &sdk.DeletePlaybackKeyPairInput{Arn: k.Arn})
	check(t, err)
	_, err = api.GetPlaybackKeyPair(ctx, &sdk.GetPlaybackKeyPairInput{Arn: k.Arn})
	wantCode(t, err, "ResourceNotFoundException")
	_, err = api.ImportPlaybackKeyPair(ctx, &sdk.ImportPlaybackKeyPairInput{PublicKeyMaterial: &text})
	check(t, err)
}

// TestPlaybackKeyMaterial: whatever is no public key on P-384 is refused.
func TestPlaybackKeyMaterial(t *testing.T) {
	t.Parallel()
	e := start(t)
	p256, _ := newKey(t, elliptic.P256())
	good, der := newKey(t, elliptic.P384())
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	check(t, err)
	other, err := rsa.GenerateKey(rand.Reader, 1024)
	check(t, err)
	rsaDER, err := x509.MarshalPKIXPublicKey(&other.PublicKey)
	check(t, err)
	for name, text := range map[string]string{
		"empty": "", "blank": " \n", "words": "a key", "P-256": p256, "half": good[:len(good)/2], "too long": good + strings.Repeat(" ", 4096),
		"private":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
		"RSA":      string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: rsaDER})),
		"bent":     string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: append(der[:len(der)-1:len(der)-1], der[len(der)-1]^1)})),
		"trailing": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: append(der[:len(der):len(der)], 0)})),
	} {
		_, err := e.api().ImportPlaybackKeyPair(t.Context(), &sdk.ImportPlaybackKeyPairInput{PublicKeyMaterial: &text})
		if codeOf(err) != "ValidationException" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPolicies goes through the life of a playback restriction policy and of a channel that has it.
func TestPolicies(t *testing.T) {
	t.Parallel()
	e := start(t)
	api, ctx := e.api(), t.Context()
	empty, err := api.CreatePlaybackRestrictionPolicy(ctx, &sdk.CreatePlaybackRestrictionPolicyInput{})
	check(t, err)
	if p := empty.PlaybackRestrictionPolicy; p.AllowedCountries == nil || p.AllowedOrigins == nil || len(p.AllowedCountries)+len(p.AllowedOrigins) > 0 ||
		*p.EnableStrictOriginEnforcement || *p.Name != "" || p.Tags == nil {
		t.Errorf("%+v", p)
	}
	long := "https://" + strings.Repeat("abcdefghi.", 24) + "test"
	made, err := api.CreatePlaybackRestrictionPolicy(ctx, &sdk.CreatePlaybackRestrictionPolicyInput{
		AllowedCountries: []string{"DE", "FR"}, AllowedOrigins: []string{"https://*.example.com", long}, Name: aws.String("eu"),
		EnableStrictOriginEnforcement: aws.Bool(true), Tags: map[string]string{"team": "live"},
	})
	check(t, err)
	arn := made.PlaybackRestrictionPolicy.Arn
	updated, err := api.UpdatePlaybackRestrictionPolicy(ctx, &sdk.UpdatePlaybackRestrictionPolicyInput{Arn: arn, AllowedCountries: []string{"JP"}})
	check(t, err)
	if p := updated.PlaybackRestrictionPolicy; !slices.Equal(p.AllowedCountries, []string{"JP"}) || len(p.AllowedOrigins) != 2 ||
		!*p.EnableStrictOriginEnforcement || *p.Name != "eu" || p.Tags["team"] != "live" {
		t.Errorf("%+v", p)
	}
	_, err = api.UpdatePlaybackRestrictionPolicy(ctx, &sdk.UpdatePlaybackRestrictionPolicyInput{
		Arn: arn, AllowedCountries: []string{}, EnableStrictOriginEnforcement: aws.Bool(false), Name: aws.String(""),
	})
	check(t, err)
	got, err := api.GetPlaybackRestrictionPolicy(ctx, &sdk.GetPlaybackRestrictionPolicyInput{Arn: arn})
	check(t, err)
	if p := got.PlaybackRestrictionPolicy; len(p.AllowedCountries) != 0 || *p.EnableStrictOriginEnforcement || *p.Name != "" {
		t.Errorf("%+v", p)
	}
	one, err := api.ListPlaybackRestrictionPolicies(ctx, &sdk.ListPlaybackRestrictionPoliciesInput{})
	check(t, err)
	two, err := api.ListPlaybackRestrictionPolicies(ctx, &sdk.ListPlaybackRestrictionPoliciesInput{NextToken: one.NextToken, MaxResults: aws.Int32(100)})
	check(t, err)
	if len(one.PlaybackRestrictionPolicies) != 1 || len(two.PlaybackRestrictionPolicies) != 1 || two.NextToken != nil {
		t.Errorf("pages of %d and %d", len(one.PlaybackRestrictionPolicies), len(two.PlaybackRestrictionPolicies))
	}

	ch, err := api.CreateChannel(ctx, &sdk.CreateChannelInput{PlaybackRestrictionPolicyArn: arn})
	check(t, err)
	_, err = api.DeletePlaybackRestrictionPolicy(ctx, &sdk.DeletePlaybackRestrictionPolicyInput{Arn: arn})
	wantCode(t, err, "ConflictException")
	_, err = api.UpdateChannel(ctx, &sdk.UpdateChannelInput{Arn: ch.Channel.Arn, PlaybackRestrictionPolicyArn: empty.PlaybackRestrictionPolicy.Arn})
	check(t, err)
	_, err = api.DeletePlaybackRestrictionPolicy(ctx, &sdk.DeletePlaybackRestrictionPolicyInput{Arn: arn})
	check(t, err)
	_, err = api.UpdateChannel(ctx, &sdk.UpdateChannelInput{Arn: ch.Channel.Arn, PlaybackRestrictionPolicyArn: arn})
	wantCode(t, err, "ResourceNotFoundException")
	if e, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok || !strings.Contains(*e.ExceptionMessage, *arn) {
		t.Errorf("the error does not name the policy: %v", err)
	}
	_, err = api.UpdateChannel(ctx, &sdk.UpdateChannelInput{Arn: ch.Channel.Arn, PlaybackRestrictionPolicyArn: aws.String("")})
	check(t, err)
	_, err = api.DeletePlaybackRestrictionPolicy(ctx, &sdk.DeletePlaybackRestrictionPolicyInput{Arn: empty.PlaybackRestrictionPolicy.Arn})
	check(t, err)
}

// TestPolicyAndChannelCross: of a channel that is given a policy and the policy's deletion, at the same time, one is first.
func TestPolicyAndChannelCross(t *testing.T) {
	t.Parallel()
	e := start(t)
	api, ctx := e.api(), t.Context()
	ch, _ := e.create(t, "demo")
	for range 12 {
		p, err := api.CreatePlaybackRestrictionPolicy(ctx, &sdk.CreatePlaybackRestrictionPolicyInput{})
		check(t, err)
		arn := p.PlaybackRestrictionPolicy.Arn
		var calls errgroup.Group
		var created, updated, deleted error
		calls.Go(func() error {
			_, created = api.CreateChannel(ctx, &sdk.CreateChannelInput{PlaybackRestrictionPolicyArn: arn})
			return nil
		})
		calls.Go(func() error {
			_, updated = api.UpdateChannel(ctx, &sdk.UpdateChannelInput{Arn: ch.Arn, PlaybackRestrictionPolicyArn: arn})
			return nil
		})
		calls.Go(func() error {
			_, deleted = api.DeletePlaybackRestrictionPolicy(ctx, &sdk.DeletePlaybackRestrictionPolicyInput{Arn: arn})
			return nil
		})
		check(t, calls.Wait())
		users, err := api.ListChannels(ctx, &sdk.ListChannelsInput{FilterByPlaybackRestrictionPolicyArn: arn})
		check(t, err)
		_, err = api.GetPlaybackRestrictionPolicy(ctx, &sdk.GetPlaybackRestrictionPolicyInput{Arn: arn})
		switch {
		case deleted == nil && len(users.Channels) > 0, deleted != nil && err != nil, deleted == nil && created == nil, deleted == nil && updated == nil:
			t.Errorf("created %v, updated %v, deleted %v: %d channels have the policy, which is there: %v", created, updated, deleted, len(users.Channels), err)
		case deleted != nil && codeOf(deleted) != "ConflictException":
			t.Errorf("deleted: %v", deleted)
		}
	}
}

// TestPolicyRules: what no policy may say.
func TestPolicyRules(t *testing.T) {
	t.Parallel()
	e := start(t)
	many := slices.Repeat([]string{"DE"}, 201)
	six := make([]string, 6)
	for i := range six {
		six[i] = fmt.Sprintf("https://%d.test", i)
	}
	p, err := e.api().CreatePlaybackRestrictionPolicy(t.Context(), &sdk.CreatePlaybackRestrictionPolicyInput{AllowedCountries: many[1:], AllowedOrigins: six[1:]})
	check(t, err)
	for name, in := range map[string]sdk.CreatePlaybackRestrictionPolicyInput{
		"no country":     {AllowedCountries: []string{"DE", "XX"}},
		"lower case":     {AllowedCountries: []string{"de"}},
		"three letters":  {AllowedCountries: []string{"DEU"}},
		"blank":          {AllowedCountries: []string{"  "}},
		"201 countries":  {AllowedCountries: many},
		"6 origins":      {AllowedOrigins: six},
		"no origin":      {AllowedOrigins: []string{"example.com"}},
		"an empty one":   {AllowedOrigins: []string{""}},
		"a long one":     {AllowedOrigins: []string{"https://" + strings.Repeat("abcdefghi.", 25) + "test"}},
		"a reserved tag": {Tags: map[string]string{"aws:x": "y"}},
	} {
		_, err := e.api().CreatePlaybackRestrictionPolicy(t.Context(), &in)
		if codeOf(err) != "ValidationException" {
			t.Errorf("create, %s: %v", name, err)
		}
		if in.Tags != nil {
			continue
		}
		_, err = e.api().UpdatePlaybackRestrictionPolicy(t.Context(), &sdk.UpdatePlaybackRestrictionPolicyInput{
			Arn: p.PlaybackRestrictionPolicy.Arn, AllowedCountries: in.AllowedCountries, AllowedOrigins: in.AllowedOrigins,
		})
		if codeOf(err) != "ValidationException" {
			t.Errorf("update, %s: %v", name, err)
		}
	}
}

// TestRevocations: a revocation is stored with the highest version that was ever asked for, one by one and in batches.
func TestRevocations(t *testing.T) {
	t.Parallel()
	e := start(t)
	api, ctx := e.api(), t.Context()
	ch, _ := e.create(t, "demo")
	channel := parse(t, ch.Arn)
	version := func(viewer string) int64 {
		t.Helper()
		r, err := e.viewers.Revocations.Find(ctx, "viewer", records.RevokedValue(channel, viewer))
		if fault.Is(err, fault.NotFound) {
			return -1
		}
		check(t, err)
		return r.Value.Version
	}
	revoke := func(viewer string, v int32) {
		t.Helper()
		_, err := api.StartViewerSessionRevocation(ctx, &sdk.StartViewerSessionRevocationInput{
			ChannelArn: ch.Arn, ViewerId: &viewer, ViewerSessionVersionsLessThanOrEqualTo: v,
		})
		check(t, err)
	}
	revoke("zoë\x00/.*>", 3)
	revoke("zoë\x00/.*>", 1)
	if got := version("zoë\x00/.*>"); got != 3 || version("zoë") != -1 {
		t.Errorf("version %d, want 3; and of another viewer %d", got, version("zoë"))
	}
	revoke("b", 0)
	revoke("b", 9)
	if got := version("b"); got != 9 {
		t.Errorf("version %d, want 9", got)
	}
	out, err := api.BatchStartViewerSessionRevocation(ctx, &sdk.BatchStartViewerSessionRevocationInput{
		ViewerSessions: []types.BatchStartViewerSessionRevocationViewerSession{
			{ChannelArn: ch.Arn, ViewerId: aws.String("c"), ViewerSessionVersionsLessThanOrEqualTo: 4},
			{ChannelArn: aws.String(noChannel), ViewerId: aws.String("d")},
			{ChannelArn: aws.String(foreignChannel), ViewerId: aws.String("e")},
			{ChannelArn: ch.Arn, ViewerId: aws.String("c")},
		},
	})
	check(t, err)
	var codes []string
	for _, failed := range out.Errors {
		codes = append(codes, *failed.ViewerId+" "+*failed.Code)
		if *failed.Message == "" || *failed.ChannelArn == "" {
			t.Errorf("%+v", failed)
		}
	}
	if got := strings.Join(codes, ", "); got != "d 404, e 403" || version("c") != 4 {
		t.Errorf("errors %s; version %d", got, version("c"))
	}
}

// TestSweep: what nobody can need any more is forgotten, and what somebody may need is not.
func TestSweep(t *testing.T) {
	t.Parallel()
	var service *ivs.Service
	e := start(t, func(o *ivs.Options) { service = ivs.New(*o) })
	ctx := t.Context()
	off, _ := e.create(t, "off")
	on, _ := e.create(t, "on")
	now := time.Unix(0, e.now.Load())
	hold := e.publish(t, on.Arn, resource.Stream{CreatedAt: now.Add(-time.Hour)})
	for _, ch := range []*types.Channel{off, on} {
		_, err := e.api().StartViewerSessionRevocation(ctx, &sdk.StartViewerSessionRevocationInput{ChannelArn: ch.Arn, ViewerId: aws.String("a")})
		check(t, err)
		a := parse(t, ch.Arn)
		_, err = e.viewers.UsedTokens.Create(ctx, records.ViewerKey(a, "uuid"), resource.UsedToken{ChannelARN: a, UUID: "uuid", Until: now.Add(time.Minute)})
		check(t, err)
	}
	want := func(revocations, tokens int) {
		t.Helper()
		check(t, service.Sweep(ctx))
		if r, u := len(e.viewers.Revocations.All()), len(e.viewers.UsedTokens.All()); r != revocations || u != tokens {
			t.Errorf("%d revocations and %d used tokens, want %d and %d", r, u, revocations, tokens)
		}
	}
	want(2, 2)
	e.advance(3 * time.Minute)
	want(2, 0)
	e.advance(48 * time.Hour)
	want(2, 0)
	e.advance(2 * time.Hour)
	want(1, 0) // a stream that was on air then goes on
	check(t, hold.Release(ctx, resource.Stream{}))
	want(0, 0)
}

// TestViewersTags: the tag operations know the two new types.
func TestViewersTags(t *testing.T) {
	t.Parallel()
	e := start(t)
	api, ctx := e.api(), t.Context()
	text, _ := newKey(t, elliptic.P384())
	k, err := api.ImportPlaybackKeyPair(ctx, &sdk.ImportPlaybackKeyPairInput{PublicKeyMaterial: &text, Tags: map[string]string{"a": "1"}})
	check(t, err)
	p, err := api.CreatePlaybackRestrictionPolicy(ctx, &sdk.CreatePlaybackRestrictionPolicyInput{Tags: map[string]string{"a": "1"}})
	check(t, err)
	for _, arn := range []*string{k.KeyPair.Arn, p.PlaybackRestrictionPolicy.Arn} {
		_, err := api.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"b": "2"}})
		check(t, err)
		_, err = api.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a"}})
		check(t, err)
		got, err := api.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: arn})
		check(t, err)
		if !maps.Equal(got.Tags, map[string]string{"b": "2"}) {
			t.Errorf("%s: %v", *arn, got.Tags)
		}
	}
}

// TestKeyImportedTwiceAtOnce: of many that import one key together, one does.
func TestKeyImportedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	e := start(t)
	text, _ := newKey(t, elliptic.P384())
	var mu sync.Mutex
	codes := map[string]int{}
	var calls errgroup.Group
	for range 6 {
		calls.Go(func() error {
			_, err := e.api().ImportPlaybackKeyPair(t.Context(), &sdk.ImportPlaybackKeyPairInput{PublicKeyMaterial: &text})
			mu.Lock()
			defer mu.Unlock()
			codes[codeOf(err)]++
			return nil
		})
	}
	check(t, calls.Wait())
	if codes[""] != 1 || codes["ConflictException"] != 5 {
		t.Errorf("%v", codes)
	}
}
