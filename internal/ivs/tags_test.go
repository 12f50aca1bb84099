package ivs_test

import (
	"fmt"
	"maps"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/ivs"
)

// TestTags runs through the life of the tags of a channel and of its key, which are the same in all but their place.
func TestTags(t *testing.T) {
	t.Parallel()
	e := start(t)
	ch, key := e.create(t, "demo")
	for kind, text := range map[string]*string{"channel": ch.Arn, "stream key": key.Arn} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			api, ctx := e.api(), t.Context()
			tag := func(tags map[string]string) error {
				_, err := api.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: text, Tags: tags})
				return err
			}
			untag := func(keys ...string) error {
				_, err := api.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: text, TagKeys: keys})
				return err
			}
			want := func(tags map[string]string) {
				t.Helper()
				out, err := api.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: text})
				check(t, err)
				if !maps.Equal(out.Tags, tags) {
					t.Errorf("%d tags %v, want %d", len(out.Tags), out.Tags, len(tags))
				}
			}
			want(nil)
			all := make(map[string]string)
			for i := range 50 {
				all[fmt.Sprintf("Schlüssel %d:/=+-@", i)] = kind
			}
			check(t, tag(all))
			want(all)
			wantCode(t, tag(map[string]string{"one too many": ""}), "ValidationException")
			want(all)
			all["Schlüssel 7:/=+-@"] = ""
			check(t, tag(map[string]string{"Schlüssel 7:/=+-@": ""}))
			want(all)
			check(t, untag("Schlüssel 7:/=+-@", "Schlüssel 8:/=+-@", "never there"))
			delete(all, "Schlüssel 7:/=+-@")
			delete(all, "Schlüssel 8:/=+-@")
			want(all)
			wantCode(t, tag(map[string]string{"bad!": "x"}), "ValidationException")
		})
	}
}

// TestTagsGoAlong checks that tags come with their resource in the other answers.
func TestTagsGoAlong(t *testing.T) {
	t.Parallel()
	e := start(t)
	api, ctx := e.api(), t.Context()
	ch, key := e.create(t, "demo")
	_, err := api.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: ch.Arn, Tags: map[string]string{"of": "channel"}})
	check(t, err)
	_, err = api.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: key.Arn, Tags: map[string]string{"of": "key"}})
	check(t, err)
	channels, err := api.ListChannels(ctx, &sdk.ListChannelsInput{})
	check(t, err)
	keys, err := api.ListStreamKeys(ctx, &sdk.ListStreamKeysInput{ChannelArn: ch.Arn})
	check(t, err)
	got, err := api.GetStreamKey(ctx, &sdk.GetStreamKeyInput{Arn: key.Arn})
	check(t, err)
	for _, c := range []struct {
		tags map[string]string
		of   string
	}{
		{channels.Channels[0].Tags, "channel"}, {keys.StreamKeys[0].Tags, "key"}, {got.StreamKey.Tags, "key"},
	} {
		if !maps.Equal(c.tags, map[string]string{"of": c.of}) {
			t.Errorf("tags %v, want those of the %s", c.tags, c.of)
		}
	}
}
