package hlscheck

import "time"

// playlist is a parsed playlist: exactly one of its members is set.
type playlist struct {
	media        *mediaPlaylist
	multivariant *multivariantPlaylist
}

// mediaPlaylist is a Media Playlist as it stands in one file. Durations are in seconds.
type mediaPlaylist struct {
	version       int64 // 0: no EXT-X-VERSION
	independent   bool
	start         *startTag
	target        int64 // EXT-X-TARGETDURATION
	sequence      int64 // EXT-X-MEDIA-SEQUENCE
	discontinuity int64 // EXT-X-DISCONTINUITY-SEQUENCE
	kind          string
	iframesOnly   bool
	ended         bool
	partTarget    float64 // 0: no EXT-X-PART-INF
	control       *serverControl
	skip          *skipTag
	segments      []segment
	open          *segment // parts and tags of the segment whose EXTINF is yet to come; nil when there are none
	hints         []preloadHint
	reports       []renditionReport
	dateRanges    []dateRange
}

type startTag struct {
	offset  float64
	precise bool
}

type serverControl struct {
	skipUntil      float64 // 0: no delta updates
	skipDateRanges bool
	holdBack       float64 // 0: absent
	partHoldBack   float64
	block          bool
}

type skipTag struct {
	segments int64
	removed  []string // RECENTLY-REMOVED-DATERANGES
	hasList  bool
}

// segment is a Media Segment with the tags that were written for it. What carries over from earlier segments (map, key)
// is only set where the tag stands.
type segment struct {
	uri           string // empty in mediaPlaylist.open
	duration      float64
	title         string
	discontinuity bool
	gap           bool
	bitrate       int64
	date          time.Time // zero: no EXT-X-PROGRAM-DATE-TIME
	bytes         *byteRange
	initMap       *mapTag
	key           *keyTag
	parts         []part
	lateTags      bool // discontinuity, map, key or date came after the first part (4.4.4.9 forbids it)
}

type mapTag struct {
	uri   string
	bytes *byteRange
}

type keyTag struct{ method, uri string }

type part struct {
	uri         string
	duration    float64
	independent bool
	gap         bool
	bytes       *byteRange
}

type preloadHint struct {
	kind   string // PART or MAP
	uri    string
	start  int64
	length int64 // -1: to the end of the resource
}

type renditionReport struct {
	uri      string
	lastMSN  int64 // -1: absent
	lastPart int64 // -1: absent
}

type dateRange struct {
	id, class string
	start     time.Time
}

// multivariantPlaylist is a Multivariant Playlist.
type multivariantPlaylist struct {
	version     int64
	independent bool
	start       *startTag
	variants    []variant
	media       []mediaTag
	sessionData []sessionData
}

type variant struct {
	uri              string
	bandwidth        int64
	averageBandwidth int64
	codecs           string
	width, height    int64
	frameRate        float64
	groups           map[string]string // AUDIO, VIDEO, SUBTITLES -> GROUP-ID
	iframes          bool              // EXT-X-I-FRAME-STREAM-INF
}

type mediaTag struct {
	kind, group, name, language, uri string
	autoselect, isDefault            string // "", YES or NO
}

type sessionData struct{ id, value, uri, language string }

// last returns the Media Sequence Number and Part Index of the newest thing listed: the last open part, the last part of
// the last segment, or the last segment as a whole (part -1). With nothing listed msn is sequence-1.
func (p *mediaPlaylist) last() (msn int64, index int) {
	end := p.end()
	if p.open != nil && len(p.open.parts) > 0 {
		return end, len(p.open.parts) - 1
	}
	if n := len(p.segments); n > 0 {
		return end - 1, len(p.segments[n-1].parts) - 1
	}
	return end - 1, -1
}

// first is the Media Sequence Number of the first segment that is written out, after those that a delta update skips.
func (p *mediaPlaylist) first() int64 {
	if p.skip != nil {
		return p.sequence + p.skip.segments
	}
	return p.sequence
}

// end is the Media Sequence Number after the last complete segment.
func (p *mediaPlaylist) end() int64 { return p.first() + int64(len(p.segments)) }

// duration is that of all listed segments and open parts.
func (p *mediaPlaylist) duration() float64 {
	var d float64
	for i := range p.segments {
		d += p.segments[i].duration
	}
	return d + p.openDuration()
}

func (p *mediaPlaylist) openDuration() float64 {
	if p.open == nil {
		return 0
	}
	return p.open.partsDuration()
}

func (s *segment) partsDuration() float64 {
	var d float64
	for _, q := range s.parts {
		d += q.duration
	}
	return d
}

// segment returns the listed segment with the number, open one included, and nil if it is not listed.
func (p *mediaPlaylist) segment(msn int64) *segment {
	i := msn - p.first()
	switch {
	case i >= 0 && i < int64(len(p.segments)):
		return &p.segments[i]
	case i == int64(len(p.segments)):
		return p.open
	}
	return nil
}

// mapFor returns the EXT-X-MAP that applies to the segment with the number, nil if none does.
func (p *mediaPlaylist) mapFor(msn int64) *mapTag {
	if p.open != nil && msn >= p.end() && p.open.initMap != nil {
		return p.open.initMap
	}
	for i := min(msn-p.first(), int64(len(p.segments))-1); i >= 0; i-- {
		if m := p.segments[i].initMap; m != nil {
			return m
		}
	}
	return nil
}

// dateAtEnd is the program date and time of the end of what is listed; zero when the playlist has no dates.
func (p *mediaPlaylist) dateAtEnd() time.Time {
	var at time.Time
	step := func(s *segment, d float64) {
		if !s.date.IsZero() {
			at = s.date
		}
		if !at.IsZero() {
			at = at.Add(seconds(d))
		}
	}
	for i := range p.segments {
		step(&p.segments[i], p.segments[i].duration)
	}
	if p.open != nil {
		step(p.open, p.openDuration())
	}
	return at
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
