package broadcast

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/media/aac"
	"github.com/rivus-live/rivus/internal/media/flv"
	"github.com/rivus-live/rivus/internal/media/h264"
	"github.com/rivus-live/rivus/internal/rtmp"
)

// maxTakeovers is how often one stream may be taken over (spec ivs.md 7.4).
const maxTakeovers = 100

// Codes of a refused takeover (spec ivs.md 7.4).
const (
	codeMismatch = "StreamTakeoverMediaMismatch"
	codePriority = "StreamTakeoverInvalidPriority"
	codeLimit    = "StreamTakeoverLimitBreached"
)

// offer is a publisher that waits for the running one to give the intake back.
type offer struct {
	feed  *feed
	reply chan handover // one place, so that the owner never blocks
}

// handover is the answer to an offer.
type handover struct {
	intake *intake
	err    error
}

// supersede lets a publisher take the running broadcast over, if it may. errEnding without an accepted publication means
// that there is nothing left to take over.
func (b *broadcast) supersede(ctx context.Context, f *feed) (*intake, error) {
	var running description
	err := b.ask(ctx, func() error {
		running = b.settings
		return b.refuse(f.priority)
	})
	if err != nil {
		return nil, noneLeft(err)
	}
	if err := f.accept(); err != nil {
		return nil, err
	}
	d, err := f.probe(running)
	if err != nil {
		return nil, err
	}
	return b.takeOver(ctx, f, d)
}

// takeOver puts a publisher in the place of the running one and returns the intake once that one is done with it.
func (b *broadcast) takeOver(ctx context.Context, f *feed, d description) (*intake, error) {
	o := &offer{feed: f, reply: make(chan handover, 1)}
	err := b.ask(ctx, func() error {
		if err := b.refuse(f.priority); err != nil {
			return err
		}
		if err := b.settings.match(d); err != nil {
			return b.failTakeover(codeMismatch, err.Error())
		}
		b.successor = o
		b.current.Close(rtmp.CodeUnpublish, "Another encoder has taken the stream over.")
		return nil
	})
	if err != nil {
		return nil, noneLeft(err)
	}
	h := <-o.reply // the owner answers when the running publisher leaves, which its closed connection makes it do
	return h.intake, h.err
}

// errEnding tells a newcomer that the stream is about to end. One that was accepted already must connect again.
var errEnding = &rtmp.Rejection{Code: rtmp.CodeFailed, Description: "The stream has just ended. Connect again."}

// errInUse refuses a second publisher.
var errInUse = &rtmp.Rejection{Code: rtmp.CodeBadName, Description: "The stream key is in use."}

// noneLeft turns the answer of a stream that has ended into that of one which is ending.
func noneLeft(err error) error {
	if fault.Is(err, fault.NotLive) {
		return errEnding
	}
	return err
}

// refuse applies the rules of spec ivs.md 7.4 to a newcomer; nil means that it may take over. It runs on the owner's
// goroutine.
func (b *broadcast) refuse(p priority) error {
	switch {
	case b.reason != 0:
		return errEnding
	case !p.given:
		return errInUse
	case b.successor != nil:
		return &rtmp.Rejection{Code: rtmp.CodeFailed, Description: "The stream is being taken over by another encoder."}
	case p.value <= b.stream.Priority:
		return b.failTakeover(codePriority, "The priority is not above that of the running stream.")
	case b.stream.Takeovers >= maxTakeovers:
		return b.failTakeover(codeLimit, "The stream has been taken over too often.")
	}
	return nil
}

// failTakeover tells the world and the newcomer. The running stream is unharmed.
func (b *broadcast) failTakeover(code, text string) error {
	b.tell(takeoverFailed, code, b.clock())
	return &rtmp.Rejection{Code: rtmp.CodeDenied, Description: code + ": " + text}
}

// succeed hands the intake to the successor; session and stream go on.
func (b *broadcast) succeed(in *intake) {
	o := b.successor
	b.successor, b.current = nil, o.feed
	b.stream.Priority = o.feed.priority.value
	b.stream.Takeovers++
	b.counters.takeovers.Add(1)
	b.tell(takenOver, "", b.clock())
	b.show()
	in.adopt()
	o.reply <- handover{intake: in}
}

// decline answers a successor that will not get the intake.
func (b *broadcast) decline(err error) {
	if b.successor != nil {
		b.successor.reply <- handover{err: err}
		b.successor = nil
	}
}

