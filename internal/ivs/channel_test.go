package ivs_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"
	"golang.org/x/sync/errgroup"

	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// TestCreateChannelAnswer holds the answer to an empty request against the published one, member by member.
func TestCreateChannelAnswer(t *testing.T) {
	t.Parallel()
	e := start(t)
	var rec recorder
	out, err := e.client("AKIDONE", "secret-one", region, &rec).CreateChannel(t.Context(), &sdk.CreateChannelInput{
		Name: aws.String("demo"),
	})
	check(t, err)
	id := strings.TrimPrefix(*out.Channel.Arn, "arn:aws:ivs:us-west-2:111122223333:channel/")
	keyID := strings.TrimPrefix(*out.StreamKey.Arn, "arn:aws:ivs:us-west-2:111122223333:stream-key/")
	for what, c := range map[string]struct{ got, pattern string }{
		"channel id":    {id, `[A-Za-z0-9]{12}`},
		"stream key id": {keyID, `[A-Za-z0-9]{12}`},
		"key value":     {*out.StreamKey.Value, `sk_us-west-2_` + keyID + `_[A-Za-z0-9]{30}`},
		"passphrase":    {*out.Channel.Srt.Passphrase, `[A-Za-z0-9]{69}`},
	} {
		if !regexp.MustCompile(`\A` + c.pattern + `\z`).MatchString(c.got) {
			t.Errorf("%s %q, want %s", what, c.got, c.pattern)
		}
	}
	want := `{
		"channel": {
			"adConfigurationArn": "", "arn": "` + *out.Channel.Arn + `", "authorized": false, "containerFormat": "TS",
			"ingestEndpoint": "ingest.test:1935", "insecureIngest": false, "latencyMode": "LOW",
			"multitrackInputConfiguration": {"enabled": false, "maximumResolution": "FULL_HD", "policy": "ALLOW"},
			"name": "demo", "playbackRestrictionPolicyArn": "",
			"playbackUrl": "` + e.url + `/api/video/v1/us-west-2.111122223333.channel.` + id + `.m3u8",
			"preset": "", "recordingConfigurationArn": "",
			"srt": {"passphrase": "` + *out.Channel.Srt.Passphrase + `"},
			"tags": {}, "type": "STANDARD"
		},
		"streamKey": {
			"arn": "` + *out.StreamKey.Arn + `", "channelArn": "` + *out.Channel.Arn + `", "tags": {},
			"value": "` + *out.StreamKey.Value + `"
		}
	}`
	sameJSON(t, rec.body, want)
}

// sameJSON compares two JSON documents by their values.
func sameJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	norm := func(doc []byte) string {
		var v any
		check(t, json.Unmarshal(doc, &v))
		out, err := json.MarshalIndent(v, "", " ")
		check(t, err)
		return string(out)
	}
	if g, w := norm(got), norm([]byte(want)); g != w {
		t.Errorf("got %s\nwant %s", g, w)
	}
}

func TestChannelLife(t *testing.T) {
	t.Parallel()
	e := start(t)
	api, ctx := e.api(), t.Context()
	created, err := api.CreateChannel(ctx, &sdk.CreateChannelInput{
		Name: aws.String("demo"), Tags: map[string]string{"team": "live"}, Type: types.ChannelTypeAdvancedHDChannelType,
	})
	check(t, err)
	if len(created.StreamKey.Tags) > 0 || created.Channel.Preset != types.TranscodePresetHigherBandwidthTranscodePreset {
		t.Errorf("key tags %v, preset %q", created.StreamKey.Tags, created.Channel.Preset)
	}
	got, err := api.GetChannel(ctx, &sdk.GetChannelInput{Arn: created.Channel.Arn})
	check(t, err)
	sameChannel(t, got.Channel, created.Channel)

	updated, err := api.UpdateChannel(ctx, &sdk.UpdateChannelInput{
		Arn: created.Channel.Arn, Type: types.ChannelTypeBasicChannelType, Authorized: true,
	})
	check(t, err)
	want := *created.Channel
	want.Type, want.Preset, want.Authorized = types.ChannelTypeBasicChannelType, "", true
	sameChannel(t, updated.Channel, &want)

	_, err = api.DeleteChannel(ctx, &sdk.DeleteChannelInput{Arn: created.Channel.Arn})
	check(t, err)
	_, err = api.GetChannel(ctx, &sdk.GetChannelInput{Arn: created.Channel.Arn})
	wantCode(t, err, "ResourceNotFoundException")
	_, err = api.GetStreamKey(ctx, &sdk.GetStreamKeyInput{Arn: created.StreamKey.Arn})
	wantCode(t, err, "ResourceNotFoundException")
}

