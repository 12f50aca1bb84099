package ivs_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivs"

	"github.com/rivus-live/rivus/internal/resource"
)

// TestListChannels walks all pages for every filter and many page sizes.
func TestListChannels(t *testing.T) {
	t.Parallel()
	e := start(t, referring(true))
	policy, err := e.api().CreatePlaybackRestrictionPolicy(t.Context(), &sdk.CreatePlaybackRestrictionPolicyInput{})
	check(t, err)
	isPolicy := policy.PlaybackRestrictionPolicy.Arn
	variants := []sdk.CreateChannelInput{
		{},
		{Name: aws.String("a")},
		{Name: aws.String("b")},
		{RecordingConfigurationArn: aws.String(noRecording)},
		{PlaybackRestrictionPolicyArn: isPolicy},
		{AdConfigurationArn: aws.String(noAds)},
		{Name: aws.String("a"), AdConfigurationArn: aws.String(noAds)},
	}
	const n = 21
	for i := range n {
		_, err := e.api().CreateChannel(t.Context(), &variants[i%len(variants)])
		check(t, err)
	}
	_, err = e.in("eu-west-1").CreateChannel(t.Context(), &sdk.CreateChannelInput{Name: aws.String("a")})
	check(t, err)
	tests := []struct {
		name   string
		filter sdk.ListChannelsInput
		want   int
	}{
		{"all", sdk.ListChannelsInput{}, n},
		{"empty filters", sdk.ListChannelsInput{FilterByName: aws.String(""), FilterByAdConfigurationArn: aws.String("")}, n},
		{"name", sdk.ListChannelsInput{FilterByName: aws.String("a")}, 6},
		{"name of none", sdk.ListChannelsInput{FilterByName: aws.String("A")}, 0},
		{"recording", sdk.ListChannelsInput{FilterByRecordingConfigurationArn: aws.String(noRecording)}, 3},
		{"policy", sdk.ListChannelsInput{FilterByPlaybackRestrictionPolicyArn: isPolicy}, 3},
		{"ads", sdk.ListChannelsInput{FilterByAdConfigurationArn: aws.String(noAds)}, 6},
	}
	for _, test := range tests {
		for _, size := range []int32{0, 1, 2, 3, 5, 6, 7, 20, 21, 22, 100} {
			t.Run(fmt.Sprint(test.name, " by ", size), func(t *testing.T) {
				t.Parallel()
				arns := pagesOf(t, e.api(), test.filter, size)
				if len(arns) != test.want || !slices.IsSorted(arns) {
					t.Errorf("%d channels, sorted %v; want %d", len(arns), slices.IsSorted(arns), test.want)
				}
			})
		}
	}
}

// pagesOf lists channels page by page. Every page but the last must be full.
func pagesOf(t *testing.T, api *sdk.Client, in sdk.ListChannelsInput, size int32) (arns []string) {
	t.Helper()
	if size > 0 {
		in.MaxResults = &size
	} else {
		size = 100
	}
	for {
		out, err := api.ListChannels(t.Context(), &in)
		check(t, err)
		for _, ch := range out.Channels {
			arns = append(arns, *ch.Arn)
		}
		if out.NextToken == nil {
			return arns
		}
		if len(out.Channels) != int(size) {
			t.Fatalf("a page of %d channels, want %d", len(out.Channels), size)
		}
		in.NextToken = out.NextToken
	}
}

// TestPageTokens checks that a token is good for its own list only.
func TestPageTokens(t *testing.T) {
	t.Parallel()
	e := start(t)
	for range 3 {
		e.create(t, "a")
	}
	one := aws.Int32(1)
	out, err := e.api().ListChannels(t.Context(), &sdk.ListChannelsInput{MaxResults: one})
	check(t, err)
	token := out.NextToken
	_, err = e.api().ListChannels(t.Context(), &sdk.ListChannelsInput{NextToken: token, FilterByName: aws.String("a")})
	wantCode(t, err, "ValidationException")
	_, err = e.in("eu-west-1").ListChannels(t.Context(), &sdk.ListChannelsInput{NextToken: token})
	wantCode(t, err, "ValidationException")
	_, err = e.api().ListStreams(t.Context(), &sdk.ListStreamsInput{NextToken: token})
	wantCode(t, err, "ValidationException")
	out, err = e.api().ListChannels(t.Context(), &sdk.ListChannelsInput{NextToken: token, MaxResults: aws.Int32(2)})
	check(t, err)
	if len(out.Channels) != 2 || out.NextToken != nil {
		t.Errorf("%d channels and token %v on the last page", len(out.Channels), out.NextToken)
	}
	out, err = e.api().ListChannels(t.Context(), &sdk.ListChannelsInput{NextToken: aws.String("")})
	check(t, err)
	if len(out.Channels) != 3 {
		t.Errorf("%d channels with an empty token", len(out.Channels))
	}
}

func TestListStreamKeys(t *testing.T) {
	t.Parallel()
	e := start(t)
	ch, _ := e.create(t, "demo")
	_, err := e.channels.Update(t.Context(), keyOf(t, ch.Arn), func(c resource.Channel) (resource.Channel, error) {
		for _, id := range []string{"zzzzzzzzzzzz", "000000000001", "MMMMMMMMMMMM", "mmmmmmmmmmmm"} {
			c.StreamKeys = append(c.StreamKeys, resource.StreamKey{ID: id, Secret: "x"})
		}
		return c, nil
	})
	check(t, err)
	for _, size := range []int32{0, 1, 2, 4, 5, 50} {
		in := &sdk.ListStreamKeysInput{ChannelArn: ch.Arn}
		full := 1
		if size > 0 {
			in.MaxResults, full = &size, int(size)
		}
		var arns []string
		for {
			out, err := e.api().ListStreamKeys(t.Context(), in)
			check(t, err)
			for _, k := range out.StreamKeys {
				arns = append(arns, *k.Arn)
			}
			if out.NextToken == nil {
				break
			}
			if len(out.StreamKeys) != full {
				t.Errorf("a page of %d, want %d", len(out.StreamKeys), full)
			}
			in.NextToken = out.NextToken
		}
		if len(arns) != 5 || !slices.IsSorted(arns) {
			t.Errorf("size %d: stream keys %v", size, arns)
		}
	}
}
