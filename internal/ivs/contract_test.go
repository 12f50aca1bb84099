package ivs_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/resource"
)

// ARNs of things that do not exist, of things of another account, and one that is none.
const (
	foreignChannel = "arn:aws:ivs:" + region + ":444455556666:channel/000000000000"
	foreignKey     = "arn:aws:ivs:" + region + ":444455556666:stream-key/000000000000"

	noChannel   = "arn:aws:ivs:" + region + ":" + account + ":channel/000000000000"
	noKey       = "arn:aws:ivs:" + region + ":" + account + ":stream-key/000000000000"
	noRecording = "arn:aws:ivs:" + region + ":" + account + ":recording-configuration/000000000000"
	noPolicy    = "arn:aws:ivs:" + region + ":" + account + ":playback-restriction-policy/000000000000"
	noAds       = "arn:aws:ivs:" + region + ":" + account + ":ad-configuration/000000000000"
	noARN       = "arn:aws:ivs:channel"
)

// scene is an API with one channel in it, made afresh for each case.
type scene struct {
	*env
	api     *sdk.Client
	channel *string // ARN
	key     *string // ARN
}

// onAir puts the channel of the scene on air.
func (s scene) onAir(t *testing.T) { s.publish(t, s.channel, live(resource.Healthy)) }

// raised are the errors that calls can bring about, one case or more for each.
func raised() []contractCase {
	return slices.Concat(channelCases(), streamKeyCases(), streamCases(), tagCases())
}

type contractCase struct {
	operation, code string
	status          int
	quotas          bool
	text            string // part of the message, when the text is known
	call            func(ctx context.Context, t *testing.T, s scene) error
}

// operations are those that the service has to answer.
func operations() []string {
	return []string{
		"CreateChannel", "GetChannel", "BatchGetChannel", "ListChannels", "UpdateChannel", "DeleteChannel",
		"CreateStreamKey", "GetStreamKey", "BatchGetStreamKey", "ListStreamKeys", "DeleteStreamKey",
		"GetStream", "ListStreams", "StopStream", "PutMetadata",
		"TagResource", "UntagResource", "ListTagsForResource",
	}
}

// unraised are the declared errors that no call can bring about, with the reason. An operation of "" stands for all.
func unraised() map[[2]string]string {
	const (
		verified  = "accounts of one's own server need no verification"
		ownOnly   = "every access key may do everything in its own account, and the request cannot name another one"
		oneByOne  = "a foreign ARN is refused with the code 403 in the list of errors, the other ARNs are answered"
		fromIndex = "stream keys are found in the index in memory, which answers when the engine does not"
	)
	return map[[2]string]string{
		{"", "PendingVerification"}:                    verified,
		{"CreateChannel", "AccessDeniedException"}:     ownOnly,
		{"ListChannels", "AccessDeniedException"}:      ownOnly,
		{"ListStreams", "AccessDeniedException"}:       ownOnly,
		{"BatchGetChannel", "AccessDeniedException"}:   oneByOne,
		{"BatchGetStreamKey", "AccessDeniedException"}: oneByOne,
		{"BatchGetStreamKey", "ServiceUnavailable"}:    fromIndex,
	}
}

