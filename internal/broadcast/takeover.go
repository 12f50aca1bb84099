package broadcast

import (
	"context"
	"errors"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ingest"
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
	var running ingest.Settings
	err := b.ask(ctx, func() error {
		running = b.settings
		return b.refuse(f.Priority)
	})
	if err != nil {
		return nil, noneLeft(err)
	}
	if err := f.accept(); err != nil {
		return nil, err
	}
	if err := f.probe(running); err != nil {
		return nil, err
	}
	return b.takeOver(ctx, f)
}

// takeOver puts a publisher in the place of the running one and returns the intake once that one is done with it.
func (b *broadcast) takeOver(ctx context.Context, f *feed) (*intake, error) {
	next := f.Settings()
	o := &offer{feed: f, reply: make(chan handover, 1)}
	err := b.ask(ctx, func() error {
		if err := b.refuse(f.Priority); err != nil {
			return err
		}
		if err := matchSettings(&b.settings, &next); err != nil {
			return b.failTakeover(codeMismatch, err.Error())
		}
		b.successor = o
		b.current.Close(&ingest.Refusal{Kind: ingest.TakenOver, Text: "Another encoder has taken the stream over."})
		return nil
	})
	if err != nil {
		return nil, noneLeft(err)
	}
	h := <-o.reply // the owner answers when the running publisher leaves, which its closed connection makes it do
	return h.intake, h.err
}

// errEnding tells a newcomer that the stream is about to end. One that was accepted already must connect again.
var errEnding = &ingest.Refusal{Kind: ingest.ComeAgain, Text: "The stream has just ended. Connect again."}

// errInUse refuses a second publisher.
var errInUse = &ingest.Refusal{Kind: ingest.InUse, Text: "The stream key is in use."}

// noneLeft turns the answer of a stream that has ended into that of one which is ending.
func noneLeft(err error) error {
	if fault.Is(err, fault.NotLive) {
		return errEnding
	}
	return err
}

// refuse applies the rules of spec ivs.md 7.4 to a newcomer; nil means that it may take over. It runs on the owner's
// goroutine.
func (b *broadcast) refuse(p ingest.Priority) error {
	switch {
	case b.reason != 0:
		return errEnding
	case !p.Given:
		return errInUse
	case b.successor != nil:
		return &ingest.Refusal{Kind: ingest.ComeAgain, Text: "The stream is being taken over by another encoder."}
	case p.Value <= b.stream.Priority:
		return b.failTakeover(codePriority, "The priority is not above that of the running stream.")
	case b.stream.Takeovers >= maxTakeovers:
		return b.failTakeover(codeLimit, "The stream has been taken over too often.")
	}
	return nil
}

// failTakeover tells the world and the newcomer. The running stream is unharmed.
func (b *broadcast) failTakeover(code, text string) error {
	b.tell(takeoverFailed, code, b.clock())
	return &ingest.Refusal{Kind: ingest.TakeoverDenied, Text: code + ": " + text}
}

// succeed hands the intake to the successor; session and stream go on.
func (b *broadcast) succeed(in *intake) {
	o := b.successor
	b.successor, b.current = nil, o.feed
	b.stream.Priority = o.feed.Priority.Value
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

// Bounds of what is read from a newcomer before it is decided about.
const (
	probeMissing = 5 * time.Second // for a track that the running stream has
	probeExtra   = time.Second     // for a track that it lacks
	probeBytes   = 16 << 20        // with probeCost for each message
	probeCost    = 256
)

// probe reads a newcomer's first messages until its tracks are known and a picture came that a player can start at. The
// messages from there on are held in f for the time after the takeover, and everything that is no picture.
func (f *feed) probe(running ingest.Settings) error {
	var first, span time.Duration // of the newcomer's clock
	var begun, key bool
	bytes := 0
	var m ingest.Message
	for {
		if err := f.Read(&m); err != nil {
			return err
		}
		if m.IsMedia() && !begun {
			first, begun = m.At, true
		}
		if begun {
			span = max(span, m.At-first)
		}
		bytes += m.Size + probeCost
		s := f.Settings()
		if u, ok := errors.AsType[*ingest.UnsupportedError](m.Err); ok && !isStray(u, &s) {
			return refuseForeign(u)
		}
		key = key || m.Medium == ingest.Video && m.Frame.Key
		if key || m.Medium != ingest.Video {
			f.held = append(f.held, m)
		}
		wait := func(got, want bool) bool { return !got && (span < probeExtra || want && span < probeMissing) }
		if bytes >= probeBytes || !wait(key, running.Video != nil) && !wait(s.Audio != nil, running.Audio != nil) {
			return nil
		}
	}
}

// isStray reports whether foreign media is of the kind that a newcomer with these settings may send beside its own (see
// takeForeign).
func isStray(u *ingest.UnsupportedError, s *ingest.Settings) bool {
	return !u.Variant && (u.Medium == ingest.Audio || s.Video != nil && !u.Multitrack)
}
