package ivs_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

func TestGetStream(t *testing.T) {
	t.Parallel()
	e := start(t)
	ch, _ := e.create(t, "demo")
	st := live(resource.Starving)
	st.StreamID = "st-1AbCdEfGhIjKlMnOpQrStUv"
	hold := e.publish(t, ch.Arn, st)
	for _, state := range []resource.StreamState{resource.Live, resource.Stalled} {
		st.State, st.ChannelARN = state, parse(t, ch.Arn)
		check(t, hold.Put(t.Context(), st))
		var rec recorder
		api := e.client("AKIDONE", "secret-one", region, &rec)
		_, err := api.GetStream(t.Context(), &sdk.GetStreamInput{ChannelArn: ch.Arn})
		check(t, err)
		sameJSON(t, rec.body, `{"stream": {
			"channelArn": "`+*ch.Arn+`", "health": "STARVING", "playbackUrl": "`+*ch.PlaybackUrl+`",
			"startTime": "2026-05-05T21:55:38Z", "state": "LIVE", "streamId": "st-1AbCdEfGhIjKlMnOpQrStUv", "viewerCount": 3
		}}`)
		_, err = api.ListStreams(t.Context(), &sdk.ListStreamsInput{})
		check(t, err)
		sameJSON(t, rec.body, `{"streams": [{
			"channelArn": "`+*ch.Arn+`", "health": "STARVING", "startTime": "2026-05-05T21:55:38Z", "state": "LIVE",
			"streamId": "st-1AbCdEfGhIjKlMnOpQrStUv", "viewerCount": 3
		}]}`)
	}
	for _, state := range []resource.StreamState{resource.Starting, resource.Ended} {
		st.State = state
		check(t, hold.Put(t.Context(), st))
		_, err := e.api().GetStream(t.Context(), &sdk.GetStreamInput{ChannelArn: ch.Arn})
		wantCode(t, err, "ChannelNotBroadcasting")
		list, err := e.api().ListStreams(t.Context(), &sdk.ListStreamsInput{})
		check(t, err)
		if len(list.Streams) != 0 {
			t.Errorf("a stream that is %s is listed", state)
		}
	}
}

// TestListStreams walks all pages for every health and many page sizes, with streams among them that are not shown.
func TestListStreams(t *testing.T) {
	t.Parallel()
	e := start(t)
	healths := []resource.Health{resource.Healthy, resource.Starving, resource.Unknown}
	for i := range 16 {
		ch, _ := e.create(t, "")
		st := live(healths[i%3])
		if i%4 == 3 {
			st.State = resource.Starting
		}
		hold := e.publish(t, ch.Arn, st)
		if i == 0 {
			check(t, hold.Release(t.Context(), st))
		}
	}
	for health, want := range map[types.StreamHealth]int{
		"": 11, types.StreamHealthStreamHealthy: 3, types.StreamHealthStarving: 4, types.StreamHealthUnknown: 4,
	} {
		for _, size := range []int32{1, 2, 3, 4, 11, 12, 100} {
			t.Run(fmt.Sprint(health, " by ", size), func(t *testing.T) {
				t.Parallel()
				in := &sdk.ListStreamsInput{MaxResults: &size}
				if health != "" {
					in.FilterBy = &types.StreamFilters{Health: health}
				}
				var arns []string
				pages := sdk.NewListStreamsPaginator(e.api(), in)
				for pages.HasMorePages() {
					out, err := pages.NextPage(t.Context())
					check(t, err)
					for _, st := range out.Streams {
						arns = append(arns, *st.ChannelArn)
					}
				}
				if len(arns) != want || !slices.IsSorted(arns) {
					t.Errorf("%d streams, want %d", len(arns), want)
				}
			})
		}
	}
}

func TestStopStream(t *testing.T) {
	t.Parallel()
	e := start(t)
	tests := []struct {
		name  string
		state resource.StreamState
		stop  error
		code  string
	}{
		{"live", resource.Live, nil, ""},
		{"not playable yet", resource.Starting, nil, ""},
		{"over already", resource.Live, fault.New(fault.NotLive, ""), "ChannelNotBroadcasting"},
		{"no answer", resource.Live, fault.New(fault.Unavailable, ""), "StreamUnavailable"},
		{
			"its node says so", resource.Live, fault.New(fault.StreamUnavailable, ""),
			"StreamUnavailable",
		},
	}
	for _, test := range tests {
		ch, _ := e.create(t, "")
		e.publish(t, ch.Arn, resource.Stream{State: test.state})
		e.media.stop = func(arn.ARN) error { return test.stop }
		_, err := e.api().StopStream(t.Context(), &sdk.StopStreamInput{ChannelArn: ch.Arn})
		if got := codeOf(err); got != test.code {
			t.Errorf("%s: %q, want %q", test.name, got, test.code)
		}
	}
}

