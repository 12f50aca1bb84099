package hlscheck

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
)

// player loads the media of one rendition in order and reads it.
type player struct {
	f        *follower
	timeline timeline
	inits    map[string]*format // by URL and range; nil for one that could not be read

	started  bool
	msn      int64  // the segment to go on with
	part     int    // and the part of it
	gathered []byte // bytes of the segment's parts so far
	broken   bool   // some part of the segment is missing from gathered

	hint *hintLoad
}

// hintLoad is the load of a hinted part under way.
type hintLoad struct {
	hint   preloadHint
	cancel context.CancelFunc
	done   chan struct{}
	answer *answer // nil when it failed; read it after done
	err    error
}

// startHint asks for the part that p hints at. The returned function gives the load up and waits for its end.
func (l *player) startHint(ctx context.Context, p *mediaPlaylist) (stop func()) {
	l.hint = nil
	i := slices.IndexFunc(p.hints, func(h preloadHint) bool { return h.kind == "PART" })
	if i < 0 {
		return func() {}
	}
	u, err := l.f.url.Parse(p.hints[i].uri)
	if err != nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	h := &hintLoad{hint: p.hints[i], cancel: cancel, done: make(chan struct{})}
	go func() { // ends with its request; stop and take wait for it
		defer close(h.done)
		h.answer, h.err = get(ctx, l.f.c.client, u, h.hint.bytes())
	}()
	l.hint = h
	return h.stop
}

func (h *hintLoad) stop() { h.cancel(); <-h.done }

// bytes is the range to ask for. A hint with an offset and no length goes to the end of the resource, whose last byte
// position 4.4.5.3 sets at 2^53-1.
func (h preloadHint) bytes() *byteRange {
	if h.start == 0 && h.length < 0 {
		return nil
	}
	if h.length < 0 {
		return &byteRange{1<<53 - h.start, h.start}
	}
	return &byteRange{h.length, h.start}
}

// checkHint: the very next part is the one that was hinted (4.4.5.3). A hint that came to nothing is given up.
func (l *player) checkHint(older, newer *mediaPlaylist) {
	h := l.hint
	if h == nil {
		return
	}
	next := newer.partAfter(older)
	if next == nil {
		h.stop()
		l.hint = nil
		return
	}
	if next.uri != h.hint.uri {
		l.f.note("4.4.5.3", "the part after a hint for %s is %s", h.hint.uri, next.uri)
		h.stop()
		l.hint = nil
	}
}

// partAfter returns the first part of p that older did not list, nil if there is none or its segment has no parts.
func (p *mediaPlaylist) partAfter(older *mediaPlaylist) *part {
	msn, index := older.end(), 0
	if older.open != nil {
		index = len(older.open.parts)
	}
	for s := p.segment(msn); s != nil; s = p.segment(msn) {
		if index < len(s.parts) {
			return &s.parts[index]
		}
		if index > len(s.parts) {
			return nil
		}
		msn, index = msn+1, 0
	}
	return nil
}

// consume loads everything in p that has not been loaded. It starts three Target Durations before the end. An error
// means that the check is over.
func (l *player) consume(ctx context.Context, p *mediaPlaylist) error {
	defer l.dropHint()
	if !l.started {
		l.started = true
		l.msn = p.end()
		for d := p.openDuration(); l.msn > p.first() && d < float64(3*p.target); {
			l.msn--
			d += p.segment(l.msn).duration
		}
	}
	if l.msn < p.first() { // the server was faster than we
		l.msn, l.part = p.first(), 0
		l.timeline.reset()
	}
	for s := p.segment(l.msn); s != nil; s = p.segment(l.msn) {
		if err := l.parts(ctx, p, s); err != nil {
			return err
		}
		if s.uri == "" {
			return nil
		}
		if err := l.segment(ctx, p, s); err != nil {
			return err
		}
		l.msn, l.part, l.gathered, l.broken = l.msn+1, 0, nil, false
	}
	return nil
}

func (l *player) dropHint() {
	if l.hint != nil {
		l.hint.stop()
		l.hint = nil
	}
}

