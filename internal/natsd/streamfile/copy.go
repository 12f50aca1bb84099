package streamfile

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Copy writes the stream anew in a directory that does not exist, with the records that keep picks, as they are and
// under their sequences, and this description. Whatever comes later gets a sequence above last. It is on the disk when
// Copy returns.
func (s Stream) Copy(dir string, meta []byte, last uint64, keep func(Record) bool) error {
	c := &copying{stream: s, dir: filepath.Join(dir, blocksDir)}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return wrapWrite(err)
	}
	_, err := s.Read(func(b Block, r Record) {
		if c.err == nil && !r.Tombstone && keep(r) {
			c.take(b, r)
			c.kept = max(c.kept, r.Sequence)
		}
		last = max(last, r.Sequence)
		c.block = max(c.block, b.Index)
	})
	c.closeBlock()
	if err = errors.Join(err, c.err); err != nil {
		return wrapWrite(err)
	}
	if c.kept < last {
		// The engine counts on from a tombstone. For a record that is there it would be its end.
		index := c.block + 1
		err = WriteFile(c.path(index), Tombstone(s.Name, index, last, time.Now().UnixNano()))
	}
	return errors.Join(err,
		WriteFile(filepath.Join(dir, metaFile), meta),
		WriteFile(filepath.Join(dir, sumFile), []byte(s.metaSum(meta))),
		SyncDir(c.dir), SyncDir(dir))
}

// copying is the progress of Copy.
type copying struct {
	stream Stream
	dir    string
	block  uint32 // the last one that was read
	kept   uint64 // the last sequence that was written
	file   *os.File
	out    *bufio.Writer
	index  uint32 // of file
	err    error
}

func (c *copying) path(index uint32) string {
	return filepath.Join(c.dir, strconv.FormatUint(uint64(index), 10)+blockSuffix)
}

func (c *copying) take(b Block, r Record) {
	if c.file == nil || c.index != b.Index {
		c.closeBlock()
		f, err := os.OpenFile(c.path(b.Index), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			c.err = errors.Join(c.err, err)
			return
		}
		c.file, c.index, c.out = f, b.Index, bufio.NewWriterSize(f, 1<<18)
	}
	_, err := c.out.Write(r.Raw)
	c.err = errors.Join(c.err, err)
}

func (c *copying) closeBlock() {
	if c.file != nil {
		c.err = errors.Join(c.err, c.out.Flush(), c.file.Sync(), c.file.Close())
	}
	c.file = nil
}

// WriteFile writes a new file and has it on the disk when it returns.
func WriteFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return wrapWrite(err)
	}
	_, err = f.Write(content)
	return wrapWrite(errors.Join(err, f.Sync(), f.Close()))
}

// SyncDir has the names in a directory on the disk when it returns.
func SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return wrapWrite(err)
	}
	return wrapWrite(errors.Join(d.Sync(), d.Close()))
}

func wrapWrite(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write the engine's files anew: %w", err)
}
