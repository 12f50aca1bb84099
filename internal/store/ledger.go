package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// ledger is our own account of which facts the embedded engine must have, in a file beside the engine's. The engine
// repairs damaged files by leaving out what it cannot read; with the ledger such a loss has a name.
//
// The file is a list of frames (length, CRC-32C, payload). It begins with a base that was written and fsynced at once:
// a head frame and one frame for each record that existed then. Every later put or delete adds a frame, without fsync:
// a killed process leaves them with the kernel, a power cut may cost the last ones and with them only the knowledge,
// never a record. A frame is written after the engine has the record on disk, so the ledger never knows too much.
// Hence a broken frame in the base is damage, and a broken one behind it is the end of what the ledger knows.
//
// It is used by one goroutine at a time.
type ledger struct {
	path    string
	file    *os.File
	size    int64  // bytes of the file that are good
	base    int64  // bytes of the base
	pending []byte // frames not yet written
}

// known is what the ledger tells about one subject.
type known struct {
	revision uint64
	gone     bool
}

// account is everything a ledger tells.
type account struct {
	through  uint64           // every record at or below this revision is in subjects
	subjects map[string]known // by subject
}

// Operations of ledger frames; a head's revision field holds the number of frames in the base.
const (
	ledgerHead = 'H'
	ledgerPut  = 'P'
	ledgerGone = 'D'
)

const (
	ledgerFrameHead = 8
	ledgerMaxFrame  = 1 << 16
	ledgerFlushAt   = 64 << 10
	ledgerExpected  = 1 << 17  // records for which memory is taken at once
	ledgerSlack     = 16 << 20 // the tail may outgrow the base by this much before the file is written anew
)

// readLedger reads a ledger and leaves it open for appending. A file that does not exist is fs.ErrNotExist.
func readLedger(path string) (*ledger, account, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, account{}, fmt.Errorf("open the ledger: %w", err)
	}
	read, err := decodeLedger(bufio.NewReaderSize(f, 1<<18))
	if err != nil {
		_ = f.Close()
		return nil, account{}, fmt.Errorf("%s is damaged at byte %d", path, read.size)
	}
	return &ledger{path: path, file: f, size: read.size, base: read.base}, read.account, nil
}

// readAccount reads what a ledger tells and leaves the file alone. A file that does not exist is fs.ErrNotExist.
func readAccount(path string) (account, error) {
	f, err := os.Open(path)
	if err != nil {
		return account{}, fmt.Errorf("open the ledger: %w", err)
	}
	defer func() { _ = f.Close() }()
	read, err := decodeLedger(bufio.NewReaderSize(f, 1<<18))
	if err != nil {
		return account{}, fmt.Errorf("%s is damaged at byte %d", path, read.size)
	}
	return read.account, nil
}

// ledgerReader is the progress of reading a ledger.
type ledgerReader struct {
	account
	size int64 // bytes read and good
	base int64

	payload []byte // of the frame that was read last
}

// decodeLedger reads all frames. Only a base that is not whole is an error.
func decodeLedger(r io.Reader) (ledgerReader, error) {
	l := ledgerReader{account: account{subjects: map[string]known{}}}
	op, count, through, ok := l.next(r)
	if !ok || op != ledgerHead || len(through) != 8 {
		return l, errDamaged
	}
	l.through = binary.BigEndian.Uint64([]byte(through))
	l.subjects = make(map[string]known, min(count, ledgerExpected))
	for n := uint64(0); ; n++ {
		if n == count {
			l.base = l.size
		}
		op, revision, subject, ok := l.next(r)
		if !ok && n < count {
			return l, errDamaged
		}
		if !ok { // the end, or frames that never reached the disk
			return l, nil
		}
		l.subjects[subject] = known{revision: revision, gone: op == ledgerGone}
		l.through = max(l.through, revision)
	}
}

