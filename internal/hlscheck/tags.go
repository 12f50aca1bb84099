package hlscheck

import "strings"

// scope says in which kind of playlist a tag may stand.
type scope uint8

const (
	scopeBoth scope = iota
	scopeMedia
	scopeMultivariant
)

// tagRow describes one tag: the clause that defines it, where it may stand, whether it may appear only once, and how its
// value is read: an attribute list (list), or a plain value (plain) that is there or not (hasValue).
type tagRow struct {
	clause   string
	scope    scope
	once     bool
	hasValue bool
	plain    func(p *parser, value string)
	list     func(p *parser, a *attributes)
}

// tagRows holds the tags that the checker understands, by name.
//
//nolint:gochecknoglobals // a constant table
var tagRows = map[string]tagRow{
	"EXTM3U":                       {clause: "4.4.1.1", once: true, plain: func(p *parser, _ string) { p.note("4.4.1.1", "EXTM3U is not the first line") }},
	"EXT-X-VERSION":                {clause: "4.4.1.2", once: true, hasValue: true, plain: (*parser).readVersion},
	"EXT-X-INDEPENDENT-SEGMENTS":   {clause: "4.4.2.1", once: true, plain: func(p *parser, _ string) { p.common.independent = true }},
	"EXT-X-START":                  {clause: "4.4.2.2", once: true, list: (*parser).readStart},
	"EXT-X-TARGETDURATION":         {clause: "4.4.3.1", scope: scopeMedia, once: true, hasValue: true, plain: (*parser).readTarget},
	"EXT-X-MEDIA-SEQUENCE":         {clause: "4.4.3.2", scope: scopeMedia, once: true, hasValue: true, plain: (*parser).readSequence},
	"EXT-X-DISCONTINUITY-SEQUENCE": {clause: "4.4.3.3", scope: scopeMedia, once: true, hasValue: true, plain: (*parser).readDiscontinuitySequence},
	"EXT-X-ENDLIST":                {clause: "4.4.3.4", scope: scopeMedia, once: true, plain: func(p *parser, _ string) { p.media.ended = true }},
	"EXT-X-PLAYLIST-TYPE":          {clause: "4.4.3.5", scope: scopeMedia, once: true, hasValue: true, plain: (*parser).readKind},
	"EXT-X-I-FRAMES-ONLY":          {clause: "4.4.3.6", scope: scopeMedia, once: true, plain: func(p *parser, _ string) { p.media.iframesOnly = true }},
	"EXT-X-PART-INF":               {clause: "4.4.3.7", scope: scopeMedia, once: true, list: (*parser).readPartInf},
	"EXT-X-SERVER-CONTROL":         {clause: "4.4.3.8", scope: scopeMedia, once: true, list: (*parser).readServerControl},
	"EXTINF":                       {clause: "4.4.4.1", scope: scopeMedia, hasValue: true, plain: (*parser).readInf},
	"EXT-X-BYTERANGE":              {clause: "4.4.4.2", scope: scopeMedia, hasValue: true, plain: (*parser).readByteRange},
	"EXT-X-DISCONTINUITY":          {clause: "4.4.4.3", scope: scopeMedia, plain: (*parser).readDiscontinuity},
	"EXT-X-KEY":                    {clause: "4.4.4.4", scope: scopeMedia, list: (*parser).readKey},
	"EXT-X-MAP":                    {clause: "4.4.4.5", scope: scopeMedia, list: (*parser).readMap},
	"EXT-X-PROGRAM-DATE-TIME":      {clause: "4.4.4.6", scope: scopeMedia, hasValue: true, plain: (*parser).readDate},
	"EXT-X-GAP":                    {clause: "4.4.4.7", scope: scopeMedia, plain: func(p *parser, _ string) { p.next.gap, p.hasNext = true, true }},
	"EXT-X-BITRATE":                {clause: "4.4.4.8", scope: scopeMedia, hasValue: true, plain: (*parser).readBitrate},
	"EXT-X-PART":                   {clause: "4.4.4.9", scope: scopeMedia, list: (*parser).readPart},
	"EXT-X-DATERANGE":              {clause: "4.4.5.1", scope: scopeMedia, list: (*parser).readDateRange},
	"EXT-X-SKIP":                   {clause: "4.4.5.2", scope: scopeMedia, once: true, list: (*parser).readSkip},
	"EXT-X-PRELOAD-HINT":           {clause: "4.4.5.3", scope: scopeMedia, list: (*parser).readHint},
	"EXT-X-RENDITION-REPORT":       {clause: "4.4.5.4", scope: scopeMedia, list: (*parser).readReport},
	"EXT-X-MEDIA":                  {clause: "4.4.6.1", scope: scopeMultivariant, list: (*parser).readMedia},
	"EXT-X-STREAM-INF":             {clause: "4.4.6.2", scope: scopeMultivariant, list: (*parser).readStreamInf},
	"EXT-X-I-FRAME-STREAM-INF":     {clause: "4.4.6.3", scope: scopeMultivariant, list: (*parser).readIFrameStreamInf},
	"EXT-X-SESSION-DATA":           {clause: "4.4.6.4", scope: scopeMultivariant, list: (*parser).readSessionData},
}

