// Package ivs answers the operations of the channel service: channels, stream keys, streams, who may watch, and their tags.
//
// A channel is one record with its stream keys and tags inside (resource.Channel), so every write here is one Update
// of one record and concurrent callers all succeed, in some order. What goes on air is not this package's business: it
// reads streams from the records that the broadcasting side writes, and asks for a stop or for timed metadata through
// Broadcasts.
//
// A channel is live for the rules here from the moment a node has taken its claim until the claim is released, even
// while the API still answers ChannelNotBroadcasting because nothing is playable yet. A live channel can be neither
// updated nor deleted. Claim and channel are separate records, so two rules keep a delete and a publish that is just
// being accepted apart, and one of them wins cleanly:
//
//   - the broadcasting side reads the channel again after it has taken the claim, and gives up when it is gone;
//   - DeleteChannel deletes the record only when there is no unreleased claim, and looks again after that. A claim
//     that was taken in between may belong to a publish that still saw the channel, so it is told to stop.
//
// An update that crosses a publish in the same way holds from the next stream on.
//
// Who may watch is stored here and decided where viewers come in. A channel that names a playback restriction policy is written
// under the guard of its account and region, as the deletion of a policy is, so that no channel names one that is not there.
//
// Imports: arn, awsapi, awsapi/restjson, fault, quota, records, resource, store, tagging, token, weborigin.
package ivs

import (
	"context"
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/quota"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
)

// StreamReader reads the presence records of streams. Only unreleased claims are in it.
type StreamReader interface {
	// Get returns the stream of the channel with the given key. It reports false when nobody broadcasts there.
	Get(ctx context.Context, channel store.Key) (resource.Stream, bool, error)
	// List returns a page of streams by channel id.
	List(ctx context.Context, q store.Query) (store.Page[resource.Stream], error)
}

// Broadcasts commands the node that runs a channel's broadcast. Errors are of the kind fault.NotLive when no node runs
// one, and fault.Unavailable or fault.StreamUnavailable when one does and does not answer.
type Broadcasts interface {
	// Stop ends the broadcast and returns when its encoder is disconnected.
	Stop(ctx context.Context, channel arn.ARN) error
	// PutMetadata puts text into the stream at its present place.
	PutMetadata(ctx context.Context, channel arn.ARN, text string) error
}

// Lookup reports whether a resource exists.
type Lookup func(ctx context.Context, a arn.ARN) (bool, error)

// Options are the parts that a Service works with. All are needed unless they say otherwise.
type Options struct {
	Channels   *store.Table[resource.Channel]
	Viewers    records.Viewers // who may watch; Run forgets what is over
	Streams    StreamReader
	Broadcasts Broadcasts
	Pager      *awsapi.Pager
	Tags       *tagging.Registry // where New adds what this service has; nil: it has a registry of its own
	Logger     *slog.Logger      // nil discards

	// Quotas enforces the resource quotas of an account in a region.
	Quotas bool
	// IngestEndpoint returns what a channel's answer names as the place to send to, "" for none.
	IngestEndpoint func(awsapi.Caller) string
	// References look up the resources of other services that a channel can refer to, by their type. A type that is not in it is
	// a capability that is not built, and Unbuilt decides.
	References map[string]Lookup
	Unbuilt    awsapi.Unbuilt
	// KnowsCountries says that viewers' countries can be told here.
	KnowsCountries bool
	// Clock tells the time; nil means time.Now.
	Clock func() time.Time
}

// Service has the operations. It is safe for concurrent use.
type Service struct {
	opts     Options
	metadata *quota.Buckets[arn.ARN]
	creating chan struct{} // holds a token while a channel is counted and created under a quota
}

// metadataBound is how many channels' metadata rates a Service remembers in a generation.
const metadataBound = 1 << 14

// New returns a Service.
func New(o Options) *Service {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Unbuilt.Logger == nil {
		o.Unbuilt.Logger = o.Logger
	}
	if o.Tags == nil {
		o.Tags = tagging.NewRegistry()
	}
	s := &Service{
		opts:     o,
		metadata: quota.NewBuckets[arn.ARN](metadataBound, o.Clock),
		creating: make(chan struct{}, 1),
	}
	s.registerTags()
	return s
}

