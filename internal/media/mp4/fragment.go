package mp4

import (
	"encoding/binary"
	"slices"

	"github.com/rivus-live/rivus/internal/media"
)

// Sample is one access unit of a run.
type Sample struct {
	Data     []byte
	Duration uint32 // ticks of the track
	Offset   int32  // presentation time minus decode time, ticks of the track; may be negative
	Key      bool   // video: an IDR access unit; ignored for audio
}

// Run is a sequence of samples of one track. A run without samples is left out.
type Run struct {
	Track    *media.Track
	TrackID  uint32 // 0: VideoTrackID or AudioTrackID, by the track's codec
	BaseTime int64  // decode time of the first sample, ticks of the track; not negative
	Samples  []Sample
}

// Fragment is one movie fragment: the event messages, then moof and mdat with the video and the audio run.
type Fragment struct {
	Sequence     uint32 // grows with every fragment of a presentation
	Video, Audio Run
	Emsgs        []Emsg
}

const (
	boxHead     = 8
	fullBoxHead = 12
	mfhdSize    = fullBoxHead + 4
	tfdtSize    = fullBoxHead + 8
)

// Flags of tfhd and trun (ISO/IEC 14496-12, 8.8.7 and 8.8.8).
const (
	tfhdDefaultDuration = 0x000008
	tfhdDefaultSize     = 0x000010
	tfhdDefaultFlags    = 0x000020
	tfhdBaseIsMoof      = 0x020000

	trunDataOffset = 0x000001
	trunFirstFlags = 0x000004
	trunDuration   = 0x000100
	trunSize       = 0x000200
	trunFlags      = 0x000400
	trunOffset     = 0x000800
)

// Flags of a sample (ISO/IEC 14496-12, 8.8.3.1).
const (
	syncSample  = 0x02000000 // depends on no other
	otherSample = 0x01010000 // depends on others, and is no place to start
)

// Size returns the number of bytes Append writes.
func (f *Fragment) Size() int {
	size := 0
	for i := range f.Emsgs {
		size += f.Emsgs[i].Size()
	}
	if len(f.Video.Samples)+len(f.Audio.Samples) > 0 {
		video, audio := f.Video.layout(), f.Audio.layout()
		size += moofSize(&video, &audio) + boxHead + video.bytes + audio.bytes
	}
	return size
}

// Append appends the fragment. Without any sample it is the event messages alone.
func (f *Fragment) Append(dst []byte) []byte {
	for i := range f.Emsgs {
		dst = f.Emsgs[i].Append(dst)
	}
	if len(f.Video.Samples)+len(f.Audio.Samples) == 0 {
		return dst
	}
	video, audio := f.Video.layout(), f.Audio.layout()
	data := moofSize(&video, &audio) + boxHead // where the first sample is, from the start of moof
	dst = slices.Grow(dst, data+video.bytes+audio.bytes)

	dst, moof := openBox(dst, "moof")
	dst, mfhd := openFullBox(dst, "mfhd", 0, 0)
	dst = closeBox(append32(dst, f.Sequence), mfhd)
	dst = f.Video.appendTraf(dst, &video, data)
	dst = f.Audio.appendTraf(dst, &audio, data+video.bytes)
	dst = closeBox(dst, moof)

	dst, mdat := openBox(dst, "mdat")
	for i := range f.Video.Samples {
		dst = append(dst, f.Video.Samples[i].Data...)
	}
	for i := range f.Audio.Samples {
		dst = append(dst, f.Audio.Samples[i].Data...)
	}
	return closeBox(dst, mdat)
}

// moofSize returns the size of a moof with up to two runs.
func moofSize(video, audio *layout) int {
	return boxHead + mfhdSize + video.trafSize() + audio.trafSize()
}

// layout says what the headers of a run need to tell, which is as little as its samples allow.
type layout struct {
	count    int
	bytes    int    // of all samples
	tfhd     uint32 // flags: which defaults hold for the whole run
	trun     uint32 // flags: what is told for each sample
	defaults uint32 // sample flags, when tfhd tells them
}

