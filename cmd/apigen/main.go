// Command apigen writes the wire types, constraint checks and routes of all services from api/.
//
// It finds the module that holds the working directory, so it runs the same from go:generate and by hand. With
// -check it writes nothing and fails when a committed file is not current.
//
// Imports: apigen.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rivus-live/rivus/internal/apigen"
)

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "apigen:", err)
		os.Exit(1)
	}
}

func run(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("apigen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	check := flags.Bool("check", false, "only check that the generated files are current")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return fmt.Errorf("read flags: %w", err)
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	if *check {
		return apigen.Check(root)
	}
	return apigen.Write(root)
}

// moduleRoot returns the nearest folder at or above the working directory that has a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod at or above the working directory")
		}
		dir = parent
	}
}
