package eventbridge

import (
	"context"
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/delivery"
	"github.com/rivus-live/rivus/internal/egress"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/store"
)

// Bus takes events that callers put.
type Bus interface {
	// Put is on the disk when it returns nil.
	Put(ctx context.Context, events ...store.Event) error
}

// Options are the parts that a Service works with. All are needed unless they say otherwise.
type Options struct {
	Records records.Rules
	Bus     Bus
	Targets *delivery.Targets // what rules may have as target
	Vault   *delivery.Vault   // for the secrets of connections
	Egress  *egress.Client    // where requests of API destinations may go
	Pager   *awsapi.Pager
	Logger  *slog.Logger // nil discards

	// Quotas enforces the quotas of an account in a region.
	Quotas bool
	// Clock tells the time; nil means time.Now.
	Clock func() time.Time
}

// Service has the operations. It is safe for concurrent use.
type Service struct{ opts Options }

// New returns a Service.
func New(o Options) *Service {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{opts: o}
}

// Types of resources, as ARNs name them.
const (
	typeRule        = "rule"
	typeBus         = "event-bus"
	typeConnection  = "connection"
	typeDestination = "api-destination"
)

// Operations returns the rows of the service: name, handler and the resources that a request touches.
func (s *Service) Operations() []awsapi.Operation {
	return append(append(s.ruleOperations(), s.destinationOperations()...),
		awsapi.Op("PutEvents", s.PutEvents, func(in *PutEventsRequest) []awsapi.Target {
			return []awsapi.Target{awsapi.Named(typeBus, nil, defaultBus)}
		}),
		awsapi.Op("TestEventPattern", s.TestEventPattern, nil).Open(),
		awsapi.Op("DescribeEventBus", s.DescribeEventBus, func(*DescribeEventBusRequest) []awsapi.Target {
			return []awsapi.Target{awsapi.Named(typeBus, nil, defaultBus)}
		}),
		awsapi.Op("ListEventBuses", s.ListEventBuses, func(*ListEventBusesRequest) []awsapi.Target {
			return []awsapi.Target{{Type: typeBus}}
		}),
	)
}

func rule(name string, tags map[string]string) []awsapi.Target {
	return []awsapi.Target{awsapi.Named(typeRule, tags, name)}
}

func (s *Service) ruleOperations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("PutRule", s.PutRule, func(in *PutRuleRequest) []awsapi.Target { return rule(in.Name, tagsOf(in.Tags)) }),
		awsapi.Op("DescribeRule", s.DescribeRule, func(in *DescribeRuleRequest) []awsapi.Target { return rule(in.Name, nil) }),
		awsapi.Op("DeleteRule", s.DeleteRule, func(in *DeleteRuleRequest) []awsapi.Target { return rule(in.Name, nil) }),
		awsapi.Op("EnableRule", s.EnableRule, func(in *EnableRuleRequest) []awsapi.Target { return rule(in.Name, nil) }),
		awsapi.Op("DisableRule", s.DisableRule, func(in *DisableRuleRequest) []awsapi.Target { return rule(in.Name, nil) }),
		awsapi.Op("ListRules", s.ListRules, func(*ListRulesRequest) []awsapi.Target { return []awsapi.Target{{Type: typeRule}} }),
		awsapi.Op("PutTargets", s.PutTargets, func(in *PutTargetsRequest) []awsapi.Target { return rule(in.Rule, nil) }),
		awsapi.Op("RemoveTargets", s.RemoveTargets, func(in *RemoveTargetsRequest) []awsapi.Target { return rule(in.Rule, nil) }),
		awsapi.Op("ListTargetsByRule", s.ListTargetsByRule, func(in *ListTargetsByRuleRequest) []awsapi.Target { return rule(in.Rule, nil) }),
		awsapi.Op("ListRuleNamesByTarget", s.ListRuleNamesByTarget, func(*ListRuleNamesByTargetRequest) []awsapi.Target {
			return []awsapi.Target{{Type: typeRule}}
		}),
		awsapi.Op("TagResource", s.TagResource, func(in *TagResourceRequest) []awsapi.Target {
			return awsapi.Targets(typeRule, tagsOf(in.Tags), in.ResourceARN)
		}),
		awsapi.Op("UntagResource", s.UntagResource, func(in *UntagResourceRequest) []awsapi.Target {
			targets := awsapi.Targets(typeRule, nil, in.ResourceARN)
			targets[0].TagKeys = in.TagKeys
			return targets
		}),
		awsapi.Op("ListTagsForResource", s.ListTagsForResource, func(in *ListTagsForResourceRequest) []awsapi.Target {
			return awsapi.Targets(typeRule, nil, in.ResourceARN)
		}),
	}
}

func (s *Service) destinationOperations() []awsapi.Operation {
	connection := func(name string) []awsapi.Target { return []awsapi.Target{awsapi.Named(typeConnection, nil, name)} }
	destination := func(name string) []awsapi.Target { return []awsapi.Target{awsapi.Named(typeDestination, nil, name)} }
	return []awsapi.Operation{
		awsapi.Op("CreateConnection", s.CreateConnection, func(in *CreateConnectionRequest) []awsapi.Target { return connection(in.Name) }),
		awsapi.Op("DescribeConnection", s.DescribeConnection, func(in *DescribeConnectionRequest) []awsapi.Target { return connection(in.Name) }),
		awsapi.Op("UpdateConnection", s.UpdateConnection, func(in *UpdateConnectionRequest) []awsapi.Target { return connection(in.Name) }),
		awsapi.Op("DeleteConnection", s.DeleteConnection, func(in *DeleteConnectionRequest) []awsapi.Target { return connection(in.Name) }),
		awsapi.Op("ListConnections", s.ListConnections, func(*ListConnectionsRequest) []awsapi.Target {
			return []awsapi.Target{{Type: typeConnection}}
		}),
		awsapi.Op("CreateApiDestination", s.CreateAPIDestination, func(in *CreateApiDestinationRequest) []awsapi.Target { return destination(in.Name) }),
		awsapi.Op("DescribeApiDestination", s.DescribeAPIDestination, func(in *DescribeApiDestinationRequest) []awsapi.Target { return destination(in.Name) }),
		awsapi.Op("UpdateApiDestination", s.UpdateAPIDestination, func(in *UpdateApiDestinationRequest) []awsapi.Target { return destination(in.Name) }),
		awsapi.Op("DeleteApiDestination", s.DeleteAPIDestination, func(in *DeleteApiDestinationRequest) []awsapi.Target { return destination(in.Name) }),
		awsapi.Op("ListApiDestinations", s.ListAPIDestinations, func(*ListApiDestinationsRequest) []awsapi.Target {
			return []awsapi.Target{{Type: typeDestination}}
		}),
	}
}
