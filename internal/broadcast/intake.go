package broadcast

import (
	"bytes"
	"errors"
	"log/slog"
	"time"

	"github.com/rivus-live/rivus/internal/hls"
	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/media/timeline"
)

// Owners of timed metadata, by which players tell it apart (spec ivs.md 12).
const (
	ownerAPI     = "metadata.live-video.net"
	ownerEncoder = "inband.metadata.live-video.net"
)

// intake puts the frames of publishers on the broadcast's timeline and writes them to the packager. It belongs to whoever
// feeds the broadcast: one publisher's goroutine at a time, handed on at a takeover.
//
// A frame costs no allocation here: it is a slice of its message.
type intake struct {
	packager *hls.Packager
	ring     *media.Ring // all that read the frames; the packager does so in line
	splice   timeline.Splice
	metadata <-chan string // from PutMetadata, inserted with the next frame
	counters *counters
	log      *slog.Logger
	drops    sparing
	jumps    sparing

	video, audio carried
	settings     ingest.Settings // of the present publisher
	changed      bool            // they are new
	came         tally
	dateSteps    int64 // of the packager, as far as they are counted
	shown        place
}

// carried is the track of one medium.
type carried struct {
	given *media.Track // as the present publisher's frames name it
	track *media.Track // as the packager knows it
}

// take returns the track that stands for the one of a publisher's frame. As long as the configuration is the same it is
// the same track, also when publishers change: players see a new one as a break.
func (c *carried) take(given *media.Track) *media.Track {
	if given == c.given {
		return c.track
	}
	c.given = given
	if c.track == nil || c.track.TimeScale != given.TimeScale || !bytes.Equal(c.track.Config, given.Config) {
		c.track = given
	}
	return c.track
}

// place is how far the playlist has come, to notice a new part.
type place struct {
	msn  int64
	part int
}

func newIntake(p *hls.Packager, metadata <-chan string, c *counters, log *slog.Logger) *intake {
	ring := media.NewRing(ringFrames, ringBytes)
	ring.ReadInline(p.Write)
	return &intake{
		packager: p,
		ring:     ring,
		metadata: metadata,
		counters: c,
		log:      log,
		shown:    place{msn: -1, part: -1},
	}
}

// adopt prepares for the messages of another publisher, whose tracks are known to match.
func (in *intake) adopt() {
	in.splice.Next()
	in.changed = true
	in.came = tally{}
}

// takeMessage takes the next message. The error is an *ingest.Refusal when the publisher sends what cannot be carried; what
// is merely damaged, and a codec that is not carried beside those that are, is dropped and counted.
func (in *intake) takeMessage(m *ingest.Message) error {
	in.counters.bytes.Add(int64(m.Size))
	in.came.note(m)
	if m.Jumps != 0 {
		in.noteJumps(m)
	}
	if len(m.Text) > 0 {
		in.packager.Metadata(ownerEncoder, m.Text)
	}
	err := m.Err
	if err == nil && m.Frame.Track != nil {
		err = in.takeFrame(&m.Frame)
	}
	if err == nil {
		return nil
	}
	if u, ok := errors.AsType[*ingest.UnsupportedError](err); ok {
		return in.takeForeign(u)
	}
	if errors.Is(err, hls.ErrTooMuch) {
		return &ingest.Refusal{Kind: ingest.TooMuch, Text: "The bit rate is too high, or the time in the stream stands still."}
	}
	in.drop(m, err)
	return nil
}

var errOverlap = errors.New("audio for a time that has audio already")

// takeFrame writes a frame at its place.
func (in *intake) takeFrame(f *media.Frame) error {
	known := &in.audio
	if f.Track.IsVideo() {
		known = &in.video
	}
	f.Track = known.take(f.Track)
	if !in.splice.PlaceFrame(f) {
		return errOverlap
	}
	if err := in.write(*f); err != nil {
		return err
	}
	in.came.frame(f)
	return nil
}

// noteJumps counts jumps of the publisher's clock.
func (in *intake) noteJumps(m *ingest.Message) {
	in.counters.rebases.Add(int64(m.Jumps))
	if count, ok := in.jumps.due(m.Arrived); ok {
		in.log.Info("encoder's clock jumped", "count", count, "timestamp_ms", m.At.Milliseconds())
	}
}

// drop counts a message that is of no use.
func (in *intake) drop(m *ingest.Message, err error) {
	in.counters.drops.Add(1)
	if m.IsMedia() {
		in.came.dropped++
		in.came.last = err
	}
	if count, ok := in.drops.due(m.Arrived); ok {
		in.log.Warn("dropped what the encoder sent", "count", count, "last", err)
	}
}

// takeForeign drops a message of a codec that is not carried, with one line in the log for each medium. Cameras send some
// beside their ordinary ones. Only a stream that begins with one is refused: the encoder should hear of it.
func (in *intake) takeForeign(u *ingest.UnsupportedError) error {
	if in.beginsForeign(u) {
		return refuseForeign(u)
	}
	known, count := &in.came.foreign.audio, &in.counters.foreignAudio
	if u.Medium == ingest.Video {
		known, count = &in.came.foreign.video, &in.counters.foreignVideo
	}
	count.Add(1)
	if *known == "" {
		*known = u.Codec
		in.log.Warn("dropping media of a codec that is not carried", "media", u.Medium.String(), "codec", u.Codec)
	}
	return nil
}

// beginsForeign reports whether a stream begins with what is not carried: video, or a kind of sound that makes it a stream
// without its sound. Sound of another codec is no beginning; what is carried may follow.
func (in *intake) beginsForeign(u *ingest.UnsupportedError) bool {
	if u.Medium == ingest.Video {
		return in.settings.Video == nil || u.Multitrack && !in.came.begun
	}
	return u.Variant && in.settings.Audio == nil && !in.came.begun
}

// Bounds of what is held for readers of a ring that are behind: some ten seconds of what cameras send.
const (
	ringFrames = 1 << 10
	ringBytes  = 32 << 20
)

// write hands a frame to the packager, in line, and to the other readers, behind the metadata that waits for one.
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
	if err := in.ring.WriteFrame(f); err != nil {
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
