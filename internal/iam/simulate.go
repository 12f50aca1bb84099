package iam

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/policy"
)

// simulation is what a request of either kind asks: each action on each resource.
type simulation struct {
	subject
	actions, resources []string
	entries            []ContextEntry
	resourcePolicy     *string
	callerARN          *string
}

// SimulatePrincipalPolicy tells what a user, a group or a role may do, and which statements say so. The keys that all of
// its requests have, as aws:username, are given unless the request gives others.
func (s *Service) SimulatePrincipalPolicy(
	ctx context.Context, c awsapi.Caller, in *SimulatePrincipalPolicyRequest,
) (*SimulatePolicyResponse, error) {
	who, err := s.subject(ctx, c, in.PolicySourceArn)
	if err != nil {
		return nil, err
	}
	more, err := inputs("PolicyInputList", in.PolicyInputList)
	if err != nil {
		return nil, err
	}
	who.Identity = append(who.Identity, more...)
	if in.PermissionsBoundaryPolicyInputList != nil {
		if who.Boundary, err = inputs("PermissionsBoundaryPolicyInputList", in.PermissionsBoundaryPolicyInputList); err != nil {
			return nil, err
		}
	}
	sim := simulation{who, in.ActionNames, in.ResourceArns, in.ContextEntries, in.ResourcePolicy, in.CallerArn}
	pages := s.pages(c, "SimulatePrincipalPolicy", &in.PolicySourceArn)
	return sim.page(pages, request{in.Marker, in.MaxItems})
}

// SimulateCustomPolicy tells what policies allow that nobody needs to have.
func (s *Service) SimulateCustomPolicy(
	_ context.Context, c awsapi.Caller, in *SimulateCustomPolicyRequest,
) (*SimulatePolicyResponse, error) {
	sim := simulation{
		actions: in.ActionNames, resources: in.ResourceArns, entries: in.ContextEntries, resourcePolicy: in.ResourcePolicy,
		callerARN: in.CallerArn,
	}
	var err error
	if sim.Identity, err = inputs("PolicyInputList", in.PolicyInputList); err != nil {
		return nil, err
	}
	if in.PermissionsBoundaryPolicyInputList != nil {
		if sim.Boundary, err = inputs("PermissionsBoundaryPolicyInputList", in.PermissionsBoundaryPolicyInputList); err != nil {
			return nil, err
		}
	}
	return sim.page(s.pages(c, "SimulateCustomPolicy"), request{in.Marker, in.MaxItems})
}

// inputs returns the policies of a request, under the names that simulations answer.
func inputs(list string, documents []string) ([]policy.Source, error) {
	sources := make([]policy.Source, len(documents))
	for i, text := range documents {
		d, err := policy.Parse(text, policy.Identity)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "%s.%d: %s", list, i+1, fault.Message(err))
		}
		sources[i] = policy.Source{Name: fmt.Sprintf("%s.%d", list, i+1), Document: d}
	}
	return sources, nil
}

// page evaluates what is on one page: a request may ask for more than one answer can hold.
func (sim *simulation) page(pages awsapi.Pages, r request) (*SimulatePolicyResponse, error) {
	if len(sim.resources) == 0 {
		sim.resources = []string{"*"}
	}
	of, err := sim.request()
	if err != nil {
		return nil, err
	}
	first, err := pages.After(r.marker)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "Invalid Marker.")
	}
	at, _ := strconv.Atoi(first) // "" is the first page
	total := len(sim.actions) * len(sim.resources)
	end := min(total, at+awsapi.PageSize(r.items, defaultItems))
	out := &SimulatePolicyResponse{EvaluationResults: []EvaluationResult{}, IsTruncated: new(end < total)}
	for ; at < end; at++ {
		of.Action, of.Resource = sim.actions[at/len(sim.resources)], sim.resources[at%len(sim.resources)]
		if _, _, ok := strings.Cut(of.Action, ":"); !ok {
			return nil, fault.New(fault.Invalid, "Invalid Action: %s", of.Action)
		}
		out.EvaluationResults = append(out.EvaluationResults, sim.result(of))
	}
	out.Marker = pages.Next(end < total, strconv.Itoa(end))
	return out, nil
}

// request returns what all requests of a simulation have in common.
func (sim *simulation) request() (*policy.Request, error) {
	of := &policy.Request{Principal: sim.principal}
	keys := policy.Entries{}
	for _, e := range sim.entries {
		if e.ContextKeyName != nil {
			keys[*e.ContextKeyName] = e.ContextKeyValues
		}
	}
	of.Context = policy.Layered{Over: keys, Under: sim.keys}
	if sim.resourcePolicy != nil {
		d, err := policy.Parse(*sim.resourcePolicy, policy.Resource)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "ResourcePolicy: %s", fault.Message(err))
		}
		of.Policy = d
	}
	if sim.callerARN != nil {
		account, _, _, err := parseARN(*sim.callerARN)
		if err != nil {
			return nil, err
		}
		of.Principal = &policy.Principal{Account: account, ARN: *sim.callerARN}
	}
	return of, nil
}

// result returns the answer about one action on one resource (spec errata.md A3).
func (sim *simulation) result(of *policy.Request) EvaluationResult {
	e := sim.Explain(of)
	matched := mapped(e.Matched, func(m policy.Match) Statement {
		return Statement{
			SourcePolicyId: new(m.Source), SourcePolicyType: new("IAM Policy"),
			StartPosition: wirePosition(m.Start), EndPosition: wirePosition(m.End),
		}
	})
	missing := append([]string{}, e.Missing...)
	var boundary *PermissionsBoundaryDecisionDetail
	if sim.Boundary != nil {
		boundary = &PermissionsBoundaryDecisionDetail{AllowedByPermissionsBoundary: new(e.BoundaryAllows)}
	}
	decision, name := e.Eval(), of.Resource
	return EvaluationResult{
		EvalActionName: of.Action, EvalResourceName: &name, EvalDecision: decision, EvalDecisionDetails: map[string]string{},
		MatchedStatements: matched, MissingContextValues: missing, PermissionsBoundaryDecisionDetail: boundary,
		ResourceSpecificResults: []ResourceSpecificResult{{
			EvalResourceName: name, EvalResourceDecision: decision, EvalDecisionDetails: map[string]string{},
			MatchedStatements: matched, MissingContextValues: missing, PermissionsBoundaryDecisionDetail: boundary,
		}},
	}
}

func wirePosition(p policy.Position) *Position {
	return &Position{Line: new(int32(p.Line)), Column: new(int32(p.Column))}
}