func channelCases() []contractCase {
	update := func(in sdk.UpdateChannelInput) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			if in.Arn == nil {
				in.Arn = s.channel
			}
			_, err := s.api.UpdateChannel(ctx, &in)
			return err
		}
	}
	create := func(in sdk.CreateChannelInput) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			_, err := s.api.CreateChannel(ctx, &in)
			return err
		}
	}
	get := func(a string) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			_, err := s.api.GetChannel(ctx, &sdk.GetChannelInput{Arn: &a})
			return err
		}
	}
	list := func(in sdk.ListChannelsInput) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			_, err := s.api.ListChannels(ctx, &in)
			return err
		}
	}
	remove := func(a string) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			_, err := s.api.DeleteChannel(ctx, &sdk.DeleteChannelInput{Arn: &a})
			return err
		}
	}
	return []contractCase{
		{
			operation: "CreateChannel", code: "ValidationException", status: 400,
			call: create(sdk.CreateChannelInput{Name: aws.String("two words")}),
		},
		{
			operation: "CreateChannel", code: "ValidationException", status: 400,
			call: create(sdk.CreateChannelInput{Preset: types.TranscodePresetConstrainedBandwidthTranscodePreset}),
		},
		{
			operation: "CreateChannel", code: "ValidationException", status: 400, text: "reserved",
			call: create(sdk.CreateChannelInput{Tags: map[string]string{"aws:x": "y"}}),
		},
		{
			operation: "CreateChannel", code: "ResourceNotFoundException", status: 404, text: noRecording,
			call: create(sdk.CreateChannelInput{RecordingConfigurationArn: aws.String(noRecording)}),
		},
		{
			operation: "CreateChannel", code: "ResourceNotFoundException", status: 404, text: noPolicy,
			call: create(sdk.CreateChannelInput{PlaybackRestrictionPolicyArn: aws.String(noPolicy)}),
		},
		{
			operation: "CreateChannel", code: "ResourceNotFoundException", status: 404, text: noAds,
			call: create(sdk.CreateChannelInput{AdConfigurationArn: aws.String(noAds)}),
		},
		{
			operation: "CreateChannel", code: "ServiceQuotaExceededException", status: 402, quotas: true,
			call: func(ctx context.Context, t *testing.T, s scene) error {
				s.fill(t, 0)
				return create(sdk.CreateChannelInput{})(ctx, t, s)
			},
		},
		{operation: "GetChannel", code: "AccessDeniedException", status: 403, text: "not authorized", call: get(foreignChannel)},
		{operation: "GetChannel", code: "ValidationException", status: 400, call: get(noARN)},
		{operation: "GetChannel", code: "ValidationException", status: 400, call: get(noKey)},
		{
			operation: "GetChannel", code: "ResourceNotFoundException", status: 404,
			text: "Resource: " + noChannel + " not found", call: get(noChannel),
		},
		{
			operation: "BatchGetChannel", code: "ValidationException", status: 400,
			call: func(ctx context.Context, _ *testing.T, s scene) error {
				_, err := s.api.BatchGetChannel(ctx, &sdk.BatchGetChannelInput{Arns: slices.Repeat([]string{noChannel}, 51)})
				return err
			},
		},
		{
			operation: "BatchGetChannel", code: "ServiceUnavailable", status: 503,
			call: func(ctx context.Context, _ *testing.T, s scene) error {
				s.conn.Close()
				_, err := s.api.BatchGetChannel(ctx, &sdk.BatchGetChannelInput{Arns: []string{noChannel}})
				return err
			},
		},
		{
			operation: "ListChannels", code: "ValidationException", status: 400,
			call: list(sdk.ListChannelsInput{MaxResults: aws.Int32(101)}),
		},
		{
			operation: "ListChannels", code: "ValidationException", status: 400,
			call: list(sdk.ListChannelsInput{NextToken: aws.String("bm90IGEgdG9rZW4")}),
		},
		{
			operation: "ListChannels", code: "ConflictException", status: 409, call: list(sdk.ListChannelsInput{
				FilterByName: aws.String("demo"), FilterByRecordingConfigurationArn: aws.String(noRecording),
			}),
		},
		{
			operation: "UpdateChannel", code: "ValidationException", status: 400,
			call: update(sdk.UpdateChannelInput{Name: aws.String("two words")}),
		},
		{
			operation: "UpdateChannel", code: "ValidationException", status: 400,
			call: update(sdk.UpdateChannelInput{Preset: types.TranscodePresetHigherBandwidthTranscodePreset}),
		},
		{
			operation: "UpdateChannel", code: "ResourceNotFoundException", status: 404, text: noChannel,
			call: update(sdk.UpdateChannelInput{Arn: aws.String(noChannel)}),
		},
		{
			operation: "UpdateChannel", code: "ResourceNotFoundException", status: 404, text: noRecording,
			call: update(sdk.UpdateChannelInput{RecordingConfigurationArn: aws.String(noRecording)}),
		},
		{
			operation: "UpdateChannel", code: "ConflictException", status: 409,
			call: func(ctx context.Context, t *testing.T, s scene) error {
				s.onAir(t)
				return update(sdk.UpdateChannelInput{Name: aws.String("new")})(ctx, t, s)
			},
		},
		{operation: "DeleteChannel", code: "AccessDeniedException", status: 403, text: "not authorized", call: remove(foreignChannel)},
		{operation: "UpdateChannel", code: "AccessDeniedException", status: 403, text: "not authorized", call: update(sdk.UpdateChannelInput{Arn: aws.String(foreignChannel)})},
		{operation: "DeleteChannel", code: "ValidationException", status: 400, call: remove(noARN)},
		{operation: "DeleteChannel", code: "ResourceNotFoundException", status: 404, call: remove(noChannel)},
		{
			operation: "DeleteChannel", code: "ConflictException", status: 409,
			call: func(ctx context.Context, t *testing.T, s scene) error {
				s.onAir(t)
				return remove(*s.channel)(ctx, t, s)
			},
		},
	}
}

