package hls

import (
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/mp4"
	"github.com/rivus-live/rivus/internal/media/mpegts"
	"github.com/rivus-live/rivus/internal/resource"
)

// ServedContainer returns the container in which viewers get a channel: fragmented MP4 for every channel with latency mode
// LOW, else what the channel says.
//
// LOW means parts, and parts in transport streams serve few players. One that does not begin with a keyframe holds nothing
// that can be joined to what came before: the transmuxer of video.js drops it or stretches pictures over it, so the channel
// that CreateChannel makes by default stood still several times a minute there. In fragmented MP4 a part is a fragment
// like any other, and every player takes it. A channel that must be a transport stream has latency mode NORMAL
// (docs/playback.md has the measurements).
func ServedContainer(ch *resource.Channel) string {
	if ch.LatencyMode == resource.LatencyLow {
		return resource.ContainerFMP4
	}
	return ch.ContainerFormat
}

// contents is what goes into one part. Its slices belong to the caller and are only read.
type contents struct {
	video, audio []media.Frame
	videoEnd     int64 // decode time of the video frame that follows, as far as it is known; ticks of the track
	audioEnd     int64 // the same of the audio
	tags         []tag
}

// tag is an ID3 tag at its place.
type tag struct {
	pts  int64 // ticks of media.VideoTimeScale
	data []byte
}

// container writes parts and initialization sections.
type container interface {
	// tracks sets the tracks of the parts to come, either may be nil, and returns their initialization section, nil
	// when the container knows none.
	tracks(video, audio *media.Track) []byte
	// part returns a part as one buffer of exactly the needed size.
	part(c *contents) []byte
	// carries reports whether it has a place for a codec.
	carries(d *media.CodecDescription) bool
	// extension and contentType are those of parts and segments.
	extension() string
	contentType() string
	// version is the least EXT-X-VERSION of playlists that name its files (RFC 8216bis 8).
	version() int
	// stillEvery returns how often a picture that stays on the screen must be repeated, in ticks, given the part target.
	stillEvery(part int64) int64
}

// newContainer returns a writer of a container by its name in a channel's record.
func newContainer(name string) container {
	if name == resource.ContainerFMP4 {
		return &fragments{}
	}
	return &transport{}
}

// fragments writes CMAF-like fragments.
type fragments struct {
	sequence     uint32
	tagID        uint32
	video, audio []mp4.Sample
	emsgs        []mp4.Emsg
}

func (w *fragments) carries(d *media.CodecDescription) bool { return d.InMP4() }

func (w *fragments) extension() string   { return ".m4s" }
func (w *fragments) contentType() string { return "video/mp4" }

func (w *fragments) version() int { return 6 }

func (w *fragments) stillEvery(int64) int64 { return second } // samples tell how long they last

func (w *fragments) tracks(video, audio *media.Track) []byte {
	tracks := []*media.Track{video}
	if audio != nil {
		tracks = append(tracks, audio)
	}
	return mp4.AppendInit(nil, tracks)
}

// unknownDuration makes a cue last until the next one; players accept it where 0 gives an empty cue.
const unknownDuration = 0xFFFFFFFF

func (w *fragments) part(c *contents) []byte {
	w.sequence++
	f := mp4.Fragment{Sequence: w.sequence}
	w.video = appendSamples(w.video[:0], c.video, c.videoEnd)
	w.audio = appendSamples(w.audio[:0], c.audio, c.audioEnd)
	f.Video, f.Audio = runOf(c.video, w.video), runOf(c.audio, w.audio)
	w.emsgs = w.emsgs[:0]
	for _, t := range c.tags {
		w.tagID++
		w.emsgs = append(w.emsgs, mp4.Emsg{
			Scheme: mp4.SchemeID3, TimeScale: media.VideoTimeScale, PTS: t.pts, Duration: unknownDuration, ID: w.tagID, Data: t.data,
		})
	}
	f.Emsgs = w.emsgs
	b := f.Append(make([]byte, 0, f.Size()))
	clear(w.video) // so that the frames can go
	clear(w.audio)
	clear(w.emsgs)
	return b
}

func runOf(frames []media.Frame, samples []mp4.Sample) mp4.Run {
	if len(frames) == 0 {
		return mp4.Run{}
	}
	return mp4.Run{Track: frames[0].Track, BaseTime: frames[0].DTS, Samples: samples}
}

// appendSamples turns frames into samples: each lasts until the next, the last one until end.
func appendSamples(dst []mp4.Sample, frames []media.Frame, end int64) []mp4.Sample {
	for i := range frames {
		f := &frames[i]
		next := end
		if i+1 < len(frames) {
			next = frames[i+1].DTS
		}
		duration := min(max(next-f.DTS, 1), 1<<31)
		dst = append(dst, mp4.Sample{Data: f.Data, Duration: uint32(duration), Offset: f.Offset, Key: f.Key}) // bounded above
	}
	return dst
}

// transport writes MPEG transport streams: every part begins with PAT and PMT directly before a video access unit with the
// parameter sets, if it has one, and holds whole PES packets; continuity counters run on. So a player may begin with any
// part: it learns the codecs from it, where an fMP4 part leaves that to the initialization section.
type transport struct{ muxer *mpegts.Muxer }

func (w *transport) carries(d *media.CodecDescription) bool { return d.InTS() }

func (w *transport) extension() string   { return ".ts" }
func (w *transport) contentType() string { return "video/mp2t" }
func (w *transport) version() int        { return 3 }

// stillEvery: a picture lasts as long as the one before it in the same part, as far as players in browsers can tell.
func (w *transport) stillEvery(part int64) int64 { return part / 2 }

func (w *transport) tracks(video, audio *media.Track) []byte {
	if w.muxer == nil {
		w.muxer = mpegts.NewMuxer(video, audio)
	}
	w.muxer.SetTracks(video, audio)
	return nil
}

func (w *transport) part(c *contents) []byte {
	size := mpegts.TablesSize + w.muxer.AudioSize(c.audio)
	for i := range c.video {
		size += w.muxer.VideoSize(&c.video[i], i == 0)
	}
	for i := range c.tags {
		size += w.muxer.ID3Size(c.tags[i].data)
	}
	b := w.muxer.AppendTables(make([]byte, 0, size))
	video := c.video
	if len(video) > 0 {
		b = w.muxer.AppendVideo(b, &video[0], true)
		video = video[1:]
	}
	if len(c.audio) > 0 {
		b = w.muxer.AppendAudio(b, c.audio)
	}
	for _, t := range c.tags {
		b = w.muxer.AppendID3(b, t.pts, t.data)
	}
	for i := range video {
		b = w.muxer.AppendVideo(b, &video[i], false)
	}
	return b
}
