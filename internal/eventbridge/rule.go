package eventbridge

import (
	"context"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/delivery"
	"github.com/rivus-live/rivus/internal/eventpattern"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
)

const (
	maxRules  = 300 // of a bus, under quotas
	pageSize  = 100
	ruleState = "state"
)

func keyOf(c awsapi.Caller, name string) store.Key { return store.Key{Scope: c.Scope, ID: name} }

// ruleARN is the ARN of a rule on the default bus (errata.md A4).
func ruleARN(sc arn.Scope, name string) arn.ARN {
	return arn.ARN{Service: "events", Scope: sc, Type: typeRule, ID: name}
}

func noRule(name string) error {
	return fault.New(fault.NotFound, "Rule %s does not exist on EventBus %s.", name, defaultBus)
}

// naming makes a fault.NotFound tell of the rule in the service's words.
func naming(err error, name string) error {
	if fault.Is(err, fault.NotFound) {
		return noRule(name)
	}
	return err
}

// PutRule makes a rule, or changes one and leaves its targets and tags.
func (s *Service) PutRule(ctx context.Context, c awsapi.Caller, in *PutRuleRequest) (*PutRuleResponse, error) {
	if err := s.checkRule(c, in); err != nil {
		return nil, err
	}
	next := resource.Rule{
		Name: in.Name, Pattern: restjson.Value(in.EventPattern), State: resource.RuleEnabled, Description: restjson.Value(in.Description),
		RoleARN: restjson.Value(in.RoleArn), CreatedAt: s.opts.Clock().UTC(),
	}
	if in.State != nil {
		next.State = *in.State
	}
	key, a := keyOf(c, in.Name), ruleARN(c.Scope, in.Name)
	_, err := s.opts.Records.Rules.Update(ctx, key, func(old resource.Rule) (resource.Rule, error) {
		kept := next
		kept.Targets, kept.Tags, kept.CreatedAt = old.Targets, old.Tags, old.CreatedAt
		return kept, c.May(a, old.Tags)
	})
	if fault.Is(err, fault.NotFound) {
		err = s.createRule(ctx, c, key, next, tagsOf(in.Tags))
	}
	if err != nil {
		return nil, err
	}
	return &PutRuleResponse{RuleArn: new(delivery.RuleARN(key))}, nil
}

func (s *Service) createRule(ctx context.Context, c awsapi.Caller, key store.Key, r resource.Rule, tags map[string]string) (err error) {
	if err := c.May(ruleARN(c.Scope, r.Name), nil); err != nil {
		return err
	}
	if r.Tags, err = tagging.Tagged(nil, tags); err != nil {
		return err
	}
	if s.opts.Quotas && s.opts.Records.Rules.Count(c.Scope) >= maxRules {
		return errLimit()
	}
	_, err = s.opts.Records.Rules.Create(ctx, key, r)
	return err
}

func errLimit() error {
	return fault.New(fault.Quota, "The requested resource exceeds the maximum number allowed.")
}