// parts loads the parts of s from l.part on.
func (l *player) parts(ctx context.Context, p *mediaPlaylist, s *segment) error {
	for ; l.part < len(s.parts); l.part++ {
		q := s.parts[l.part]
		if l.part == 0 && s.discontinuity {
			l.timeline.reset()
		}
		if q.gap {
			l.broken = true
			l.timeline.reset()
			continue
		}
		what := fmt.Sprintf("part %d.%d", l.msn, l.part)
		body, err := l.loadPart(ctx, s, what)
		if err != nil {
			return err
		}
		if body == nil {
			l.broken = true
			l.timeline.reset()
			continue
		}
		l.gathered = append(l.gathered, body...)
		l.readPart(ctx, p, q, body, what)
	}
	return nil
}

// loadPart gets the part l.part of s, from the hint if that was for it. A nil body is a part that is not there.
func (l *player) loadPart(ctx context.Context, s *segment, what string) ([]byte, error) {
	q := s.parts[l.part]
	if h := l.hint; h != nil && h.hint.uri == q.uri && (q.bytes == nil || s.partRange(l.part).offset == h.hint.start) {
		l.hint = nil
		<-h.done
		h.cancel()
		if h.err == nil {
			l.f.stats.HintLoad.add(h.answer.took)
		}
		return l.taken(ctx, h.answer, h.err, what)
	}
	u, err := l.f.url.Parse(q.uri)
	if err != nil {
		l.f.note("4.1", "%s: %v", what, err)
		return nil, nil
	}
	a, err := get(ctx, l.f.c.client, u, s.partRange(l.part))
	if err == nil {
		l.f.stats.PartLoad.add(a.took)
	}
	return l.taken(ctx, a, err, what)
}

// taken checks an answer with media. The error is that of an ended check; a failed load is a violation and no body.
func (l *player) taken(ctx context.Context, a *answer, err error, what string) ([]byte, error) {
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		l.f.note("HTTP", "%s: %v", what, err)
		return nil, nil
	case !a.ok():
		l.f.note("6.2.1", "%s is answered with status %d", what, a.status)
		return nil, nil
	}
	l.f.stats.Bytes += int64(len(a.body))
	l.f.c.add(l.f.url, checkMediaHeaders(a, strings.Fields(what)[0], isTS(a.body)))
	return a.body, nil
}

func (l *player) readPart(ctx context.Context, p *mediaPlaylist, q part, body []byte, what string) {
	l.f.stats.Parts++
	u := l.read(ctx, p, body, what)
	if u == nil {
		l.timeline.reset()
		return
	}
	g := l.timeline.advance(u, what)
	g.join(l.timeline.parts.step(u, q.duration, "4.4.4.9", what))
	if c := u.clock(); c != nil && c.video {
		g.must(!q.independent || c.anyKey, "4.4.4.9", "%s says INDEPENDENT=YES and has no random access point", what)
		g.should(q.independent || !c.anyKey, "4.4.4.9", "%s has a random access point and does not say INDEPENDENT=YES", what)
	}
	l.f.c.add(l.f.url, g)
}

// segment loads s whole, holds it against its parts and reads it.
func (l *player) segment(ctx context.Context, p *mediaPlaylist, s *segment) error {
	if s.discontinuity && l.part == 0 || s.gap {
		l.timeline.reset()
	}
	if s.gap {
		return nil
	}
	what := fmt.Sprintf("segment %d", l.msn)
	u, err := l.f.url.Parse(s.uri)
	if err != nil {
		l.f.note("4.1", "%s: %v", what, err)
		return nil
	}
	a, err := get(ctx, l.f.c.client, u, p.rangeOf(l.msn))
	body, err := l.taken(ctx, a, err, what)
	if err != nil || body == nil {
		return err
	}
	l.f.stats.SegmentLoad.add(a.took)
	l.f.stats.Segments++
	l.f.stats.Media += seconds(s.duration)
	l.f.sizes[l.msn] = len(body)
	l.readSegment(ctx, p, s, body, what)
	return nil
}

func (l *player) readSegment(ctx context.Context, p *mediaPlaylist, s *segment, body []byte, what string) {
	var g findings
	whole := l.part > 0 && l.part == len(s.parts) && !l.broken
	g.must(!whole || bytes.Equal(body, l.gathered), "3.2", "%s is not its parts put together: %d bytes, the parts have %d",
		what, len(body), len(l.gathered))
	u := l.read(ctx, p, body, what)
	if u == nil {
		l.timeline.reset()
		l.f.c.add(l.f.url, g)
		return
	}
	if l.part == 0 || l.broken {
		g.join(l.timeline.advance(u, what))
	}
	g.join(l.timeline.segments.step(u, s.duration, "4.4.4.1", what))
	if c := u.clock(); c != nil && c.video && p.independent {
		g.must(c.firstKey, "4.4.2.1", "%s does not start with a random access point though EXT-X-INDEPENDENT-SEGMENTS says so", what)
	}
	l.f.c.add(l.f.url, g)
}