func streamKeyCases() []contractCase {
	create := func(channel *string, tags map[string]string) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			in := &sdk.CreateStreamKeyInput{ChannelArn: channel, Tags: tags}
			if channel == nil {
				in.ChannelArn = s.channel
			}
			_, err := s.api.CreateStreamKey(ctx, in)
			return err
		}
	}
	get := func(a string) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			_, err := s.api.GetStreamKey(ctx, &sdk.GetStreamKeyInput{Arn: &a})
			return err
		}
	}
	list := func(channel string, size int32) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			_, err := s.api.ListStreamKeys(ctx, &sdk.ListStreamKeysInput{ChannelArn: &channel, MaxResults: &size})
			return err
		}
	}
	remove := func(a string) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			_, err := s.api.DeleteStreamKey(ctx, &sdk.DeleteStreamKeyInput{Arn: &a})
			return err
		}
	}
	return []contractCase{
		{
			operation: "CreateStreamKey", code: "ValidationException", status: 400,
			call: create(nil, map[string]string{"AWS:x": "y"}),
		},
		{
			operation: "CreateStreamKey", code: "ResourceNotFoundException", status: 404, text: noChannel,
			call: create(aws.String(noChannel), nil),
		},
		{operation: "CreateStreamKey", code: "AccessDeniedException", status: 403, text: "not authorized", call: create(aws.String(foreignChannel), nil)},
		{operation: "GetStreamKey", code: "AccessDeniedException", status: 403, text: "not authorized", call: get(foreignKey)},
		{operation: "ListStreamKeys", code: "AccessDeniedException", status: 403, text: "not authorized", call: list(foreignChannel, 1)},
		{operation: "DeleteStreamKey", code: "AccessDeniedException", status: 403, text: "not authorized", call: remove(foreignKey)},
		{operation: "CreateStreamKey", code: "ServiceQuotaExceededException", status: 402, call: create(nil, nil)},
		{operation: "GetStreamKey", code: "ValidationException", status: 400, call: get(noChannel)},
		{
			operation: "GetStreamKey", code: "ResourceNotFoundException", status: 404,
			text: "Resource: " + noKey + " not found", call: get(noKey),
		},
		{
			operation: "BatchGetStreamKey", code: "ValidationException", status: 400,
			call: func(ctx context.Context, _ *testing.T, s scene) error {
				_, err := s.api.BatchGetStreamKey(ctx, &sdk.BatchGetStreamKeyInput{Arns: []string{}})
				return err
			},
		},
		{operation: "ListStreamKeys", code: "ValidationException", status: 400, call: list(noChannel, 51)},
		{operation: "ListStreamKeys", code: "ValidationException", status: 400, call: list(noChannel, 0)},
		{operation: "ListStreamKeys", code: "ResourceNotFoundException", status: 404, call: list(noChannel, 50)},
		{operation: "DeleteStreamKey", code: "ValidationException", status: 400, call: remove(noChannel)},
		{operation: "DeleteStreamKey", code: "ResourceNotFoundException", status: 404, call: remove(noKey)},
	}
}

