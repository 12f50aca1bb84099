package hlscheck

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// unit is what the checker reads of one media resource, a part or a whole segment: where each track starts and ends and
// where it can be joined.
type unit struct {
	tracks   []span
	counters []counter // MPEG-TS only
	samples  int       // of all tracks; fragmented MP4 only
}

// span is one track's share of a unit, in ticks of the track.
type span struct {
	id       int // track_ID or PID
	video    bool
	scale    int64
	start    int64 // DTS of the first sample
	last     int64 // DTS of the last sample
	end      int64 // DTS plus duration of the last sample; equal to last when the format does not tell durations
	firstKey bool  // the first sample is a random access point
	anyKey   bool  // some sample is
}

func (s *span) seconds(ticks int64) float64 { return float64(ticks) / float64(s.scale) }

// track returns the span of the track, nil when the unit has none of it.
func (u *unit) track(id int) *span {
	for i := range u.tracks {
		if u.tracks[i].id == id {
			return &u.tracks[i]
		}
	}
	return nil
}

// clock is the track that segments are cut on: video if there is any.
func (u *unit) clock() *span {
	for i := range u.tracks {
		if u.tracks[i].video {
			return &u.tracks[i]
		}
	}
	if len(u.tracks) > 0 {
		return &u.tracks[0]
	}
	return nil
}

// format is what a Media Initialization Section, or the tables and parameter sets of a Transport Stream, say.
type format struct {
	tracks        map[int]*formatTrack
	codecs        []string // RFC 6381
	width, height int
}

type formatTrack struct {
	video           bool
	scale           int64
	defaultDuration uint32
	defaultFlags    uint32
}

var errShort = errors.New("box is cut short")

// boxes calls fn for each box in b. It fails when a size runs over the end.
func boxes(b []byte, fn func(kind string, body []byte) error) error {
	for len(b) > 0 {
		if len(b) < 8 {
			return errShort
		}
		size, head := uint64(binary.BigEndian.Uint32(b)), uint64(8)
		switch size {
		case 0:
			size = uint64(len(b))
		case 1:
			if len(b) < 16 {
				return errShort
			}
			size, head = binary.BigEndian.Uint64(b[8:]), 16
		}
		if size < head || size > uint64(len(b)) {
			return fmt.Errorf("%.4q: %w", b[4:8], errShort)
		}
		if err := fn(string(b[4:8]), b[head:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

// descend calls fn for the boxes that are reached along path.
func descend(b []byte, fn func(body []byte) error, path ...string) error {
	if len(path) == 0 {
		return fn(b)
	}
	return boxes(b, func(kind string, body []byte) error {
		if kind != path[0] {
			return nil
		}
		return descend(body, fn, path[1:]...)
	})
}

// reader takes big-endian fields off a box body. After running over the end it returns zeros and bad is set.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.b, r.bad = nil, true
		return make([]byte, n)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

// word reads a 32-bit field of a version 0 box, or a 64-bit one of version 1.
func (r *reader) word(version uint32) uint64 {
	if version == 1 {
		return r.u64()
	}
	return uint64(r.u32())
}

// parseInit reads a Media Initialization Section (3.1.2: ftyp and moov, with mvex and no samples).
func parseInit(b []byte) (*format, error) {
	f := &format{tracks: map[int]*formatTrack{}}
	var hasType, hasExtends bool
	err := boxes(b, func(kind string, body []byte) error {
		switch kind {
		case "ftyp":
			hasType = true
		case "moov":
			return boxes(body, func(kind string, body []byte) error {
				switch kind {
				case "trak":
					return f.readTrack(body)
				case "mvex":
					hasExtends = true
				}
				return nil
			})
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case !hasType:
		return nil, errors.New("no ftyp box")
	case len(f.tracks) == 0:
		return nil, errors.New("no track in the moov box")
	case !hasExtends:
		return nil, errors.New("no mvex box")
	}
	return f, f.readDefaults(b)
}

func (f *format) readTrack(trak []byte) error {
	t := &formatTrack{}
	var id int
	err := boxes(trak, func(kind string, body []byte) error {
		r := &reader{b: body}
		switch kind {
		case "tkhd":
			version := r.u32() >> 24
			r.word(version)
			r.word(version)
			id = int(r.u32())
		case "mdia":
			return boxes(body, func(kind string, body []byte) error { return f.readMedia(t, kind, body) })
		}
		if r.bad {
			return errShort
		}
		return nil
	})
	if err == nil && t.scale == 0 {
		err = errors.New("a track without a time scale")
	}
	f.tracks[id] = t
	return err
}

func (f *format) readMedia(t *formatTrack, kind string, body []byte) error {
	r := &reader{b: body}
	switch kind {
	case "mdhd":
		version := r.u32() >> 24
		r.word(version)
		r.word(version)
		t.scale = int64(r.u32())
	case "hdlr":
		r.take(8)
		t.video = string(r.take(4)) == "vide"
	case "minf":
		return descend(body, func(stsd []byte) error {
			if len(stsd) < 8 {
				return errShort
			}
			return boxes(stsd[8:], func(kind string, entry []byte) error { return f.readSampleEntry(kind, entry) })
		}, "stbl", "stsd")
	}
	if r.bad {
		return errShort
	}
	return nil
}

// readSampleEntry learns codec and picture size. Entries of other formats count by their four-character code.
func (f *format) readSampleEntry(kind string, entry []byte) error {
	r := &reader{b: entry}
	r.take(8)
	switch kind {
	case "avc1", "avc3":
		r.take(16)
		f.width, f.height = int(r.u16()), int(r.u16())
		r.take(50)
		return descend(r.b, func(avcc []byte) error {
			if len(avcc) < 4 {
				return errShort
			}
			f.codecs = append(f.codecs, fmt.Sprintf("%s.%02X%02X%02X", kind, avcc[1], avcc[2], avcc[3]))
			return nil
		}, "avcC")
	case "mp4a":
		r.take(20)
		return descend(r.b, func(esds []byte) error {
			f.codecs = append(f.codecs, audioCodec(esds))
			return nil
		}, "esds")
	}
	f.codecs = append(f.codecs, kind)
	return nil
}

// audioCodec finds the object type in an esds box: the DecoderSpecificInfo (tag 5) after objectTypeIndication 0x40.
func audioCodec(esds []byte) string {
	for i := 4; i+2 < len(esds); i++ {
		if esds[i] != 5 {
			continue
		}
		j := i + 1
		for j < len(esds)-1 && esds[j]&0x80 != 0 {
			j++
		}
		if j+1 < len(esds) && int(esds[j]) <= len(esds)-j-1 && esds[j] >= 2 {
			return fmt.Sprintf("mp4a.40.%d", esds[j+1]>>3)
		}
	}
	return "mp4a"
}

func (f *format) readDefaults(b []byte) error {
	return descend(b, func(trex []byte) error {
		r := &reader{b: trex}
		r.u32()
		t := f.tracks[int(r.u32())]
		r.u32()
		duration, _, flags := r.u32(), r.u32(), r.u32()
		if r.bad {
			return errShort
		}
		if t == nil {
			return nil // of a track that may come with a later section; readers that keep to this one need it then
		}
		t.defaultDuration, t.defaultFlags = duration, flags
		return nil
	}, "moov", "mvex", "trex")
}