func sameChannel(t *testing.T, got, want *types.Channel) {
	t.Helper()
	g, err := json.Marshal(got)
	check(t, err)
	w, err := json.Marshal(want)
	check(t, err)
	if string(g) != string(w) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

func TestBatchGet(t *testing.T) {
	t.Parallel()
	e := start(t)
	a, keyA := e.create(t, "a")
	b, keyB := e.create(t, "b")
	otherAccount := strings.Replace(*a.Arn, account, "444455556666", 1)
	otherRegion := strings.Replace(*keyA.Arn, region, "eu-west-1", 1)

	channels, err := e.api().BatchGetChannel(t.Context(), &sdk.BatchGetChannelInput{
		Arns: []string{*b.Arn, noChannel, *a.Arn, *b.Arn, noChannel, otherAccount},
	})
	check(t, err)
	var found []string
	for _, ch := range channels.Channels {
		found = append(found, *ch.Arn)
	}
	if want := []string{*b.Arn, *a.Arn}; !slices.Equal(found, want) {
		t.Errorf("channels %v, want %v", found, want)
	}
	wantFailed(t, channels.Errors, [2]string{noChannel, "404"}, [2]string{otherAccount, "403"})

	keys, err := e.api().BatchGetStreamKey(t.Context(), &sdk.BatchGetStreamKeyInput{
		Arns: []string{noKey, *keyB.Arn, *keyB.Arn, *keyA.Arn, otherRegion},
	})
	check(t, err)
	found = nil
	for _, k := range keys.StreamKeys {
		found = append(found, *k.Value)
	}
	if want := []string{*keyB.Value, *keyA.Value}; !slices.Equal(found, want) {
		t.Errorf("stream keys %v, want %v", found, want)
	}
	wantFailed(t, keys.Errors, [2]string{noKey, "404"}, [2]string{otherRegion, "404"})
}

// wantFailed checks the ARNs and codes of a batch answer's errors.
func wantFailed(t *testing.T, got []types.BatchError, want ...[2]string) {
	t.Helper()
	var failed [][2]string
	for _, f := range got {
		failed = append(failed, [2]string{*f.Arn, *f.Code})
		if !strings.Contains(*f.Message, *f.Arn) {
			t.Errorf("error of %s: message %q", *f.Arn, *f.Message)
		}
	}
	if !slices.Equal(failed, want) {
		t.Errorf("failed %v, want %v", failed, want)
	}
}

// TestForeign checks that no operation reaches into another account or region.
func TestForeign(t *testing.T) {
	t.Parallel()
	e := start(t)
	ch, key := e.create(t, "mine")
	for name, api := range map[string]*sdk.Client{
		"account": e.client("AKIDTWO", "secret-two", region, nil),
		"region":  e.in("eu-west-1"),
	} {
		code := map[string]string{"account": "AccessDeniedException", "region": "ResourceNotFoundException"}[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			for what, call := range map[string]func() error{
				"GetChannel": func() error { _, err := api.GetChannel(ctx, &sdk.GetChannelInput{Arn: ch.Arn}); return err },
				"UpdateChannel": func() error {
					_, err := api.UpdateChannel(ctx, &sdk.UpdateChannelInput{Arn: ch.Arn, Name: aws.String("x")})
					return err
				},
				"DeleteChannel": func() error {
					_, err := api.DeleteChannel(ctx, &sdk.DeleteChannelInput{Arn: ch.Arn})
					return err
				},
				"ListStreamKeys": func() error {
					_, err := api.ListStreamKeys(ctx, &sdk.ListStreamKeysInput{ChannelArn: ch.Arn})
					return err
				},
				"GetStreamKey": func() error {
					_, err := api.GetStreamKey(ctx, &sdk.GetStreamKeyInput{Arn: key.Arn})
					return err
				},
				"DeleteStreamKey": func() error {
					_, err := api.DeleteStreamKey(ctx, &sdk.DeleteStreamKeyInput{Arn: key.Arn})
					return err
				},
				"TagResource": func() error {
					_, err := api.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: key.Arn, Tags: map[string]string{"x": "y"}})
					return err
				},
				"StopStream": func() error {
					_, err := api.StopStream(ctx, &sdk.StopStreamInput{ChannelArn: ch.Arn})
					return err
				},
			} {
				if got := codeOf(call()); got != code {
					t.Errorf("%s: %s, want %s", what, got, code)
				}
			}
			// An ARN rewritten to the caller's own scope must not find the key of the other one either.
			own := strings.NewReplacer(account, "444455556666").Replace(*key.Arn)
			if name == "region" {
				own = strings.Replace(*key.Arn, region, "eu-west-1", 1)
			}
			_, err := api.GetStreamKey(ctx, &sdk.GetStreamKeyInput{Arn: &own})
			wantCode(t, err, "ResourceNotFoundException")
			if arns := pagesOf(t, api, sdk.ListChannelsInput{}, 0); len(arns) != 0 {
				t.Errorf("another %s lists %v", name, arns)
			}
		})
	}
}

