package hlscheck

import (
	"errors"
	"fmt"
)

// Flags of tfhd, trun and samples (ISO/IEC 14496-12, 8.8).
const (
	tfhdBaseOffset    = 0x1
	tfhdDescription   = 0x2
	tfhdDuration      = 0x8
	tfhdSize          = 0x10
	tfhdFlags         = 0x20
	trunOffset        = 0x1
	trunFirstFlags    = 0x4
	trunDuration      = 0x100
	trunSize          = 0x200
	trunFlags         = 0x400
	trunComposition   = 0x800
	sampleNonSync     = 0x10000
	maxFragmentTracks = 16
	maxSamples        = 1 << 16 // in one resource: minutes of media
)

// parseFragments reads a part or segment of fragmented MP4: moof and mdat pairs, each track fragment with a tfdt and
// addressed relative to its moof (3.1.2).
func (f *format) parseFragments(b []byte) (*unit, error) {
	u := &unit{}
	moofs, wanted := 0, int64(-1) // bytes that the last moof's samples take in the mdat to come
	err := boxes(b, func(kind string, body []byte) error {
		switch kind {
		case "moof":
			moofs++
			wanted = 0
			return boxes(body, func(kind string, body []byte) error {
				if kind != "traf" {
					return nil
				}
				n, err := f.readTraf(u, body)
				wanted += n
				return err
			})
		case "mdat":
			if wanted < 0 {
				return errors.New("mdat without a moof before it")
			}
			if int64(len(body)) != wanted {
				return fmt.Errorf("mdat holds %d bytes, the samples of its moof take %d", len(body), wanted)
			}
			wanted = -1
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case moofs == 0:
		return nil, errors.New("no moof box")
	case wanted > 0:
		return nil, errors.New("the last moof has no mdat")
	}
	return u, nil
}

// traf is what holds for the samples of one track fragment.
type traf struct {
	span
	duration, size, flags uint32
	bytes                 int64
	samples               int
}

// readTraf adds one track fragment to the unit and returns how many bytes its samples take.
func (f *format) readTraf(u *unit, body []byte) (int64, error) {
	var t *traf
	var hasTime bool
	err := boxes(body, func(kind string, body []byte) error {
		r := &reader{b: body}
		var err error
		switch {
		case kind == "tfhd":
			t, err = f.readTfhd(r)
		case t == nil:
			err = errors.New("a traf that does not start with tfhd")
		case kind == "tfdt":
			hasTime = true
			t.start = int64(r.word(r.u32()>>24) & (1<<62 - 1))
			t.end = t.start
		case kind == "trun" && !hasTime:
			err = errors.New("a traf without tfdt")
		case kind == "trun":
			err = t.readRun(u, r)
		}
		if err == nil && r.bad {
			err = fmt.Errorf("%s: %w", kind, errShort)
		}
		return err
	})
	if err != nil || t == nil || t.samples == 0 {
		return 0, err
	}
	if was := u.track(t.id); was != nil {
		was.last, was.end, was.anyKey = t.last, t.end, was.anyKey || t.anyKey
	} else if len(u.tracks) < maxFragmentTracks {
		u.tracks = append(u.tracks, t.span)
	}
	return t.bytes, nil
}

func (f *format) readTfhd(r *reader) (*traf, error) {
	flags := r.u32() & 0xffffff
	id := int(r.u32())
	track := f.tracks[id]
	if track == nil {
		return nil, fmt.Errorf("track %d is not in the Media Initialization Section", id)
	}
	if flags&tfhdBaseOffset != 0 {
		return nil, errors.New("tfhd with an absolute byte offset")
	}
	t := &traf{duration: track.defaultDuration, flags: track.defaultFlags}
	t.id, t.video, t.scale = id, track.video, track.scale
	if flags&tfhdDescription != 0 {
		r.u32()
	}
	if flags&tfhdDuration != 0 {
		t.duration = r.u32()
	}
	if flags&tfhdSize != 0 {
		t.size = r.u32()
	}
	if flags&tfhdFlags != 0 {
		t.flags = r.u32()
	}
	return t, nil
}

func (t *traf) readRun(u *unit, r *reader) error {
	flags := r.u32() & 0xffffff
	count := r.u32()
	if u.samples += int(count); u.samples > maxSamples {
		return fmt.Errorf("more than %d samples", maxSamples)
	}
	if flags&trunOffset != 0 {
		r.u32()
	}
	var firstFlags uint32
	if flags&trunFirstFlags != 0 {
		firstFlags = r.u32()
	}
	for i := uint32(0); i < count && !r.bad; i++ {
		duration, size, sample := t.duration, t.size, t.flags
		if flags&trunDuration != 0 {
			duration = r.u32()
		}
		if flags&trunSize != 0 {
			size = r.u32()
		}
		switch {
		case flags&trunFlags != 0:
			sample = r.u32()
		case i == 0 && flags&trunFirstFlags != 0:
			sample = firstFlags
		}
		if flags&trunComposition != 0 {
			r.u32()
		}
		if duration == 0 && size == 0 {
			return errors.New("a sample of no duration and no size")
		}
		t.addSample(duration, size, sample&sampleNonSync == 0)
	}
	return nil
}

func (t *traf) addSample(duration, size uint32, key bool) {
	if t.samples == 0 {
		t.firstKey = key
	}
	t.samples++
	t.anyKey = t.anyKey || key
	t.last = t.end
	t.end += int64(duration)
	t.bytes += int64(size)
}
