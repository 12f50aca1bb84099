package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/natsd/streamfile"
)

// A restoration writes the streams that are hurt, and our accounts of them, anew in a directory of its own. Once they
// are all on the disk the directory gets its name, and from then on it counts: what it holds changes places with what is
// hurt, one by one, in this start or, after a crash, in the next one. What was there is kept in a directory of the same
// time.
const (
	restoreUnfinished = ".restoring"
	restorePrefix     = "restored-"
	asidePrefix       = "damaged-"
	restoreTime       = "20060102T150405.000"
)

// restore brings back what can be read of the hurt parts.
func restore(dir string, hurt []*part, damage *Damage, log *slog.Logger) error {
	temp := filepath.Join(dir, restoreUnfinished)
	if err := os.RemoveAll(temp); err != nil {
		return err //nolint:wrapcheck // the caller says what it does
	}
	for _, p := range hurt {
		if err := p.write(temp); err != nil {
			return errors.Join(err, os.RemoveAll(temp))
		}
	}
	ready := filepath.Join(dir, restorePrefix+time.Now().UTC().Format(restoreTime))
	err := os.Rename(temp, ready)
	if err == nil {
		err = streamfile.SyncDir(dir)
	}
	if err != nil {
		return err //nolint:wrapcheck // the caller says what it does
	}
	if len(damage.Lost) > 0 {
		log.Error("going on without damaged records, as told", "lost", damage.Lost, "unreadable", damage.Unreadable)
	} else {
		log.Error("files of the state engine are damaged; every record that counts can be read", "unreadable", damage.Unreadable)
	}
	return finishRestoring(dir, log)
}

// write writes the sound records of a part, and an account of them, below a directory.
func (p *part) write(to string) (err error) {
	meta := p.meta
	if meta == nil {
		if meta, err = streamfile.MakeMeta(time.Now().UTC(), p.config); err != nil {
			return err //nolint:wrapcheck // it says what it does
		}
	}
	stream := filepath.Join(to, p.path)
	if err := os.MkdirAll(stream, 0o700); err != nil {
		return err //nolint:wrapcheck // it names the directory
	}
	if err := p.stream.Copy(stream, meta, p.last, p.keep); err != nil {
		return err //nolint:wrapcheck // it says what it does
	}
	for up := filepath.Dir(stream); up != to; up = filepath.Dir(up) {
		if err := streamfile.SyncDir(up); err != nil {
			return err //nolint:wrapcheck // it names the directory
		}
	}
	return p.anew(filepath.Join(to, p.account))
}

// finishRestoring puts restored files in their places. Every step may have been done before.
func finishRestoring(dir string, log *slog.Logger) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("store: look for restored files: %w", err)
	}
	for _, e := range entries {
		at, ok := strings.CutPrefix(e.Name(), restorePrefix)
		if !ok {
			continue
		}
		aside := filepath.Join(dir, asidePrefix+at)
		if err := putBack(dir, filepath.Join(dir, e.Name()), aside); err != nil {
			return fmt.Errorf("store: put restored files in their places: %w", err)
		}
		log.Error("restored what can be read; the damaged files are kept", "kept_in", aside)
	}
	return nil
}

// putBack moves everything below from into its place in dir, and what stands there to aside.
func putBack(dir, from, aside string) error {
	units, err := restoredUnits(from)
	if err != nil {
		return err
	}
	for _, unit := range units {
		place, old := filepath.Join(dir, unit), filepath.Join(aside, unit)
		if err := errors.Join(os.MkdirAll(filepath.Dir(place), 0o700), os.MkdirAll(filepath.Dir(old), 0o700)); err != nil {
			return err
		}
		if err := os.Rename(place, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err //nolint:wrapcheck // it names both files
		}
		if err := streamfile.SyncDir(filepath.Dir(old)); err != nil {
			return err //nolint:wrapcheck // it names the directory
		}
		if err := os.Rename(filepath.Join(from, unit), place); err != nil {
			return err //nolint:wrapcheck // it names both files
		}
		if err := streamfile.SyncDir(filepath.Dir(place)); err != nil {
			return err //nolint:wrapcheck // it names the directory
		}
	}
	if err := os.RemoveAll(from); err != nil {
		return err //nolint:wrapcheck // it names the file
	}
	return streamfile.SyncDir(dir) //nolint:wrapcheck // it names the directory
}

// restoredUnits lists what is moved at once: whole streams, and accounts.
func restoredUnits(from string) ([]string, error) {
	var units []string
	for _, in := range []string{filepath.Dir(natsd.StreamPath("any")), "."} {
		entries, err := os.ReadDir(filepath.Join(from, in))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err //nolint:wrapcheck // it names the directory
		}
		for _, e := range entries {
			if in != "." || e.Type().IsRegular() {
				units = append(units, filepath.Join(in, e.Name()))
			}
		}
	}
	slices.Sort(units)
	return units, nil
}
