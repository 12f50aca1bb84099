package eventbridge

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/eventinput"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

const (
	quotaTargets = 5   // of a rule, under quotas
	maxTargets   = 100 // of a rule: they are one record
)

// PutTargets adds targets to a rule, in place of those with the same ID. The caller must also be allowed to do to each target
// what the rule will do to it.
func (s *Service) PutTargets(ctx context.Context, c awsapi.Caller, in *PutTargetsRequest) (*PutTargetsResponse, error) {
	if _, err := s.rule(ctx, c, in.EventBusName, in.Rule); err != nil {
		return nil, err
	}
	added := make([]resource.RuleTarget, len(in.Targets))
	for i := range in.Targets {
		var err error
		if added[i], err = s.targetOf(ctx, c, &in.Targets[i]); err != nil {
			return nil, err
		}
	}
	most := maxTargets
	if s.opts.Quotas {
		most = quotaTargets
	}
	err := s.change(ctx, c, in.EventBusName, in.Rule, func(r *resource.Rule) error {
		r.Targets = slices.Clone(r.Targets)
		for _, t := range added {
			i := slices.IndexFunc(r.Targets, func(old resource.RuleTarget) bool { return old.ID == t.ID })
			if i < 0 {
				r.Targets = append(r.Targets, t)
			} else {
				r.Targets[i] = t
			}
		}
		if len(r.Targets) > most {
			return errLimit()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &PutTargetsResponse{FailedEntries: []PutTargetsResultEntry{}, FailedEntryCount: new(int32(0))}, nil
}

// targetOf checks a target, and that the caller may have it.
func (s *Service) targetOf(ctx context.Context, c awsapi.Caller, t *Target) (resource.RuleTarget, error) {
	out := resource.RuleTarget{
		ID: t.Id, ARN: t.Arn, RoleARN: restjson.Value(t.RoleArn), Input: restjson.Value(t.Input), InputPath: restjson.Value(t.InputPath),
	}
	if p := t.InputTransformer; p != nil {
		out.Transformer = &resource.InputTransformer{Paths: p.InputPathsMap, Template: p.InputTemplate}
	}
	if p := t.HttpParameters; p != nil {
		out.HTTP = &resource.HTTPParameters{PathValues: p.PathParameterValues, Header: p.HeaderParameters, Query: p.QueryStringParameters}
	}
	if p := t.SqsParameters; p != nil {
		out.MessageGroupID = restjson.Value(p.MessageGroupId)
	}
	if p := t.DeadLetterConfig; p != nil {
		out.DeadLetterARN = restjson.Value(p.Arn)
	}
	if p := t.RetryPolicy; p != nil {
		out.MaxAge, out.MaxRetries = toInt(p.MaximumEventAgeInSeconds), toInt(p.MaximumRetryAttempts)
	}
	if err := refuseParameters(t); err != nil {
		return out, err
	}
	if err := inputOf(&out).Check(t.Id); err != nil {
		return out, fault.New(fault.Invalid, "%s", err)
	}
	return out, s.mayHave(ctx, c, &out)
}

func toInt(v *int32) *int {
	if v == nil {
		return nil
	}
	return new(int(*v))
}

func inputOf(t *resource.RuleTarget) *eventinput.Spec {
	s := &eventinput.Spec{Input: t.Input, Path: t.InputPath}
	if p := t.Transformer; p != nil {
		s.Transformer = &eventinput.Transformer{Paths: p.Paths, Template: p.Template}
	}
	return s
}

// refuseParameters refuses what is only for targets that this server cannot deliver to: nothing may be taken and not done.
func refuseParameters(t *Target) error {
	for _, p := range []struct {
		name  string
		given bool
	}{
		{"AppSyncParameters", t.AppSyncParameters != nil},
		{"BatchParameters", t.BatchParameters != nil},
		{"EcsParameters", t.EcsParameters != nil},
		{"KinesisParameters", t.KinesisParameters != nil},
		{"RedshiftDataParameters", t.RedshiftDataParameters != nil},
		{"RunCommandParameters", t.RunCommandParameters != nil},
		{"SageMakerPipelineParameters", t.SageMakerPipelineParameters != nil},
	} {
		if p.given {
			return fault.New(fault.Invalid, "%s of target %s are for a service that this server cannot deliver to.", p.name, t.Id)
		}
	}
	return nil
}

// mayHave checks that a target and its dead-letter queue can be reached, and that the caller may send to them.
func (s *Service) mayHave(ctx context.Context, c awsapi.Caller, t *resource.RuleTarget) error {
	if t.DeadLetterARN != "" && !strings.HasPrefix(t.DeadLetterARN, "arn:aws:sqs:") {
		return fault.New(fault.Invalid, "Invalid parameter: DeadLetterConfig of target %s must be the ARN of an SQS queue.", t.ID)
	}
	for _, text := range []string{t.ARN, t.DeadLetterARN} {
		if text == "" {
			continue
		}
		if err := s.opts.Targets.Check(c.Account, text); err != nil {
			return err
		}
		a, err := arn.ParseAny(text)
		if err != nil {
			return err
		}
		if err := maySend(c, a); err != nil {
			return err
		}
	}
	if _, id, ok := strings.Cut(t.ARN, ":api-destination/"); ok {
		return s.checkDestination(ctx, c, id, t)
	}
	return nil
}

// checkDestination checks that an API destination is there, and that the target has a value for each of its path parameters.
func (s *Service) checkDestination(ctx context.Context, c awsapi.Caller, id string, t *resource.RuleTarget) error {
	name, uuid, _ := strings.Cut(id, "/")
	n, _ := arn.ParseAny(t.ARN)
	d, err := s.opts.Records.APIDestinations.Get(ctx, store.Key{Scope: n.Scope, ID: name})
	if fault.Is(err, fault.NotFound) || err == nil && (d.Value.UUID != uuid || n.Region != c.Region) {
		return fault.New(fault.Invalid, "Parameter %s is not valid. Reason: Provided Arn does not exist.", t.ARN)
	}
	if err != nil {
		return err
	}
	values := 0
	if t.HTTP != nil {
		values = len(t.HTTP.PathValues)
	}
	if stars := strings.Count(d.Value.Endpoint, "*"); stars != values {
		return fault.New(fault.Invalid, "Number of PathParameterValues of target %s must be %d, as many as the endpoint has wildcards.", t.ID, stars)
	}
	return nil
}

// RemoveTargets removes targets of a rule. Those that it does not have are ignored.
func (s *Service) RemoveTargets(ctx context.Context, c awsapi.Caller, in *RemoveTargetsRequest) (*RemoveTargetsResponse, error) {
	err := s.change(ctx, c, in.EventBusName, in.Rule, func(r *resource.Rule) error {
		r.Targets = slices.DeleteFunc(slices.Clone(r.Targets), func(t resource.RuleTarget) bool { return slices.Contains(in.Ids, t.ID) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &RemoveTargetsResponse{FailedEntries: []RemoveTargetsResultEntry{}, FailedEntryCount: new(int32(0))}, nil
}

// ListTargetsByRule lists the targets of a rule in the order in which they were put.
func (s *Service) ListTargetsByRule(ctx context.Context, c awsapi.Caller, in *ListTargetsByRuleRequest) (*ListTargetsByRuleResponse, error) {
	r, err := s.rule(ctx, c, in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}
	pages := s.opts.Pager.Pages(c, "ListTargetsByRule", in.Rule)
	after, err := pages.After(in.NextToken)
	if err != nil {
		return nil, err
	}
	from, _ := strconv.Atoi(after) // of our own making; "" is the beginning
	from = min(from, len(r.Targets))
	to := min(from+awsapi.PageSize(in.Limit, pageSize), len(r.Targets))
	out := &ListTargetsByRuleResponse{Targets: make([]Target, 0, to-from), NextToken: pages.Next(to < len(r.Targets), strconv.Itoa(to))}
	for i := range r.Targets[from:to] {
		out.Targets = append(out.Targets, wireTarget(&r.Targets[from+i]))
	}
	return out, nil
}

func wireTarget(t *resource.RuleTarget) Target {
	out := Target{Id: t.ID, Arn: t.ARN, RoleArn: given(t.RoleARN), Input: given(t.Input), InputPath: given(t.InputPath)}
	if p := t.Transformer; p != nil {
		out.InputTransformer = &InputTransformer{InputPathsMap: p.Paths, InputTemplate: p.Template}
	}
	if p := t.HTTP; p != nil {
		out.HttpParameters = &HttpParameters{PathParameterValues: p.PathValues, HeaderParameters: p.Header, QueryStringParameters: p.Query}
	}
	if t.MessageGroupID != "" {
		out.SqsParameters = &SqsParameters{MessageGroupId: new(t.MessageGroupID)}
	}
	if t.DeadLetterARN != "" {
		out.DeadLetterConfig = &DeadLetterConfig{Arn: new(t.DeadLetterARN)}
	}
	if t.MaxAge != nil || t.MaxRetries != nil {
		out.RetryPolicy = &RetryPolicy{MaximumEventAgeInSeconds: toInt32(t.MaxAge), MaximumRetryAttempts: toInt32(t.MaxRetries)}
	}
	return out
}

func toInt32(v *int) *int32 {
	if v == nil {
		return nil
	}
	return new(int32(*v)) //nolint:gosec // it came as one
}

// ListRuleNamesByTarget lists the rules that have a target.
func (s *Service) ListRuleNamesByTarget(
	ctx context.Context, c awsapi.Caller, in *ListRuleNamesByTargetRequest,
) (*ListRuleNamesByTargetResponse, error) {
	if err := checkBus(c, in.EventBusName); err != nil {
		return nil, err
	}
	pages := s.opts.Pager.Pages(c, "ListRuleNamesByTarget", in.TargetArn)
	after, err := pages.After(in.NextToken)
	if err != nil {
		return nil, err
	}
	q := store.Query{Scope: c.Scope, Index: "target", Value: in.TargetArn, After: after, Limit: awsapi.PageSize(in.Limit, pageSize)}
	found, err := s.opts.Records.Rules.List(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("eventbridge: list rules of a target: %w", err)
	}
	out := &ListRuleNamesByTargetResponse{RuleNames: make([]string, len(found.Records))}
	for i := range found.Records {
		out.RuleNames[i] = found.Records[i].Key.ID
	}
	if n := len(found.Records); n > 0 {
		out.NextToken = pages.Next(found.More, found.Records[n-1].Key.ID)
	}
	return out, nil
}
