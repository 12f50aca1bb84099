package broadcast

import (
	"bytes"
	"errors"
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/aac"
	"github.com/rivus-live/rivus/internal/media/flv"
	"github.com/rivus-live/rivus/internal/media/h264"
	"github.com/rivus-live/rivus/internal/media/timeline"
	"github.com/rivus-live/rivus/internal/rtmp"
)

// intake turns the messages of an encoder into frames on the broadcast's timeline and writes them to the packager. It
// belongs to whoever feeds the broadcast: one publisher's goroutine at a time, handed on at a takeover.
//
// A frame costs no allocation here: it is a slice of its message.
type intake struct {
	packager *hls.Packager
	timeline *timeline.Timeline
	metadata <-chan string // from PutMetadata, inserted with the next frame
	counters *counters
	log      *slog.Logger
	drops    sparing
	jumps    sparing

	video, audio *media.Track
	framing      h264.Framing
	muted        bool // the audio that comes is of a configuration that is not carried
	script       onMetaData
	changed      bool // what describe returns is new
	came         tally
	dateSteps    int64 // of the packager, as far as they are counted
	shown        place
}

// place is how far the playlist has come, to notice a new part.
type place struct {
	msn  int64
	part int
}

func newIntake(p *hls.Packager, metadata <-chan string, c *counters, log *slog.Logger) *intake {
	return &intake{
		packager: p,
		timeline: timeline.New(),
		metadata: metadata,
		counters: c,
		log:      log,
		framing:  h264.Framing{Size: 4}, // of encoders that do not say
		shown:    place{msn: -1, part: -1},
	}
}

// adopt prepares for the messages of another encoder, whose tracks are known to match.
func (in *intake) adopt() {
	in.timeline.Restart()
	in.framing, in.muted = h264.Framing{Size: 4}, false
	in.script, in.changed = onMetaData{}, true
	in.came = tally{}
}

// message takes the next message. The error is a *refusal when the encoder sends what cannot be carried; what is merely
// damaged, and a codec that is not carried beside those that are, is dropped and counted.
func (in *intake) message(m rtmp.Message) error {
	in.counters.bytes.Add(int64(len(m.Payload)))
	in.came.note(m)
	before := in.timeline.Rebases()
	var err error
	switch m.Type {
	case rtmp.TypeVideo:
		err = in.takeVideo(m)
	case rtmp.TypeAudio:
		err = in.takeAudio(m)
	case rtmp.TypeData:
		err = in.takeScript(m)
	}
	if n := in.timeline.Rebases() - before; n != 0 {
		in.counters.rebases.Add(int64(n))
		if count, ok := in.jumps.due(m.Arrived); ok {
			in.log.Info("encoder's clock jumped", "count", count, "timestamp_ms", m.Timestamp)
		}
	}
	if err == nil {
		return nil
	}
	if u, ok := errors.AsType[*flv.UnsupportedError](err); ok {
		return in.takeForeign(u)
	}
	if r := refusalOf(err); r != nil {
		return r
	}
	in.drop(m, err)
	return nil
}

// drop counts a message that is of no use.
func (in *intake) drop(m rtmp.Message, err error) {
	in.counters.drops.Add(1)
	if isMedia(m) {
		in.came.dropped++
		in.came.last = err
	}
	if count, ok := in.drops.due(m.Arrived); ok {
		in.log.Warn("dropped what the encoder sent", "count", count, "last", err)
	}
}

// takeForeign drops a tag of a codec that is not carried, with one line in the log for each medium. Cameras send some
// beside their ordinary ones. Only video that begins with one is refused: the encoder should hear of it.
func (in *intake) takeForeign(u *flv.UnsupportedError) error {
	known, count := &in.came.foreign.audio, &in.counters.foreignAudio
	if u.Media == "video" {
		if in.video == nil || u.Codec == flv.Multitrack && !in.came.begun {
			return refusalOf(u)
		}
		known, count = &in.came.foreign.video, &in.counters.foreignVideo
	}
	count.Add(1)
	if *known == "" {
		*known = u.Codec
		in.log.Warn("dropping media of a codec that is not carried", "media", u.Media, "codec", u.Codec)
	}
	return nil
}

// isMedia reports whether a message shows that the encoder still sends media.
func isMedia(m rtmp.Message) bool { return m.Type == rtmp.TypeVideo || m.Type == rtmp.TypeAudio }

// refusalOf returns what is wrong with an encoder's media when err means that it cannot be carried, nil otherwise.
func refusalOf(err error) *refusal {
	if u, ok := errors.AsType[*flv.UnsupportedError](err); ok {
		if u.Codec == flv.Multitrack {
			return &refusal{multitrack, "Multitrack video is not supported; this server takes one track."}
		}
		return &refusal{unsupported, u.Error() + "; this server takes H.264 and AAC-LC."}
	}
	if u, ok := errors.AsType[*unsupportedError](err); ok {
		return &refusal{unsupported, u.Error()}
	}
	if errors.Is(err, hls.ErrTooMuch) {
		return &refusal{tooMuch, "The bit rate is too high, or the time in the stream stands still."}
	}
	return nil
}

// unsupportedError says that a codec's configuration names a variant that is not carried.
type unsupportedError struct{ cause error }

func (e *unsupportedError) Error() string { return e.cause.Error() }
func (e *unsupportedError) Unwrap() error { return e.cause }