// read takes a resource apart, by the Media Initialization Section that applies to it if it is fragmented MP4. It
// returns nil for what cannot be read, which is a violation, and for formats that the checker does not know.
func (l *player) read(ctx context.Context, p *mediaPlaylist, body []byte, what string) *unit {
	m := p.mapFor(l.msn)
	switch {
	case isTS(body):
		u, format, err := parseTS(body)
		if err != nil {
			l.f.note("3.1.1", "%s: %v", strings.Fields(what)[0], err)
			return nil
		}
		l.checkFormat(format)
		return u
	case m == nil && len(body) > 8 && slices.Contains([]string{"moof", "styp", "emsg", "sidx"}, string(body[4:8])):
		l.f.note("4.4.4.5", "fragmented MP4 without EXT-X-MAP")
		return nil
	case m == nil:
		return nil
	}
	format := l.init(ctx, m)
	if format == nil {
		return nil
	}
	u, err := format.parseFragments(body)
	if err != nil {
		l.f.c.violations(l.f.url, []problem{{"3.1.2", "fragment", fmt.Sprintf("%s: %v", what, err)}})
		return nil
	}
	return u
}

// init returns what the Media Initialization Section says, loading it once.
func (l *player) init(ctx context.Context, m *mapTag) *format {
	u, err := l.f.url.Parse(m.uri)
	if err != nil {
		l.f.note("4.4.4.5", "EXT-X-MAP: %v", err)
		return nil
	}
	key := u.String()
	if m.bytes != nil {
		key += " " + m.bytes.String()
	}
	if known, ok := l.inits[key]; ok {
		return known
	}
	a, err := get(ctx, l.f.c.client, u, m.bytes)
	body, err := l.taken(ctx, a, err, "init section")
	if err != nil || body == nil {
		return nil
	}
	parsed, err := parseInit(body)
	if err != nil {
		l.f.note("3.1.2", "the Media Initialization Section: %v", err)
		parsed = nil
	} else {
		l.checkFormat(parsed)
	}
	l.inits[key] = parsed
	return parsed
}

// checkFormat holds the stream's parameters against what the Multivariant Playlist says of the variant.
func (l *player) checkFormat(format *format) {
	v := l.f.variant
	var g findings
	if v.codecs != "" {
		for _, c := range format.codecs {
			g.must(listsCodec(v.codecs, c), "4.4.6.2", "the media has %s, CODECS says %q", c, v.codecs)
		}
	}
	if v.width > 0 && format.width > 0 {
		g.must(v.width == int64(format.width) && v.height == int64(format.height), "4.4.6.2",
			"the media has %dx%d, RESOLUTION says %dx%d", format.width, format.height, v.width, v.height)
	}
	l.f.c.add(l.f.url, g)
}

func listsCodec(codecs, want string) bool {
	for c := range strings.SplitSeq(codecs, ",") {
		if strings.EqualFold(strings.TrimSpace(c), want) {
			return true
		}
	}
	return false
}

func isTS(body []byte) bool { return len(body) >= tsPacket && body[0] == 0x47 }

// rangeOf returns the range of a segment with its offset filled in, nil for a segment that is a whole resource.
func (p *mediaPlaylist) rangeOf(msn int64) *byteRange {
	s := p.segment(msn)
	if s == nil || s.bytes == nil {
		return nil
	}
	if s.bytes.offset >= 0 {
		return s.bytes
	}
	before := p.rangeOf(msn - 1)
	if before == nil {
		return &byteRange{s.bytes.length, 0}
	}
	return &byteRange{s.bytes.length, before.offset + before.length}
}

// partRange is rangeOf for a part of the segment.
func (s *segment) partRange(i int) *byteRange {
	r := s.parts[i].bytes
	if r == nil || r.offset >= 0 {
		return r
	}
	if i == 0 || s.parts[i-1].bytes == nil {
		return &byteRange{r.length, 0}
	}
	before := s.partRange(i - 1)
	return &byteRange{r.length, before.offset + before.length}
}