func TestPutMetadata(t *testing.T) {
	t.Parallel()
	e := start(t)
	var got []string
	e.media.put = func(a arn.ARN, text string) error {
		got = append(got, a.ID+" "+text)
		return nil
	}
	one, _ := e.create(t, "one")
	two, _ := e.create(t, "two")
	e.publish(t, one.Arn, live(resource.Healthy))
	e.publish(t, two.Arn, live(resource.Healthy))
	put := func(ch *types.Channel, text string) string {
		_, err := e.api().PutMetadata(t.Context(), &sdk.PutMetadataInput{ChannelArn: ch.Arn, Metadata: &text})
		return codeOf(err)
	}
	largest := strings.Repeat("é", 512)
	for range 5 {
		if code := put(one, largest); code != "" {
			t.Fatalf("1,024 bytes: %s", code)
		}
	}
	steps := []struct {
		ch    *types.Channel
		pause time.Duration
		code  string
	}{
		{one, 0, "ThrottlingException"},
		{two, 0, ""}, // each channel has its own pace
		{one, 199 * time.Millisecond, "ThrottlingException"},
		{one, time.Millisecond, ""},
		{one, 0, "ThrottlingException"},
	}
	for i, step := range steps {
		e.advance(step.pause)
		if code := put(step.ch, "x"); code != step.code {
			t.Errorf("step %d: %q, want %q", i, code, step.code)
		}
	}
	id := parse(t, one.Arn).ID
	want := append(slices.Repeat([]string{id + " " + largest}, 5), parse(t, two.Arn).ID+" x", id+" x")
	if !slices.Equal(got, want) {
		t.Errorf("the stream got %d texts, want %d", len(got), len(want))
	}
}

// TestPutMetadataFailures checks what the caller is told when the text does not arrive.
func TestPutMetadataFailures(t *testing.T) {
	t.Parallel()
	e := start(t)
	ch, _ := e.create(t, "one")
	e.publish(t, ch.Arn, live(resource.Healthy))
	for kind, code := range map[fault.Kind]string{
		fault.NotLive: "ChannelNotBroadcasting", fault.Unavailable: "InternalServerException",
	} {
		e.media.put = func(arn.ARN, string) error { return fault.New(kind, "") }
		_, err := e.api().PutMetadata(t.Context(), &sdk.PutMetadataInput{ChannelArn: ch.Arn, Metadata: aws.String("x")})
		wantCode(t, err, code)
	}
}

// lateClaims are streams in which a claim appears right after it was looked for.
type lateClaims struct {
	ivs.StreamReader
	then func()
}

func (l *lateClaims) Get(ctx context.Context, key store.Key) (resource.Stream, bool, error) {
	st, live, err := l.StreamReader.Get(ctx, key)
	if then := l.then; then != nil {
		l.then = nil
		then()
	}
	return st, live, err
}

// TestDeleteCrossesPublish has a publish take its claim between the look for claims and the deletion: the delete stands
// and the publish is stopped.
func TestDeleteCrossesPublish(t *testing.T) {
	t.Parallel()
	streams := &lateClaims{}
	e := start(t, func(o *ivs.Options) { streams.StreamReader, o.Streams = o.Streams, streams })
	ch, _ := e.create(t, "demo")
	var stopped []string
	e.media.stop = func(a arn.ARN) error {
		stopped = append(stopped, a.String())
		if len(stopped) == 1 {
			return fault.New(fault.StreamUnavailable, "claimed, but not listening yet")
		}
		return nil
	}
	streams.then = func() { e.publish(t, ch.Arn, resource.Stream{State: resource.Starting}) }
	_, err := e.api().DeleteChannel(t.Context(), &sdk.DeleteChannelInput{Arn: ch.Arn})
	check(t, err)
	if !slices.Equal(stopped, []string{*ch.Arn, *ch.Arn}) {
		t.Errorf("stopped %v", stopped)
	}
	_, err = e.channels.Get(t.Context(), keyOf(t, ch.Arn))
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("the channel is still there: %v", err)
	}
}

// TestClaimedChannelIsLive checks that a claim holds a channel from its first moment to its last.
func TestClaimedChannelIsLive(t *testing.T) {
	t.Parallel()
	e := start(t)
	api, ctx := e.api(), t.Context()
	ch, _ := e.create(t, "demo")
	st := resource.Stream{State: resource.Starting}
	hold := e.publish(t, ch.Arn, st)
	for _, state := range []resource.StreamState{resource.Starting, resource.Live, resource.Stalled} {
		st.State = state
		check(t, hold.Put(ctx, st))
		_, err := api.UpdateChannel(ctx, &sdk.UpdateChannelInput{Arn: ch.Arn})
		wantCode(t, err, "ConflictException")
		_, err = api.DeleteChannel(ctx, &sdk.DeleteChannelInput{Arn: ch.Arn})
		wantCode(t, err, "ConflictException")
	}
	_, err := api.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: ch.Arn, Tags: map[string]string{"on": "air"}})
	check(t, err)
	check(t, hold.Release(ctx, st))
	_, err = api.UpdateChannel(ctx, &sdk.UpdateChannelInput{Arn: ch.Arn, Name: aws.String("x")})
	check(t, err)
	_, err = api.DeleteChannel(ctx, &sdk.DeleteChannelInput{Arn: ch.Arn})
	check(t, err)
}