func streamCases() []contractCase {
	get := func(channel *string) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			in := &sdk.GetStreamInput{ChannelArn: channel}
			if channel == nil {
				in.ChannelArn = s.channel
			}
			_, err := s.api.GetStream(ctx, in)
			return err
		}
	}
	stop := func(channel *string) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			in := &sdk.StopStreamInput{ChannelArn: channel}
			if channel == nil {
				in.ChannelArn = s.channel
			}
			_, err := s.api.StopStream(ctx, in)
			return err
		}
	}
	put := func(channel *string, text string) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			in := &sdk.PutMetadataInput{ChannelArn: channel, Metadata: &text}
			if channel == nil {
				in.ChannelArn = s.channel
			}
			_, err := s.api.PutMetadata(ctx, in)
			return err
		}
	}
	return []contractCase{
		{operation: "GetStream", code: "AccessDeniedException", status: 403, text: "not authorized", call: get(aws.String(foreignChannel))},
		{operation: "StopStream", code: "AccessDeniedException", status: 403, text: "not authorized", call: stop(aws.String(foreignChannel))},
		{operation: "PutMetadata", code: "AccessDeniedException", status: 403, text: "not authorized", call: put(aws.String(foreignChannel), "x")},
		{operation: "GetStream", code: "ValidationException", status: 400, call: get(aws.String(noARN))},
		{operation: "GetStream", code: "ResourceNotFoundException", status: 404, call: get(aws.String(noChannel))},
		{
			operation: "GetStream", code: "ChannelNotBroadcasting", status: 404, text: "is not currently online",
			call: get(nil),
		},
		{
			operation: "ListStreams", code: "ValidationException", status: 400,
			call: func(ctx context.Context, _ *testing.T, s scene) error {
				_, err := s.api.ListStreams(ctx, &sdk.ListStreamsInput{FilterBy: &types.StreamFilters{Health: "POORLY"}})
				return err
			},
		},
		{operation: "StopStream", code: "ValidationException", status: 400, call: stop(aws.String(noARN))},
		{operation: "StopStream", code: "ResourceNotFoundException", status: 404, call: stop(aws.String(noChannel))},
		{operation: "StopStream", code: "ChannelNotBroadcasting", status: 404, call: stop(nil)},
		{
			operation: "StopStream", code: "StreamUnavailable", status: 503,
			call: func(ctx context.Context, t *testing.T, s scene) error {
				s.onAir(t)
				s.media.stop = func(arn.ARN) error { return fault.New(fault.Unavailable, "no responder") }
				return stop(nil)(ctx, t, s)
			},
		},
		{
			operation: "PutMetadata", code: "ValidationException", status: 400,
			text: "Metadata size exceeds payload limit", call: put(nil, strings.Repeat("é", 512)+"x"),
		},
		{operation: "PutMetadata", code: "ValidationException", status: 400, call: put(nil, "")},
		{operation: "PutMetadata", code: "ResourceNotFoundException", status: 404, call: put(aws.String(noChannel), "x")},
		{operation: "PutMetadata", code: "ChannelNotBroadcasting", status: 404, call: put(nil, "x")},
		{
			operation: "PutMetadata", code: "ThrottlingException", status: 429,
			text: "Operation: ivs:PutMetadata exceeded call rate: 5 for resource: arn:aws:ivs:",
			call: func(ctx context.Context, t *testing.T, s scene) error {
				s.onAir(t)
				s.media.put = func(arn.ARN, string) error { return nil }
				for range 5 {
					check(t, put(nil, "x")(ctx, t, s))
				}
				return put(nil, "x")(ctx, t, s)
			},
		},
	}
}

