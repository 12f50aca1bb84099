package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/natsd/streamfile"
)

// The names of our accounts in the data directory.
const (
	ledgerName = "ledger"
	markPrefix = "log-"
	logPrefix  = "RIVUS_"
)

// Inspect judges a data directory before the engine opens it and while nobody else can: the engine repairs its files by
// cutting them off where it cannot read on, and with that go sound records. It reads all of the engine's files and
// compares them with our accounts. It is made for natsd.Options.
//
// When something that was acknowledged cannot be read, nothing is written and a *Damage says what. With acceptLoss, or
// when what cannot be read is nothing that counts, the hurt files are kept aside and written anew with every sound
// record under its revision, with its events.
func Inspect(dir string, acceptLoss bool, log *slog.Logger) error {
	if err := finishRestoring(dir, log); err != nil {
		return err
	}
	parts, err := survey(dir)
	if err != nil {
		return fmt.Errorf("store: inspect %s: %w", dir, err)
	}
	damage := &Damage{}
	var hurt []*part
	for _, p := range parts {
		if len(p.lost) > 0 {
			damage.Lost = append(damage.Lost, p.lost...)
		}
		if p.hurt() {
			hurt = append(hurt, p)
			damage.Unreadable = append(damage.Unreadable, p.broken...)
		}
		damage.Sound += p.sound
	}
	if len(damage.Lost) > 0 && !acceptLoss {
		return damage
	}
	if len(hurt) > 0 {
		if err := restore(dir, hurt, damage, log); err != nil {
			return fmt.Errorf("store: restore %s: %w", dir, err)
		}
	}
	for _, p := range parts {
		if err := p.stream.ForgetExpiry(); err != nil {
			return fmt.Errorf("store: %w", err)
		}
	}
	return nil
}

// part is one stream with our account of it.
type part struct {
	stream  streamfile.Stream
	path    string // of the stream, in the data directory
	account string // name of our account in the data directory

	there  bool                         // the stream is
	lost   []string                     // what was acknowledged and cannot be read
	broken []string                     // what cannot be read, whether or not it counts
	sound  int                          // records that count
	last   uint64                       // the last revision or sequence that was used
	meta   []byte                       // description; nil when it cannot be read
	config jetstream.StreamConfig       // to make another description
	damage []streamfile.Damage          // all that cannot be read
	keep   func(streamfile.Record) bool // the records that count
	anew   func(path string) error      // writes an account of them
}

func (p *part) hurt() bool { return len(p.lost) > 0 || len(p.broken) > 0 }

func newPart(dir, stream, account string, config jetstream.StreamConfig) (*part, error) {
	path := natsd.StreamPath(stream)
	p := &part{
		stream: streamfile.Stream{Name: stream, Dir: filepath.Join(dir, path)},
		path:   path, account: account, config: config,
	}
	var err error
	if p.there, err = p.stream.Exists(); err != nil || !p.there {
		return p, err
	}
	if p.meta, err = p.stream.Meta(); err != nil {
		p.broken = append(p.broken, err.Error())
	}
	return p, nil
}

// read reads the whole stream.
func (p *part) read(fn func(streamfile.Record)) (err error) {
	p.damage, err = p.stream.Read(func(_ streamfile.Block, r streamfile.Record) {
		p.last = max(p.last, r.Sequence)
		fn(r)
	})
	for _, d := range p.damage {
		if !d.Partial { // what the machine did not finish writing was never acknowledged
			p.broken = append(p.broken, d.String())
		}
	}
	return err
}

