package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
)

// hurt is one way to damage a file.
type hurt struct {
	name string
	do   func(content []byte) []byte
}

func hurts() []hurt {
	flip := func(at func(n int) int) func([]byte) []byte {
		return func(c []byte) []byte {
			if len(c) > 0 {
				c[at(len(c))] ^= 0x41
			}
			return c
		}
	}
	return []hurt{
		{"flip first", flip(func(int) int { return 0 })},
		{"flip early", flip(func(n int) int { return n / 5 })},
		{"flip middle", flip(func(n int) int { return n / 2 })},
		{"flip late", flip(func(n int) int { return n * 4 / 5 })},
		{"flip last", flip(func(n int) int { return n - 1 })},
		{"empty", func([]byte) []byte { return nil }},
		{"truncate middle", func(c []byte) []byte { return c[:len(c)/2] }},
		{"truncate late", func(c []byte) []byte { return c[:len(c)*9/10] }},
		{"truncate last", func(c []byte) []byte { return c[:max(0, len(c)-1)] }},
	}
}

const damageRecords = 60

// fillForDamage writes what the damage test expects to find again.
func fillForDamage(t *testing.T, dir string) {
	t.Helper()
	conn, s := start(t, dir)
	table, ctx := things(t, s, Facts), t.Context()
	log := must[*Log[thing]](t)(OpenLog[thing](ctx, s, "ended"))
	for i := range damageRecords {
		must[Record[thing]](t)(table.Create(ctx, keyOf(fmt.Sprint(i)), thing{Name: strings.Repeat("n", 50)}))
	}
	for i := range damageRecords {
		must[Record[thing]](t)(table.Update(ctx, keyOf(fmt.Sprint(i)), func(o thing) (thing, error) { o.Count = i + 1; return o, nil }))
		if err := log.Append(ctx, keyOf(fmt.Sprint(i%7)), fmt.Sprint(i), thing{Count: i}); err != nil {
			t.Fatal(err)
		}
	}
	must[Record[thing]](t)(table.Create(ctx, keyOf("gone"), thing{}))
	must[Record[thing]](t)(table.Delete(ctx, keyOf("gone"), nil))
	s.Close()
	conn.Close()
}

// checkAfterDamage opens a directory and returns the refusal, or fails when it is served with anything missing.
func checkAfterDamage(t *testing.T, dir string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
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
	table, err := OpenTable(ctx, s, thingDefinition(Facts))
	if err != nil {
		return err
	}
	log, err := OpenLog[thing](ctx, s, "ended")
	if err != nil {
		return err
	}
	for i := range damageRecords {
		r, err := table.Get(ctx, keyOf(fmt.Sprint(i)))
		if err != nil || r.Value.Count != i+1 || len(r.Value.Name) != 50 {
			t.Errorf("served, but record %d is %+v, %v", i, r, err)
		}
		e, err := log.Last(ctx, keyOf(fmt.Sprint(i%7)), fmt.Sprint(i))
		if err != nil || e.Value.Count != i {
			t.Errorf("served, but log entry %d is %+v, %v", i, e, err)
		}
	}
	if _, err := table.Get(ctx, keyOf("gone")); err == nil {
		t.Error("served, but a deleted record is back")
	}
	return nil
}

func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	pristine := t.TempDir()
	fillForDamage(t, pristine)
	var files []string
	err := filepath.WalkDir(pristine, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel, _ := filepath.Rel(pristine, path)
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, h := range hurts() {
			t.Run(file+"/"+h.name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(pristine)); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, file)
				content, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, h.do(content), 0o600); err != nil {
					t.Fatal(err)
				}
				before := tree(t, dir)
				refusal := checkAfterDamage(t, dir)
				t.Logf("refusal: %v", refusal)
				if refusal == nil {
					return
				}
				if after := tree(t, dir); !maps.Equal(before, after) {
					t.Error("the start that refused has changed the directory")
				}
				var damage *Damage
				if !errors.As(refusal, &damage) && !strings.Contains(refusal.Error(), "damaged") {
					t.Error("the refusal does not say that something is damaged")
				}
			})
		}
	}
}

func TestDataLossCanBeAccepted(t *testing.T) {
	t.Parallel()
	facts := "engine/jetstream/$G/streams/KV_rivus-facts/msgs/"
	for _, c := range []struct {
		files []string
		free  bool // it costs nothing, so the start does not ask
	}{
		{files: []string{facts + "1.blk"}},
		{files: []string{facts + "1.blk", facts + "index.db"}},
		{files: []string{"engine/jetstream/$G/streams/KV_rivus-facts/meta.inf"}, free: true},
		{files: []string{"ledger", "RIVUS"}},
		{files: []string{"engine/jetstream/$G/streams/RIVUS_ended/msgs/1.blk"}},
		{files: []string{"engine/jetstream/$G/streams/RIVUS_ended/meta.inf", "log-ended"}},
	} {
		t.Run(strings.Join(c.files, "+"), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			fillForDamage(t, dir)
			for _, file := range c.files {
				path := filepath.Join(dir, file)
				content, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				content[len(content)*4/5] ^= 0x41
				content[5] ^= 0x41
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if refusal := refusalOf(t, dir, false); (refusal == nil) != c.free {
				t.Fatalf("free %v, refused: %v", c.free, refusal)
			}
			for _, accept := range []bool{true, false} { // once accepted, the next start is an ordinary one
				if err := refusalOf(t, dir, accept); err != nil {
					t.Fatalf("accept %v: %v", accept, err)
				}
			}
		})
	}
}

// refusalOf opens a directory, checks that it can be worked with, and returns why it was refused.
func refusalOf(t *testing.T, dir string, accept bool) error {
	t.Helper()
	ctx := t.Context()
	conn, err := natsd.Start(ctx, natsd.Options{Dir: dir, AcceptDataLoss: accept, Inspect: Inspect})
	if err != nil {
		return err
	}
	defer conn.Close()
	s, err := Open(ctx, conn, Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	table := things(t, s, Facts)
	log, err := OpenLog[thing](ctx, s, "ended")
	if err != nil {
		return err
	}
	if accept {
		t.Logf("%d of %d records left", table.Count(scope), damageRecords)
	}
	for i := range damageRecords { // every key can be used again
		key := keyOf(fmt.Sprint(i))
		_, err := table.Update(ctx, key, func(o thing) (thing, error) { o.Count++; return o, nil })
		if fault.Is(err, fault.NotFound) {
			_, err = table.Create(ctx, key, thing{})
		}
		if err == nil {
			err = log.Append(ctx, key, fmt.Sprint(i), thing{})
		}
		if err != nil {
			t.Errorf("record %d: %v", i, err)
		}
	}
	return nil
}