// checkRule checks what the model does not.
func (s *Service) checkRule(c awsapi.Caller, in *PutRuleRequest) error {
	if err := checkBus(c, in.EventBusName); err != nil {
		return err
	}
	if restjson.Value(in.ScheduleExpression) != "" {
		return fault.New(fault.Invalid, "Parameter ScheduleExpression is not valid. Reason: this server runs no schedules.")
	}
	if restjson.Value(in.EventPattern) == "" {
		return fault.New(fault.Invalid, "Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	if in.State != nil && *in.State != resource.RuleEnabled && *in.State != resource.RuleDisabled {
		return fault.New(fault.Invalid, "Parameter State is not valid. Reason: %s is about events of management calls, which this server does not tell apart.", *in.State)
	}
	_, err := compile(*in.EventPattern)
	return err
}

func compile(pattern string) (*eventpattern.Pattern, error) {
	p, err := eventpattern.Compile([]byte(pattern), eventpattern.EventBridge())
	if err != nil {
		return nil, fault.New(fault.Malformed, "Event pattern is not valid. Reason: %s", err)
	}
	return p, nil
}

// rule returns a rule that the caller may do this to.
func (s *Service) rule(ctx context.Context, c awsapi.Caller, bus *string, name string) (resource.Rule, error) {
	if err := checkBus(c, bus); err != nil {
		return resource.Rule{}, err
	}
	r, err := s.opts.Records.Rules.Get(ctx, keyOf(c, name))
	if err != nil {
		return resource.Rule{}, naming(err, name)
	}
	return r.Value, c.May(ruleARN(c.Scope, name), r.Value.Tags)
}

// DescribeRule returns a rule without its targets.
func (s *Service) DescribeRule(ctx context.Context, c awsapi.Caller, in *DescribeRuleRequest) (*DescribeRuleResponse, error) {
	r, err := s.rule(ctx, c, in.EventBusName, in.Name)
	if err != nil {
		return nil, err
	}
	w := wireRule(c, &r)
	return &DescribeRuleResponse{
		Arn: w.Arn, CreatedBy: new(c.Account), Description: w.Description, EventBusName: w.EventBusName, EventPattern: w.EventPattern,
		Name: w.Name, RoleArn: w.RoleArn, State: w.State,
	}, nil
}

func wireRule(c awsapi.Caller, r *resource.Rule) Rule {
	return Rule{
		Arn: new(delivery.RuleARN(keyOf(c, r.Name))), Description: given(r.Description), EventBusName: new(defaultBus),
		EventPattern: given(r.Pattern), Name: new(r.Name), RoleArn: given(r.RoleARN), State: new(r.State),
	}
}

// DeleteRule removes a rule that has no targets. One that does not exist is no error.
func (s *Service) DeleteRule(ctx context.Context, c awsapi.Caller, in *DeleteRuleRequest) (*DeleteRuleResponse, error) {
	if err := checkBus(c, in.EventBusName); err != nil {
		return nil, err
	}
	a := ruleARN(c.Scope, in.Name)
	_, err := s.opts.Records.Rules.Delete(ctx, keyOf(c, in.Name), func(r resource.Rule) error {
		if err := c.May(a, r.Tags); err != nil {
			return err
		}
		if len(r.Targets) > 0 {
			return fault.New(fault.Invalid, "Rule can't be deleted since it has targets.")
		}
		return nil
	})
	if fault.Is(err, fault.NotFound) {
		err = c.May(a, nil)
	}
	return nil, err
}

// EnableRule has a rule match events.
func (s *Service) EnableRule(ctx context.Context, c awsapi.Caller, in *EnableRuleRequest) (*EnableRuleResponse, error) {
	return nil, s.setState(ctx, c, in.EventBusName, in.Name, resource.RuleEnabled)
}

// DisableRule has a rule match nothing. What it has matched is delivered.
func (s *Service) DisableRule(ctx context.Context, c awsapi.Caller, in *DisableRuleRequest) (*DisableRuleResponse, error) {
	return nil, s.setState(ctx, c, in.EventBusName, in.Name, resource.RuleDisabled)
}

func (s *Service) setState(ctx context.Context, c awsapi.Caller, bus *string, name, state string) error {
	return s.change(ctx, c, bus, name, func(r *resource.Rule) error {
		r.State = state
		return nil
	})
}

// change changes a rule that the caller may do this to.
func (s *Service) change(ctx context.Context, c awsapi.Caller, bus *string, name string, change func(*resource.Rule) error) error {
	if err := checkBus(c, bus); err != nil {
		return err
	}
	a := ruleARN(c.Scope, name)
	_, err := s.opts.Records.Rules.Update(ctx, keyOf(c, name), func(r resource.Rule) (resource.Rule, error) {
		if err := c.May(a, r.Tags); err != nil {
			return r, err
		}
		return r, change(&r)
	})
	return naming(err, name)
}

// ListRules lists the rules whose names begin with a prefix.
func (s *Service) ListRules(ctx context.Context, c awsapi.Caller, in *ListRulesRequest) (*ListRulesResponse, error) {
	if err := checkBus(c, in.EventBusName); err != nil {
		return nil, err
	}
	out := &ListRulesResponse{Rules: []Rule{}}
	var err error
	out.NextToken, err = list(ctx, c, s.opts.Pager, "ListRules", s.opts.Records.Rules, page{in.NamePrefix, in.NextToken, in.Limit}, nil,
		func(r *resource.Rule) { out.Rules = append(out.Rules, wireRule(c, r)) })
	return out, err
}

// page is what a request wants of a list.
type page struct {
	prefix, token *string
	limit         *int32
}

// list tells of the records of a caller whose keys begin with a prefix and that want takes, and returns the token of the next
// page.
func list[T any](
	ctx context.Context, c awsapi.Caller, pager *awsapi.Pager, operation string, t *store.Table[T], p page, want func(*T) bool, tell func(*T),
) (*string, error) {
	prefix := restjson.Value(p.prefix)
	pages := pager.Pages(c, operation, prefix)
	after, err := pages.After(p.token)
	if err != nil {
		return nil, err
	}
	left := awsapi.PageSize(p.limit, pageSize)
	for {
		found, err := t.List(ctx, store.Query{Scope: c.Scope, After: after, Limit: pageSize})
		if err != nil {
			return nil, err
		}
		for i := range found.Records {
			r := &found.Records[i]
			if !strings.HasPrefix(r.Key.ID, prefix) || want != nil && !want(&r.Value) {
				after = r.Key.ID
				continue
			}
			if left == 0 {
				return pages.Next(true, after), nil
			}
			after = r.Key.ID
			left--
			tell(&r.Value)
		}
		if !found.More {
			return nil, nil //nolint:nilnil // there is no next page
		}
	}
}

// TestEventPattern tells whether an event matches a pattern.
func (s *Service) TestEventPattern(_ context.Context, _ awsapi.Caller, in *TestEventPatternRequest) (*TestEventPatternResponse, error) {
	p, err := compile(in.EventPattern)
	if err != nil {
		return nil, err
	}
	e, err := eventpattern.ParseEvent([]byte(in.Event))
	if err != nil {
		return nil, fault.New(fault.Invalid, "Parameter Event is not valid.")
	}
	for _, name := range []string{"id", "account", "source", "time", "region", "resources", "detail-type"} {
		if !e.Has(name) {
			return nil, fault.New(fault.Invalid, "Parameter Event is not valid. Reason: '%s' is a required field.", name)
		}
	}
	return &TestEventPatternResponse{Result: new(p.Match(e))}, nil
}

// TagResource adds tags to a rule.
func (s *Service) TagResource(ctx context.Context, c awsapi.Caller, in *TagResourceRequest) (*TagResourceResponse, error) {
	return nil, s.retag(ctx, c, in.ResourceARN, func(tags map[string]string) (map[string]string, error) {
		return tagging.Tagged(tags, tagsOf(in.Tags))
	})
}

// UntagResource removes tags of a rule.
func (s *Service) UntagResource(ctx context.Context, c awsapi.Caller, in *UntagResourceRequest) (*UntagResourceResponse, error) {
	return nil, s.retag(ctx, c, in.ResourceARN, func(tags map[string]string) (map[string]string, error) {
		return tagging.Untagged(tags, in.TagKeys), nil
	})
}

func (s *Service) retag(ctx context.Context, c awsapi.Caller, text string, change tagging.Change) error {
	a, err := c.Own(text)
	if err != nil {
		return err
	}
	return s.change(ctx, c, nil, a.ID, func(r *resource.Rule) (err error) {
		r.Tags, err = change(r.Tags)
		return err
	})
}

// ListTagsForResource lists the tags of a rule.
func (s *Service) ListTagsForResource(ctx context.Context, c awsapi.Caller, in *ListTagsForResourceRequest) (*ListTagsForResourceResponse, error) {
	a, err := c.Own(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	r, err := s.rule(ctx, c, nil, a.ID)
	if err != nil {
		return nil, err
	}
	return &ListTagsForResourceResponse{Tags: wireTags(r.Tags)}, nil
}