// TestSecretsStayOutOfLists looks for the key's value and the passphrase in every answer that must not have them.
func TestSecretsStayOutOfLists(t *testing.T) {
	t.Parallel()
	e := start(t)
	ch, key := e.create(t, "demo")
	secret := (*key.Value)[strings.LastIndexByte(*key.Value, '_')+1:]
	e.publish(t, ch.Arn, live(resource.Healthy))
	var rec recorder
	api, ctx := e.client("AKIDONE", "secret-one", region, &rec), t.Context()
	for what, call := range map[string]func() error{
		"ListChannels": func() error { _, err := api.ListChannels(ctx, &sdk.ListChannelsInput{}); return err },
		"ListStreams":  func() error { _, err := api.ListStreams(ctx, &sdk.ListStreamsInput{}); return err },
		"GetStream":    func() error { _, err := api.GetStream(ctx, &sdk.GetStreamInput{ChannelArn: ch.Arn}); return err },
		"ListStreamKeys": func() error {
			_, err := api.ListStreamKeys(ctx, &sdk.ListStreamKeysInput{ChannelArn: ch.Arn})
			return err
		},
		"ListTags": func() error {
			_, err := api.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: key.Arn})
			return err
		},
	} {
		check(t, call())
		if body := string(rec.body); strings.Contains(body, secret) || strings.Contains(body, *ch.Srt.Passphrase) {
			t.Errorf("%s answers %s", what, body)
		}
	}
	_, err := api.GetChannel(ctx, &sdk.GetChannelInput{Arn: ch.Arn})
	check(t, err)
	if strings.Contains(string(rec.body), secret) {
		t.Errorf("GetChannel answers %s", rec.body)
	}
	_, err = api.CreateStreamKey(ctx, &sdk.CreateStreamKeyInput{ChannelArn: ch.Arn})
	wantCode(t, err, "ServiceQuotaExceededException")
	if strings.Contains(string(rec.body), secret) {
		t.Errorf("CreateStreamKey answers %s", rec.body)
	}
}

// TestConcurrentWriters has 32 callers change one channel at once: every call must succeed and every change must be in
// the outcome.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	const writers, rounds = 32, 8
	e := start(t)
	api, ctx := e.api(), t.Context()
	ch, key := e.create(t, "demo")
	var calls errgroup.Group
	var mu sync.Mutex
	names := make(map[string]bool)
	for w := range writers - 1 {
		calls.Go(func() error {
			for round := range rounds {
				if w%2 == 0 {
					tags := map[string]string{fmt.Sprintf("w%d", w): fmt.Sprint(round), "gone": "x"}
					if _, err := api.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: ch.Arn, Tags: tags}); err != nil {
						return err
					}
					continue
				}
				name := fmt.Sprintf("w%d-%d", w, round)
				out, err := api.UpdateChannel(ctx, &sdk.UpdateChannelInput{Arn: ch.Arn, Name: &name})
				if err != nil {
					return err
				}
				if *out.Channel.Name != name {
					return fmt.Errorf("UpdateChannel to %s answers %s", name, *out.Channel.Name)
				}
				mu.Lock()
				names[name] = round == rounds-1
				mu.Unlock()
			}
			return nil
		})
	}
	calls.Go(func() error {
		for range rounds {
			if _, err := api.DeleteStreamKey(ctx, &sdk.DeleteStreamKeyInput{Arn: key.Arn}); err != nil {
				return err
			}
			out, err := api.CreateStreamKey(ctx, &sdk.CreateStreamKeyInput{
				ChannelArn: ch.Arn, Tags: map[string]string{"k": "v"},
			})
			if err != nil {
				return err
			}
			key = out.StreamKey
		}
		return nil
	})
	check(t, calls.Wait())
	_, err := api.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: ch.Arn, TagKeys: []string{"gone", "never"}})
	check(t, err)

	want := make(map[string]string)
	for w := 0; w < writers-1; w += 2 {
		want[fmt.Sprintf("w%d", w)] = fmt.Sprint(rounds - 1)
	}
	got, err := api.GetChannel(ctx, &sdk.GetChannelInput{Arn: ch.Arn})
	check(t, err)
	if !maps.Equal(got.Channel.Tags, want) {
		t.Errorf("tags %v, want %v", got.Channel.Tags, want)
	}
	if !names[*got.Channel.Name] {
		t.Errorf("name %q is nobody's last", *got.Channel.Name)
	}
	last, err := api.GetStreamKey(ctx, &sdk.GetStreamKeyInput{Arn: key.Arn})
	check(t, err)
	if *last.StreamKey.Value != *key.Value || last.StreamKey.Tags["k"] != "v" {
		t.Error("the last stream key is not the one that was made last")
	}
}

func keyOf(t *testing.T, text *string) store.Key {
	t.Helper()
	a := parse(t, text)
	return store.Key{Scope: a.Scope, ID: a.ID}
}
