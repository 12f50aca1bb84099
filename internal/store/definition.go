package store

import (
	"encoding/json"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
)

// Key names a record in its table.
type Key struct {
	arn.Scope
	ID string
}

// Class says how a table is stored.
type Class uint8

// The classes of tables. History is not a table: see Log.
const (
	Facts    Class = iota // on disk before the answer
	Presence              // in memory only
)

// Index is an ordered secondary index: Values gives the values under which a record is found, none or several.
// It must be a pure function.
type Index[T any] struct {
	Name   string
	Values func(T) []string
}

// Definition describes a table. Name is one lower-case word and part of the stored keys.
type Definition[T any] struct {
	Name    string
	Class   Class
	Version int // of what the members mean, see DESIGN.md; 0 means 1
	Indexes []Index[T]
}

func (d *Definition[T]) version() int { return max(1, d.Version) }

// Record is a stored value with its key and its revision. Revisions grow over all tables of one class.
type Record[T any] struct {
	Key      Key
	Value    T
	Revision uint64
}

// Query selects a page of one scope's records in the order of their IDs. With Index set, only the records whose
// index has exactly Value. After is the last ID of the previous page; Limit 0 means 100.
type Query struct {
	Scope        arn.Scope
	Index, Value string
	After        string
	Limit        int
}

// Page is one page of a list. More tells that at least one further record matched.
type Page[T any] struct {
	Records []Record[T]
	More    bool
}

// Change is one step in a record's life: Old is nil when it is new, New is nil when it is gone.
type Change[T any] struct {
	Key      Key
	Old, New *T
}

// Event is something that happened to an aggregate. It travels inside the put that makes it true and is copied to the
// outbox later. Who sees it happen gives it its ID and its time, once: they stay the same however often the put is
// repeated, and two events never share an ID. The store fills Scope when it is empty.
type Event struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`   // the detail-type, for instance "IVS Stream State Change"
	Source    string          `json:"source"` // for instance "aws.ivs"
	Time      time.Time       `json:"time"`
	Scope     arn.Scope       `json:"scope"`
	Resources []string        `json:"resources,omitempty"` // ARNs
	Detail    json.RawMessage `json:"detail,omitempty"`
}