// Operations returns the rows of the service: name, handler and the resources that a request touches.
func (s *Service) Operations() []awsapi.Operation {
	rows := s.channelOperations()
	rows = append(rows, s.streamKeyOperations()...)
	rows = append(rows, s.streamOperations()...)
	rows = append(rows, s.playbackKeyOperations()...)
	rows = append(rows, s.restrictionOperations()...)
	rows = append(rows, s.revocationOperations()...)
	return append(rows, s.tagOperations()...)
}

func (s *Service) channelOperations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("CreateChannel", s.CreateChannel, func(in *CreateChannelRequest) []awsapi.Target {
			return []awsapi.Target{{Type: typeChannel, RequestTags: in.Tags}, {Type: typeStreamKey, RequestTags: in.Tags}}
		}),
		awsapi.Op("GetChannel", s.GetChannel, func(in *GetChannelRequest) []awsapi.Target {
			return awsapi.Targets(typeChannel, nil, in.Arn)
		}),
		awsapi.Op("BatchGetChannel", s.BatchGetChannel, func(in *BatchGetChannelRequest) []awsapi.Target {
			return awsapi.Targets(typeChannel, nil, in.Arns...)
		}),
		awsapi.Op("ListChannels", s.ListChannels, func(*ListChannelsRequest) []awsapi.Target {
			return []awsapi.Target{{Type: typeChannel}}
		}),
		awsapi.Op("UpdateChannel", s.UpdateChannel, func(in *UpdateChannelRequest) []awsapi.Target {
			return awsapi.Targets(typeChannel, nil, in.Arn)
		}),
		awsapi.Op("DeleteChannel", s.DeleteChannel, func(in *DeleteChannelRequest) []awsapi.Target {
			return awsapi.Targets(typeChannel, nil, in.Arn)
		}),
	}
}

func (s *Service) streamKeyOperations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("CreateStreamKey", s.CreateStreamKey, func(in *CreateStreamKeyRequest) []awsapi.Target {
			return append(awsapi.Targets(typeChannel, in.Tags, in.ChannelArn), awsapi.Target{Type: typeStreamKey, RequestTags: in.Tags})
		}),
		awsapi.Op("GetStreamKey", s.GetStreamKey, func(in *GetStreamKeyRequest) []awsapi.Target {
			return awsapi.Targets(typeStreamKey, nil, in.Arn)
		}),
		awsapi.Op("BatchGetStreamKey", s.BatchGetStreamKey, func(in *BatchGetStreamKeyRequest) []awsapi.Target {
			return awsapi.Targets(typeStreamKey, nil, in.Arns...)
		}),
		awsapi.Op("ListStreamKeys", s.ListStreamKeys, func(in *ListStreamKeysRequest) []awsapi.Target {
			return awsapi.Targets(typeChannel, nil, in.ChannelArn)
		}),
		awsapi.Op("DeleteStreamKey", s.DeleteStreamKey, func(in *DeleteStreamKeyRequest) []awsapi.Target {
			return awsapi.Targets(typeStreamKey, nil, in.Arn)
		}),
	}
}

func (s *Service) streamOperations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("GetStream", s.GetStream, func(in *GetStreamRequest) []awsapi.Target {
			return awsapi.Targets(typeChannel, nil, in.ChannelArn)
		}),
		awsapi.Op("ListStreams", s.ListStreams, func(*ListStreamsRequest) []awsapi.Target {
			return []awsapi.Target{{Type: typeChannel}}
		}),
		awsapi.Op("StopStream", s.StopStream, func(in *StopStreamRequest) []awsapi.Target {
			return awsapi.Targets(typeChannel, nil, in.ChannelArn)
		}),
		awsapi.Op("PutMetadata", s.PutMetadata, func(in *PutMetadataRequest) []awsapi.Target {
			return awsapi.Targets(typeChannel, nil, in.ChannelArn)
		}),
	}
}