func tagCases() []contractCase {
	tag := func(a *string, tags map[string]string) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			in := &sdk.TagResourceInput{ResourceArn: a, Tags: tags}
			if a == nil {
				in.ResourceArn = s.channel
			}
			_, err := s.api.TagResource(ctx, in)
			return err
		}
	}
	untag := func(a *string) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			in := &sdk.UntagResourceInput{ResourceArn: a, TagKeys: []string{"x"}}
			if a == nil {
				in.ResourceArn = s.channel
			}
			_, err := s.api.UntagResource(ctx, in)
			return err
		}
	}
	list := func(a string) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, _ *testing.T, s scene) error {
			_, err := s.api.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &a})
			return err
		}
	}
	broken := func(call func(context.Context, *testing.T, scene) error) func(context.Context, *testing.T, scene) error {
		return func(ctx context.Context, t *testing.T, s scene) error {
			s.conn.Close()
			return call(ctx, t, s)
		}
	}
	one := map[string]string{"x": "y"}
	return []contractCase{
		{
			operation: "TagResource", code: "ValidationException", status: 400, text: "reserved",
			call: tag(nil, map[string]string{"aws:x": "y"}),
		},
		{operation: "TagResource", code: "ValidationException", status: 400, call: tag(aws.String(noARN), one)},
		{operation: "TagResource", code: "ResourceNotFoundException", status: 404, call: tag(aws.String(noChannel), one)},
		{operation: "TagResource", code: "ResourceNotFoundException", status: 404, call: tag(aws.String(noKey), one)},
		{operation: "TagResource", code: "ResourceNotFoundException", status: 404, call: tag(aws.String(noAds), one)},
		{operation: "TagResource", code: "InternalServerException", status: 500, call: broken(tag(nil, one))},
		{operation: "UntagResource", code: "ValidationException", status: 400, call: untag(aws.String(noARN))},
		{operation: "UntagResource", code: "ResourceNotFoundException", status: 404, call: untag(aws.String(noChannel))},
		{operation: "UntagResource", code: "InternalServerException", status: 500, call: broken(untag(nil))},
		{operation: "ListTagsForResource", code: "ValidationException", status: 400, call: list(noARN)},
		{operation: "ListTagsForResource", code: "ResourceNotFoundException", status: 404, call: list(noKey)},
		{operation: "ListTagsForResource", code: "InternalServerException", status: 500, call: broken(list(noChannel))},
	}
}

// TestContract brings about each error that an operation declares and a call can bring about.
func TestContract(t *testing.T) {
	t.Parallel()
	for _, c := range raised() {
		t.Run(c.operation+"/"+c.code, func(t *testing.T) {
			t.Parallel()
			var options []func(*ivs.Options)
			if c.quotas {
				options = append(options, withQuotas)
			}
			s := scene{env: start(t, options...)}
			var rec recorder
			s.api = s.client("AKIDONE", "secret-one", region, &rec)
			ch, key := s.create(t, "demo")
			s.channel, s.key = ch.Arn, key.Arn
			err := c.call(t.Context(), t, s)
			wantCode(t, err, c.code)
			if rec.status != c.status {
				t.Errorf("status %d, want %d", rec.status, c.status)
			}
			var text struct{ ExceptionMessage, Message string }
			check(t, json.Unmarshal(rec.body, &text))
			if text.Message == "" || !strings.Contains(text.Message, c.text) || text.ExceptionMessage != text.Message {
				t.Errorf("answer %s, want %q in its messages", rec.body, c.text)
			}
		})
	}
}

// TestContractIsComplete holds the cases against the contract: every error that an operation declares is either raised
// or listed with a reason, and nothing else is.
func TestContractIsComplete(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../api/model/ivs.json")
	check(t, err)
	var model struct {
		Operations map[string]struct{ Errors []string }
	}
	check(t, json.Unmarshal(data, &model))
	cases, reasons := raised(), unraised()
	used := make(map[[2]string]bool)
	if got := len(ivs.New(ivs.Options{}).Operations()); got != len(operations()) {
		t.Errorf("the service has %d operations, want %d", got, len(operations()))
	}
	for _, op := range operations() {
		declared := model.Operations[op].Errors
		for _, code := range declared {
			isRaised := slices.ContainsFunc(cases, func(c contractCase) bool {
				return c.operation == op && c.code == code
			})
			key := [2]string{op, code}
			if _, ok := reasons[key]; !ok {
				key[0] = ""
			}
			_, excused := reasons[key]
			used[key] = true
			if isRaised == excused {
				t.Errorf("%s of %s: raised %v, listed as impossible %v", code, op, isRaised, excused)
			}
		}
		for _, c := range cases {
			if c.operation == op && !slices.Contains(declared, c.code) {
				t.Errorf("%s does not declare %s", c.operation, c.code)
			}
		}
	}
	for key := range reasons {
		if !used[key] {
			t.Errorf("no operation declares %v", key)
		}
	}
}
