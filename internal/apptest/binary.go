package apptest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built is the rivus command that the tests of a process have built, at most once.
var built struct { //nolint:gochecknoglobals // one build for all tests
	sync.Mutex
	dir string // "" before
}

// Binary builds the rivus command, once for all tests of a process, and returns its path. TestMain removes it with
// RemoveBinary.
func Binary(tb testing.TB) string {
	tb.Helper()
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "rivus-test-")
		if err != nil {
			tb.Fatal(err)
		}
		cmd := exec.CommandContext(context.Background(), "go", "build", "-o", dir, "github.com/rivus-live/rivus/cmd/rivus")
		if out, err := cmd.CombinedOutput(); err != nil {
			_ = os.RemoveAll(dir)
			tb.Fatalf("build rivus: %v\n%s", err, out)
		}
		built.dir = dir
	}
	return filepath.Join(built.dir, "rivus")
}

// RemoveBinary removes what Binary has built, if it has.
func RemoveBinary() {
	built.Lock()
	defer built.Unlock()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
		built.dir = ""
	}
}
