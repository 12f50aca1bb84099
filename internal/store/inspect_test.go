package store

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/natsd/streamfile"
)

// soundState is everything that a data directory keeps: the revision of every record by subject, and "log/sequence" for
// every entry. Deletions are not in it.
type soundState map[string]uint64

// stateOf lists what a restoration of the parts would keep.
func stateOf(tb testing.TB, parts []*part) soundState {
	tb.Helper()
	state := soundState{}
	for _, p := range parts {
		if p.keep == nil {
			continue
		}
		_, err := p.stream.Read(func(_ streamfile.Block, r streamfile.Record) {
			switch {
			case r.Tombstone || !p.keep(r) || isGone(r.Header):
			case p.account == ledgerName:
				state[string(r.Subject)] = r.Sequence
			default:
				state[fmt.Sprint(p.account, "/", r.Sequence)] = r.Sequence
			}
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return state
}

// smallStore fills a directory with a few records, some of them overwritten and one deleted, and a short log. killed
// leaves it as a process that is killed does.
func smallStore(t *testing.T, killed bool) string {
	t.Helper()
	dir := t.TempDir()
	conn, s := start(t, dir)
	table, ctx := eventThings(t, s), t.Context()
	log := must[*Log[thing]](t)(OpenLog[thing](ctx, s, "ended"))
	for i := range 3 {
		must[Record[thing]](t)(table.Create(ctx, keyOf(fmt.Sprint(i)), thing{Count: i}))
	}
	must[Record[thing]](t)(table.Update(ctx, keyOf("1"), func(o thing) (thing, error) { o.Count = 7; return o, nil }, eventOf("waits")))
	must[Record[thing]](t)(table.Delete(ctx, keyOf("2"), nil))
	for i := range 2 {
		if err := log.Append(ctx, keyOf("1"), fmt.Sprint(i), thing{Count: i}); err != nil {
			t.Fatal(err)
		}
	}
	if !killed {
		s.Close()
		conn.Close()
		return dir
	}
	for look := time.NewTicker(5 * time.Millisecond); ; <-look.C { // the engine writes entries a little later
		if parts := must[[]*part](t)(survey(dir)); len(parts) == 2 && parts[1].sound == 2 {
			look.Stop()
			return snapshot(t, dir)
		}
	}
}

// snapshot copies a directory as it is on the disk now: what a kill would leave behind.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// extent is where a state of a record or an entry stands in a file.
type extent struct {
	names    [2]string // as in a soundState: one of them
	from, to int64
}

func extentsOf(t *testing.T, parts []*part, path string) []extent {
	t.Helper()
	var all []extent
	for _, p := range parts {
		_, err := p.stream.Read(func(b streamfile.Block, r streamfile.Record) {
			if b.Path != path {
				return
			}
			e := extent{names: [2]string{string(r.Subject), fmt.Sprint(p.account, "/", r.Sequence)}}
			if len(all) > 0 {
				e.from = all[len(all)-1].to
			}
			e.to = e.from + int64(len(r.Raw))
			all = append(all, e)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// touched tells which records have a byte in a part of the file.
func touched(extents []extent, from, to int64) func(name string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(extents, func(e extent) bool {
			return e.from < to && from < e.to && (e.names[0] == name || e.names[1] == name)
		})
	}
}

// checkVerdict holds a survey of a damaged directory against what was there before. mayLose are the records that the
// damage touched.
func checkVerdict(t *testing.T, what string, killed bool, before soundState, after []*part, mayLose func(name string) bool) {
	t.Helper()
	kept := stateOf(t, after)
	var lost []string
	for _, p := range after {
		lost = append(lost, p.lost...)
	}
	for name, revision := range before {
		if kept[name] == revision {
			continue
		}
		if !mayLose(name) {
			t.Fatalf("%s: %s is at %d and was at %d, which the damage did not touch; lost %q", what, name, kept[name], revision, lost)
		}
		if young := killed && strings.HasPrefix(name, markPrefix); len(lost) == 0 && !young { // an entry that no mark vouches for yet
			t.Fatalf("%s: %s is at %d and was at %d, and nothing is lost", what, name, kept[name], revision)
		}
	}
	for name := range kept {
		if _, ok := before[name]; !ok && !mayLose(name) {
			t.Fatalf("%s: %s was not there and comes back", what, name)
		}
	}
}

// allFaults is the environment variable that has the tests go through all faults that they can make, not some of them.
const allFaults = "RIVUS_FAULTS"

// TestFaultsEveryBitAndLength damages every bit of every file that holds records or accounts of them, and cuts each of them to
// every length; without allFaults, a bit of every byte. What the damage did not touch is found, and what it cost is named.
func TestFaultsEveryBitAndLength(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed=%v", killed), func(t *testing.T) {
			t.Parallel()
			dir := smallStore(t, killed)
			for _, file := range judgedFiles(t, dir) {
				t.Run(strings.ReplaceAll(file, "/", " "), func(t *testing.T) {
					t.Parallel()
					damageEverywhere(t, snapshot(t, dir), file, killed)
				})
			}
		})
	}
}

// judgedFiles lists the files of a directory that the survey reads.
func judgedFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{ledgerName, markPrefix + "*", natsd.StreamPath("*") + "/meta.*", natsd.StreamPath("*") + "/msgs/*.blk"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, path := range found {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel)
		}
	}
	return files
}

func damageEverywhere(t *testing.T, dir, file string, killed bool) {
	t.Helper()
	clean := must[[]*part](t)(survey(dir))
	before := stateOf(t, clean)
	if len(before) != 4 || slices.ContainsFunc(clean, (*part).hurt) {
		t.Fatalf("%v, %+v", before, clean)
	}
	path := filepath.Join(dir, file)
	good := must[[]byte](t)(os.ReadFile(path))
	f := must[*os.File](t)(os.OpenFile(path, os.O_RDWR, 0))
	defer f.Close()
	extents := extentsOf(t, clean, path)
	for at := range good {
		mayLose := touched(extents, int64(at), int64(at)+1)
		for bit := range 8 {
			if bit != at%8 && os.Getenv(allFaults) == "" {
				continue
			}
			must[int](t)(f.WriteAt([]byte{good[at] ^ 1<<bit}, int64(at)))
			after := must[[]*part](t)(survey(dir))
			what := fmt.Sprintf("bit %d of byte %d", bit, at)
			checkVerdict(t, what, killed, before, after, mayLose)
			hurt := slices.ContainsFunc(after, (*part).hurt)
			if strings.HasSuffix(file, ".blk") && !hurt && int64(at) < extents[len(extents)-1].from {
				t.Fatalf("%s: the engine is left alone with it", what)
			}
		}
		must[int](t)(f.WriteAt(good[at:at+1], int64(at)))
	}
	for length := len(good) - 1; length >= 0; length-- {
		if err := f.Truncate(int64(length)); err != nil {
			t.Fatal(err)
		}
		after := must[[]*part](t)(survey(dir))
		checkVerdict(t, fmt.Sprintf("cut to %d bytes", length), killed, before, after, touched(extents, int64(length), int64(len(good))))
	}
}

// TestDamageCostsWhatIsDamaged: one flipped bit in one live record of 50. The start refuses and changes nothing, whether
// the process had stopped or was killed; told to go on, it serves the 49 others with their events and their revisions,
// and goes on counting where it was.
func TestDamageCostsWhatIsDamaged(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		t.Run(fmt.Sprintf("killed=%v", killed), func(t *testing.T) {
			t.Parallel()
			dir, ctx, ok := t.TempDir(), t.Context(), must[Record[thing]](t)
			conn, s := start(t, dir)
			table := eventThings(t, s)
			for i := range 50 {
				ok(table.Create(ctx, keyOf(fmt.Sprint(i)), thing{Count: i}, eventOf(fmt.Sprint(i))))
			}
			last := ok(table.Update(ctx, keyOf("49"), func(o thing) (thing, error) { o.Count = 100; return o, nil }))
			if killed {
				dir = snapshot(t, dir)
			} else {
				s.Close()
				conn.Close()
			}
			flipIn(t, filepath.Join(dir, natsd.StreamPath("KV_rivus-facts"), "msgs", "1.blk"), `"count":20`)
			before := tree(t, dir)
			_, err := natsd.Start(ctx, natsd.Options{Dir: dir, Inspect: Inspect})
			damage := (*Damage)(nil)
			if !errors.As(err, &damage) || len(damage.Lost) != 1 || !strings.Contains(damage.Lost[0], table.subject(keyOf("20"))) {
				t.Fatalf("got %v", err)
			}
			if after := tree(t, dir); !maps.Equal(before, after) {
				t.Fatalf("a refused start changed the directory: %v, was %v", after, before)
			}
			_, s = startOn(t, natsd.Options{Dir: dir, AcceptDataLoss: true, Inspect: Inspect})
			table = eventThings(t, s)
			if n := len(table.All()); n != 49 {
				t.Errorf("%d records are served", n)
			}
			if n := len(s.facts.outgoing); n != 49 {
				t.Errorf("the events of %d records wait", n)
			}
			if r := ok(table.Get(ctx, keyOf("49"))); r.Revision != last.Revision || r.Value.Count != 100 {
				t.Errorf("%+v, was %+v", r, last)
			}
			if r := ok(table.Create(ctx, keyOf("20"), thing{})); r.Revision <= last.Revision {
				t.Errorf("revision %d comes after %d", r.Revision, last.Revision)
			}
			aside, err := filepath.Glob(filepath.Join(dir, asidePrefix+"*", natsd.StreamPath("KV_rivus-facts"), "msgs", "1.blk"))
			if err != nil || len(aside) != 1 {
				t.Errorf("kept aside: %v %v", aside, err)
			}
		})
	}
}

