package store

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rivus-live/rivus/internal/arn"
)

// entry is one record in memory. It is immutable; a change replaces it.
type entry[T any] struct {
	Record[T]
	history
	gone    bool  // deleted; never in the index
	version int   // of the definition that wrote it
	rest    *rest // what a later version wrote beside the value; nil for nothing
}

// index is a table's image in memory: every record by key, in order, and under the values of its indexes.
type index[T any] struct {
	def     Definition[T]
	changes atomic.Uint64 // how many there have been, counted while mu is held

	mu       sync.RWMutex
	byKey    map[Key]*entry[T]
	order    sorted[entry[T]]   // live records by orderKey
	byValue  []sorted[entry[T]] // for each index of def: live records by value and orderKey
	counts   map[arn.Scope]int
	watchers map[*watcher[T]]struct{}
}

func newIndex[T any](def Definition[T]) *index[T] {
	return &index[T]{
		def:      def,
		byKey:    map[Key]*entry[T]{},
		byValue:  make([]sorted[entry[T]], len(def.Indexes)),
		counts:   map[arn.Scope]int{},
		watchers: map[*watcher[T]]struct{}{},
	}
}

// entryOf decodes a stored state whose checksum has been verified. One that cannot be read counts as deleted.
func entryOf[T any](key Key, m message) (*entry[T], error) {
	out := &entry[T]{Record: Record[T]{Key: key, Revision: m.revision}, gone: true}
	if len(m.data) == 0 {
		return out, nil
	}
	e, unknown, err := openAll[T](m.subject, m.data)
	if err == nil {
		out.Value, out.history, out.gone, out.version, out.rest = e.Value, e.history, e.Gone, e.Version, unknown
	}
	return out, err
}

// apply implements sink.
func (x *index[T]) apply(key Key, m message) ([]Event, error) {
	next, broken := entryOf[T](key, m)
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.byKey[key]
	x.replace(old, next)
	if old != nil && m.base != 0 && m.base == old.Revision {
		return next.Events, broken // only its events went out
	}
	x.tell(old, next)
	return next.Events, broken
}

// replace puts next in old's place. A deleted record leaves nothing behind.
func (x *index[T]) replace(old, next *entry[T]) {
	x.changes.Add(1)
	key := next.Key
	if old != nil {
		x.counts[key.Scope]--
		if next.gone {
			x.order.remove(orderKey(key))
		}
		for i := range x.def.Indexes {
			for _, v := range x.def.Indexes[i].Values(old.Value) {
				x.byValue[i].remove(valueKey(v, key))
			}
		}
	}
	if next.gone {
		delete(x.byKey, key)
		if x.counts[key.Scope] == 0 {
			delete(x.counts, key.Scope)
		}
		return
	}
	x.byKey[key] = next
	x.counts[key.Scope]++
	x.order.set(orderKey(key), next)
	for i := range x.def.Indexes {
		for _, v := range x.def.Indexes[i].Values(next.Value) {
			x.byValue[i].set(valueKey(v, key), next)
		}
	}
}

func valueKey(value string, key Key) string { return valuePrefix(value) + orderKey(key) }

// valuePrefix begins the keys of all records that have a value, and no others: callers choose values, and one that holds the
// separator must not pass for another value with the beginning of a key.
func valuePrefix(value string) string {
	if strings.ContainsAny(value, "\x00\x01") {
		value = strings.NewReplacer("\x00", "\x010", "\x01", "\x011").Replace(value)
	}
	return value + "\x00"
}

// get returns the entry of a key, nil when there is none.
func (x *index[T]) get(key Key) *entry[T] {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.byKey[key]
}

// page collects a page; which < 0 is the order of IDs.
func (x *index[T]) page(which int, q Query, limit int) Page[T] {
	x.mu.RLock()
	defer x.mu.RUnlock()
	list, prefix := &x.order, scopePrefix(q.Scope)
	if which >= 0 {
		list, prefix = &x.byValue[which], valuePrefix(q.Value)+prefix
	}
	from := prefix
	if q.After != "" {
		from += q.After + "\x00" // the first key behind it
	}
	p := Page[T]{Records: make([]Record[T], 0, min(limit, defaultLimit))}
	list.walk(from, func(key string, e *entry[T]) bool {
		if len(key) < len(prefix) || key[:len(prefix)] != prefix {
			return false
		}
		if len(p.Records) == limit {
			p.More = true
			return false
		}
		p.Records = append(p.Records, e.Record)
		return true
	})
	return p
}

func (x *index[T]) all() []Record[T] {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var out []Record[T]
	x.order.walk("", func(_ string, e *entry[T]) bool {
		out = append(out, e.Record)
		return true
	})
	return out
}

// first returns the first live record under a value of an index, in any scope.
func (x *index[T]) first(which int, value string) (Record[T], bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var found *entry[T]
	prefix := valuePrefix(value)
	x.byValue[which].walk(prefix, func(key string, e *entry[T]) bool {
		if len(key) >= len(prefix) && key[:len(prefix)] == prefix {
			found = e
		}
		return false
	})
	if found == nil {
		return Record[T]{}, false
	}
	return found.Record, true
}

func (x *index[T]) indexNamed(name string) int {
	return slices.IndexFunc(x.def.Indexes, func(i Index[T]) bool { return i.Name == name })
}

func (x *index[T]) count(scope arn.Scope) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.counts[scope]
}
