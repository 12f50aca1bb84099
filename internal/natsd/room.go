package natsd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/rivus-live/rivus/internal/fault"
)

// What must stay free on the disk of the data directory, in bytes. Above the first mark everything is written. Below it
// only deletions are, down to the second: writes under way and the engine's own housekeeping still fit. Whoever else
// fills the disk leaves us nothing, so reserveSize bytes are set aside in a file while there is plenty, and given up when
// even deletions would be refused.
const (
	minFree       = 16 << 20
	minFreeDelete = 256 << 10
	reserveSize   = 1 << 20
	plenty        = 2*minFree + reserveSize
	reserveName   = "reserve"
)

// room watches the disk of a data directory.
type room struct {
	dir  *directory
	warn func(msg string, args ...any)
	free func() (uint64, error) // bytes that this process may still write

	mu      sync.Mutex
	reserve bool // the file is there
	full    bool // it was, when somebody asked last
}

func newRoom(dir *directory, warn func(msg string, args ...any)) *room {
	_, err := os.Stat(filepath.Join(dir.path, reserveName))
	return &room{dir: dir, warn: warn, free: dir.free, reserve: err == nil}
}

// check is a fault.Unavailable when there is no room for a write, or for a deletion. How much is free is in its cause.
func (r *room) check(deletion bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	free, err := r.free()
	if err == nil && free < minFreeDelete && r.reserve {
		r.giveUp()
		free, err = r.free()
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the disk of the server cannot be read")
	}
	if full := free < minFree; full != r.full {
		r.full = full
		if full {
			r.warn("the disk of the data directory is full: records are served and can be deleted, and nothing else is stored", "free", free, "needed", uint64(minFree))
		} else {
			r.warn("the disk of the data directory has room again", "free", free)
		}
	}
	if !r.reserve && free >= plenty {
		r.setAside()
	}
	switch cause := fmt.Errorf("%d bytes are free in %s, %d must be", free, r.dir.path, uint64(minFree)); {
	case deletion && free < minFreeDelete:
		return fault.Wrap(fault.Unavailable, cause, "the disk of the server is full, even for deletions")
	case !deletion && free < minFree:
		return fault.Wrap(fault.Unavailable, cause, "the disk of the server is full: it serves and deletes, and stores nothing")
	}
	return nil
}

// setAside makes the reserve. A file system that cannot promise space to a file goes without.
func (r *room) setAside() {
	path := filepath.Join(r.dir.path, reserveName)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, reserveSize)
	r.reserve = errors.Join(err, f.Close()) == nil
	if !r.reserve {
		_ = os.Remove(path)
	}
}

func (r *room) giveUp() {
	err := os.Remove(filepath.Join(r.dir.path, reserveName))
	r.reserve = err != nil && !errors.Is(err, fs.ErrNotExist)
	r.warn("the disk of the data directory is full to the last byte; the space set aside is given up", "bytes", reserveSize, "error", err)
}