// number reads a plain decimal-integer value.
func (p *parser) number(clause, tag, value string) int64 {
	n, err := parseInteger(value)
	if err != nil {
		p.note(clause, "%s: %v", tag, err)
	}
	return n
}

func (p *parser) readVersion(v string) {
	p.common.version = p.number("4.4.1.2", "EXT-X-VERSION", v)
}

func (p *parser) readStart(a *attributes) {
	a.require("TIME-OFFSET")
	m, _ := a.find("TIME-OFFSET")
	offset, err := parseSignedDecimal(m.text)
	if err != nil {
		a.fail("attribute TIME-OFFSET: %w", err)
	}
	p.common.start = &startTag{offset: offset, precise: a.enum("PRECISE", "YES", "NO") == "YES"}
}

func (p *parser) readTarget(v string) {
	p.media.target = p.number("4.4.3.1", "EXT-X-TARGETDURATION", v)
	if p.media.target < 1 {
		p.note("4.4.3.1", "the Target Duration is below 1")
	}
}

func (p *parser) readSequence(v string) {
	p.media.sequence = p.number("4.4.3.2", "EXT-X-MEDIA-SEQUENCE", v)
	if p.firstSegment {
		p.note("4.4.3.2", "EXT-X-MEDIA-SEQUENCE after the first Media Segment")
	}
}

func (p *parser) readDiscontinuitySequence(v string) {
	p.media.discontinuity = p.number("4.4.3.3", "EXT-X-DISCONTINUITY-SEQUENCE", v)
	if p.firstSegment || p.seen["EXT-X-DISCONTINUITY"] > 0 {
		p.note("4.4.3.3", "EXT-X-DISCONTINUITY-SEQUENCE after the first Media Segment or EXT-X-DISCONTINUITY")
	}
}

func (p *parser) readKind(v string) {
	if v != "EVENT" && v != "VOD" {
		p.note("4.4.3.5", "EXT-X-PLAYLIST-TYPE %.40q is neither EVENT nor VOD", v)
		return
	}
	p.media.kind = v
}

func (p *parser) readPartInf(a *attributes) {
	a.require("PART-TARGET")
	p.media.partTarget = a.decimal("PART-TARGET")
	if p.media.partTarget <= 0 {
		a.fail("PART-TARGET must be above 0")
	}
}

func (p *parser) readServerControl(a *attributes) {
	p.media.control = &serverControl{
		skipUntil:      a.decimal("CAN-SKIP-UNTIL"),
		skipDateRanges: a.yes("CAN-SKIP-DATERANGES"),
		holdBack:       a.decimal("HOLD-BACK"),
		partHoldBack:   a.decimal("PART-HOLD-BACK"),
		block:          a.yes("CAN-BLOCK-RELOAD"),
	}
	if a.has("CAN-SKIP-DATERANGES") && !a.has("CAN-SKIP-UNTIL") {
		a.fail("CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL")
	}
}

func (p *parser) readInf(v string) {
	duration, title, found := strings.Cut(v, ",")
	d, err := parseDecimal(duration)
	if err != nil || !found {
		p.note("4.4.4.1", "EXTINF %.40q is not a duration and a comma", v)
	}
	if p.hasInf {
		p.note("4.4.4.1", "two EXTINF for one segment")
	}
	p.next.duration, p.next.title = d, title
	p.hasNext, p.hasInf = true, true
}

func (p *parser) readByteRange(v string) {
	r, err := parseByteRange(v)
	if err != nil {
		p.note("4.4.4.2", "EXT-X-BYTERANGE: %v", err)
		return
	}
	p.next.bytes, p.hasNext = r, true
}

// early notes that a tag which applies to the first part of the segment, too, has come.
func (p *parser) early() {
	p.hasNext = true
	if len(p.next.parts) > 0 {
		p.next.lateTags = true
	}
}

func (p *parser) readDiscontinuity(string) {
	p.early()
	p.next.discontinuity = true
}

func (p *parser) readKey(a *attributes) {
	p.early()
	a.require("METHOD")
	m, _ := a.find("METHOD")
	p.next.key = &keyTag{method: a.enum("METHOD", m.text), uri: a.quotedString("URI")}
	if m.text != "NONE" {
		a.require("URI")
	}
}

func (p *parser) readMap(a *attributes) {
	p.early()
	a.require("URI")
	p.next.initMap = &mapTag{uri: a.quotedString("URI"), bytes: a.byteRange("BYTERANGE")}
	if r := p.next.initMap.bytes; r != nil && r.offset < 0 {
		a.fail("BYTERANGE without an offset")
	}
}

func (p *parser) readDate(v string) {
	p.early()
	t, err := parseDate(v)
	if err != nil {
		p.note("4.4.4.6", "EXT-X-PROGRAM-DATE-TIME: %v", err)
	}
	p.next.date = t
}

func (p *parser) readBitrate(v string) {
	p.next.bitrate = p.number("4.4.4.8", "EXT-X-BITRATE", v)
	p.hasNext = true
}
