// Package streamfile reads the files in which the embedded engine keeps a stream, without the engine and without
// changing them: what can be read of a damaged stream, and what cannot. The engine itself repairs such files by
// cutting them off at the first record that it cannot read.
//
// The format is that of JetStream's file store (nats-server 2.15, server/filestore.go: writeMsgRecordLocked,
// rebuildStateFromBufLocked, hashKeyForBlock), without encryption and compression, which Rivus does not use. A stream
// is a directory with its description (meta.inf, and meta.sum with the checksum) and a directory msgs of numbered
// blocks. A block is a row of records, little endian:
//
//	length 4, its highest bit: has headers | sequence 8, see below | time 8 | subject length 2 | subject
//	| header length 4, header (only with headers) | data | HighwayHash-64 of all but the three lengths, 8
//
// The key of the hash is the SHA-256 of "<stream>-<block number>". A sequence with bit 62 is a tombstone, which says
// that the record of that sequence was removed; with bit 63 it is a record that was wiped. Sequences of records grow.
// Records that a limit removes, such as the former state of a subject, stay in the file until it is compacted. All
// other files (index.db, thw.db) only make the engine's start faster.
//
// Imports: nothing of Rivus; minio/highwayhash.
package streamfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"strconv"

	"github.com/minio/highwayhash"
)

// Record is a sound record. Its slices are parts of the block that was read.
type Record struct {
	Sequence  uint64
	Time      int64 // Unix nanoseconds
	Tombstone bool  // the record of this sequence, in this block or one before, was removed
	Subject   []byte
	Header    []byte // of the message, from "NATS/1.0" to the empty line; nil when it has none
	Data      []byte
	Raw       []byte // the whole record as it stands in the file
}

// Span is a run of bytes of a block in which no sound record stands, and its neighbours.
type Span struct {
	From, To int64
	Before   uint64 // sequence of the last sound record in front of it, 0 when there is none in this block
	After    uint64 // sequence of the first sound one behind it, 0 when there is none in this block
	Partial  bool   // it is the end of the block and looks like a write that did not get that far
}

const (
	headSize   = 22
	hashSize   = 8
	emptySize  = headSize + hashSize
	headersBit = 1 << 31
	wipedBit   = 1 << 63
	tombBit    = 1 << 62
	maxRecord  = 32 << 20 // the engine believes no longer length either
	headerHead = "NATS/1.0"
	headerEnd  = "\r\n\r\n"
)

// newHash returns the hash of the records of a block.
func newHash(stream string, index uint32) hash.Hash64 {
	return newHashOf(stream + "-" + strconv.FormatUint(uint64(index), 10))
}

func newHashOf(name string) hash.Hash64 {
	key := sha256.Sum256([]byte(name))
	h, err := highwayhash.New64(key[:])
	if err != nil {
		panic(err) // only a key of another size is refused
	}
	return h
}

// scanner reads one block.
type scanner struct {
	hash    hash.Hash64
	content []byte
}

// Scan calls fn for every sound record of a block, in the order of the file, and returns what lies between them.
// Behind damage it finds the next record by its hash, so every record that is sound by itself is found.
func Scan(stream string, index uint32, content []byte, fn func(Record)) []Span {
	s := scanner{hash: newHash(stream, index), content: content}
	var bad []Span
	last := uint64(0)
	for at := 0; at < len(content); {
		r, size := s.record(at)
		if size == 0 {
			next := s.next(at + 1)
			bad = append(bad, Span{From: int64(at), To: int64(next), Before: last, Partial: next == len(content) && partial(content[at:])})
			at = next
			continue
		}
		if r.Sequence > 0 && !r.Tombstone {
			last = r.Sequence
			follow(bad, last)
		}
		if r.Sequence > 0 {
			fn(r)
		}
		at += size
	}
	return bad
}

// follow completes the spans behind which no record had been found.
func follow(bad []Span, after uint64) {
	for i := len(bad) - 1; i >= 0 && bad[i].After == 0; i-- {
		bad[i].After = after
	}
}