// layout finds out what the samples of a run have in common.
func (r *Run) layout() layout {
	l := layout{count: len(r.Samples), tfhd: tfhdBaseIsMoof, trun: trunDataOffset}
	if l.count == 0 {
		return l
	}
	first := &r.Samples[0]
	keys := 0
	var durations, sizes, offsets bool // do they differ; is there any
	for i := range r.Samples {
		s := &r.Samples[i]
		l.bytes += len(s.Data)
		durations = durations || s.Duration != first.Duration
		sizes = sizes || len(s.Data) != len(first.Data)
		offsets = offsets || s.Offset != 0
		if s.Key {
			keys++
		}
	}
	l.tell(durations, tfhdDefaultDuration, trunDuration)
	l.tell(sizes, tfhdDefaultSize, trunSize)
	if offsets {
		l.trun |= trunOffset
	}
	switch {
	case !r.video() || keys == 0: // as trex says
	case keys == l.count:
		l.tfhd |= tfhdDefaultFlags
		l.defaults = syncSample
	case keys == 1 && first.Key:
		l.trun |= trunFirstFlags
	default:
		l.trun |= trunFlags
	}
	return l
}

// tell notes that a field is told once or, if it differs, for each sample.
func (l *layout) tell(differs bool, once, each uint32) {
	if differs {
		l.trun |= each
	} else {
		l.tfhd |= once
	}
}

// trafSize returns the size of the run's traf, 0 for one without samples.
func (l *layout) trafSize() int {
	if l.count == 0 {
		return 0
	}
	tfhd := fullBoxHead + 4 + 4*fields(l.tfhd, tfhdDefaultDuration, tfhdDefaultSize, tfhdDefaultFlags)
	trun := fullBoxHead + 4 + 4*fields(l.trun, trunDataOffset, trunFirstFlags) +
		4*l.count*fields(l.trun, trunDuration, trunSize, trunFlags, trunOffset)
	return boxHead + tfhd + tfdtSize + trun
}

// fields counts which of the fields the flags announce.
func fields(flags uint32, each ...uint32) int {
	n := 0
	for _, f := range each {
		if flags&f != 0 {
			n++
		}
	}
	return n
}

// appendTraf appends the headers of a run whose samples start data bytes behind the start of moof.
func (r *Run) appendTraf(dst []byte, l *layout, data int) []byte {
	if l.count == 0 {
		return dst
	}
	first := &r.Samples[0]
	dst, traf := openBox(dst, "traf")

	dst, tfhd := openFullBox(dst, "tfhd", 0, l.tfhd)
	dst = append32(dst, r.id())
	if l.tfhd&tfhdDefaultDuration != 0 {
		dst = append32(dst, first.Duration)
	}
	if l.tfhd&tfhdDefaultSize != 0 {
		dst = append32(dst, uint32(len(first.Data)))
	}
	if l.tfhd&tfhdDefaultFlags != 0 {
		dst = append32(dst, l.defaults)
	}
	dst = closeBox(dst, tfhd)

	dst, tfdt := openFullBox(dst, "tfdt", 1, 0)
	dst = closeBox(binary.BigEndian.AppendUint64(dst, uint64(r.BaseTime)), tfdt)

	dst, trun := openFullBox(dst, "trun", 1, l.trun)
	dst = append32(dst, uint32(l.count), uint32(data))
	if l.trun&trunFirstFlags != 0 {
		dst = append32(dst, syncSample)
	}
	for i := range r.Samples {
		dst = r.Samples[i].appendEntry(dst, l.trun)
	}
	return closeBox(closeBox(dst, trun), traf)
}

// appendEntry appends what trun tells of one sample.
func (s *Sample) appendEntry(dst []byte, trun uint32) []byte {
	if trun&trunDuration != 0 {
		dst = append32(dst, s.Duration)
	}
	if trun&trunSize != 0 {
		dst = append32(dst, uint32(len(s.Data)))
	}
	if trun&trunFlags != 0 {
		flags := uint32(otherSample)
		if s.Key {
			flags = syncSample
		}
		dst = append32(dst, flags)
	}
	if trun&trunOffset != 0 {
		dst = append32(dst, uint32(s.Offset))
	}
	return dst
}

func (r *Run) video() bool { return r.Track.IsVideo() }

func (r *Run) id() uint32 {
	if r.TrackID != 0 {
		return r.TrackID
	}
	return trackID(r.Track)
}
