package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// settleTime is how long the engine may take to bring an asynchronously stored entry to the disk (it syncs every two
// minutes), with room to spare. What a mark vouches for is older.
const settleTime = 5 * time.Minute

// mark is our account of a log on the embedded engine: the range of sequences that must be there. It lives in a small
// file beside the engine's, written anew when it moves; entries too young to be surely on the disk are not in it until
// the engine has stopped cleanly.
type mark struct {
	path string
	log  *slog.Logger

	mu        sync.Mutex
	state     markState
	last      uint64 // newest entry
	candidate uint64 // entry that may be vouched for when settleTime has passed since then
	then      time.Time
}

type markState struct {
	First     uint64    `json:"first"`     // oldest entry
	FirstTime time.Time `json:"firstTime"` // when it was appended: a log drops entries only by age
	Last      uint64    `json:"last"`
	Lost      []span    `json:"lost,omitempty"` // between them; the operator has accepted it
}

// span is a range of sequences, both ends included.
type span struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

func (k markState) accepted(s span) bool {
	return slices.ContainsFunc(k.Lost, func(a span) bool { return a.From <= s.From && s.To <= a.To })
}

// acceptedCount is how many entries the engine may count and never deliver.
func (k markState) acceptedCount() uint64 {
	n := uint64(0)
	for _, s := range k.Lost {
		n += s.To - s.From + 1
	}
	return n
}

// add takes the next entry that is there.
func (k *markState) add(sequence uint64, at time.Time) {
	if k.First == 0 {
		k.First, k.FirstTime = sequence, at
	} else if gap := (span{k.Last + 1, sequence - 1}); gap.From <= gap.To {
		k.Lost = append(k.Lost, gap)
	}
	k.Last = sequence
}

// through returns the state of a log that has used all sequences up to this one and will go on behind it.
func (k markState) through(last uint64) markState {
	if k.Last > 0 && k.Last < last {
		k.Lost = append(slices.Clone(k.Lost), span{k.Last + 1, last})
	}
	return k
}

// missing names what the mark vouches for and was not found. last is the last sequence that was used, maxAge the age at
// which entries go.
func (k markState) missing(stream string, found markState, last uint64, maxAge time.Duration) []string {
	var lost []string
	young := k.First > 0 && time.Since(k.FirstTime) < maxAge
	switch {
	case young && found.First == 0:
		return []string{missingEntries(stream, span{k.First, k.Last})}
	case young && found.First > k.First:
		lost = append(lost, missingEntries(stream, span{k.First, found.First - 1}))
	}
	for _, gap := range found.Lost {
		if gap.From <= k.Last && !k.accepted(gap) {
			lost = append(lost, missingEntries(stream, gap))
		}
	}
	if found.Last < k.Last && last < k.Last {
		lost = append(lost, missingEntries(stream, span{max(found.Last, last) + 1, k.Last}))
	}
	return lost
}

// advance notes a new entry, and writes the mark from time to time. A nil mark does nothing.
func (k *mark) advance(sequence uint64) {
	if k == nil {
		return
	}
	k.mu.Lock()
	k.last = max(k.last, sequence)
	now := time.Now()
	if k.state.First == 0 || sequence < k.state.First {
		k.state.First, k.state.FirstTime = sequence, now.UTC()
	}
	due := now.Sub(k.then) > settleTime
	settled := k.candidate
	if due {
		k.candidate, k.then = k.last, now
	}
	k.mu.Unlock()
	if due && settled > 0 {
		k.vouch(settled)
	}
}

// stop vouches for everything: the engine has stopped and all is on the disk.
func (k *mark) stop() {
	k.mu.Lock()
	last := k.last
	k.mu.Unlock()
	k.vouch(last)
}

func (k *mark) vouch(last uint64) {
	k.mu.Lock()
	next := k.state
	next.Last = max(next.Last, last)
	changed := next.Last != k.state.Last
	k.state = next
	k.mu.Unlock()
	if !changed {
		return
	}
	if err := writeMark(k.path, next); err != nil {
		k.log.Error("the account of a log is behind", "error", err)
	}
}

