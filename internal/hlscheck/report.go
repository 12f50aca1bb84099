// Package hlscheck plays an HLS or Low-Latency HLS URL for a bounded time and says where the server breaks the rules.
//
// It knows nothing of who made the stream: it speaks HTTP, parses what comes back with its own strict parser and holds
// it against draft-pantos-hls-rfc8216bis (sixteenth revision), the second edition of HTTP Live Streaming. Each breach
// is a Violation that names the clause. Media bytes are read as far as the rules reach: ISO BMFF boxes and MPEG-TS
// packets for timestamps, random access points and codec parameters; nothing is decoded.
//
// Imports: nothing of Rivus; mediacommon (H.264 parameter sets).
package hlscheck

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Options says what to check and for how long. URL is required.
type Options struct {
	// URL is a Multivariant or a Media Playlist, http or https.
	URL string
	// Duration is how long to follow the live playlist; 0 means 20 s. An ended stream is read once and takes no longer
	// than its downloads.
	Duration time.Duration
	// Client makes the requests; nil means a client of its own without a cookie jar.
	Client *http.Client
}

// Violation is one breach of the specification. Breaches of one kind on one playlist are counted, not repeated.
type Violation struct {
	Clause string // of draft-pantos-hls-rfc8216bis-16, for instance "4.4.4.9"; "HTTP" for rules of HTTP semantics and CORS
	URL    string // playlist or resource where it was seen first
	Text   string // what is wrong, with the values of the first sighting
	Count  int    // sightings, at least 1

	rule string // tells breaches of one clause apart
}

// String returns the violation on one line.
func (v Violation) String() string {
	s := fmt.Sprintf("%s: %s (%s)", v.Clause, v.Text, v.URL)
	if v.Count > 1 {
		s += fmt.Sprintf(" [%d times]", v.Count)
	}
	return s
}

// Report is what a check found.
type Report struct {
	Violations []Violation // of what the specification demands
	Warnings   []Violation // of what it recommends
	Renditions []Rendition
	LowLatency bool          // some Media Playlist has EXT-X-PART-INF
	Ended      bool          // every Media Playlist ended with EXT-X-ENDLIST
	Played     time.Duration // how long the check ran
}

// Rendition is the statistics of one Media Playlist.
type Rendition struct {
	URL           string
	Reloads       int           // playlists loaded
	DeltaReloads  int           // of which Playlist Delta Updates
	Segments      int           // Media Segments loaded whole
	Parts         int           // Partial Segments loaded
	Bytes         int64         // media bytes loaded
	Media         time.Duration // duration of the segments that were loaded or read from parts
	BlockedReload Distribution  // how long blocking reloads took
	PartLoad      Distribution  // request to last byte of a Partial Segment that was already listed
	HintLoad      Distribution  // request to last byte of a hinted Partial Segment, so mostly waiting
	SegmentLoad   Distribution  // request to last byte of a Media Segment
	Latency       Distribution  // wall clock minus PROGRAM-DATE-TIME of the end of what the newest playlist lists
}

// Distribution summarises a set of durations. The zero value is an empty set.
type Distribution struct {
	values []time.Duration // sorted by Percentile
	sorted bool
}

func (d *Distribution) add(v time.Duration) { d.values, d.sorted = append(d.values, v), false }

// Count returns how many durations there are.
func (d *Distribution) Count() int { return len(d.values) }

// Percentile returns the smallest duration that p of 100 do not exceed; 0 of an empty set.
func (d *Distribution) Percentile(p int) time.Duration {
	if len(d.values) == 0 {
		return 0
	}
	if !d.sorted {
		slices.Sort(d.values)
		d.sorted = true
	}
	i := (len(d.values)*p + 99) / 100
	return d.values[min(max(i-1, 0), len(d.values)-1)]
}

func (d *Distribution) String() string {
	if d.Count() == 0 {
		return "-"
	}
	round := func(p int) time.Duration { return d.Percentile(p).Round(100 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p95 %v, max %v (%d)", round(50), round(95), round(100), d.Count())
}

// OK reports whether no rule was broken. Warnings do not count.
func (r *Report) OK() bool { return len(r.Violations) == 0 }

// Print writes the report as text for a person.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	kind := "HLS"
	if r.LowLatency {
		kind = "Low-Latency HLS"
	}
	fmt.Fprintf(&b, "%s, played %v, ended: %t\n", kind, r.Played.Round(time.Millisecond), r.Ended)
	for i := range r.Renditions {
		r.Renditions[i].print(&b)
	}
	for _, v := range r.Violations {
		fmt.Fprintf(&b, "VIOLATION %s\n", v)
	}
	for _, v := range r.Warnings {
		fmt.Fprintf(&b, "warning   %s\n", v)
	}
	fmt.Fprintf(&b, "%d violations, %d warnings\n", len(r.Violations), len(r.Warnings))
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Rendition) print(b *strings.Builder) {
	fmt.Fprintf(b, "%s\n", r.URL)
	fmt.Fprintf(b, "  playlists %d (%d delta), segments %d, parts %d, %d bytes, %v of media\n",
		r.Reloads, r.DeltaReloads, r.Segments, r.Parts, r.Bytes, r.Media.Round(time.Millisecond))
	for _, row := range []struct {
		name string
		d    *Distribution
	}{
		{"blocking reload", &r.BlockedReload},
		{"hinted part", &r.HintLoad},
		{"listed part", &r.PartLoad},
		{"segment", &r.SegmentLoad},
		{"behind the clock", &r.Latency},
	} {
		fmt.Fprintf(b, "  %-17s %v\n", row.name, row.d)
	}
}
