package ivsrealtime

import (
	"context"
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
	"github.com/rivus-live/rivus/internal/token"
)

// Stages commands the nodes that have the connections of participants. Both calls are repeated after an error.
type Stages interface {
	// Disconnect drops every connection of a participant, tells it the reason, and returns when they are gone. It
	// returns fault.NotLive when there are none, and fault.Unavailable when a node that has one does not answer.
	Disconnect(ctx context.Context, stage arn.ARN, participantID, reason string) error
	// Close drops every connection to a stage that was deleted and ends its session. Errors as for Disconnect.
	Close(ctx context.Context, stage arn.ARN) error
}

// Minter signs participant tokens.
type Minter interface {
	Mint(c token.Claims) (string, error)
}

// Quotas of one account in one region (spec ivs-realtime.md 15.2).
const (
	quotaStages                = 1000
	quotaPublicKeys            = 3
	quotaStorageConfigurations = 5
)

// Options are the parts that a Service works with. All are needed unless they say otherwise.
type Options struct {
	Records records.Stages
	Tokens  Minter
	Media   Stages // where participants are connected, on whichever node
	Pager   *awsapi.Pager
	Tags    *tagging.Registry // where New adds what this service has; nil: it has a registry of its own
	Logger  *slog.Logger      // nil discards

	// Quotas enforces the resource quotas of an account in a region.
	Quotas bool
	// Closed says that nobody can join a stage here, so that answers and tokens name no addresses to do it.
	Closed bool
	// Unbuilt decides about stages that are to be recorded.
	Unbuilt awsapi.Unbuilt
	// Clock tells the time; nil means time.Now.
	Clock func() time.Time
}

// Service has the operations. It is safe for concurrent use.
type Service struct {
	opts Options
}

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
	s := &Service{opts: o}
	s.registerTags()
	return s
}

// guardOf is the guard of all changes in an account's region that depend on other records.
func guardOf(sc arn.Scope) store.Key { return store.Key{Scope: sc, ID: "ivsrealtime"} }

// withinQuota returns an error when one more would be too many.
func (s *Service) withinQuota(have, quota int, what, region string) error {
	if s.opts.Quotas && have >= quota {
		return fault.New(fault.Quota, "the quota of %d %s in %s is reached", quota, what, region)
	}
	return nil
}

// Operations returns the rows of the service: name, handler and the resources that a request touches.
func (s *Service) Operations() []awsapi.Operation {
	rows := s.stageOperations()
	rows = append(rows, s.sessionOperations()...)
	rows = append(rows, s.keyOperations()...)
	rows = append(rows, s.storageOperations()...)
	return append(rows, s.tagOperations()...)
}

func (s *Service) stageOperations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("CreateStage", s.CreateStage, func(in *CreateStageRequest) []awsapi.Target {
			return []awsapi.Target{{Type: resource.KindStage, RequestTags: in.Tags}}
		}),
		awsapi.Op("GetStage", s.GetStage, func(in *GetStageRequest) []awsapi.Target {
			return awsapi.Targets(resource.KindStage, nil, in.Arn)
		}),
		awsapi.Op("ListStages", s.ListStages, func(*ListStagesRequest) []awsapi.Target {
			return []awsapi.Target{{Type: resource.KindStage}}
		}),
		awsapi.Op("UpdateStage", s.UpdateStage, func(in *UpdateStageRequest) []awsapi.Target {
			return awsapi.Targets(resource.KindStage, nil, in.Arn)
		}),
		awsapi.Op("DeleteStage", s.DeleteStage, func(in *DeleteStageRequest) []awsapi.Target {
			return awsapi.Targets(resource.KindStage, nil, in.Arn)
		}),
		awsapi.Op("CreateParticipantToken", s.CreateParticipantToken, func(in *CreateParticipantTokenRequest) []awsapi.Target {
			return awsapi.Targets(resource.KindStage, nil, in.StageArn)
		}),
		awsapi.Op("DisconnectParticipant", s.DisconnectParticipant, func(in *DisconnectParticipantRequest) []awsapi.Target {
			return awsapi.Targets(resource.KindStage, nil, in.StageArn)
		}),
	}
}

func (s *Service) sessionOperations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("GetStageSession", s.GetStageSession, func(in *GetStageSessionRequest) []awsapi.Target {
			return awsapi.Targets(resource.KindStage, nil, in.StageArn)
		}),
		awsapi.Op("ListStageSessions", s.ListStageSessions, func(in *ListStageSessionsRequest) []awsapi.Target {
			return awsapi.Targets(resource.KindStage, nil, in.StageArn)
		}),
		awsapi.Op("GetParticipant", s.GetParticipant, func(in *GetParticipantRequest) []awsapi.Target {
			return awsapi.Targets(resource.KindStage, nil, in.StageArn)
		}),
		awsapi.Op("ListParticipants", s.ListParticipants, func(in *ListParticipantsRequest) []awsapi.Target {
			return awsapi.Targets(resource.KindStage, nil, in.StageArn)
		}),
		awsapi.Op("ListParticipantEvents", s.ListParticipantEvents, func(in *ListParticipantEventsRequest) []awsapi.Target {
			return awsapi.Targets(resource.KindStage, nil, in.StageArn)
		}),
	}
}

func (s *Service) keyOperations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("ImportPublicKey", s.ImportPublicKey, func(in *ImportPublicKeyRequest) []awsapi.Target {
			return []awsapi.Target{{Type: resource.KindPublicKey, RequestTags: in.Tags}}
		}),
		awsapi.Op("GetPublicKey", s.GetPublicKey, func(in *GetPublicKeyRequest) []awsapi.Target {
			return awsapi.Targets(resource.KindPublicKey, nil, in.Arn)
		}),
		awsapi.Op("ListPublicKeys", s.ListPublicKeys, func(*ListPublicKeysRequest) []awsapi.Target {
			return []awsapi.Target{{Type: resource.KindPublicKey}}
		}),
		awsapi.Op("DeletePublicKey", s.DeletePublicKey, func(in *DeletePublicKeyRequest) []awsapi.Target {
			return awsapi.Targets(resource.KindPublicKey, nil, in.Arn)
		}),
	}
}

func (s *Service) storageOperations() []awsapi.Operation {
	const kind = resource.KindStorageConfiguration
	return []awsapi.Operation{
		awsapi.Op("CreateStorageConfiguration", s.CreateStorageConfiguration,
			func(in *CreateStorageConfigurationRequest) []awsapi.Target {
				return []awsapi.Target{{Type: kind, RequestTags: in.Tags}}
			}),
		awsapi.Op("GetStorageConfiguration", s.GetStorageConfiguration,
			func(in *GetStorageConfigurationRequest) []awsapi.Target { return awsapi.Targets(kind, nil, in.Arn) }),
		awsapi.Op("ListStorageConfigurations", s.ListStorageConfigurations,
			func(*ListStorageConfigurationsRequest) []awsapi.Target { return []awsapi.Target{{Type: kind}} }),
		awsapi.Op("DeleteStorageConfiguration", s.DeleteStorageConfiguration,
			func(in *DeleteStorageConfigurationRequest) []awsapi.Target { return awsapi.Targets(kind, nil, in.Arn) }),
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
