package hls

// mediaPlaylist is the writer's side of a Live: the segment that grows and the window of complete ones. A Rendition fills it
// with what it packages, a Mirror with what another node has packaged. It belongs to one goroutine at a time.
type mediaPlaylist struct {
	live    *Live
	stream  *stream
	deepest int64 // least duration of the listed segments, ticks

	open     Head
	parts    []Part
	partTags []byte
	complete bool // the open segment is in the window
	window   window
	dirty    dirtiness
	info     VariantInfo
}

// dirtiness says what changed since the last snapshot.
type dirtiness uint8

const (
	dirtyPart dirtiness = 1 << iota
	dirtySegment
)

// keepInit counts a new initialization section. It is let go with the last segment that uses it.
func (m *mediaPlaylist) keepInit(i *InitSection) { m.window.bytes += int64(len(i.Data)) }

// startSegment opens the next segment. One that never got a part is replaced.
func (m *mediaPlaylist) startSegment(h Head) {
	m.open, m.complete = h, false
	m.parts = make([]Part, 0, cap(m.parts))
	m.partTags = make([]byte, 0, cap(m.partTags))
}

// addPart adds a part to the open segment.
func (m *mediaPlaylist) addPart(p Part) {
	m.window.bytes += int64(len(p.Data))
	m.partTags = appendPart(m.partTags, m.open.MSN, len(m.parts), m.stream.extension, &p)
	m.parts = append(m.parts, p)
	m.dirty |= dirtyPart
}

// finishSegment completes the open segment. Without a part there is none.
func (m *mediaPlaylist) finishSegment() {
	if len(m.parts) == 0 {
		return
	}
	m.window.addSegment(newSegment(m.open, m.parts, m.partTags, m.stream.extension), m.deepest)
	m.complete = true
	m.dirty |= dirtySegment
}

// changed reports whether what viewers see has changed since the last snapshot: a part, or a segment where parts are not shown.
func (m *mediaPlaylist) changed() bool {
	return m.dirty&dirtySegment != 0 || m.dirty != 0 && m.stream.lowLatency
}

// publish stores a snapshot of the present state. The hint names the part that comes next.
func (m *mediaPlaylist) publish(hintMSN int64, hintPart int) {
	m.dirty = 0
	s := m.snapshot()
	if m.stream.lowLatency {
		s.hintMSN, s.hintPart = hintMSN, hintPart
	}
	m.live.publish(s)
}

// end stores the last snapshot. What is open must have been finished.
func (m *mediaPlaylist) end() {
	s := m.snapshot()
	s.ended = true
	m.live.publish(s)
}

func (m *mediaPlaylist) snapshot() *Snapshot {
	s := &Snapshot{
		stream: m.stream, hintPart: -1, info: m.info, open: m.open,
		segments: m.window.segments, listed: m.window.listed, skipped: m.window.discontinuities,
	}
	if !m.complete {
		s.parts, s.partTags = m.parts[:len(m.parts):len(m.parts)], m.partTags[:len(m.partTags):len(m.partTags)]
	}
	return s
}