func (s *Service) playbackKeyOperations() []awsapi.Operation {
	const kind = resource.KindPlaybackKey
	return []awsapi.Operation{
		awsapi.Op("ImportPlaybackKeyPair", s.ImportPlaybackKeyPair, func(in *ImportPlaybackKeyPairRequest) []awsapi.Target {
			return []awsapi.Target{{Type: kind, RequestTags: in.Tags}}
		}),
		awsapi.Op("GetPlaybackKeyPair", s.GetPlaybackKeyPair, func(in *GetPlaybackKeyPairRequest) []awsapi.Target {
			return awsapi.Targets(kind, nil, in.Arn)
		}),
		awsapi.Op("ListPlaybackKeyPairs", s.ListPlaybackKeyPairs, func(*ListPlaybackKeyPairsRequest) []awsapi.Target {
			return []awsapi.Target{{Type: kind}}
		}),
		awsapi.Op("DeletePlaybackKeyPair", s.DeletePlaybackKeyPair, func(in *DeletePlaybackKeyPairRequest) []awsapi.Target {
			return awsapi.Targets(kind, nil, in.Arn)
		}),
	}
}

func (s *Service) restrictionOperations() []awsapi.Operation {
	const kind = resource.KindPlaybackRestrictionPolicy
	return []awsapi.Operation{
		awsapi.Op("CreatePlaybackRestrictionPolicy", s.CreatePlaybackRestrictionPolicy,
			func(in *CreatePlaybackRestrictionPolicyRequest) []awsapi.Target {
				return []awsapi.Target{{Type: kind, RequestTags: in.Tags}}
			}),
		awsapi.Op("GetPlaybackRestrictionPolicy", s.GetPlaybackRestrictionPolicy,
			func(in *GetPlaybackRestrictionPolicyRequest) []awsapi.Target {
				return awsapi.Targets(kind, nil, in.Arn)
			}),
		awsapi.Op("ListPlaybackRestrictionPolicies", s.ListPlaybackRestrictionPolicies,
			func(*ListPlaybackRestrictionPoliciesRequest) []awsapi.Target { return []awsapi.Target{{Type: kind}} }),
		awsapi.Op("UpdatePlaybackRestrictionPolicy", s.UpdatePlaybackRestrictionPolicy,
			func(in *UpdatePlaybackRestrictionPolicyRequest) []awsapi.Target {
				return awsapi.Targets(kind, nil, in.Arn)
			}),
		awsapi.Op("DeletePlaybackRestrictionPolicy", s.DeletePlaybackRestrictionPolicy,
			func(in *DeletePlaybackRestrictionPolicyRequest) []awsapi.Target {
				return awsapi.Targets(kind, nil, in.Arn)
			}),
	}
}

func (s *Service) revocationOperations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("StartViewerSessionRevocation", s.StartViewerSessionRevocation,
			func(in *StartViewerSessionRevocationRequest) []awsapi.Target {
				return awsapi.Targets(typeChannel, nil, in.ChannelArn)
			}),
		awsapi.Op("BatchStartViewerSessionRevocation", s.BatchStartViewerSessionRevocation,
			func(in *BatchStartViewerSessionRevocationRequest) []awsapi.Target {
				arns := make([]string, len(in.ViewerSessions))
				for i, v := range in.ViewerSessions {
					arns[i] = v.ChannelArn
				}
				return awsapi.Targets(typeChannel, nil, arns...)
			}),
	}
}

func (s *Service) tagOperations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("TagResource", s.TagResource, func(in *TagResourceRequest) []awsapi.Target {
			return awsapi.Targets("", in.Tags, in.ResourceArn)
		}),
		awsapi.Op("UntagResource", s.UntagResource, func(in *UntagResourceRequest) []awsapi.Target {
			return awsapi.Untagged(in.TagKeys, in.ResourceArn)
		}),
		awsapi.Op("ListTagsForResource", s.ListTagsForResource, func(in *ListTagsForResourceRequest) []awsapi.Target {
			return awsapi.Targets("", nil, in.ResourceArn)
		}),
	}
}