// match tells whether an encoder with settings d may go on in a stream that has run with these.
func (running *description) match(d description) error {
	if running.video == nil && running.audio == nil {
		return nil // nothing was sent yet
	}
	switch v, w := running.video, d.video; {
	case (v == nil) != (w == nil), (running.audio == nil) != (d.audio == nil):
		return fmt.Errorf("the running stream has %s, this one %s", running.tracks(), d.tracks())
	case v != nil && (v.Codec != w.Codec || v.Width != w.Width || v.Height != w.Height):
		return fmt.Errorf("the running stream is %dx%d, this one %dx%d", v.Width, v.Height, w.Width, w.Height)
	}
	return nil // AAC-LC is the only audio codec
}

func (running *description) tracks() string {
	switch {
	case running.video == nil:
		return "audio only"
	case running.audio == nil:
		return "video only"
	}
	return "video and audio"
}

// Bounds of what is read from a newcomer before it is decided about.
const (
	probeMissing = 5 * time.Second // for a track that the running stream has
	probeExtra   = time.Second     // for a track that it lacks
	probeBytes   = 16 << 20        // with probeCost for each message
	probeCost    = 128
)

// probe reads a newcomer's first messages until its tracks are known and a picture came that a player can start at. The
// messages from there on are held in f for the time after the takeover.
func (f *feed) probe(running description) (description, error) {
	var d description
	var first, span uint32
	var key, begun bool
	var bytes int
	framing := h264.Framing{Size: 4}
	for {
		m, err := f.Read()
		if err != nil {
			return d, err
		}
		if !begun && isMedia(m) {
			first, begun = m.Timestamp, true
		}
		if begun && int32(m.Timestamp-first) > int32(span) { // RTMP time is modulo 2^32
			span = m.Timestamp - first
		}
		bytes += len(m.Payload) + probeCost
		keep, isKey, err := d.look(m, &framing)
		if r := refusalOf(err); r != nil && !d.passes(err) {
			return d, r
		}
		key = key || isKey
		if keep || key {
			f.held = append(f.held, m)
		}
		since := time.Duration(span) * time.Millisecond
		wait := func(got, want bool) bool { return !got && (since < probeExtra || want && since < probeMissing) }
		if bytes >= probeBytes || !wait(key, running.video != nil) && !wait(d.audio != nil, running.audio != nil) {
			return d, nil
		}
	}
}

// passes reports whether err is about a stray tag that an encoder of these tracks may send (see takeForeign).
func (d *description) passes(err error) bool {
	u, ok := errors.AsType[*flv.UnsupportedError](err)
	return ok && (u.Media == "audio" || d.video != nil && u.Codec != flv.Multitrack)
}

// look takes what a message tells about the tracks. keep: what follows makes no sense without it.
func (d *description) look(m rtmp.Message, framing *h264.Framing) (keep, key bool, err error) {
	switch m.Type {
	case rtmp.TypeVideo:
		tag, err := flv.ParseVideo(m.Payload)
		if err != nil {
			return false, false, err
		}
		if tag.Kind != flv.SequenceHeader {
			return false, d.startsHere(tag, *framing), nil
		}
		if len(tag.Payload) == 0 {
			return false, false, nil
		}
		track, err := h264.ParseConfig(tag.Payload)
		if err != nil {
			return false, false, &unsupportedError{cause: err}
		}
		d.video, framing.Size = track, h264.LengthSize(tag.Payload)
	case rtmp.TypeAudio:
		tag, err := flv.ParseAudio(m.Payload)
		if err != nil || tag.Kind != flv.SequenceHeader {
			return true, false, err
		}
		track, err := aac.ParseConfig(tag.Payload)
		if err != nil {
			return false, false, &unsupportedError{cause: err}
		}
		d.audio = track
	}
	return true, false, nil
}

// startsHere reports whether a player can start at the picture, whose parameter sets may come with it. It leaves the
// tag's bytes alone.
func (d *description) startsHere(tag flv.VideoTag, framing h264.Framing) bool {
	if tag.Kind != flv.NALUs || tag.FrameType != flv.KeyFrame {
		return false
	}
	au, err := framing.Normalize(slices.Clone(tag.Payload))
	if err != nil || !h264.IsKey(au) {
		return false
	}
	if d.video == nil {
		track, err := h264.Begin(au)
		if err != nil {
			return false
		}
		d.video = track
	}
	return d.video != nil
}