var (
	errNoConfig = errors.New("media before its configuration")
	errEmpty    = errors.New("access unit without content")
	errOverlap  = errors.New("audio for a time that has audio already")
)

func (in *intake) takeVideo(m rtmp.Message) error {
	tag, err := flv.ParseVideo(m.Payload)
	if err != nil {
		return err
	}
	switch tag.Kind {
	case flv.SequenceHeader:
		return in.videoConfig(tag.Payload)
	case flv.NALUs:
	default:
		return nil
	}
	au, err := in.framing.Normalize(tag.Payload)
	if err != nil {
		return err
	}
	if len(au) == 0 {
		return errEmpty
	}
	in.came.pictures++
	if err := in.refresh(au); err != nil {
		return err
	}
	f := media.Frame{Track: in.video, Key: h264.IsKey(au), Data: au, Arrived: m.Arrived}
	f.DTS, f.Offset = in.timeline.Video(m.Timestamp, tag.CompositionTime)
	if err := in.write(f); err != nil {
		return err
	}
	in.came.picture(&f)
	return nil
}

// refresh takes the parameter sets that a picture brings.
func (in *intake) refresh(au []byte) error {
	if in.video == nil {
		track, err := h264.Begin(au)
		if err == nil && track == nil {
			err = errNoConfig
		}
		if err != nil {
			return err
		}
		in.announce(track)
		return nil
	}
	track, err := h264.Refresh(in.video, au)
	if err != nil {
		return err
	}
	if track != in.video {
		in.video, in.changed = track, true
	}
	return nil
}

func (in *intake) videoConfig(record []byte) error {
	if len(record) == 0 {
		return errEmpty // the sets come with the pictures then
	}
	track, err := h264.ParseConfig(record)
	if err != nil && in.video == nil {
		return &unsupportedError{cause: err} // nothing can ever be shown: tell the encoder
	}
	if err != nil {
		return err
	}
	in.framing.Size = h264.LengthSize(record)
	if in.video == nil || !bytes.Equal(in.video.Config, track.Config) {
		in.announce(track)
	}
	return nil
}

// announce puts a video track in the place of the present one, with what the encoder says of it.
func (in *intake) announce(track *media.Track) {
	if track.FrameRate == 0 {
		track.FrameRate = in.script.frameRate
	}
	track.Bitrate = in.script.videoBitrate
	in.video, in.changed = track, true
}

func (in *intake) takeAudio(m rtmp.Message) error {
	tag, err := flv.ParseAudio(m.Payload)
	if err != nil {
		return err
	}
	switch tag.Kind {
	case flv.SequenceHeader:
		return in.audioConfig(tag.Payload)
	case flv.Raw:
	default:
		return nil
	}
	if in.audio == nil || in.muted {
		return errNoConfig
	}
	if err := aac.CheckFrame(tag.Payload); err != nil {
		return err
	}
	f := media.Frame{Track: in.audio, Key: true, Data: tag.Payload, Arrived: m.Arrived}
	var ok bool
	if f.DTS, ok = in.timeline.Audio(m.Timestamp, in.audio.TimeScale, aac.FrameSamples); !ok {
		return errOverlap
	}
	return in.write(f)
}

func (in *intake) audioConfig(asc []byte) error {
	track, err := aac.ParseConfig(asc)
	if len(asc) < 2 {
		return err // damaged: it says nothing about what follows
	}
	in.muted = err != nil
	switch {
	case err == nil:
	case in.audio == nil && !in.came.begun:
		return &unsupportedError{cause: err} // a stream without its sound: tell the encoder
	default:
		return &flv.UnsupportedError{Media: "audio", Codec: err.Error()}
	}
	if in.audio != nil && bytes.Equal(in.audio.Config, track.Config) {
		return nil
	}
	track.Bitrate = in.script.audioBitrate
	in.audio, in.changed = track, true
	return nil
}

// write hands a frame to the packager, behind the metadata that waits for one.
func (in *intake) write(f media.Frame) error {
	for {
		select {
		case text := <-in.metadata:
			in.packager.Metadata(ownerAPI, []byte(text))
			continue
		default:
		}
		break
	}
	if err := in.packager.Write(f); err != nil {
		return err
	}
	if steps := in.packager.DateSteps(); steps != in.dateSteps {
		in.counters.dateSteps.Add(steps - in.dateSteps)
		in.dateSteps = steps
	}
	in.counters.frames.Add(1)
	return nil
}

// playable reports whether viewers can be served, and counts how long the newest part took from its last frame.
func (in *intake) playable(now func() time.Time, arrived time.Time) bool {
	s := in.packager.Snapshot()
	if at := (place{s.LastMSN(), s.LastPart()}); at != in.shown {
		in.shown = at
		in.counters.latency.observe(now().Sub(arrived))
	}
	return s.Ready()
}

// sparing counts what happens and says now and then that it is time for a line in the log: an encoder can do anything
// with every message.
type sparing struct {
	since int
	quiet time.Time
}

const sparingInterval = 10 * time.Second

// due counts one more and reports whether to log, and how many there were since the last time.
func (s *sparing) due(now time.Time) (count int, ok bool) {
	s.since++
	if now.Before(s.quiet) {
		return 0, false
	}
	count = s.since
	s.since, s.quiet = 0, now.Add(sparingInterval)
	return count, true
}