// flipIn flips a bit of the last place of a file that holds a text.
func flipIn(t *testing.T, path, text string) {
	t.Helper()
	content := must[[]byte](t)(os.ReadFile(path))
	at := strings.LastIndex(string(content), text)
	if at < 0 {
		t.Fatalf("%q is not in %s", text, path)
	}
	content[at] ^= 4
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// tree returns the content of every file by its path.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := []byte(nil)
		if d.Type().IsRegular() {
			content, err = os.ReadFile(path)
		}
		files[path] = info.Mode().String() + string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestDamageThatCostsNothing: what no record needs is mended without asking, and kept aside.
func TestDamageThatCostsNothing(t *testing.T) {
	t.Parallel()
	facts := natsd.StreamPath("KV_rivus-facts")
	for name, hurt := range map[string]func(t *testing.T, dir string){
		"a record that was overwritten": func(t *testing.T, dir string) {
			t.Helper()
			flipIn(t, filepath.Join(dir, facts, "msgs", "1.blk"), `"count":1}`)
		},
		"the description of a stream": func(t *testing.T, dir string) {
			t.Helper()
			flipIn(t, filepath.Join(dir, facts, "meta.inf"), `"max_msgs_per_subject"`)
		},
		"no description": func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Remove(filepath.Join(dir, natsd.StreamPath("RIVUS_ended"), "meta.inf")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, ctx, ok := smallStore(t, true), t.Context(), must[Record[thing]](t)
			hurt(t, dir)
			conn, s := startOn(t, natsd.Options{Dir: dir, Inspect: Inspect})
			table := eventThings(t, s)
			log := must[*Log[thing]](t)(OpenLog[thing](ctx, s, "ended"))
			if r := ok(table.Get(ctx, keyOf("1"))); r.Value.Count != 7 || len(table.All()) != 2 || len(s.facts.outgoing) != 1 {
				t.Errorf("%+v of %d, %d wait", r, len(table.All()), len(s.facts.outgoing))
			}
			if list, err := log.ListNewestFirst(ctx, keyOf("1"), "", 0, 10); err != nil || len(list) != 2 {
				t.Errorf("%v %v", list, err)
			}
			ok(table.Create(ctx, keyOf("2"), thing{}))
			if err := log.Append(ctx, keyOf("1"), "2", thing{}); err != nil {
				t.Error(err)
			}
			s.Close()
			conn.Close()
			if parts := must[[]*part](t)(survey(dir)); slices.ContainsFunc(parts, (*part).hurt) {
				t.Errorf("it is still hurt: %+v", parts)
			}
			if aside, _ := filepath.Glob(filepath.Join(dir, asidePrefix+"*")); len(aside) != 1 {
				t.Errorf("kept aside: %v", aside)
			}
		})
	}
}

