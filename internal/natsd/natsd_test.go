package natsd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rivus-live/rivus/internal/natsd/streamfile"
)

func start(t *testing.T, opt Options) (*Conn, error) {
	t.Helper()
	opt.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	c, err := Start(t.Context(), opt)
	if err == nil {
		t.Cleanup(c.Close)
	}
	return c, err
}

// tree lists a directory with the size and time of every file.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err == nil {
			b.WriteString(path + info.Mode().String() + info.ModTime().Format(time.RFC3339Nano) + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestForeignDirectoryIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][]string{
		"a file":          {"photo.jpg"},
		"another NATS":    {"jetstream/$G/streams/X/meta.inf"},
		"our engine only": {"engine/jetstream/x", "ledger"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, f := range files {
				path := filepath.Join(dir, f)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := tree(t, dir)
			for _, accept := range []bool{false, true} {
				if _, err := start(t, Options{Dir: dir, AcceptDataLoss: accept}); err == nil || !strings.Contains(err.Error(), "not ours") {
					t.Fatalf("got %v", err)
				}
			}
			if after := tree(t, dir); after != before {
				t.Fatalf("the directory changed:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

func TestOurDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "for", "us")
	for range 2 {
		c, err := start(t, Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := start(t, Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "another process") {
			t.Fatalf("a second start in the same directory: %v", err)
		}
		if addr := c.srv.Addr(); addr != nil {
			t.Fatalf("the embedded server listens on %v", addr)
		}
		c.Close()
	}
}

func TestAlmostEmptyDirectories(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"lost+found", markerTemp} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "lost+found"), 0o700); err != nil {
			t.Fatal(err)
		}
		if name == markerTemp {
			if err := os.WriteFile(filepath.Join(dir, markerTemp), []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := start(t, Options{Dir: dir}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamagedMarker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := start(t, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	path := filepath.Join(dir, markerName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1
		if validMarker(string(bad)) || validMarker(string(good[:i])) {
			t.Fatalf("a marker damaged at byte %d passes", i)
		}
	}
	if err := os.WriteFile(path, good[:10], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := start(t, Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Fatalf("got %v", err)
	}
	if _, err := start(t, Options{Dir: dir, AcceptDataLoss: true}); err != nil {
		t.Fatal(err)
	}
}

// TestLostMarker: a directory that holds our records has a way back, when its owner says so.
func TestLostMarker(t *testing.T) {
	t.Parallel()
	for _, hurt := range []string{"", "meta.inf", "msgs/1.blk"} {
		dir := t.TempDir()
		c, err := start(t, Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.JetStream().CreateStream(t.Context(), jetstream.StreamConfig{Name: factsStream, Subjects: []string{"facts.>"}})
		if err == nil {
			_, err = c.JetStream().Publish(t.Context(), "facts.a", []byte("{}"))
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		for _, name := range []string{markerName, filepath.Join(StreamPath(factsStream), hurt)} {
			if err := os.Remove(filepath.Join(dir, name)); err != nil && hurt != "" {
				t.Fatal(err)
			}
		}
		before := tree(t, dir)
		if _, err := start(t, Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "RIVUS, which says whose it is, is missing") {
			t.Fatalf("without %s: %v", hurt, err)
		}
		if after := tree(t, dir); after != before {
			t.Fatalf("without %s: the directory changed:\n%s\nbefore:\n%s", hurt, after, before)
		}
		for _, accept := range []bool{true, false} { // once accepted, the next start is an ordinary one
			c, err := start(t, Options{Dir: dir, AcceptDataLoss: accept})
			if err != nil {
				t.Fatalf("without %s, accept %v: %v", hurt, accept, err)
			}
			c.Close()
		}
	}
}

// TestStreamFiles: what the engine has written is read without it, byte for byte, and what it has removed is not there.
func TestStreamFiles(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	c, err := start(t, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := c.JetStream().CreateStream(ctx, jetstream.StreamConfig{Name: factsStream, Subjects: []string{"facts.>"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64]string{}
	for i := range 20 {
		m := &nats.Msg{Subject: fmt.Sprint("facts.", i), Data: []byte(`{"n":"` + strings.Repeat("x", i*i) + `"}`)}
		if i%3 > 0 {
			m.Header = nats.Header{"A": []string{fmt.Sprint(i)}}
		}
		if i%5 == 0 && m.Header != nil {
			m.Data = nil
		}
		ack, err := c.JetStream().PublishMsg(ctx, m)
		if err != nil {
			t.Fatal(err)
		}
		want[ack.Sequence] = m.Subject + m.Header.Get("A") + string(m.Data)
	}
	if err := stream.DeleteMsg(ctx, 7); err != nil {
		t.Fatal(err)
	}
	delete(want, 7)
	c.Close()
	got := map[uint64]string{}
	files := streamfile.Stream{Name: factsStream, Dir: filepath.Join(dir, StreamPath(factsStream))}
	damage, err := files.Read(func(_ streamfile.Block, r streamfile.Record) {
		h, _ := nats.DecodeHeadersMsg(r.Header)
		got[r.Sequence] = string(r.Subject) + h.Get("A") + string(r.Data)
		if r.Tombstone {
			delete(got, r.Sequence)
		}
	})
	if err != nil || len(damage) > 0 || !maps.Equal(got, want) {
		t.Errorf("%v %v: got %v, want %v", err, damage, got, want)
	}
	if meta, err := files.Meta(); err != nil || !strings.Contains(string(meta), factsStream) {
		t.Errorf("%v %s", err, meta)
	}
}

// TestRefusedEngine: an engine that cannot start says so at once.
func TestRefusedEngine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := start(t, Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	path := filepath.Join(dir, engineDir)
	if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), embeddedStart/2)
	defer cancel()
	if _, err := Start(ctx, Options{Dir: dir}); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "did not come up") {
		t.Errorf("%v, %v", err, ctx.Err())
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	if got := redact("nats://u:secret@a:1, nats://token@b:2"); got != "nats://a:1,nats://b:2" {
		t.Error(got)
	}
}
