package hlscheck

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// problem is one sighting of a breach. Sightings of one rule are counted together.
type problem struct{ clause, rule, text string }

// maxPlaylist bounds what is parsed; a longer one is refused whole.
const maxPlaylist = 4 << 20

// parser reads a playlist line by line. It goes on after a breach, so that one report shows as many as possible.
type parser struct {
	media        mediaPlaylist
	multi        multivariantPlaylist
	problems     []problem
	seen         map[string]int // tags by name
	next         segment        // tags gathered for the segment to come
	hasNext      bool
	hasInf       bool
	variant      *variant // a STREAM-INF that waits for its URI line
	line         int
	mediaTags    bool // a tag of 4.4.3 to 4.4.5 was seen
	multiTags    bool // a tag of 4.4.6 was seen
	common       commonTags
	firstSegment bool // a segment or part has been seen
}

// commonTags are those that either kind of playlist may have (4.4.1, 4.4.2).
type commonTags struct {
	version     int64
	independent bool
	start       *startTag
}

// parse reads a playlist strictly. It returns what could be understood and every breach of syntax; the playlist is nil
// only when the text is not a playlist at all.
func parse(data []byte) (*playlist, []problem) {
	p := &parser{seen: map[string]int{}}
	switch {
	case len(data) > maxPlaylist:
		p.note("4", "the playlist has more than %d bytes", maxPlaylist)
		return nil, p.problems
	case strings.HasPrefix(string(data), "\xef\xbb\xbf"):
		p.note("4.1", "the playlist starts with a byte order mark")
		data = data[3:]
	case !utf8.Valid(data):
		p.note("4.1", "the playlist is not UTF-8")
		return nil, p.problems
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if strings.TrimSuffix(lines[0], "\r") != "#EXTM3U" {
		p.note("4.4.1.1", "the first line is %.40q, not #EXTM3U", lines[0])
		return nil, p.problems
	}
	for i, line := range lines[1:] {
		p.line = i + 2
		p.readLine(strings.TrimSuffix(line, "\r"))
	}
	return p.finish(), p.problems
}

func (p *parser) note(clause, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if p.line > 0 {
		text = fmt.Sprintf("line %d: %s", p.line, text)
	}
	p.problems = append(p.problems, problem{clause, format, text})
}

func (p *parser) readLine(line string) {
	for _, c := range line {
		if c < 0x20 && c != '\t' || c >= 0x7f && c <= 0x9f {
			p.note("4.1", "control character %#x", c)
			return
		}
	}
	switch {
	case line == "":
	case strings.HasPrefix(line, "#EXT"):
		name, value, hasValue := strings.Cut(line[1:], ":")
		p.tag(name, value, hasValue)
	case strings.HasPrefix(line, "#"): // a comment
	default:
		p.uri(line)
	}
}

// tag dispatches on the tag's name. Unknown tags are ignored, as 6.3.1 asks of clients.
func (p *parser) tag(name, value string, hasValue bool) {
	row, known := tagRows[name]
	if !known {
		return
	}
	p.seen[name]++
	if row.once && p.seen[name] == 2 {
		p.note(row.clause, "%s appears more than once", name)
	}
	switch row.scope {
	case scopeMedia:
		p.mediaTags = true
	case scopeMultivariant:
		p.multiTags = true
	case scopeBoth:
	}
	if row.list == nil {
		if hasValue != row.hasValue {
			p.note(row.clause, "%s with a wrong or missing value %.40q", name, value)
			return
		}
		row.plain(p, value)
		return
	}
	a, err := parseAttributes(value)
	if err == nil {
		row.list(p, a)
		err = a.err
	}
	if err != nil {
		p.note(row.clause, "%s: %v", name, err)
	}
}

// uri reads a URI line.
func (p *parser) uri(line string) {
	if strings.ContainsAny(line, " \t") {
		p.note("4.1", "white space in the URI %.60q", line)
	}
	if p.variant != nil {
		p.variant.uri = line
		p.multi.variants = append(p.multi.variants, *p.variant)
		p.variant = nil
		return
	}
	p.mediaTags = true
	if !p.hasInf {
		p.note("4.4.4.1", "the segment %.60q has no EXTINF", line)
	}
	p.next.uri = line
	p.media.segments = append(p.media.segments, p.next)
	p.next, p.hasNext, p.hasInf, p.firstSegment = segment{}, false, false, true
}

// finish makes the playlist of what was read and checks what only the whole shows.
func (p *parser) finish() *playlist {
	p.line = 0
	if p.variant != nil {
		p.note("4.4.6.2", "EXT-X-STREAM-INF without a URI line")
	}
	if p.mediaTags && p.multiTags {
		p.note("4.4.6", "Media and Multivariant Playlist tags in one playlist")
	}
	if p.multiTags && !p.mediaTags {
		p.multi.version, p.multi.independent, p.multi.start = p.common.version, p.common.independent, p.common.start
		return &playlist{multivariant: &p.multi}
	}
	m := &p.media
	m.version, m.independent, m.start = p.common.version, p.common.independent, p.common.start
	if p.seen["EXT-X-TARGETDURATION"] == 0 {
		p.note("4.4.3.1", "EXT-X-TARGETDURATION is missing")
	}
	if p.hasInf {
		p.note("4.4.4.1", "EXTINF without a URI line")
	} else if p.hasNext {
		open := p.next
		m.open = &open
	}
	return &playlist{media: m}
}
