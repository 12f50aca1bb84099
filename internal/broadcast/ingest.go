package broadcast

import (
	"errors"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/internal/ingest"
)

// A publisher can change its settings with every message. They are written down this often, and at once at the start.
const (
	describeInterval = time.Second
	describeFreely   = 8
)

// How long a publisher may send before there is a stream, counted from its first audio or video.
const (
	startPatience = 10 * time.Second // for a picture that players can start at
	playPatience  = time.Minute      // for enough of them to play
)

// ingest feeds the broadcast from one publisher until the publisher is done, and gives the intake back. It runs on the
// publisher's goroutine and returns what ended it. A panic of the packager ends the broadcast like a broken connection.
func (b *broadcast) ingest(f *feed, in *intake) error {
	err := errDefect // unless pump says otherwise
	defer func() { b.call(func() { b.left(in, err) }) }()
	err = b.pump(f, in)
	return err
}

var errDefect = errors.New("a defect of the server ended the stream")

func (b *broadcast) pump(f *feed, in *intake) error {
	playable := in.packager.Snapshot().Ready()
	single := needsMultitrack(b.channel.Multitrack)
	described, free := time.Time{}, describeFreely
	in.settings = f.Settings()
	var m ingest.Message
	for {
		if err := f.next(&m); err != nil {
			return err
		}
		if m.IsMedia() {
			b.hear(m.Arrived)
		}
		if m.Changed {
			in.settings, in.changed = f.Settings(), true
		}
		if err := in.takeMessage(&m); err != nil {
			return err
		}
		if single != nil && in.came.pictures > 0 { // other tracks are announced before the first picture of any
			return single
		}
		if in.changed && (free > 0 || m.Arrived.Sub(described) >= describeInterval) {
			in.changed, described, free = false, m.Arrived, free-1
			s := in.settings
			b.post(func() { b.describe(s) })
		}
		if now := in.playable(b.clock, m.Arrived); now && !playable {
			playable = true
			b.post(b.playable)
		}
		if !playable {
			if r := overdue(f, in, m.Arrived); r != nil {
				return r
			}
		}
	}
}

// overdue returns why what has come will not become a stream, nil while it may.
func overdue(f *feed, in *intake, now time.Time) *ingest.Refusal {
	if in.came.since.IsZero() {
		return nil
	}
	patience, waited := startPatience, now.Sub(in.came.since)
	if in.came.begun {
		patience = playPatience
	}
	if waited < patience {
		return nil
	}
	return &ingest.Refusal{Kind: ingest.Unplayable, Text: fmt.Sprintf("Nothing can be shown: %s. In %v came %s.",
		in.missing(f.ParameterSets), waited.Round(time.Second), in.summary())}
}

// hear notes that media came. A starving stream recovers with it; else the owner looks when its timer tells it to.
func (b *broadcast) hear(at time.Time) {
	b.lastMedia.Store(at.UnixNano())
	if b.stalled.Load() {
		b.post(b.tick)
	}
}
