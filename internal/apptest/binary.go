package apptest

import (
	"context"
	"fmt"
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
		var err error
		if built.dir, err = buildBinary(); err != nil {
			tb.Fatal(err)
		}
	}
	return filepath.Join(built.dir, "rivus")
}

// buildBinary builds the command into a new directory, which outlives the test that needs it first.
func buildBinary() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "rivus-test-"); err != nil {
		return "", fmt.Errorf("build rivus: %w", err)
	}
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", dir, "github.com/rivus-live/rivus/cmd/rivus")
	if out, err := cmd.CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return "", fmt.Errorf("build rivus: %w\n%s", err, out)
	}
	return dir, nil
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
