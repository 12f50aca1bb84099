package stage

import (
	"slices"
	"strings"

	"github.com/rivus-live/rivus/internal/rtc"
	"github.com/rivus-live/rivus/internal/stage/forward"
)

// This file tells the simulcast layers of a publication apart. WebRTC does not say which one is the best picture; what
// comes does.

// order returns the names of simulcast layers from the lowest to the highest, as far as an offer tells: by words such as
// those of "low, mid, high" and "quarter, half, full", else by its preference, which begins with the best (RFC 8853,
// section 5.2), else as they are announced. Numbers tell nothing: some count from the best picture, some from the least.
func order(s *rtc.Section) []string {
	if byName, ok := named(s.RIDs); ok {
		return byName
	}
	out := slices.Clone(s.RIDs)
	if s.Preference != nil {
		out = slices.Clone(s.Preference)
		slices.Reverse(out)
	}
	return out
}

// named sorts names that are all known words, no two of the same meaning.
func named(rids []string) (sorted []string, ok bool) {
	full := slices.ContainsFunc(rids, func(r string) bool { f := strings.ToLower(r); return f == "f" || f == "full" })
	rank := func(rid string) int {
		switch strings.ToLower(rid) {
		case "q", "quarter", "l", "lo", "low":
			return 0
		case "m", "mid", "medium", "half":
			return 1
		case "h":
			if full {
				return 1
			}
			return 2
		case "hi", "high", "f", "full":
			return 2
		}
		return -1
	}
	seen := map[int]bool{-1: true}
	for _, rid := range rids {
		if seen[rank(rid)] {
			return nil, false
		}
		seen[rank(rid)] = true
	}
	return slices.SortedFunc(slices.Values(rids), func(a, b string) int { return rank(a) - rank(b) }), true
}

// ladder is an order of layers: the index of each, from the lowest to the highest. The first rank is 0.
type ladder [forward.MaxLayers]int8

// straight is the ladder of layers in the order of their indices.
func straight() (l ladder) {
	for i := range l {
		l[i] = int8(i)
	}
	return l
}

// pack and unpack make a ladder a number, for it to be replaced at once.
func (l ladder) pack() (bits uint32) {
	for i, index := range l {
		bits |= uint32(index) << (8 * i)
	}
	return bits
}

func unpack(bits uint32) (l ladder) {
	for i := range l {
		l[i] = int8(bits >> (8 * i) & 0xff)
	}
	return l
}

// index returns the layer of a rank, forward.None for None.
func (l ladder) index(rank int) int {
	if rank < 0 || rank >= len(l) {
		return forward.None
	}
	return int(l[rank])
}

// rank is the inverse of index.
func (l ladder) rank(index int) int {
	return slices.Index(l[:], int8(index)) // -1 is forward.None
}

// ranks returns the rank of each layer.
func (l ladder) ranks() (ranks [forward.MaxLayers]int8) {
	for rank, index := range l {
		ranks[index] = int8(rank)
	}
	return ranks
}

// byRank puts figures of layers into the order of the ladder.
func (l ladder) byRank(of [forward.MaxLayers]int) (sorted [forward.MaxLayers]int) {
	for rank, index := range l {
		sorted[rank] = of[index]
	}
	return sorted
}

// measure is what was measured of a layer; 0 is not known.
type measure struct {
	pixels int // of its newest keyframe
	rate   int // bits a second
}

// clearly is by how much more bits a second make a higher layer, where the size of the pictures does not.
const clearly = 1.5

// above reports whether m is a higher layer than other, for all that is known.
func (m measure) above(other measure) bool {
	if m.pixels != other.pixels && m.pixels > 0 && other.pixels > 0 {
		return m.pixels > other.pixels
	}
	return other.rate > 1 && float64(m.rate) > clearly*float64(other.rate)
}

// sorted returns the ladder as measured. Layers that cannot be told apart stay as they are.
func (l ladder) sorted(of [forward.MaxLayers]measure) ladder {
	for low := range l {
		for high := low + 1; high < len(l); high++ {
			if of[l[low]].above(of[l[high]]) {
				l[low], l[high] = l[high], l[low]
			}
		}
	}
	return l
}

// sizes leaves out the rates.
func sizes(of [forward.MaxLayers]measure) [forward.MaxLayers]measure {
	for i := range of {
		of[i].rate = 0
	}
	return of
}

// steady is for how long layers must have rates in another order than before, for it to be theirs: of a layer that was sent
// in a burst as much comes at once as of a higher one.
const steady = 3 * meterWindow

// order returns the present order of the video's layers.
func (p *publication) order() ladder { return unpack(p.ranked.Load()) }

// simulcast reports whether there are layers to be told apart.
func (p *publication) simulcast() bool { return len(p.labels) > 1 }

// sort orders the layers anew by what has been measured.
func (p *publication) sort() {
	if !p.simulcast() {
		return
	}
	p.sorting.Lock()
	defer p.sorting.Unlock()
	var of [forward.MaxLayers]measure
	for i, rate := range p.layers() {
		of[i].rate = rate
		if l := p.tracks[Video].layer(i); l != nil {
			of[i].pixels = int(l.pixels.Load())
		}
	}
	order := p.order().sorted(of)
	if p.rising != order {
		p.rising, p.risen = order, p.now()
	}
	if bySize := p.order().sorted(sizes(of)); order == bySize || p.now()-p.risen >= steady {
		p.ranked.Store(order.pack())
	} else {
		p.ranked.Store(bySize.pack())
	}
}
