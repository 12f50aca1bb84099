package rtmp

import (
	"time"

	"github.com/rivus-live/rivus/internal/rtmp/chunk"
)

const (
	batchMost     = 2048                   // bytes worth waiting for between messages: about five AAC frames
	batchTime     = 100 * time.Millisecond // after which they are not
	batchWindow   = 64                     // video messages whose smallest one counts
	batchSilence  = 8                      // audio messages without video after which nobody waits
	thresholdMost = 48 << 10               // well inside the smallest receive buffer that Linux gives
)

// batcher decides how many bytes are worth waking up for, which is where most of the time of an idle-looking ingest
// server goes: an encoder sends its data in many small packets.
//
// Inside a message that is its rest: nothing can be done before that has come. Between messages audio alone is not worth
// it, because media is cut on video frames and the audio before one arrives with it. So the wait there is for as much as
// the smallest of the latest video frames has, and no longer than batchTime.
type batcher struct {
	smallest int // of the present window
	previous int // of the one before
	seen     int // video messages in the present window
	audio    int // audio messages since the last video message
}

// saw notes a message.
func (b *batcher) saw(kind uint8, size int) {
	switch kind {
	case chunk.TypeAudio:
		b.audio++
	case chunk.TypeVideo:
		b.audio = 0
		if b.seen == 0 || size < b.smallest {
			b.smallest = size
		}
		if b.seen++; b.seen == batchWindow {
			b.previous, b.smallest, b.seen = b.smallest, 0, 0
		}
	}
}

// between returns how many bytes are worth waking up for between messages. There must have been a whole window of video
// before that is more than one.
func (b *batcher) between() int {
	if b.audio >= batchSilence || b.previous == 0 {
		return 1
	}
	n := min(b.previous, batchMost)
	if b.seen > 0 {
		n = min(n, b.smallest)
	}
	return max(n, 1)
}