// next reads one frame and moves size behind it. It is not ok where no whole frame stands.
func (l *ledgerReader) next(r io.Reader) (op byte, revision uint64, subject string, ok bool) {
	var head [ledgerFrameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, 0, "", false
	}
	length := binary.BigEndian.Uint32(head[:4])
	if length < 9 || length > ledgerMaxFrame {
		return 0, 0, "", false
	}
	l.payload = slices.Grow(l.payload[:0], int(length))[:length]
	payload := l.payload
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, 0, "", false
	}
	if crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(head[4:]) {
		return 0, 0, "", false
	}
	l.size += int64(ledgerFrameHead + len(payload))
	return payload[0], binary.BigEndian.Uint64(payload[1:]), string(payload[9:]), true
}

func appendFrame(dst []byte, op byte, revision uint64, subject string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(9+len(subject)))
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, op)
	dst = binary.BigEndian.AppendUint64(dst, revision)
	dst = append(dst, subject...)
	binary.BigEndian.PutUint32(dst[at:], crc32.Checksum(dst[at+4:], crc32.MakeTable(crc32.Castagnoli)))
	return dst
}

// writeLedger writes a new base to path, whole or not at all, and opens it for appending.
func writeLedger(path string, acc account) (*ledger, error) {
	live := uint64(0)
	for _, k := range acc.subjects {
		if !k.gone {
			live++
		}
	}
	buf := appendFrame(nil, ledgerHead, live, string(binary.BigEndian.AppendUint64(nil, acc.through)))
	for subject, k := range acc.subjects {
		if !k.gone {
			buf = appendFrame(buf, ledgerPut, k.revision, subject)
		}
	}
	if err := replaceFile(path, buf); err != nil {
		return nil, fmt.Errorf("write the ledger: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	return &ledger{path: path, file: f, size: int64(len(buf)), base: int64(len(buf))}, nil
}

// note adds a frame. It reaches the file with the next flush.
func (l *ledger) note(revision uint64, subject string, gone bool) {
	op := byte(ledgerPut)
	if gone {
		op = ledgerGone
	}
	l.pending = appendFrame(l.pending, op, revision, subject)
}

// full tells that enough frames wait to be worth a write.
func (l *ledger) full() bool { return len(l.pending) >= ledgerFlushAt }

// flush writes what waits. After an error, such as a full disk, the frames are kept for the next attempt.
func (l *ledger) flush() error {
	if len(l.pending) == 0 {
		return nil
	}
	if _, err := l.file.WriteAt(l.pending, l.size); err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	l.size += int64(len(l.pending))
	l.pending = l.pending[:0]
	return nil
}

// cutOff ends the file behind the last good frame. What stands behind a broken one could else be read again once newer
// frames have been written over it.
func (l *ledger) cutOff() error {
	if err := l.file.Truncate(l.size); err != nil {
		return fmt.Errorf("cut the ledger off: %w", err)
	}
	return nil
}

// overgrown tells that a new base would be much smaller than the file.
func (l *ledger) overgrown() bool { return l.size > 4*l.base+ledgerSlack }

func (l *ledger) close() error { return errors.Join(l.flush(), l.file.Close()) }

// replaceFile writes a file so that after any crash it is there whole, new or old.
func replaceFile(path string, data []byte) error {
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err //nolint:wrapcheck // the callers say what they write
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// compare holds what the engine has against what the ledger knows. lost names every record that is not what it was last.
// back are the subjects that the ledger knows to be gone and the engine shows again. That is no loss: the engine forgets a
// deletion after a while, and when it is killed later it may find the state before it in its files.
func (a account) compare(has map[string]known) (lost, back []string) {
	listed := 0
	for subject, want := range a.subjects {
		got, there := has[subject]
		if there {
			listed++
		}
		switch {
		case there && got.revision >= want.revision || !there && want.gone:
		case want.gone:
			back = append(back, subject)
		case there && !got.gone:
			lost = append(lost, fmt.Sprintf("record %s is back at revision %d, its last was %d", subject, got.revision, want.revision))
		default:
			lost = append(lost, fmt.Sprintf("record %s (revision %d) is missing", subject, want.revision))
		}
	}
	if listed == len(has) {
		return lost, back
	}
	for subject, got := range has {
		if _, ok := a.subjects[subject]; !ok && !got.gone && got.revision <= a.through {
			back = append(back, subject)
		}
	}
	return lost, back
}

// isNotExist tells a missing ledger from a damaged one.
func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