// next returns where the next sound record begins, or the end. Nearly every place is ruled out by its length and its
// subject: no text has bytes that could be a length, so not even a record within another one's data is mistaken for one.
func (s *scanner) next(from int) int {
	for at := from; at+emptySize <= len(s.content); at++ {
		if _, size := s.record(at); size > 0 {
			return at
		}
	}
	return len(s.content)
}

// record reads the record at a place. Its size is 0 when no sound one stands there. A wiped record has the sequence 0.
func (s *scanner) record(at int) (r Record, size int) {
	b := s.content[at:]
	if len(b) < emptySize {
		return r, 0
	}
	length := binary.LittleEndian.Uint32(b)
	headers := length&headersBit != 0
	length &^= headersBit
	subject := int(binary.LittleEndian.Uint16(b[20:]))
	if length < emptySize || length > maxRecord || int64(length) > int64(len(b)) || subject > int(length)-emptySize {
		return r, 0
	}
	b = b[:length]
	r = Record{Sequence: binary.LittleEndian.Uint64(b[4:]), Time: int64(binary.LittleEndian.Uint64(b[12:])), Raw: b}
	rest := b[headSize+subject : len(b)-hashSize]
	r.Subject = b[headSize : headSize+subject]
	if !plausible(r, length, headers) {
		return r, 0
	}
	if headers {
		if len(rest) < 4 {
			return r, 0
		}
		headerSize := binary.LittleEndian.Uint32(rest)
		if rest = rest[4:]; !wholeHeader(rest, headerSize) {
			return r, 0
		}
		r.Header, r.Data = rest[:headerSize], rest[headerSize:]
	} else if r.Data = rest; len(rest) > 0 && subject > 0 && rest[0] != '{' {
		return r, 0
	}
	s.hash.Reset()
	_, _ = s.hash.Write(b[4:20])
	_, _ = s.hash.Write(r.Subject)
	_, _ = s.hash.Write(rest)
	if s.hash.Sum64() != binary.LittleEndian.Uint64(b[len(b)-hashSize:]) {
		return r, 0
	}
	switch {
	case r.Sequence&wipedBit != 0:
		r.Sequence = 0
	case r.Sequence&tombBit != 0:
		r.Sequence, r.Tombstone = r.Sequence&^tombBit, true
	}
	return r, int(length)
}

// plausible rules out most places where no record stands. It also checks what the hash does not: where the subject
// ends. Every subject of ours is made of plain characters, and all data is a JSON object.
func plausible(r Record, length uint32, headers bool) bool {
	if len(r.Subject) == 0 { // tombstones, and what is wiped
		return !headers && (r.Sequence&wipedBit != 0 || r.Sequence&tombBit != 0 && length == emptySize)
	}
	if r.Sequence&(wipedBit|tombBit) != 0 {
		return false
	}
	for _, c := range r.Subject {
		if c <= ' ' || c >= 0x7f || c == '{' || c == '"' {
			return false
		}
	}
	return true
}

// wholeHeader checks the length of a header, which the hash does not cover.
func wholeHeader(rest []byte, size uint32) bool {
	return int64(size) <= int64(len(rest)) && bytes.HasPrefix(rest, []byte(headerHead)) &&
		bytes.Index(rest, []byte(headerEnd))+len(headerEnd) == int(size)
}

// partial tells whether the end of a block looks like a write that the machine did not finish: shorter than it says, or
// filled up with zeros.
func partial(tail []byte) bool {
	if len(tail) < emptySize {
		return true
	}
	length := binary.LittleEndian.Uint32(tail) &^ headersBit
	zeros := bytes.Equal(tail[len(tail)-hashSize:], make([]byte, hashSize))
	return zeros || length > uint32(min(len(tail), maxRecord))
}

// Tombstone returns a record for the block that says that sequence, and with it every one before, has been used.
func Tombstone(stream string, index uint32, sequence uint64, time int64) []byte {
	b := make([]byte, headSize, emptySize)
	binary.LittleEndian.PutUint32(b, emptySize)
	binary.LittleEndian.PutUint64(b[4:], sequence|tombBit)
	binary.LittleEndian.PutUint64(b[12:], uint64(time))
	h := newHash(stream, index)
	_, _ = h.Write(b[4:20])
	return binary.LittleEndian.AppendUint64(b, h.Sum64())
}
