package natsd

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rivus-live/rivus/internal/natsd/streamfile"
)

// markerName is the file that makes a directory ours. Its temporary form may be left behind by a crash in the very
// first start and does not make a directory foreign.
const (
	markerName = "RIVUS"
	markerTemp = ".RIVUS.new"
	markerHead = "This directory belongs to Rivus. Do not edit it. Format 1, id "
)

// directory is a locked data directory with a valid marker.
type directory struct {
	path string
	lock *os.File
}

// free returns how many bytes this process may still write on the directory's disk.
func (d *directory) free() (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(d.lock.Fd()), &s); err != nil {
		return 0, fmt.Errorf("ask for free space: %w", err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// openDirectory makes, checks and locks the data directory. Nothing is written before it is known to be empty or ours;
// the lock is taken on the directory itself, so that asking leaves no trace in a foreign one.
func openDirectory(path string, acceptLoss bool) (*directory, error) {
	if path == "" {
		return nil, errors.New("no data directory given")
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	lock, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the data directory: %w", err)
	}
	d := &directory{path: path, lock: lock}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		d.unlock()
		return nil, fmt.Errorf("data directory %s: another process uses it: %w", path, err)
	}
	err = d.checkMarker(acceptLoss)
	if err == nil {
		err = d.checkWritable()
	}
	if err != nil {
		d.unlock()
		return nil, err
	}
	return d, nil
}

// checkWritable names the first thing that this process may not write: the engine would only wait for it.
func (d *directory) checkWritable() error {
	check := func(path string) error {
		if err := unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS); err != nil {
			return fmt.Errorf("data directory %s: %s cannot be written: %w", d.path, path, err)
		}
		return nil
	}
	if err := check(d.path); err != nil {
		return err
	}
	err := filepath.WalkDir(filepath.Join(d.path, engineDir), func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && (e.IsDir() || e.Type().IsRegular()) {
			err = check(path)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("look through the data directory: %w", err)
	}
	return nil
}

// unlock closes the directory, which ends the lock.
func (d *directory) unlock() { _ = d.lock.Close() }

func (d *directory) checkMarker(acceptLoss bool) error {
	content, err := os.ReadFile(filepath.Join(d.path, markerName))
	switch {
	case err == nil && validMarker(string(content)):
		return nil
	case err == nil && acceptLoss:
		return d.writeMarker()
	case err == nil:
		return fmt.Errorf("data directory %s: the file %s is damaged (--accept-data-loss goes past it)", d.path, markerName)
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("data directory %s: %w", d.path, err)
	}
	foreign, err := d.foreignEntry()
	if err != nil {
		return err
	}
	switch ours := foreign != "" && d.holdsRecords(); {
	case foreign == "" || ours && acceptLoss:
		return d.writeMarker()
	case ours:
		return fmt.Errorf("data directory %s holds records of Rivus, and the file %s, which says whose it is, is missing"+
			" (--accept-data-loss has it made anew; the records are checked as ever)", d.path, markerName)
	default:
		return fmt.Errorf("data directory %s is not empty and not ours: it holds %q and no file %s; give an empty directory or one of a former start",
			d.path, foreign, markerName)
	}
}

// factsStream is the stream that every data directory with records has.
const factsStream = "KV_rivus-facts"

// holdsRecords tells whether the directory can be nobody's but ours: it has the stream of our records, as one of its
// two halves shows.
func (d *directory) holdsRecords() bool {
	s := streamfile.Stream{Name: factsStream, Dir: filepath.Join(d.path, StreamPath(factsStream))}
	if _, err := s.Meta(); err == nil {
		return true
	}
	any := false
	_, err := s.Read(func(streamfile.Block, streamfile.Record) { any = true })
	return err == nil && any
}

// foreignEntry names something in the directory that keeps it from counting as empty. A fresh file system has a
// lost+found of its own.
func (d *directory) foreignEntry() (string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return "", fmt.Errorf("read the data directory: %w", err)
	}
	for _, e := range entries {
		if e.Name() != markerTemp && e.Name() != "lost+found" {
			return e.Name(), nil
		}
	}
	return "", nil
}

// writeMarker writes the marker so that it is there whole or not at all, on the disk before anything else is made.
func (d *directory) writeMarker() error {
	temp := filepath.Join(d.path, markerTemp)
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write the marker: %w", err)
	}
	_, err = f.WriteString(newMarker())
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(temp, filepath.Join(d.path, markerName))
	}
	if err == nil {
		err = d.lock.Sync()
	}
	if err != nil {
		return fmt.Errorf("write the marker: %w", err)
	}
	return nil
}

// newMarker returns a marker: one line that people can read, one with its checksum.
func newMarker() string {
	line := markerHead + strings.ToLower(rand.Text())
	return line + "\n" + markerSum(line) + "\n"
}

func validMarker(content string) bool {
	line, sum, ok := strings.Cut(strings.TrimSuffix(content, "\n"), "\n")
	return ok && strings.HasSuffix(content, "\n") && strings.HasPrefix(line, markerHead) && sum == markerSum(line)
}

func markerSum(line string) string {
	sum := sha256.Sum256([]byte(line))
	return hex.EncodeToString(sum[:])
}