// survey reads everything in a data directory that the store keeps there. It writes nothing.
func survey(dir string) ([]*part, error) {
	facts, err := surveyFacts(dir)
	if err != nil {
		return nil, err
	}
	parts := []*part{facts}
	names, err := logNames(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		p, err := surveyLog(dir, name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// logNames returns the names of all logs of which there is anything.
func logNames(dir string) ([]string, error) {
	var names []string
	for _, of := range []struct{ dir, prefix string }{
		{dir, markPrefix}, {filepath.Join(dir, filepath.Dir(natsd.StreamPath(logPrefix))), logPrefix},
	} {
		entries, err := os.ReadDir(of.dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err //nolint:wrapcheck // it names the directory
		}
		for _, e := range entries {
			if name, ok := strings.CutPrefix(e.Name(), of.prefix); ok && !strings.Contains(name, ".") {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// surveyFacts compares the records with the ledger.
func surveyFacts(dir string) (*part, error) {
	p, err := newPart(dir, factsConfig(1).Name, ledgerName, factsConfig(1))
	if err != nil {
		return nil, err
	}
	acc, err := readAccount(filepath.Join(dir, ledgerName))
	known := err == nil
	switch {
	case isNotExist(err) && !p.there:
		return p, nil
	case isNotExist(err):
		p.lost = append(p.lost, fmt.Sprintf("%s, the account of all records, is missing", filepath.Join(dir, ledgerName)))
	case err != nil:
		p.lost = append(p.lost, err.Error())
	case !p.there && acc.through == 0:
		return p, nil
	case !p.there:
		p.lost = append(p.lost, unknownStream(p.stream.Name, len(acc.subjects)))
	}
	has, err := p.readFacts(len(acc.subjects))
	if err != nil {
		return nil, err
	}
	lost, back := acc.compare(has)
	if known && p.there {
		p.lost = append(p.lost, lost...)
		if p.last < acc.through {
			p.lost = append(p.lost, fmt.Sprintf("the revisions %d to %d at the end of %s are missing", p.last+1, acc.through, p.stream.Name))
		}
		p.lost = append(p.lost, p.unlisted(acc.through)...)
	}
	p.last = max(p.last, acc.through)
	for _, subject := range back {
		delete(has, subject)
	}
	p.keepFacts(has)
	slices.Sort(p.lost)
	return p, nil
}

func unknownStream(name string, records int) string {
	return fmt.Sprintf("the engine does not know its stream %s any more; %d records were in it", name, records)
}

// readFacts returns the newest state of every subject, as far as it can be read. What the engine has removed since is
// not there.
func (p *part) readFacts(expected int) (map[string]known, error) {
	has := make(map[string]known, expected)
	removed := map[uint64]struct{}{}
	err := p.read(func(r streamfile.Record) {
		switch {
		case r.Tombstone:
			removed[r.Sequence] = struct{}{}
		case has[string(r.Subject)].revision < r.Sequence:
			has[string(r.Subject)] = known{revision: r.Sequence, gone: isGone(r.Header)}
		}
	})
	if len(removed) > 0 {
		maps.DeleteFunc(has, func(_ string, k known) bool {
			_, ok := removed[k.revision]
			return ok
		})
	}
	return has, err
}

func isGone(header []byte) bool {
	return bytes.Contains(header, []byte("\r\n"+headerOperation+":")) || bytes.Contains(header, []byte("\r\n"+headerMarker+":"))
}

// unlisted tells which revisions may be in what cannot be read and are too new for the account to list them.
func (p *part) unlisted(through uint64) []string {
	var lost []string
	for _, d := range p.damage {
		from := max(d.Before, through) + 1
		switch {
		case d.Partial:
		case d.After == 0:
			lost = append(lost, fmt.Sprintf("what was written after revision %d cannot be read: %v", from-1, d))
		case from < d.After:
			lost = append(lost, fmt.Sprintf("the revisions %d to %d, which no account lists yet, cannot be read: %v", from, d.After-1, d))
		}
	}
	return lost
}

// keepFacts decides what a restored stream holds.
func (p *part) keepFacts(has map[string]known) {
	for _, k := range has {
		if !k.gone {
			p.sound++
		}
	}
	p.keep = func(r streamfile.Record) bool {
		k, ok := has[string(r.Subject)]
		return ok && k.revision == r.Sequence
	}
	p.anew = func(path string) error {
		l, err := writeLedger(path, account{through: p.last, subjects: has})
		if err != nil {
			return err
		}
		return l.close()
	}
}

// surveyLog compares the entries of a log with its mark.
func surveyLog(dir, name string) (*part, error) {
	p, err := newPart(dir, logPrefix+name, markPrefix+name, logConfig(name, DefaultLogAge, 1))
	if err != nil {
		return nil, err
	}
	state, there, err := readMark(filepath.Join(dir, p.account))
	switch {
	case err != nil:
		p.lost = append(p.lost, err.Error())
	case p.there && !there:
		p.lost = append(p.lost, fmt.Sprintf("%s, the account of the log, is missing", filepath.Join(dir, p.account)))
	case !p.there && state.Last == 0:
		return p, nil
	case !p.there:
		p.lost = append(p.lost, unknownLog(p.stream.Name, state.Last))
	}
	found, removed, err := p.readLog(state.First)
	if err != nil {
		return nil, err
	}
	if there && p.there {
		end := p.last
		if slices.ContainsFunc(p.damage, func(d streamfile.Damage) bool { return d.After == 0 && !d.Partial }) {
			end = found.Last
		}
		p.lost = append(p.lost, state.missing(p.stream.Name, found, end, p.maxAge())...)
		if len(p.damage) > 0 && state.First == 0 && state.Last > 0 && found.First > 1 { // the mark of an older version
			p.lost = append(p.lost, missingEntries(p.stream.Name, span{1, found.First - 1}))
		}
	}
	p.last = max(p.last, state.Last)
	p.keep = func(r streamfile.Record) bool {
		_, gone := removed[r.Sequence]
		return !gone && r.Sequence >= state.First
	}
	p.anew = func(path string) error { return writeMark(path, found.through(p.last)) }
	return p, nil
}

func unknownLog(stream string, last uint64) string {
	return fmt.Sprintf("the engine does not know its stream %s any more; it reached entry %d", stream, last)
}

// readLog returns what is there from the entry first on, and the entries that the engine has removed. It removes old
// ones without a trace in the files, but none that is in the mark.
func (p *part) readLog(first uint64) (found markState, removed map[uint64]struct{}, err error) {
	removed = map[uint64]struct{}{}
	err = p.read(func(r streamfile.Record) {
		switch {
		case r.Tombstone:
			removed[r.Sequence] = struct{}{}
		case r.Sequence >= first && r.Sequence > found.Last:
			found.add(r.Sequence, time.Unix(0, r.Time).UTC())
			p.sound++
		}
	})
	return found, removed, err
}

// maxAge is how long the log keeps its entries.
func (p *part) maxAge() time.Duration {
	config := p.config
	if p.meta != nil {
		_ = json.Unmarshal(p.meta, &config) // its checksum is right, and without it the usual age counts
	}
	return config.MaxAge
}
