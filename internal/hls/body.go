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
	render func() []byte

	plainOnce sync.Once
	plain     []byte
	tag       string

	gzipOnce sync.Once
	gzip     []byte
}

// Plain returns the playlist's text.
func (b *Body) Plain() []byte {
	b.plainOnce.Do(func() {
		b.plain = b.render()
		b.render = nil // it holds the snapshot's lists
		h := fnv.New64a()
		_, _ = h.Write(b.plain) // a hash does not fail
		b.tag = `"` + strconv.FormatUint(h.Sum64(), 36) + `"`
	})
	return b.plain
}

// Gzip returns the playlist's text, compressed.
func (b *Body) Gzip() []byte {
	b.gzipOnce.Do(func() {
		var buf bytes.Buffer
		z, _ := gzip.NewWriterLevel(&buf, gzip.BestSpeed) // the level is valid
		_, _ = z.Write(b.Plain())                         // a buffer does not fail
		_ = z.Close()
		b.gzip = buf.Bytes()
	})
	return b.gzip
}

// ETag returns an entity tag, quotes included, that differs whenever the text does.
func (b *Body) ETag() string {
	b.Plain()
	return b.tag
}
