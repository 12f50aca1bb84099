package hls

import "github.com/rivus-live/rivus/internal/fault"

// Mirror is the writer of a Live whose media is packaged elsewhere: it is given the parts of another node, and its Live
// shows what that one's does, to the byte. It keeps the parts' bytes as they are handed over. Its methods belong to one
// goroutine at a time.
//
// The calls follow the stream: StartSegment, AddPart for each part, FinishSegment, StartSegment again; Publish when readers
// are to see what came, and End.
type Mirror struct {
	playlist mediaPlaylist
	begun    bool // a segment was started
	growing  bool // and is not finished
	ended    bool
}

// NewMirror returns a mirror and its Live. It may begin in the middle of a stream, with the first segment that is still
// listed there; the discontinuity sequence is that of the playlist then. fault.Invalid if no playlist can be like that.
func NewMirror(f Format, discontinuitySequence int64) (*Mirror, *Live, error) {
	if f.TargetDuration <= 0 || f.PartTarget <= 0 || f.PartTarget > f.TargetDuration || f.Window < 3 {
		return nil, nil, fault.New(fault.Invalid, "no playlist has the format %+v", f)
	}
	l := newLive()
	m := &Mirror{playlist: mediaPlaylist{live: l, stream: newStream(l, f, newContainer(f.Container))}}
	m.playlist.window.target = m.playlist.stream.target
	m.playlist.window.discontinuities = discontinuitySequence
	m.playlist.deepest = int64(f.Window) * m.playlist.stream.target
	return m, l, nil
}

// StartSegment begins the next segment, or puts another one in the place of one without parts. Segments that have the same
// initialization section must have the same Map pointer. fault.Invalid when the number is not the next one.
func (m *Mirror) StartSegment(h Head) error {
	p := &m.playlist
	switch {
	case m.ended:
		return ErrEnded
	case m.growing && len(p.parts) > 0:
		return fault.New(fault.Invalid, "segment %d is not finished", p.open.MSN)
	case h.MSN < 0 || m.begun && h.MSN != p.window.next:
		return fault.New(fault.Invalid, "segment %d does not come after segment %d", h.MSN, p.window.next-1)
	}
	if h.Map != nil && h.Map != p.open.Map {
		p.keepInit(h.Map)
	}
	if !m.begun {
		p.window.next = h.MSN
	}
	m.begun, m.growing = true, true
	p.startSegment(h)
	return nil
}

// AddPart adds the next part of the segment that was started last.
func (m *Mirror) AddPart(p Part) error {
	if m.ended || !m.growing || p.Ticks <= 0 {
		return fault.New(fault.Invalid, "a part of %d ticks has no segment", p.Ticks)
	}
	m.playlist.addPart(p)
	return nil
}

// FinishSegment completes the segment. One without parts is not complete.
func (m *Mirror) FinishSegment() error {
	if m.ended || !m.growing || len(m.playlist.parts) == 0 {
		return fault.New(fault.Invalid, "there is no segment to finish")
	}
	m.growing = false
	m.playlist.finishSegment()
	return nil
}

// Publish shows what came since the last time, if that is anything. Hint and info are those of the stream's own snapshot.
func (m *Mirror) Publish(hintMSN int64, hintPart int, info VariantInfo) {
	if m.ended || !m.playlist.changed() {
		return
	}
	m.playlist.info = info
	m.playlist.publish(hintMSN, hintPart)
}

// End shows the last state and ends the playlist. What belongs to a segment that is not finished is not shown any more.
func (m *Mirror) End(info VariantInfo) {
	if !m.ended {
		m.ended, m.playlist.info = true, info
		m.playlist.end()
	}
}

// Bytes returns how many bytes of parts and initialization sections the mirror holds.
func (m *Mirror) Bytes() int64 { return m.playlist.window.bytes }
