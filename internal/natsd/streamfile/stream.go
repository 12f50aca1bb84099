package streamfile

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The names in a stream's directory.
const (
	metaFile    = "meta.inf"
	sumFile     = "meta.sum"
	blocksDir   = "msgs"
	blockSuffix = ".blk"
	expiryFile  = "thw.db" // of the blocks directory
)

// maxBlock bounds what is read of a block. The engine begins another one at 8 MiB.
const maxBlock = 64 << 20

// Block is a file of records.
type Block struct {
	Index uint32
	Path  string
}

// Stream is the directory of a stream.
type Stream struct {
	Name string
	Dir  string
}

// Exists tells whether there is anything of the stream.
func (s Stream) Exists() (bool, error) {
	_, err := os.Stat(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, wrap(err)
}

// Blocks returns the blocks of the stream in their order.
func (s Stream) Blocks() ([]Block, error) {
	dir := filepath.Join(s.Dir, blocksDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap(err)
	}
	var list []Block
	for _, e := range entries {
		number, ok := strings.CutSuffix(e.Name(), blockSuffix)
		index, err := strconv.ParseUint(number, 10, 32)
		if ok && err == nil && e.Type().IsRegular() {
			list = append(list, Block{Index: uint32(index), Path: filepath.Join(dir, e.Name())})
		}
	}
	slices.SortFunc(list, func(a, b Block) int { return int(int64(a.Index) - int64(b.Index)) })
	return list, nil
}

// Damage is a part of a stream that cannot be read.
type Damage struct {
	Span
	Block Block
}

// String names the file and the bytes.
func (d Damage) String() string {
	return fmt.Sprintf("%s cannot be read from byte %d to %d", d.Block.Path, d.From, d.To)
}

// Read calls fn for every sound record of the stream in the order of the blocks, and returns what cannot be read. The
// record is valid until fn returns. Before and After of what is returned look past the ends of blocks; a Partial one is
// at the end of the last block. Files that the engine could not have made count as damage from where they go wrong.
func (s Stream) Read(fn func(Block, Record)) ([]Damage, error) {
	blocks, err := s.Blocks()
	if err != nil {
		return nil, err
	}
	var all []Damage
	last := uint64(0)
	for i, b := range blocks {
		found, first, err := s.readBlock(b, &last, fn)
		if err != nil {
			return nil, err
		}
		if first > 0 {
			for j := len(all) - 1; j >= 0 && all[j].After == 0; j-- {
				all[j].After = first
			}
		}
		for j := range found {
			found[j].Partial = found[j].Partial && i == len(blocks)-1
		}
		all = append(all, found...)
	}
	return all, nil
}

func (s Stream) readBlock(b Block, last *uint64, fn func(Block, Record)) (found []Damage, first uint64, err error) {
	content, size, err := readFile(b.Path)
	if err != nil {
		return nil, 0, err
	}
	before := *last
	spans := Scan(s.Name, b.Index, content, func(r Record) {
		if !r.Tombstone {
			*last = r.Sequence
			if first == 0 {
				first = r.Sequence
			}
		}
		fn(b, r)
	})
	if size > int64(len(content)) {
		spans = append(spans, Span{From: int64(len(content)), To: size, Before: *last})
	}
	for _, span := range spans {
		if span.Before == 0 {
			span.Before = before
		}
		found = append(found, Damage{Span: span, Block: b})
	}
	return found, first, nil
}

// readFile reads at most maxBlock of a file. What the disk cannot read any more is zeros.
func readFile(path string) (content []byte, size int64, err error) {
	const sector = 4096
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, wrap(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, wrap(err)
	}
	content = make([]byte, min(info.Size(), maxBlock))
	if _, err = f.ReadAt(content, 0); err == nil || len(content) == 0 {
		return content, info.Size(), nil
	}
	for at := 0; at < len(content); at += sector {
		part := content[at:min(at+sector, len(content))]
		if _, err := f.ReadAt(part, int64(at)); err != nil {
			clear(part)
		}
	}
	return content, info.Size(), nil
}

// Meta returns the stream's description, as JSON. Its checksum is checked.
func (s Stream) Meta() ([]byte, error) {
	content, err := os.ReadFile(filepath.Join(s.Dir, metaFile))
	if err != nil {
		return nil, wrap(err)
	}
	sum, err := os.ReadFile(filepath.Join(s.Dir, sumFile))
	if err != nil {
		return nil, wrap(err)
	}
	if string(sum) != s.metaSum(content) || !json.Valid(content) {
		return nil, fmt.Errorf("%s is damaged: its checksum does not match", filepath.Join(s.Dir, metaFile))
	}
	return content, nil
}

// MakeMeta returns a description for a stream with a configuration that encodes to a JSON object.
func MakeMeta(created time.Time, config any) ([]byte, error) {
	fields := map[string]json.RawMessage{}
	content, err := json.Marshal(config)
	if err == nil {
		err = json.Unmarshal(content, &fields)
	}
	if err == nil {
		fields["Created"], err = json.Marshal(created)
	}
	if err == nil {
		content, err = json.Marshal(fields)
	}
	if err != nil {
		return nil, fmt.Errorf("describe a stream: %w", err)
	}
	return content, nil
}

func (s Stream) metaSum(content []byte) string {
	h := newHashOf(s.Name)
	_, _ = h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

// ForgetExpiry removes what the engine remembers about records that will expire. It has no checksum, and damage in it
// would remove other records; the engine finds out anew from the records.
func (s Stream) ForgetExpiry() error {
	err := os.Remove(filepath.Join(s.Dir, blocksDir, expiryFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return wrap(err)
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read the engine's files: %w", err)
}
