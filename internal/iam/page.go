package iam

import (
	"sort"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
)

// defaultItems is the size of a page when the caller names none.
const defaultItems = 100

// request is what all lists are asked with.
type request struct {
	marker *string
	items  *int32
}

// paged is a page: the items, and where the next one begins, nil at the end.
type paged[T any] struct {
	items []T
	next  *string
}

// truncated tells whether there is more, as answers do.
func (p paged[T]) truncated() bool { return p.next != nil }

// page cuts the page that a request asks for out of a list, which is sorted by the places that at returns. Markers hold
// places, so each is shorter than a marker may be (320 characters) by a third.
func page[T any](pages awsapi.Pages, r request, all []T, at func(T) string) (paged[T], error) {
	after, err := pages.After(r.marker)
	if err != nil {
		return paged[T]{}, fault.Wrap(fault.Invalid, err, "Invalid Marker.")
	}
	if after != "" {
		all = all[sort.Search(len(all), func(i int) bool { return at(all[i]) > after }):]
	}
	size := awsapi.PageSize(r.items, defaultItems)
	if len(all) <= size {
		return paged[T]{items: all}, nil
	}
	return paged[T]{items: all[:size], next: pages.Next(true, at(all[size-1]))}, nil
}
