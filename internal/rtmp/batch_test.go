package rtmp

import (
	"testing"

	"github.com/rivus-live/rivus/internal/rtmp/chunk"
)

func TestBatcher(t *testing.T) {
	t.Parallel()
	video := func(b *batcher, n, size int) {
		for range n {
			b.saw(chunk.TypeVideo, size)
		}
	}
	var b batcher
	check := func(when string, want int) {
		t.Helper()
		if got := b.between(); got != want {
			t.Errorf("%s: waits for %d bytes, want %d", when, got, want)
		}
	}
	check("at the start", 1)
	video(&b, batchWindow-1, 9000)
	check("before a window is full", 1)
	video(&b, 1, 9000)
	check("with large video", batchMost)
	video(&b, 1, 300)
	check("after one small frame", 300)
	video(&b, batchWindow-1, 9000)
	check("a window after it", 300)
	video(&b, batchWindow, 9000)
	check("two windows after it", batchMost)
	for range batchSilence - 1 {
		b.saw(chunk.TypeAudio, 300)
	}
	check("with some audio", batchMost)
	b.saw(chunk.TypeAudio, 300)
	check("with audio alone", 1)
	video(&b, 1, 9000)
	check("with video again", batchMost)
	b.saw(chunk.TypeDataAMF0, 10)
	check("after script data", batchMost)
}
