package records

import (
	"context"
	"errors"
	"fmt"

	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// Rules is what is known of who hears of events:
//
//	what                       kept in  table                     key              written by
//	rules, targets, tags       facts    RuleDefinition            name             API
//	connections                facts    ConnectionDefinition      name             API; delivery: their state
//	API destinations           facts    APIDestinationDefinition  name             API
//	how far who has come       facts    CursorDefinition          what, no scope   delivery
//
// What is on its way to targets is in a queue of package delivery.
type Rules struct {
	Rules           *store.Table[resource.Rule]
	Connections     *store.Table[resource.Connection]
	APIDestinations *store.Table[resource.APIDestination]
	Cursors         *store.Table[resource.Cursor]
}

// OpenRules opens the records of rules.
func OpenRules(ctx context.Context, s *store.Store) (Rules, error) {
	var r Rules
	err := errors.Join(
		keep(&r.Rules)(store.OpenTable(ctx, s, RuleDefinition())),
		keep(&r.Connections)(store.OpenTable(ctx, s, ConnectionDefinition())),
		keep(&r.APIDestinations)(store.OpenTable(ctx, s, APIDestinationDefinition())),
		keep(&r.Cursors)(store.OpenTable(ctx, s, CursorDefinition())),
	)
	if err != nil {
		return r, fmt.Errorf("records of rules: %w", err)
	}
	return r, nil
}

// RuleDefinition is the table of rules, keyed by name. Its index "target" finds the rules that have a target, by its ARN;
// the index "state" those that are enabled.
func RuleDefinition() store.Definition[resource.Rule] {
	return store.Definition[resource.Rule]{Name: "rule", Class: store.Facts, Indexes: []store.Index[resource.Rule]{
		{Name: "target", Values: func(r resource.Rule) []string {
			var arns []string
			for _, t := range r.Targets {
				arns = append(arns, t.ARN)
			}
			return arns
		}},
		{Name: "state", Values: func(r resource.Rule) []string { return []string{r.State} }},
	}}
}

// ConnectionDefinition is the table of the connections of API destinations, keyed by name.
func ConnectionDefinition() store.Definition[resource.Connection] {
	return store.Definition[resource.Connection]{Name: "connection", Class: store.Facts}
}

// APIDestinationDefinition is the table of API destinations, keyed by name. Its index "connection" finds those that use one,
// by its name.
func APIDestinationDefinition() store.Definition[resource.APIDestination] {
	return store.Definition[resource.APIDestination]{Name: "apidestination", Class: store.Facts, Indexes: []store.Index[resource.APIDestination]{
		{Name: "connection", Values: func(d resource.APIDestination) []string { return []string{d.Connection} }},
	}}
}

// CursorDefinition is the table of who has come how far in which log, keyed by a name for it in the empty scope.
func CursorDefinition() store.Definition[resource.Cursor] {
	return store.Definition[resource.Cursor]{Name: "cursor", Class: store.Facts}
}