// TestRestorationIsTakenUp: a process that dies while it puts restored files in their places is followed by one that
// goes on with it.
func TestRestorationIsTakenUp(t *testing.T) {
	t.Parallel()
	pristine := smallStore(t, false)
	want := stateOf(t, must[[]*part](t)(survey(pristine)))
	block := filepath.Join(natsd.StreamPath("KV_rivus-facts"), "msgs", "1.blk")
	flipIn(t, filepath.Join(pristine, block), `"count":1}`)
	parts := must[[]*part](t)(survey(pristine))
	for steps := range 5 {
		t.Run(fmt.Sprint(steps), func(t *testing.T) {
			t.Parallel()
			dir := snapshot(t, pristine)
			ready := filepath.Join(dir, restorePrefix+"x")
			if err := parts[0].write(ready); err != nil {
				t.Fatal(err)
			}
			aside := filepath.Join(dir, asidePrefix+"x")
			units := must[[]string](t)(restoredUnits(ready))
			for i, unit := range units { // what putBack does, up to the step
				place, old := filepath.Join(dir, unit), filepath.Join(aside, unit)
				if err := os.MkdirAll(filepath.Dir(old), 0o700); err != nil {
					t.Fatal(err)
				}
				if steps > 2*i {
					if err := os.Rename(place, old); err != nil {
						t.Fatal(err)
					}
				}
				if steps > 2*i+1 {
					if err := os.Rename(filepath.Join(ready, unit), place); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := Inspect(dir, false, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			after := must[[]*part](t)(survey(dir))
			if got := stateOf(t, after); slices.ContainsFunc(after, (*part).hurt) || !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if _, err := os.Stat(filepath.Join(aside, block)); err != nil {
				t.Error(err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*restor*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestExpiredLogIsNoDamage: a server that was off for longer than a log keeps its entries starts.
func TestExpiredLogIsNoDamage(t *testing.T) {
	t.Parallel()
	dir, ctx := smallStore(t, false), t.Context()
	conn, s := start(t, dir)
	must[*Log[thing]](t)(OpenLog[thing](ctx, s, "ended"))
	stream, err := conn.JetStream().Stream(ctx, logPrefix+"ended")
	if err == nil {
		err = stream.Purge(ctx) // leaves what expiry leaves: no entry, and the last sequence
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	conn.Close()
	path := filepath.Join(dir, markPrefix+"ended")
	state, _, err := readMark(path)
	if err != nil {
		t.Fatal(err)
	}
	state.FirstTime = time.Now().Add(-2 * DefaultLogAge)
	if err := writeMark(path, state); err != nil {
		t.Fatal(err)
	}
	_, s = start(t, dir)
	log := must[*Log[thing]](t)(OpenLog[thing](ctx, s, "ended"))
	if err := log.Append(ctx, keyOf("1"), "3", thing{}); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkInspect is of 20,000 records.
func BenchmarkInspect(b *testing.B) {
	dir, ctx := b.TempDir(), b.Context()
	conn, s := start(b, dir)
	table := things(b, s, Facts)
	for i := range 20_000 {
		must[Record[thing]](b)(table.Create(ctx, keyOf(fmt.Sprint(i)), thing{Name: strings.Repeat("n", 300)}))
	}
	s.Close()
	conn.Close()
	for b.Loop() {
		if err := Inspect(dir, false, slog.New(slog.DiscardHandler)); err != nil {
			b.Fatal(err)
		}
	}
}
