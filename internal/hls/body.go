package hls

import (
	"bytes"
	"compress/gzip"
	"hash/fnv"
	"strconv"
	"sync"
)

// Body is a playlist that is rendered when somebody first asks for it, once, and then shared. All methods are safe
// for any number of goroutines; the bytes they return must not be changed.
type Body struct {
	snapshot *Snapshot
	delta    bool

	plainOnce sync.Once
	plain     []byte
	tag       string

	gzipOnce sync.Once
	gzip     []byte
}

// Plain returns the playlist's text.
func (b *Body) Plain() []byte {
	b.plainOnce.Do(func() {
		b.plain = b.snapshot.render(b.delta)
		h := fnv.New64a()
		_, _ = h.Write(b.plain) // a hash does not fail
		b.tag = `"` + strconv.FormatUint(h.Sum64(), 36) + `"`
	})
	return b.plain
}

// Gzip returns the playlist's text, compressed.
func (b *Body) Gzip() []byte {
	b.gzipOnce.Do(func() { b.gzip = b.snapshot.stream.zipper.zip(b.Plain()) })
	return b.gzip
}

// ETag returns an entity tag, quotes included, that differs whenever the text does.
func (b *Body) ETag() string {
	b.Plain()
	return b.tag
}

// zipper compresses, keeping the compressor's large tables for the next time.
type zipper struct{ pool sync.Pool }

func (z *zipper) zip(text []byte) []byte {
	w, ok := z.pool.Get().(*gzip.Writer)
	if !ok {
		w, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	}
	defer z.pool.Put(w)
	var buf bytes.Buffer
	buf.Grow(len(text)/4 + 64)
	w.Reset(&buf)
	_, _ = w.Write(text) // a buffer does not fail
	_ = w.Close()
	return buf.Bytes()
}
