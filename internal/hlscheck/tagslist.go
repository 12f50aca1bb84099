package hlscheck

import "strings"

func (p *parser) readPart(a *attributes) {
	a.require("URI", "DURATION")
	p.next.parts = append(p.next.parts, part{
		uri: a.quotedString("URI"), duration: a.decimal("DURATION"),
		independent: a.yes("INDEPENDENT"), gap: a.yes("GAP"), bytes: a.byteRange("BYTERANGE"),
	})
	p.hasNext, p.firstSegment = true, true
}

func (p *parser) readDateRange(a *attributes) {
	a.require("ID")
	d := dateRange{id: a.quotedString("ID"), class: a.quotedString("CLASS")}
	if a.has("START-DATE") {
		t, err := parseDate(a.quotedString("START-DATE"))
		if err != nil {
			a.fail("attribute START-DATE: %w", err)
		}
		d.start = t
	}
	if a.yes("END-ON-NEXT") && (d.class == "" || a.has("DURATION") || a.has("END-DATE")) {
		a.fail("END-ON-NEXT needs a CLASS and forbids DURATION and END-DATE")
	}
	p.media.dateRanges = append(p.media.dateRanges, d)
}

func (p *parser) readSkip(a *attributes) {
	a.require("SKIPPED-SEGMENTS")
	s := &skipTag{segments: a.integer("SKIPPED-SEGMENTS")}
	if a.has("RECENTLY-REMOVED-DATERANGES") {
		s.hasList = true
		if list := a.quotedString("RECENTLY-REMOVED-DATERANGES"); list != "" {
			s.removed = strings.Split(list, "\t")
		}
	}
	if p.firstSegment {
		a.fail("it stands after a Media Segment")
	}
	if s.segments > maxPlaylist {
		a.fail("SKIPPED-SEGMENTS %d is more than any playlist holds", s.segments)
		s.segments = 0
	}
	p.media.skip = s
}

func (p *parser) readHint(a *attributes) {
	a.require("TYPE", "URI")
	h := preloadHint{
		kind: a.enum("TYPE", "PART", "MAP"), uri: a.quotedString("URI"),
		start: a.integer("BYTERANGE-START"), length: -1,
	}
	if a.has("BYTERANGE-LENGTH") {
		h.length = a.integer("BYTERANGE-LENGTH")
	}
	p.media.hints = append(p.media.hints, h)
}

func (p *parser) readReport(a *attributes) {
	a.require("URI")
	r := renditionReport{uri: a.quotedString("URI"), lastMSN: -1, lastPart: -1}
	if a.has("LAST-MSN") {
		r.lastMSN = a.integer("LAST-MSN")
	}
	if a.has("LAST-PART") {
		r.lastPart = a.integer("LAST-PART")
	}
	if strings.Contains(r.uri, "://") || strings.HasPrefix(r.uri, "//") {
		a.fail("the URI must be relative")
	}
	p.media.reports = append(p.media.reports, r)
}

func (p *parser) readMedia(a *attributes) {
	a.require("TYPE", "GROUP-ID", "NAME")
	m := mediaTag{
		kind: a.enum("TYPE", "AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"), group: a.quotedString("GROUP-ID"),
		name: a.quotedString("NAME"), language: a.quotedString("LANGUAGE"), uri: a.quotedString("URI"),
		autoselect: a.enum("AUTOSELECT", "YES", "NO"), isDefault: a.enum("DEFAULT", "YES", "NO"),
	}
	switch {
	case m.isDefault == "YES" && m.autoselect == "NO":
		a.fail("AUTOSELECT must be YES when DEFAULT is")
	case m.kind == "CLOSED-CAPTIONS" && m.uri != "":
		a.fail("URI must be absent for CLOSED-CAPTIONS")
	case m.kind == "SUBTITLES" && m.uri == "":
		a.fail("URI is required for SUBTITLES")
	}
	p.multi.media = append(p.multi.media, m)
}

func (p *parser) readStreamInf(a *attributes) {
	if p.variant != nil {
		p.note("4.4.6.2", "EXT-X-STREAM-INF without a URI line")
	}
	v := readVariant(a)
	p.variant = &v
}

func (p *parser) readIFrameStreamInf(a *attributes) {
	a.require("URI")
	v := readVariant(a)
	v.uri, v.iframes = a.quotedString("URI"), true
	p.multi.variants = append(p.multi.variants, v)
}

func readVariant(a *attributes) variant {
	a.require("BANDWIDTH")
	v := variant{
		bandwidth: a.integer("BANDWIDTH"), averageBandwidth: a.integer("AVERAGE-BANDWIDTH"),
		codecs: a.quotedString("CODECS"), frameRate: a.decimal("FRAME-RATE"),
	}
	v.width, v.height = a.resolution("RESOLUTION")
	for _, kind := range []string{"AUDIO", "VIDEO", "SUBTITLES"} {
		if a.has(kind) {
			if v.groups == nil {
				v.groups = map[string]string{}
			}
			v.groups[kind] = a.quotedString(kind)
		}
	}
	return v
}

func (p *parser) readSessionData(a *attributes) {
	a.require("DATA-ID")
	d := sessionData{
		id: a.quotedString("DATA-ID"), value: a.quotedString("VALUE"),
		uri: a.quotedString("URI"), language: a.quotedString("LANGUAGE"),
	}
	if a.has("VALUE") == a.has("URI") {
		a.fail("either VALUE or URI is required, not both")
	}
	for _, other := range p.multi.sessionData {
		if other.id == d.id && other.language == d.language {
			a.fail("DATA-ID %.40q appears twice in one language", d.id)
		}
	}
	p.multi.sessionData = append(p.multi.sessionData, d)
}
