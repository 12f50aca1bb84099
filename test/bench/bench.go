package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// bench is one run: what its sections share.
type bench struct {
	set    settings
	log    io.Writer // progress, for people
	dir    string    // temporary files of this run
	root   string    // of the module
	binary string    // the server
	clip   string    // path of the clip once it is made
	report report
}

// newBench builds the server into a temporary directory.
func newBench(ctx context.Context, set settings, log io.Writer) (*bench, error) {
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module: %w", err)
	}
	dir, err := os.MkdirTemp("", "rivus-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{set: set, log: log, dir: dir, root: filepath.Dir(strings.TrimSpace(string(mod)))}
	b.binary = filepath.Join(dir, "rivus")
	if set.profiles != "" {
		if err := os.MkdirAll(set.profiles, 0o750); err != nil {
			b.close()
			return nil, err
		}
	}
	if set.server != "" {
		b.binary = set.server
		return b, nil
	}
	b.progress("building the server")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", b.binary, "./cmd/rivus")
	build.Dir = b.root
	if out, err := build.CombinedOutput(); err != nil {
		b.close()
		return nil, fmt.Errorf("build the server: %w\n%s", err, out)
	}
	return b, nil
}

// close removes the temporary files.
func (b *bench) close() {
	if err := os.RemoveAll(b.dir); err != nil {
		b.progress("%v", err)
	}
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.log, "%s "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
}

// pick returns the figure for a full run or the one for a short run.
func pick[T any](b *bench, full, short T) T {
	if b.set.short {
		return short
	}
	return full
}

// wait lets the load run for a while.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// poll calls check every 20 ms until it succeeds, for 30 s at most.
func poll(ctx context.Context, what string, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return nil
		}
		if wait(ctx, 20*time.Millisecond) != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}
