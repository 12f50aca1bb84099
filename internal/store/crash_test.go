package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/natsd"
)

// stormDir is the environment variable that turns the test binary into the writer that is killed.
const stormDir = "RIVUS_TEST_STORM_DIR"

func TestMain(m *testing.M) {
	os.Exit(run(m)) //nolint:forbidigo // the main of a test binary
}

// run is the child of a test, or all tests and then a look for goroutines they left.
func run(m *testing.M) int {
	if dir := os.Getenv(stormDir); dir != "" {
		fmt.Fprintln(os.Stderr, storm(dir))
		return 1
	}
	if dir := os.Getenv(fillDir); dir != "" {
		if err := fillForFaults(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	code := m.Run()
	if left := leftGoroutines(); code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "goroutines left behind:\n"+left)
		return 1
	}
	return code
}

// storm writes without end and says on standard output which writes were acknowledged.
func storm(dir string) error {
	ctx := context.Background()
	conn, err := natsd.Start(ctx, natsd.Options{Dir: dir, Inspect: Inspect})
	if err != nil {
		return err
	}
	s, err := Open(ctx, conn, Options{})
	if err != nil {
		return err
	}
	table, err := OpenEventTable(ctx, s, thingDefinition(Facts))
	if err != nil {
		return err
	}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
	say("open")
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Relay(ctx, func(context.Context, []Event) error { return nil }) })
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				key := keyOf(fmt.Sprintf("%d-%d", w, i%50))
				r, err := table.Get(ctx, key)
				switch {
				case err != nil:
					r, err = table.Create(ctx, key, thing{Count: i}, eventOf("made"))
				case i%7 == 6:
					r, err = table.Delete(ctx, key, nil, eventOf("deleted"))
					r.Value.Count = -1
				default:
					r, err = table.Update(ctx, key, func(o thing) (thing, error) { o.Count = i; return o, nil })
				}
				if err != nil {
					say("failed %v", err)
					return
				}
				say("ok %s %d", key.ID, r.Value.Count)
			}
		})
	}
	wg.Wait()
	return nil
}

// runStorm lets a child write until it has acknowledged enough, kills it, and notes what it acknowledged.
func runStorm(t *testing.T, dir string, acked map[string]int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), stormDir+"="+dir)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		var id string
		var count int
		if _, err := fmt.Sscanf(lines.Text(), "ok %s %d", &id, &count); err == nil {
			acked[id] = count
		} else if strings.HasPrefix(lines.Text(), "failed") {
			t.Errorf("the child: %s", lines.Text())
		}
		if n == 400 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
}

func TestKilledInAWriteStorm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acked := map[string]int{}
	for round := range 20 {
		runStorm(t, dir, acked)
		began := time.Now()
		conn, err := natsd.Start(t.Context(), natsd.Options{Dir: dir, Inspect: Inspect})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		s, err := Open(t.Context(), conn, Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		table := things(t, s, Facts)
		took := time.Since(began)
		for id, count := range acked {
			r, err := table.Get(t.Context(), keyOf(id))
			got := r.Value.Count
			if err != nil {
				got = -1
			}
			// At most one write of a key was on its way; it may or may not have been done.
			if got != count && !(got > count || got == -1 || count == -1) {
				t.Errorf("round %d: record %s is %d, acknowledged %d", round, id, got, count)
			}
			acked[id] = got
		}
		s.Close()
		conn.Close()
		t.Logf("round %d: %d records, open again after %v", round, len(acked), took)
	}
}
