package natsd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/fault"
)

func TestRoom(t *testing.T) {
	t.Parallel()
	c, err := start(t, Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	free, err := c.dir.free()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Room(false); (err != nil) != (free < minFree) {
		t.Errorf("%d bytes free: %v", free, err)
	}
}

// TestRoomForDeletions: a disk that fills up refuses writes first and deletions last, says so once, and keeps its figures
// from those who ask.
func TestRoomForDeletions(t *testing.T) {
	t.Parallel()
	var said []string
	free := uint64(0)
	r := newRoom(&directory{path: t.TempDir()}, func(msg string, _ ...any) { said = append(said, msg) })
	r.free = func() (uint64, error) {
		if r.reserve {
			return free - reserveSize, nil
		}
		return free, nil
	}
	for _, step := range []struct {
		free                   uint64 // with what is set aside
		write, remove, reserve bool
	}{
		{1 << 30, true, true, true},
		{minFree + reserveSize, true, true, true},
		{minFree + reserveSize - 1, false, true, true},
		{minFreeDelete + reserveSize, false, true, true},
		{minFreeDelete + reserveSize - 1, false, true, false}, // given up
		{minFreeDelete, false, true, false},
		{minFreeDelete - 1, false, false, false},
		{minFree, true, true, false},
		{plenty, true, true, true},
	} {
		free = step.free
		remove, write := r.check(true), r.check(false)
		_, err := os.Stat(filepath.Join(r.dir.path, reserveName))
		if (write == nil) != step.write || (remove == nil) != step.remove || (err == nil) != step.reserve {
			t.Errorf("%d bytes free: write %v, remove %v, reserve %v", free, write, remove, err)
		}
		for _, err := range []error{write, remove} {
			if err == nil {
				continue
			}
			if text := fault.Message(err); !fault.Is(err, fault.Unavailable) || strings.ContainsAny(text, "0123456789") || !strings.Contains(err.Error(), " bytes are free") {
				t.Errorf("%v, to the caller %q", err, text)
			}
		}
	}
	if n := len(said); n != 3 || !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "has room again") }) {
		t.Errorf("said %q", said)
	}
}
