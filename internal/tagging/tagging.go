// Package tagging keeps the tags of resources of all types behind one door.
//
// Tags are part of a resource's record, so that a tag and what it is on are written in one put. Each service says where
// the tags of its types are (Registry.Add), and the tag operations of every service, whose routes are the same, serve
// whatever there is.
//
// Imports: arn, awsapi, fault, quota, store.
package tagging

import (
	"context"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/store"
)

// Change makes new tags of those that a resource has. It must not change its argument; it may be called again.
type Change func(tags map[string]string) (map[string]string, error)

// Store is where the tags of the resources of one type are. Errors are fault.NotFound when there is no such resource.
type Store interface {
	ReadTags(ctx context.Context, a arn.ARN) (map[string]string, error)
	WriteTags(ctx context.Context, a arn.ARN, change Change) error
}

// kind is a type of resource, as ARNs name it.
type kind struct{ service, name string }

// Registry finds the tags of any resource. It is filled before it is used, and safe for concurrent use from then on.
type Registry struct{ stores map[kind]Store }

// NewRegistry returns a registry that knows no type yet.
func NewRegistry() *Registry { return &Registry{stores: map[kind]Store{}} }

// Add says where the tags of a type are.
func (r *Registry) Add(service, name string, s Store) { r.stores[kind{service, name}] = s }

// of returns where the tags of a resource are.
func (r *Registry) of(a arn.ARN) Store {
	if s := r.stores[kind{a.Service, a.Type}]; s != nil {
		return s
	}
	return nowhere{}
}

// List returns the tags of the resource that a call names.
func (r *Registry) List(ctx context.Context, c awsapi.Caller, text string) (map[string]string, error) {
	a, err := c.Own(text)
	if err != nil {
		return nil, err
	}
	tags, err := r.of(a).ReadTags(ctx, a)
	if err != nil {
		return nil, awsapi.Naming(err, text)
	}
	return Shown(tags), c.May(a, tags)
}

// Tag adds tags to the resource that a call names, and overwrites those it has under the same keys. Errors as Tagged.
func (r *Registry) Tag(ctx context.Context, c awsapi.Caller, text string, more map[string]string) error {
	return r.retag(ctx, c, text, func(tags map[string]string) (map[string]string, error) { return Tagged(tags, more) })
}

// Untag removes tags from the resource that a call names. Keys that it does not have are ignored.
func (r *Registry) Untag(ctx context.Context, c awsapi.Caller, text string, keys []string) error {
	return r.retag(ctx, c, text, func(tags map[string]string) (map[string]string, error) { return Untagged(tags, keys), nil })
}

func (r *Registry) retag(ctx context.Context, c awsapi.Caller, text string, change Change) error {
	a, err := c.Own(text)
	if err != nil {
		return err
	}
	err = r.of(a).WriteTags(ctx, a, func(tags map[string]string) (map[string]string, error) {
		if err := c.May(a, tags); err != nil {
			return nil, err
		}
		return change(tags)
	})
	return awsapi.Naming(err, text)
}

// In is the Store of a type each of whose resources is a record of a table.
type In[T any] struct {
	Table *store.Table[T]
	Of    func(*T) *map[string]string // where in a record the tags are
}

// ReadTags returns the tags of a record.
func (s In[T]) ReadTags(ctx context.Context, a arn.ARN) (map[string]string, error) {
	r, err := s.Table.Get(ctx, store.Key{Scope: a.Scope, ID: a.ID})
	return *s.Of(&r.Value), err
}

// WriteTags changes the tags of a record.
func (s In[T]) WriteTags(ctx context.Context, a arn.ARN, change Change) error {
	_, err := s.Table.Update(ctx, store.Key{Scope: a.Scope, ID: a.ID}, func(v T) (T, error) {
		tags, err := change(*s.Of(&v))
		*s.Of(&v) = tags
		return v, err
	})
	return err
}

// nowhere is the Store of types of which there are no resources.
type nowhere struct{}

func (nowhere) ReadTags(_ context.Context, a arn.ARN) (map[string]string, error) {
	return nil, awsapi.NotFound(a.String())
}

func (nowhere) WriteTags(_ context.Context, a arn.ARN, _ Change) error {
	return awsapi.NotFound(a.String())
}
