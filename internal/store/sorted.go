package store

import (
	"slices"
	"strings"
)

// chunkSize is the most items a chunk holds. An insert moves at most one chunk's items (12 KiB) and, when a chunk is
// split, the list of chunks: 1,600 pointers at 100,000 items.
const chunkSize = 256

// sorted is an ordered map from text to a pointer: a sorted list of sorted chunks. A look-up is two binary searches;
// a walk reads neighbouring memory, which is what pages are made of. The zero value is empty. It does not lock.
type sorted[V any] struct {
	chunks [][]item[V] // never an empty chunk
}

type item[V any] struct {
	key   string
	value *V
}

// find returns the chunk that holds or would hold key, and the place in it.
func (s *sorted[V]) find(key string) (chunk, place int, found bool) {
	chunk, found = slices.BinarySearchFunc(s.chunks, key, func(c []item[V], k string) int {
		return strings.Compare(c[0].key, k)
	})
	if found {
		return chunk, 0, true
	}
	if chunk == 0 {
		return 0, 0, false
	}
	chunk--
	place, found = slices.BinarySearchFunc(s.chunks[chunk], key, func(it item[V], k string) int {
		return strings.Compare(it.key, k)
	})
	return chunk, place, found
}

// set puts value under key, replacing what was there.
func (s *sorted[V]) set(key string, value *V) {
	c, i, found := s.find(key)
	if found {
		s.chunks[c][i].value = value
		return
	}
	if len(s.chunks) == 0 {
		s.chunks = append(s.chunks, make([]item[V], 0, chunkSize))
	}
	s.chunks[c] = slices.Insert(s.chunks[c], i, item[V]{key, value})
	if full := s.chunks[c]; len(full) >= chunkSize {
		half := len(full) / 2
		upper := append(make([]item[V], 0, chunkSize), full[half:]...)
		clear(full[half:])
		s.chunks[c] = full[:half]
		s.chunks = slices.Insert(s.chunks, c+1, upper)
	}
}

// remove takes key out if it is there.
func (s *sorted[V]) remove(key string) {
	c, i, found := s.find(key)
	if !found {
		return
	}
	s.chunks[c] = slices.Delete(s.chunks[c], i, i+1)
	if len(s.chunks[c]) == 0 {
		s.chunks = slices.Delete(s.chunks, c, c+1)
	}
}

// walk calls fn for the items from the first key that is not below from, in order, until fn returns false.
func (s *sorted[V]) walk(from string, fn func(key string, value *V) bool) {
	c, i, _ := s.find(from)
	for ; c < len(s.chunks); c, i = c+1, 0 {
		for ; i < len(s.chunks[c]); i++ {
			if it := s.chunks[c][i]; !fn(it.key, it.value) {
				return
			}
		}
	}
}
