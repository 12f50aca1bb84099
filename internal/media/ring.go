package media

import (
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// Ring hands the frames of one writer to any number of readers, each at its own pace. The writer never waits for a reader:
// one that falls behind by more than the ring may hold goes on at the newest keyframe and is told how many frames it missed.
//
// Frames are values and share their bytes, so nothing is copied but the Frame itself. A frame is held until the last reader
// has taken it; with readers that keep up the ring holds nothing. Writing and reading allocate nothing, but for room when
// more frames wait than ever before.
//
// A reader has a goroutine of its own, and costs a switch to it for each frame of a live stream, which takes about as long as
// packaging the frame does (BenchmarkRing). What must be quick is done in line: ReadInline has the writer's goroutine call a
// function with every frame, before the readers get it. That costs the call, and while there is no other reader nothing else.
type Ring struct {
	maxFrames int
	maxBytes  int64
	inline    []func(Frame) error
	begun     atomic.Bool  // a frame was written
	video     atomic.Bool  // a picture was written: readers start at keyframes
	watched   atomic.Int32 // how many readers there are

	mu      sync.Mutex
	slots   []Frame // a power of two; frame n is in slots[n%len]
	head    uint64  // number of the frame that will be written next
	tail    uint64  // number of the oldest frame that is held
	bytes   int64   // of frames that are held
	key     uint64  // number of the newest keyframe, plus one; 0: there was none
	closed  bool
	readers []*Reader
}

// leastSlots is the room of a ring whose readers keep up.
const leastSlots = 16

// NewRing returns a ring that holds at most so many frames, and so many bytes of them, for readers that are behind.
func NewRing(maxFrames int, maxBytes int64) *Ring {
	return &Ring{maxFrames: max(maxFrames, 1), maxBytes: maxBytes, slots: make([]Frame, leastSlots)}
}

// Reader takes the frames of a Ring in order. It belongs to one goroutine at a time.
type Reader struct {
	ring *Ring
	wake chan struct{} // one place: the writer leaves a sign for a reader that waits

	// Guarded by the ring's lock.
	next    uint64 // number of the frame to read
	needKey bool   // what comes before a keyframe is of no use
	missed  int64  // frames since the last one that was read
	started bool   // one was read: what is skipped from now on is missed
	waiting bool
}

// NewReader returns a reader. Before the first write it will see every frame; later it starts at the newest keyframe that is
// still held, or at the next one that comes. The ring holds frames for it until Close.
func (r *Ring) NewReader() *Reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	reader := &Reader{ring: r, wake: make(chan struct{}, 1), next: r.tail}
	r.watched.Add(1) // before the look at begun: a writer that is just beginning sees one or the other
	if r.begun.Load() {
		reader.restart()
	} else {
		reader.started = true
	}
	r.readers = append(r.readers, reader)
	return reader
}

// ReadInline adds a function that WriteFrame calls with every frame. It must be called before the first write.
func (r *Ring) ReadInline(read func(Frame) error) { r.inline = append(r.inline, read) }

// WriteFrame hands a frame to all readers. It never waits for one; the oldest frames make room if they must. An error is that
// of a function that reads in line; then nobody else gets the frame. A closed ring forgets it.
func (r *Ring) WriteFrame(f Frame) error {
	for _, read := range r.inline {
		if err := read(f); err != nil {
			return err
		}
	}
	if f.Track.IsVideo() && !r.video.Load() {
		r.video.Store(true)
	}
	if !r.begun.Load() {
		r.begun.Store(true)
	}
	if r.watched.Load() > 0 {
		r.addFrame(&f)
	}
	return nil
}

// addFrame holds a frame for the readers.
func (r *Ring) addFrame(f *Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.readers) == 0 {
		return
	}
	for r.tail < r.head && (r.head-r.tail >= uint64(r.maxFrames) || r.bytes+int64(len(f.Data)) > r.maxBytes) {
		r.dropFrame()
	}
	if r.head-r.tail == uint64(len(r.slots)) {
		r.growSlots()
	}
	*r.slot(r.head) = *f
	r.head++
	r.bytes += int64(len(f.Data))
	if f.isStart() {
		r.key = r.head
	}
	r.wakeReaders()
}

