// Package mpegts writes MPEG transport streams (ISO/IEC 13818-1) as HLS wants them: H.264, AAC in ADTS and timed ID3.
//
// A Muxer holds the continuity counters, so one Muxer serves a stream from its first segment to its last, and its parts
// may be cut between any two calls. Everything appends to a slice and knows its exact size beforehand; nothing here
// allocates when the slice has the room.
//
// Imports: media, media/aac, media/h264.
package mpegts

import (
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/aac"
	"github.com/rivus-live/rivus/internal/media/h264"
)

const (
	clockRate = 90000 // of PTS, DTS and the base of PCR

	// origin is where the timeline's zero lies on the clock: far enough from 0 for audio that comes before it and for
	// the clock reference, which runs ahead.
	origin = 10 * clockRate

	// lead is how much earlier than the decode time the clock reference says it is: the time that a receiver has to
	// gather a frame, and by which audio may lag behind video in the stream.
	lead = clockRate * 7 / 10
)

// MaxTag is the length in bytes of the longest tag that fits one PES packet.
const MaxTag = maxPES - (timedHeader - pesPrefix)

// Muxer writes one program with up to one video, one audio and one timed-ID3 stream. It is for one goroutine.
type Muxer struct {
	video, audio *media.Track
	version      byte // of the PMT, 5 bits

	pat, pmt, videoPackets, audioPackets, id3Packets counter
}

// NewMuxer returns a muxer for the tracks, either of which may be nil.
func NewMuxer(video, audio *media.Track) *Muxer {
	return &Muxer{video: video, audio: audio}
}

// SetTracks changes which streams the program has. Continuity counters run on; the version of the PMT grows when the
// set of streams has changed. The next AppendTables tells it. The clock reference travels with video; without a video
// track it travels with audio.
func (m *Muxer) SetTracks(video, audio *media.Track) {
	if (video == nil) != (m.video == nil) || (audio == nil) != (m.audio == nil) {
		m.version = (m.version + 1) & 0x1F
	}
	m.video, m.audio = video, audio
}

// VideoSize returns the number of bytes AppendVideo writes for the frame.
func (m *Muxer) VideoSize(f *media.Frame, entry bool) int {
	return packetBytes(clockField, videoHeader(f)+h264.AnnexBSize(f.Track, f.Data, f.Key || entry))
}

// AppendVideo appends one access unit as a PES packet, with the clock reference, on a key frame with the random access
// indicator, and there and at an entry with the parameter sets. An entry is where a receiver may come in although no
// picture can be shown before the next key frame: without the sets it would not even know the codec's profile. The frame
// tells its own track, so parameters may change without SetTracks.
func (m *Muxer) AppendVideo(dst []byte, f *media.Frame, entry bool) []byte {
	header, sets := videoHeader(f), f.Key || entry
	es := h264.AnnexBSize(f.Track, f.Data, sets)
	dts := ticks(f.DTS, f.Track.TimeScale)
	p := packets{pid: videoPID, counter: &m.videoPackets, clock: true, reference: dts - lead, randomAccess: f.Key}
	return p.append(dst, header+es, func(pes []byte) []byte {
		pes = appendPESHeader(pes, videoStreamID, header, es, ticks(f.PTS(), f.Track.TimeScale), dts)
		return h264.AppendAnnexB(pes, f.Track, f.Data, sets)
	})
}

// AudioSize returns the number of bytes AppendAudio writes for the frames.
func (m *Muxer) AudioSize(frames []media.Frame) int {
	size := 0
	for len(frames) > 0 {
		n, es := batch(frames)
		size += packetBytes(m.audioField(), timedHeader+es)
		frames = frames[n:]
	}
	return size
}

// AppendAudio appends consecutive access units in one PES packet. It begins another one where the frames do not follow
// each other without a gap, or where the packet's length would not fit its field. Access units that aac.CheckFrame
// refuses must not come here.
func (m *Muxer) AppendAudio(dst []byte, frames []media.Frame) []byte {
	for len(frames) > 0 {
		n, es := batch(frames)
		pts := ticks(frames[0].DTS, frames[0].Track.TimeScale)
		p := packets{pid: audioPID, counter: &m.audioPackets}
		if m.video == nil {
			p.clock, p.reference, p.randomAccess = true, pts-lead, true
		}
		dst = p.append(dst, timedHeader+es, func(pes []byte) []byte {
			pes = appendPESHeader(pes, audioStreamID, timedHeader, es, pts, pts)
			for i := range frames[:n] {
				f := &frames[i]
				pes = append(aac.AppendADTS(pes, f.Track, len(f.Data)), f.Data...)
			}
			return pes
		})
		frames = frames[n:]
	}
	return dst
}

// audioField returns the size of the adaptation field in front of an audio PES packet.
func (m *Muxer) audioField() int {
	if m.video == nil {
		return clockField
	}
	return 0
}

// batch returns how many frames from the front share a PES packet, at least one, and their size with ADTS headers.
func batch(frames []media.Frame) (n, size int) {
	first := &frames[0]
	for i := range frames {
		f := &frames[i]
		next := aac.HeaderSize + len(f.Data)
		gapless := f.Track == first.Track && f.DTS == first.DTS+int64(i)*f.Track.FrameTicks()
		if i > 0 && (!gapless || size+next > maxPES-(timedHeader-pesPrefix)) {
			return i, size
		}
		size += next
	}
	return len(frames), size
}

// ID3Size returns the number of bytes AppendID3 writes for the tag.
func (m *Muxer) ID3Size(tag []byte) int {
	if len(tag) > MaxTag {
		return 0
	}
	return packetBytes(0, timedHeader+len(tag))
}

// AppendID3 appends an ID3 tag that takes effect at pts, in ticks of media.VideoTimeScale on the broadcast's timeline.
// A tag longer than MaxTag is left out.
func (m *Muxer) AppendID3(dst []byte, pts int64, tag []byte) []byte {
	if len(tag) > MaxTag {
		return dst
	}
	p := packets{pid: id3PID, counter: &m.id3Packets}
	return p.append(dst, timedHeader+len(tag), func(pes []byte) []byte {
		at := ticks(pts, media.VideoTimeScale)
		return append(appendPESHeader(pes, id3StreamID, timedHeader, len(tag), at, at), tag...)
	})
}

// ticks places a time of the broadcast's timeline on the 90 kHz clock, rounding towards the timeline's zero.
func ticks(t, timeScale int64) int64 {
	seconds, rest := t/timeScale, t%timeScale
	return origin + seconds*clockRate + rest*clockRate/timeScale
}
