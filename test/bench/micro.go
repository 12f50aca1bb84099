package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// microLimit bounds the time of the packages' benchmarks; what has not run by then is left out.
const microLimit = 100 * time.Second

// outside names benchmarks of packages that put load on a server for seconds; this command does that from outside.
const outside = "RealTime|Viewers"

// measureMicro runs the benchmarks that stand beside the code.
func measureMicro(ctx context.Context, b *bench) error {
	packages, err := benchmarked(b.root)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, microLimit)
	defer cancel()
	args := []string{"test", "-run", "^$", "-bench", ".", "-skip", outside, "-benchmem", "-p", "1", "-benchtime", pick(b, "0.3s", "10x")}
	cmd := exec.CommandContext(limited, "go", append(args, packages...)...)
	cmd.Dir = b.root
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go test leaves its children alone when it is killed
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, runErr := cmd.Output()
	for _, r := range parseBenchmarks(out) {
		b.report.add(r.name, "%s", r.figures)
	}
	if ctx.Err() == nil && limited.Err() != nil {
		b.report.note("stopped after %v, with benchmarks left", microLimit)
		return nil
	}
	if runErr != nil {
		return fmt.Errorf("go test: %w", runErr)
	}
	return nil
}

// benchmarked lists the packages below internal that have benchmarks.
func benchmarked(root string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(filepath.Join(root, "internal"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.Contains(text, []byte("\nfunc Benchmark")) {
			dir, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			found = append(found, "./"+filepath.ToSlash(dir))
		}
		return nil
	})
	slices.Sort(found)
	return slices.Compact(found), err
}

// result is one benchmark.
type result struct {
	name    string // package and benchmark
	figures string
}

// parseBenchmarks reads what go test -bench prints.
func parseBenchmarks(out []byte) []result {
	var list []result
	var pkg string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 2 && f[0] == "pkg:":
			_, pkg, _ = strings.Cut(f[1], "/internal/")
		case len(f) >= 4 && strings.HasPrefix(f[0], "Benchmark") && len(f)%2 == 0:
			if _, err := strconv.Atoi(f[1]); err != nil {
				continue
			}
			name := strings.TrimPrefix(f[0], "Benchmark")
			if i := strings.LastIndexByte(name, '-'); i > 0 {
				name = name[:i] // the number of cores
			}
			var figures []string
			for i := 2; i < len(f); i += 2 {
				figures = append(figures, f[i]+" "+f[i+1])
			}
			list = append(list, result{pkg + " " + name, strings.Join(figures, ", ")})
		}
	}
	return list
}
