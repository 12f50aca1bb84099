package hls

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/resource"
)

// Presentation is one broadcast as viewers see it: a stream id and its variants.
type Presentation struct {
	StreamID  string
	Channel   resource.Channel // as it was when the stream started
	StartedAt time.Time

	mu       sync.Mutex // serializes AddVariant
	variants atomic.Pointer[[]Variant]
}

// Variant is a Variant Stream (RFC 8216bis 4.4.6.2): a Live under a name, which is a path segment of its URLs.
type Variant struct {
	Name string
	*Live
}

// Report is one EXT-X-RENDITION-REPORT (RFC 8216bis 4.4.5.4).
type Report struct {
	URI      string // of the other media playlist, relative to this one
	LastMSN  int64
	LastPart int // -1: no parts
}

// AddVariant adds a Live, the best one first, and returns the name that it has: the wished one, or that with a number behind
// it when another variant has it. Variants of one presentation report how far the others are.
func (p *Presentation) AddVariant(name string, l *Live) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.Variants()
	name = freeName(name, func(name string) bool {
		return slices.ContainsFunc(old, func(v Variant) bool { return v.Name == name })
	})
	all := append(old[:len(old):len(old)], Variant{name, l})
	p.variants.Store(&all)
	if len(all) > 1 {
		for _, v := range all {
			reports := func() []Report { return p.reports(v.Name) }
			v.reports.Store(&reports)
		}
	}
	return name
}

// Variants returns the present variants; do not modify.
func (p *Presentation) Variants() []Variant {
	if v := p.variants.Load(); v != nil {
		return *v
	}
	return nil
}

// reports tells how far all variants but one are.
func (p *Presentation) reports(but string) []Report {
	var list []Report
	for _, v := range p.Variants() {
		if s := v.Snapshot(); v.Name != but && s.Ready() {
			list = append(list, Report{URI: "../" + v.Name + "/" + PlaylistName, LastMSN: s.LastMSN(), LastPart: s.LastPart()})
		}
	}
	return list
}

// freeName returns a name that is not taken: "720p30", "720p30-2", "720p30-3", …
func freeName(name string, taken func(string) bool) string {
	free := name
	for n := 2; taken(free); n++ {
		free = name + "-" + strconv.Itoa(n)
	}
	return free
}