// Close ends the stream: readers get what is left, then io.EOF. A second call does nothing.
func (r *Ring) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.wakeReaders()
}

func (r *Ring) wakeReaders() {
	for _, reader := range r.readers {
		if reader.waiting {
			reader.waiting = false
			select {
			case reader.wake <- struct{}{}:
			default: // it has a sign that it has not seen
			}
		}
	}
}

// isStart reports whether a reader that has missed what came before may begin with a frame.
func (f *Frame) isStart() bool { return f.Key && f.Track.IsVideo() }

func (r *Ring) slot(n uint64) *Frame { return &r.slots[n&uint64(len(r.slots)-1)] }

// dropFrame lets the oldest frame go.
func (r *Ring) dropFrame() {
	s := r.slot(r.tail)
	r.bytes -= int64(len(s.Data))
	*s = Frame{}
	r.tail++
}

// growSlots doubles the room.
func (r *Ring) growSlots() {
	old := r.slots
	r.slots = make([]Frame, 2*len(old))
	for n := r.tail; n < r.head; n++ {
		*r.slot(n) = old[n&uint64(len(old)-1)]
	}
}

// release lets go of the frames that all readers have taken.
func (r *Ring) release() {
	least := r.head
	for _, reader := range r.readers {
		least = min(least, reader.next)
	}
	for r.tail < least {
		r.dropFrame()
	}
}

// restart moves a reader to the newest keyframe that is held, or to the end, to wait for one. Where there are no pictures
// every frame is as good as another.
func (d *Reader) restart() {
	r := d.ring
	at := r.head
	switch {
	case !r.video.Load():
		at = r.tail
	case r.key > r.tail:
		at = r.key - 1
	}
	d.needKey = true
	d.skipTo(max(at, d.next))
}

func (d *Reader) skipTo(n uint64) {
	if d.started {
		d.missed += int64(n - d.next)
	}
	d.next = n
}

// TryFrame returns the next frame if it is there, and how many frames were missed between the one before and this one. After
// a miss the frame is a keyframe, if the stream has pictures at all.
func (d *Reader) TryFrame() (f Frame, missed int64, ok bool) {
	r := d.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	return d.takeFrame()
}

func (d *Reader) takeFrame() (f Frame, missed int64, ok bool) {
	r := d.ring
	if d.next < r.tail {
		d.restart()
	}
	for ; d.next < r.head; d.skipTo(d.next + 1) {
		f := r.slot(d.next)
		if d.needKey && !f.isStart() && r.video.Load() {
			continue
		}
		taken := *f
		d.next++
		d.needKey, d.started = false, true
		missed, d.missed = d.missed, 0
		r.release()
		return taken, missed, true
	}
	r.release()
	return Frame{}, 0, false
}

// ReadFrame is TryFrame for a reader that waits. The error is io.EOF after the last frame of a closed ring, or the context's.
func (d *Reader) ReadFrame(ctx context.Context) (f Frame, missed int64, err error) {
	r := d.ring
	for {
		r.mu.Lock()
		f, missed, ok := d.takeFrame()
		closed := r.closed
		d.waiting = !ok && !closed
		r.mu.Unlock()
		switch {
		case ok:
			return f, missed, nil
		case closed:
			return Frame{}, 0, io.EOF
		}
		select {
		case <-d.wake:
		case <-ctx.Done():
			return Frame{}, 0, ctx.Err()
		}
	}
}

// Missed returns how many frames were missed since the last one that was read: what a reader at the end of the stream was
// not told yet.
func (d *Reader) Missed() int64 {
	d.ring.mu.Lock()
	defer d.ring.mu.Unlock()
	return d.missed
}

// Close lets go of the frames that are held for the reader alone. It must not be read any more.
func (d *Reader) Close() {
	r := d.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.readers, d); i >= 0 {
		r.readers = slices.Delete(r.readers, i, i+1)
		r.watched.Add(-1)
		r.release()
	}
}
