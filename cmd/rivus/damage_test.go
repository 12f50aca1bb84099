package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/app"
)

// TestDamagedDirectory is what an operator sees: a bit flips in the directory of a server that was killed. The start ends
// with one line and changes nothing, and with the flag that the line names the server serves.
func TestDamagedDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	serveUntilReady(t, dir)
	block := filepath.Join(dir, "engine/jetstream/$G/streams/KV_rivus-facts/msgs/1.blk")
	content, err := os.ReadFile(block)
	if err != nil {
		t.Fatal(err)
	}
	content[bytes.Index(content, []byte(`"value":`))] ^= 1
	if err := os.WriteFile(block, content, 0o600); err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	out, err := command(t, nil, append([]string{"serve"}, free(dir)...)...).CombinedOutput()
	said := string(out)
	if err == nil || strings.Count(said, "\n") != 1 || !strings.Contains(said, "--accept-data-loss") || !strings.Contains(said, "record $KV.rivus-facts.secret.") {
		t.Errorf("%v\n%s", err, said)
	}
	if after := contents(t, dir); !maps.Equal(before, after) {
		t.Error("the start that refused has changed the directory")
	}
	serveUntilReady(t, dir, "--accept-data-loss")
	serveUntilReady(t, dir)
	kept, err := filepath.Glob(filepath.Join(dir, "damaged-*", "engine/jetstream/$G/streams/KV_rivus-facts/msgs/1.blk"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept: %v %v", kept, err)
	}
	if old, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(old, content) {
		t.Errorf("what is kept is not what was there: %v", err)
	}
}

// serveUntilReady starts a server in a directory, and kills it when it is ready.
func serveUntilReady(t *testing.T, dir string, flags ...string) {
	t.Helper()
	cmd := command(t, nil, append(append([]string{"serve", "--ready-json"}, free(dir)...), flags...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var ready app.Ready
	notReady := json.NewDecoder(stdout).Decode(&ready)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if notReady != nil {
		t.Fatalf("%v: %v\n%s", flags, notReady, said.String())
	}
}

// contents returns every file below a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			all[path] = ""
			return err
		}
		content, err := os.ReadFile(path)
		all[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
