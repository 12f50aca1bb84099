// Package hlscheck plays an HLS or Low-Latency HLS URL for a bounded time and says where the server breaks the rules.
//
// It knows nothing of who made the stream: it speaks HTTP, parses what comes back with its own strict parser and holds
// it against draft-pantos-hls-rfc8216bis (sixteenth revision), the second edition of HTTP Live Streaming. Each breach
// is a Violation that names the clause. Media bytes are read as far as the rules reach: ISO BMFF boxes and MPEG-TS
// packets for timestamps, random access points and codec parameters; nothing is decoded.
//
// Imports: standard library only.
package hlscheck

import (
	"fmt"
	"io"
	"net/http"
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
	Violations []Violation
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
	values []time.Duration
}

// OK reports whether no rule was broken.
func (r *Report) OK() bool { return len(r.Violations) == 0 }

// Print writes the report as text for a person.
func (r *Report) Print(w io.Writer) error { _, err := fmt.Fprintln(w, r.Violations); return err }
