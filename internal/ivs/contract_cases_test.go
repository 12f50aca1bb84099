package ivs_test

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"
	"golang.org/x/sync/errgroup"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/quota"
)

func channelCases() []contractCase {
	update := func(in sdk.UpdateChannelInput) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			if in.Arn == nil {
				in.Arn = s.channel
			}
			_, err := s.api.UpdateChannel(ctx, &in)
			return err
		}
	}
	create := func(in sdk.CreateChannelInput) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.CreateChannel(ctx, &in)
			return err
		}
	}
	get := func(a string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.GetChannel(ctx, &sdk.GetChannelInput{Arn: &a})
			return err
		}
	}
	list := func(in sdk.ListChannelsInput) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.ListChannels(ctx, &in)
			return err
		}
	}
	remove := func(a string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
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
			call: passChannelQuota,
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
			call: func(ctx context.Context, s scene) error {
				_, err := s.api.BatchGetChannel(ctx, &sdk.BatchGetChannelInput{Arns: slices.Repeat([]string{noChannel}, 51)})
				return err
			},
		},
		{
			operation: "BatchGetChannel", code: "ServiceUnavailable", status: 503,
			call: func(ctx context.Context, s scene) error {
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
			call: func(ctx context.Context, s scene) error {
				s.onAir()
				return update(sdk.UpdateChannelInput{Name: aws.String("new")})(ctx, s)
			},
		},
		{operation: "DeleteChannel", code: "AccessDeniedException", status: 403, text: "not authorized", call: remove(foreignChannel)},
		{operation: "UpdateChannel", code: "AccessDeniedException", status: 403, text: "not authorized", call: update(sdk.UpdateChannelInput{Arn: aws.String(foreignChannel)})},
		{operation: "DeleteChannel", code: "ValidationException", status: 400, call: remove(noARN)},
		{operation: "DeleteChannel", code: "ResourceNotFoundException", status: 404, call: remove(noChannel)},
		{
			operation: "DeleteChannel", code: "ConflictException", status: 409,
			call: func(ctx context.Context, s scene) error {
				s.onAir()
				return remove(*s.channel)(ctx, s)
			},
		},
	}
}

// passChannelQuota has callers try to pass the quota together where only two channels more fit, and then tries alone.
func passChannelQuota(ctx context.Context, s scene) error {
	s.fill(s.t, 2)
	s.advance(time.Second) // the call rate is another matter
	create := func() error {
		_, err := s.env.api().CreateChannel(ctx, &sdk.CreateChannelInput{})
		return err
	}
	var calls errgroup.Group
	codes := make(chan string, quota.CallRate("CreateChannel"))
	for range cap(codes) {
		calls.Go(func() error {
			codes <- codeOf(create())
			return nil
		})
	}
	check(s.t, calls.Wait())
	close(codes)
	count := make(map[string]int)
	for code := range codes {
		count[code]++
	}
	if count[""] != 2 || count["ServiceQuotaExceededException"] != 3 {
		s.t.Errorf("outcomes %v", count)
	}
	wantCode(s.t, create(), "ThrottlingException")
	_, err := s.in("eu-west-1").CreateChannel(ctx, &sdk.CreateChannelInput{})
	check(s.t, err)
	s.advance(time.Second)
	_, err = s.api.CreateChannel(ctx, &sdk.CreateChannelInput{})
	return err
}

func streamKeyCases() []contractCase {
	create := func(channel *string, tags map[string]string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			in := &sdk.CreateStreamKeyInput{ChannelArn: channel, Tags: tags}
			if channel == nil {
				in.ChannelArn = s.channel
			}
			_, err := s.api.CreateStreamKey(ctx, in)
			return err
		}
	}
	get := func(a string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.GetStreamKey(ctx, &sdk.GetStreamKeyInput{Arn: &a})
			return err
		}
	}
	list := func(channel string, size int32) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.ListStreamKeys(ctx, &sdk.ListStreamKeysInput{ChannelArn: &channel, MaxResults: &size})
			return err
		}
	}
	remove := func(a string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
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
			call: func(ctx context.Context, s scene) error {
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
	get := func(channel *string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			in := &sdk.GetStreamInput{ChannelArn: channel}
			if channel == nil {
				in.ChannelArn = s.channel
			}
			_, err := s.api.GetStream(ctx, in)
			return err
		}
	}
	stop := func(channel *string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			in := &sdk.StopStreamInput{ChannelArn: channel}
			if channel == nil {
				in.ChannelArn = s.channel
			}
			_, err := s.api.StopStream(ctx, in)
			return err
		}
	}
	put := func(channel *string, text string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
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
			call: func(ctx context.Context, s scene) error {
				_, err := s.api.ListStreams(ctx, &sdk.ListStreamsInput{FilterBy: &types.StreamFilters{Health: "POORLY"}})
				return err
			},
		},
		{operation: "StopStream", code: "ValidationException", status: 400, call: stop(aws.String(noARN))},
		{operation: "StopStream", code: "ResourceNotFoundException", status: 404, call: stop(aws.String(noChannel))},
		{operation: "StopStream", code: "ChannelNotBroadcasting", status: 404, call: stop(nil)},
		{
			operation: "StopStream", code: "StreamUnavailable", status: 503,
			call: func(ctx context.Context, s scene) error {
				s.onAir()
				s.media.stop = func(arn.ARN) error { return fault.New(fault.Unavailable, "no responder") }
				return stop(nil)(ctx, s)
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
			call: func(ctx context.Context, s scene) error {
				s.onAir()
				s.media.put = func(arn.ARN, string) error { return nil }
				for range 5 {
					check(s.t, put(nil, "x")(ctx, s))
				}
				return put(nil, "x")(ctx, s)
			},
		},
	}
}

func tagCases() []contractCase {
	tag := func(a *string, tags map[string]string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			in := &sdk.TagResourceInput{ResourceArn: a, Tags: tags}
			if a == nil {
				in.ResourceArn = s.channel
			}
			_, err := s.api.TagResource(ctx, in)
			return err
		}
	}
	untag := func(a *string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			in := &sdk.UntagResourceInput{ResourceArn: a, TagKeys: []string{"x"}}
			if a == nil {
				in.ResourceArn = s.channel
			}
			_, err := s.api.UntagResource(ctx, in)
			return err
		}
	}
	list := func(a string) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			_, err := s.api.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: &a})
			return err
		}
	}
	broken := func(call func(context.Context, scene) error) func(context.Context, scene) error {
		return func(ctx context.Context, s scene) error {
			s.conn.Close()
			return call(ctx, s)
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