func writeMark(path string, state markState) error {
	data, err := sealRaw(filepath.Base(path), state)
	if err == nil {
		err = replaceFile(path, data)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// readMark reads a mark; there tells whether there was one.
func readMark(path string) (state markState, there bool, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return state, false, nil
	}
	if err != nil {
		return state, true, fmt.Errorf("read %s: %w", path, err)
	}
	if err = verify(filepath.Base(path), data); err == nil {
		err = json.Unmarshal(data, &state)
	}
	if err != nil {
		return state, true, fmt.Errorf("%s is damaged: %w", path, err)
	}
	return state, true, nil
}

// checkLog opens the stream of a log, reads all of it and compares it with its mark.
func checkLog(ctx context.Context, s *Store, cfg jetstream.StreamConfig, name string) (*mark, error) {
	js := s.conn.JetStream()
	if s.conn.Dir() == "" {
		return nil, AtStart(ctx, s.log, "open the log "+name, func(ctx context.Context) error {
			_, err := ensureStream(ctx, js, cfg)
			return err
		})
	}
	k := &mark{path: filepath.Join(s.conn.Dir(), markPrefix+name), log: s.log, then: time.Now()}
	state, there, err := readMark(k.path)
	var lost []string
	if err != nil {
		lost = append(lost, err.Error())
	}
	_, err = js.Stream(ctx, cfg.Name)
	exists := !errors.Is(err, jetstream.ErrStreamNotFound)
	switch {
	case exists && err != nil:
		return nil, fmt.Errorf("look for its stream: %w", err)
	case exists && !there:
		lost = append(lost, fmt.Sprintf("%s, the account of the log, is missing", k.path))
	case !exists && state.Last > 0:
		lost = append(lost, unknownLog(cfg.Name, state.Last))
	case !exists && !there:
		if err := writeMark(k.path, state); err != nil {
			return nil, err
		}
	}
	if err := judge(s.conn, s.log, lost); err != nil {
		return nil, err
	}
	if err := k.compare(ctx, s, cfg, state); err != nil {
		return nil, err
	}
	s.markStops(k)
	return k, nil
}

// markStops has the mark completed when the engine stops.
func (s *Store) markStops(k *mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.logs[k.path]; ok {
		return
	}
	s.logs[k.path] = struct{}{}
	s.conn.AfterStop(k.stop)
}

func (k *mark) compare(ctx context.Context, s *Store, cfg jetstream.StreamConfig, state markState) error {
	info, err := ensureStream(ctx, s.conn.JetStream(), cfg)
	if err != nil {
		return err
	}
	found, lost, err := scanLog(ctx, s, cfg, state)
	if err != nil {
		return err
	}
	lost = append(lost, state.missing(cfg.Name, found, max(found.Last, info.State.LastSeq), cfg.MaxAge)...)
	if err := judge(s.conn, s.log, lost); err != nil {
		return err
	}
	found = found.through(info.State.LastSeq)
	k.last, k.state = found.Last, found
	if found.First == state.First && found.Last == state.Last && slices.Equal(found.Lost, state.Lost) {
		return nil
	}
	if err := writeMark(k.path, found); err != nil {
		if len(lost) > 0 {
			return err
		}
		s.log.Error("the account of a log is behind", "error", err) // on a full disk
	}
	return nil
}

func missingEntries(stream string, s span) string {
	return fmt.Sprintf("entries %d to %d of %s are missing", s.From, s.To, stream)
}

// scanLog reads a log from its first to its last entry and tells what cannot be read and was not accepted before.
func scanLog(ctx context.Context, s *Store, cfg jetstream.StreamConfig, state markState) (found markState, lost []string, err error) {
	f, pending, err := openFeed(ctx, s.engine(), cfg, begin{policy: jetstream.DeliverAllPolicy})
	if err != nil {
		return found, nil, err
	}
	defer f.close()
	load := &loading{left: pending, seen: map[string]struct{}{}}
	for load.left > 0 {
		m, meta, err := f.next(ctx)
		if err != nil {
			return found, nil, err
		}
		if m == nil {
			if load.left <= state.acceptedCount() {
				break
			}
			if err := load.idle(); err != nil {
				lost = append(lost, err.Error())
				break
			}
			continue
		}
		load.silent, load.left = 0, meta.NumPending
		sequence := meta.Sequence.Stream
		found.add(sequence, meta.Timestamp.UTC())
		if err := verify(m.Subject, m.Data); err != nil {
			lost = append(lost, fmt.Sprintf("entry %d of %s (%s): %v", sequence, cfg.Name, strings.TrimPrefix(m.Subject, "rivus.log."), err))
		}
	}
	return found, lost, nil
}
