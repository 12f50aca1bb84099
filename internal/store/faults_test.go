package store

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/natsd"
)

// fillDir is the environment variable that turns the test binary into a process that fills a directory and waits to be
// killed, or stops by itself when its standard input ends.
const fillDir = "RIVUS_TEST_FILL_DIR"

const faultRecords = 40

// fillForFaults writes records, overwrites some, deletes some and keeps a log, and then waits.
func fillForFaults(dir string) error {
	ctx := context.Background()
	conn, err := natsd.Start(ctx, natsd.Options{Dir: dir, Inspect: Inspect})
	if err != nil {
		return err
	}
	defer conn.Close()
	s, err := Open(ctx, conn, Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	table, err := OpenEventTable(ctx, s, thingDefinition(Facts))
	if err != nil {
		return err
	}
	log, err := OpenLog[thing](ctx, s, "ended")
	if err != nil {
		return err
	}
	for i := range faultRecords {
		key := keyOf(fmt.Sprint(i))
		_, err := table.Create(ctx, key, thing{Name: strings.Repeat("n", i)}, eventOf("made"))
		if err == nil && i%3 == 0 {
			_, err = table.Update(ctx, key, func(o thing) (thing, error) { o.Count = i; return o, nil })
		}
		if err == nil && i%10 == 9 {
			_, err = table.Delete(ctx, key, nil)
		}
		if err == nil {
			err = log.Append(ctx, keyOf(fmt.Sprint(i%3)), fmt.Sprint(i), thing{Count: i})
		}
		if err != nil {
			return err
		}
	}
	fmt.Fprintln(os.Stdout, "filled")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	return nil
}

// filled returns a directory that a process of its own has filled, and then stopped or was killed.
func filled(t *testing.T, killed bool) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), fillDir+"="+dir)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "filled\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if killed {
		err = cmd.Process.Kill()
	} else {
		err = in.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); (err != nil) != killed {
		t.Fatal(err)
	}
	return dir
}

// TestFaultsSeeded damages any file of a directory, by a bit or by a cut, and starts on it. It serves everything that the
// damage did not touch, or refuses, changes nothing, names what is lost, and serves it when it is told to go on.
func TestFaultsSeeded(t *testing.T) {
	t.Parallel()
	rounds := 8
	if os.Getenv(allFaults) != "" {
		rounds = 200
	}
	bases := [2]string{filled(t, false), filled(t, true)}
	for seed := range rounds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			base := bases[seed%2]
			clean := must[[]*part](t)(survey(base))
			before := stateOf(t, clean)
			if len(before) < faultRecords {
				t.Fatalf("only %d things are there", len(before))
			}
			random := rand.New(rand.NewPCG(uint64(seed), 0))
			files := everyFile(t, base)
			file := files[random.IntN(len(files))]
			dir := snapshot(t, base)
			from, to := damageSomewhere(t, random, filepath.Join(dir, file))
			mayLose := touched(extentsOf(t, clean, filepath.Join(base, file)), from, to)
			checkFault(t, dir, seed%2 == 1, before, mayLose)
		})
	}
}

func everyFile(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != "reserve" {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel)
			if strings.HasSuffix(path, ".blk") { // most bytes are there
				files = append(files, rel, rel, rel)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// damageSomewhere flips a bit or cuts a file, and returns the bytes that are not what they were.
func damageSomewhere(t *testing.T, random *rand.Rand, path string) (from, to int64) {
	t.Helper()
	content := must[[]byte](t)(os.ReadFile(path))
	if len(content) == 0 {
		return 0, 0
	}
	at := random.IntN(len(content))
	from, to = int64(at), int64(at)+1
	if random.IntN(3) == 0 {
		t.Logf("%s is cut to %d of %d bytes", path, at, len(content))
		to = int64(len(content))
		content = content[:at]
	} else {
		bit := random.IntN(8)
		t.Logf("%s: bit %d of byte %d flips", path, bit, at)
		content[at] ^= 1 << bit
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return from, to
}

// checkFault starts on a damaged directory, and once more.
func checkFault(t *testing.T, dir string, killed bool, before soundState, mayLose func(name string) bool) {
	t.Helper()
	as := tree(t, dir)
	served, err := serve(t, dir, false, before)
	accept := err != nil
	if accept {
		t.Logf("refused: %v", err)
		if after := tree(t, dir); !maps.Equal(as, after) {
			t.Error("the start that refused has changed the directory")
		}
		if served, err = serve(t, dir, true, before); err != nil {
			t.Fatalf("told to go on: %v", err)
		}
	}
	for name, revision := range before {
		switch {
		case served[name] == revision:
		case !mayLose(name):
			t.Errorf("%s is at %d, was at %d, and the damage did not touch it", name, served[name], revision)
		case !accept && !(killed && strings.HasPrefix(name, markPrefix)): // an entry that no mark vouches for yet
			t.Errorf("%s is at %d, was at %d, and the start did not refuse", name, served[name], revision)
		}
	}
	again, err := serve(t, dir, false, before)
	if err != nil || !maps.Equal(again, served) {
		t.Errorf("the next start: %v, %d things, %d before", err, len(again), len(served))
	}
}

// serve starts, and returns what of a state is served.
func serve(t *testing.T, dir string, accept bool, of soundState) (soundState, error) {
	t.Helper()
	ctx := t.Context()
	conn, err := natsd.Start(ctx, natsd.Options{Dir: dir, AcceptDataLoss: accept, Inspect: Inspect})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	s, err := Open(ctx, conn, Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	table, err := OpenTable(ctx, s, thingDefinition(Facts))
	if err != nil {
		return nil, err
	}
	log, err := OpenLog[thing](ctx, s, "ended")
	if err != nil {
		return nil, err
	}
	has := soundState{}
	for _, r := range table.All() {
		has[table.subject(r.Key)] = r.Revision
	}
	for name, sequence := range of {
		if !strings.HasPrefix(name, markPrefix) {
			continue
		}
		if e, err := log.load(ctx, lookup{Sequence: sequence}); err == nil && e != nil {
			has[name] = e.Sequence
		}
	}
	return has, nil
}
