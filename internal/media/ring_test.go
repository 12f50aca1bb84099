package media_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/rivus-live/rivus/internal/media"
)

var (
	ringVideo = &media.Track{Codec: media.H264, TimeScale: media.VideoTimeScale} //nolint:gochecknoglobals // a constant
	ringAudio = &media.Track{Codec: media.AAC, TimeScale: 48000}                 //nolint:gochecknoglobals // a constant
)

// numbered returns frame n: its DTS is the number.
func numbered(n int64, video, key bool, size int) media.Frame {
	f := media.Frame{Track: ringAudio, DTS: n, Key: true, Data: make([]byte, size)}
	if video {
		f.Track, f.Key = ringVideo, key
	}
	return f
}

func writeFrame(tb testing.TB, r *media.Ring, f media.Frame) {
	tb.Helper()
	if err := r.WriteFrame(f); err != nil {
		tb.Error(err)
	}
}

// ringModel is what a Ring must do, said slowly: it remembers every frame that was ever written.
type ringModel struct {
	maxFrames int
	maxBytes  int64
	all       []media.Frame
	tail      int // the oldest that may be held
	readers   []*modelReader
}

type modelReader struct {
	reader  *media.Reader
	next    int
	any     bool // every frame is a start: it was there before the first
	read    bool
	missed  int64
	stopped bool
}

func isStart(f media.Frame) bool { return f.Track.IsVideo() && f.Key }

func (m *ringModel) video(n int) bool {
	for _, f := range m.all[:n] {
		if f.Track.IsVideo() {
			return true
		}
	}
	return false
}

func (m *ringModel) write(f media.Frame) {
	for m.tail < len(m.all) && (len(m.all)-m.tail >= m.maxFrames || m.bytes()+int64(len(f.Data)) > m.maxBytes) {
		m.tail++
	}
	m.all = append(m.all, f)
	m.release()
}

func (m *ringModel) bytes() (n int64) {
	for _, f := range m.all[m.tail:] {
		n += int64(len(f.Data))
	}
	return n
}

// release holds nothing that everybody has read.
func (m *ringModel) release() {
	least := len(m.all)
	for _, r := range m.readers {
		if !r.stopped {
			least = min(least, r.next)
		}
	}
	m.tail = max(m.tail, least)
}

// check holds a frame that a reader got against the rules, which is all that is promised: it is the one after the last; or it
// comes later, because the last one's successor is held no more, and then it is a keyframe and the number missed is exact.
func (m *ringModel) check(t *testing.T, r *modelReader, f media.Frame, missed int64) {
	t.Helper()
	at := int(f.DTS)
	lost := int64(at - r.next)
	switch {
	case at < r.next || at < m.tail || at >= len(m.all):
		t.Fatalf("frame %d came, the next is %d, held are %d to %d", at, r.next, m.tail, len(m.all))
	case (r.read || r.any) && missed != lost:
		t.Fatalf("%d frames are missed before frame %d, it says %d", lost, at, missed)
	case !r.read && !r.any && missed != 0:
		t.Fatalf("%d frames are missed before the first", missed)
	case lost > 0 && r.read && r.next >= m.tail && !r.stopped && missedHeld(m, r, at):
		t.Fatalf("frame %d was skipped, and is held", r.next)
	case (lost > 0 || !r.read && !r.any) && m.video(len(m.all)) && !isStart(f):
		t.Fatalf("after a miss comes frame %d, which is no keyframe", at)
	}
	r.next, r.read = at+1, true
	m.release()
}

// missedHeld reports whether a frame was skipped although the reader was in time for it: no frame since its last one may have
// been dropped.
func missedHeld(m *ringModel, r *modelReader, at int) bool {
	return r.missed == 0 && m.tail <= r.next && at > r.next
}

// playRing lets bytes write, read, open and close readers.
func playRing(t *testing.T, steps []byte) {
	t.Helper()
	m := &ringModel{maxFrames: 24, maxBytes: 600}
	ring := media.NewRing(m.maxFrames, m.maxBytes)
	open := func() {
		if len(m.readers) < 6 {
			m.readers = append(m.readers, &modelReader{reader: ring.NewReader(), next: m.tail, any: len(m.all) == 0})
		}
	}
	take := func(r *modelReader) bool {
		lapped := r.next < m.tail
		f, missed, ok := r.reader.TryFrame()
		if lapped {
			r.missed++ // it may skip until it has got one
		}
		if ok {
			m.check(t, r, f, missed)
			r.missed = 0
			return true
		}
		if pending := r.reader.Missed(); r.read && r.next < len(m.all) && pending != int64(len(m.all)-r.next) {
			t.Fatalf("%d frames are missed at the end, it says %d", len(m.all)-r.next, pending)
		}
		if r.read && r.missed == 0 && r.next < len(m.all) {
			t.Fatalf("frame %d is held back", r.next)
		}
		if r.missed > 0 || !r.read {
			m.releaseSkipped(r)
		}
		return false
	}
	open()
	for _, op := range steps {
		switch {
		case op < 150:
			f := numbered(int64(len(m.all)), op&1 == 0, op&14 == 0, int(op))
			writeFrame(t, ring, f)
			m.write(f)
		case op < 165:
			open()
		case op < 170:
			for i, r := range m.readers {
				if i == int(op)%len(m.readers) && !r.stopped {
					r.stopped = true
					r.reader.Close()
					m.release()
				}
			}
		default:
			if r := m.readers[int(op)%len(m.readers)]; !r.stopped {
				for range 1 + op%5 {
					if !take(r) {
						break
					}
				}
			}
		}
	}
	ring.Close()
	for _, r := range m.readers {
		for !r.stopped && take(r) {
		}
		if !r.stopped {
			if _, _, err := r.reader.ReadFrame(t.Context()); !errors.Is(err, io.EOF) {
				t.Fatalf("the end is %v", err)
			}
		}
	}
}

// releaseSkipped: a reader that looks for a keyframe holds nothing back.
func (m *ringModel) releaseSkipped(r *modelReader) {
	was := r.next
	r.next = len(m.all)
	m.release()
	r.next = was
}

func TestRing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		steps := make([]byte, 400)
		for i := range steps {
			steps[i] = byte(r.IntN(256))
		}
		playRing(t, steps)
	}
}

func FuzzRing(f *testing.F) {
	f.Add([]byte{0, 1, 2, 200, 160, 3, 4, 16, 255, 254, 167})
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 2))
		steps := make([]byte, 200)
		for i := range steps {
			steps[i] = byte(r.IntN(256))
		}
		f.Add(steps)
	}
	f.Fuzz(func(t *testing.T, steps []byte) { playRing(t, steps[:min(len(steps), 2000)]) })
}

// TestRingAtOnce reads with many goroutines while one writes as fast as it can. Every reader accounts for every frame.
func TestRingAtOnce(t *testing.T) {
	t.Parallel()
	const frames = 20_000
	ring := media.NewRing(64, 1<<20)
	var all sync.WaitGroup
	for range 6 {
		reader := ring.NewReader()
		all.Go(func() {
			next := int64(0)
			for {
				f, missed, err := reader.ReadFrame(t.Context())
				if err != nil {
					if next += reader.Missed(); !errors.Is(err, io.EOF) || next != frames {
						t.Errorf("%d of %d frames are accounted for: %v", next, frames, err)
					}
					return
				}
				if f.DTS != next+missed || missed > 0 && !isStart(f) || len(f.Data) != int(f.DTS%50) {
					t.Errorf("frame %d after %d and %d missed", f.DTS, next-1, missed)
					return
				}
				next = f.DTS + 1
			}
		})
	}
	for n := range int64(frames) {
		writeFrame(t, ring, numbered(n, n%2 == 0, n%30 == 0, int(n%50)))
	}
	ring.Close()
	all.Wait()
}

// TestRingWaits: a reader sleeps until a frame comes, its context ends, or the stream does.
func TestRingWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ring := media.NewRing(8, 100)
		reader := ring.NewReader()
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error, 1)
		read := func(ctx context.Context) {
			go func() {
				_, _, err := reader.ReadFrame(ctx)
				got <- err
			}()
			synctest.Wait()
		}
		read(ctx)
		if len(got) != 0 {
			t.Fatal("it did not wait")
		}
		writeFrame(t, ring, numbered(0, true, true, 1))
		if err := <-got; err != nil {
			t.Fatal(err)
		}
		read(ctx)
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		read(t.Context())
		ring.Close()
		if err := <-got; !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	})
}

// TestRingInline: a function that reads in line has every frame first, and what it refuses reaches nobody.
func TestRingInline(t *testing.T) {
	t.Parallel()
	ring := media.NewRing(8, 100)
	refused := errors.New("refused")
	var came []int64
	ring.ReadInline(func(f media.Frame) error {
		came = append(came, f.DTS)
		if f.DTS == 1 {
			return refused
		}
		return nil
	})
	writeFrame(t, ring, numbered(0, true, true, 1))
	reader := ring.NewReader()
	if err := ring.WriteFrame(numbered(1, true, true, 1)); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	writeFrame(t, ring, numbered(2, true, false, 1))
	writeFrame(t, ring, numbered(3, false, true, 1))
	writeFrame(t, ring, numbered(4, true, true, 1))
	if f, missed, ok := reader.TryFrame(); !ok || f.DTS != 4 || missed != 0 || len(came) != 5 {
		t.Errorf("the reader got %d, %d missed; in line came %v", f.DTS, missed, came)
	}
}

// TestRingAllocates: nothing, with readers that keep up and with one that does not.
func TestRingAllocates(t *testing.T) {
	ring := media.NewRing(64, 1<<20)
	quick := ring.NewReader()
	ring.NewReader() // and never read
	f := numbered(0, true, true, 100)
	for range 200 {
		writeFrame(t, ring, f)
	}
	if n := testing.AllocsPerRun(1000, func() {
		writeFrame(t, ring, f)
		for ok := true; ok; {
			_, _, ok = quick.TryFrame()
		}
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// BenchmarkRing is the cost of a frame from its writer to one reader: in line, polled on the writer's goroutine, and on one of
// its own that is woken for each frame, as one of a live stream is.
func BenchmarkRing(b *testing.B) {
	f := numbered(0, true, true, 16_000)
	b.Run("in-line", func(b *testing.B) {
		ring := media.NewRing(64, 1<<30)
		var bytes int
		ring.ReadInline(func(f media.Frame) error { bytes += len(f.Data); return nil })
		b.ReportAllocs()
		for b.Loop() {
			writeFrame(b, ring, f)
		}
	})
	b.Run("polled", func(b *testing.B) {
		ring := media.NewRing(64, 1<<30)
		reader := ring.NewReader()
		b.ReportAllocs()
		for b.Loop() {
			writeFrame(b, ring, f)
			if _, _, ok := reader.TryFrame(); !ok {
				b.Fatal("no frame")
			}
		}
	})
	b.Run("goroutine", func(b *testing.B) {
		ring := media.NewRing(64, 1<<30)
		reader := ring.NewReader()
		taken := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			for {
				if _, _, err := reader.ReadFrame(b.Context()); err != nil {
					return
				}
				taken <- struct{}{} // the next frame comes when this one is long gone
			}
		})
		b.ReportAllocs()
		for b.Loop() {
			writeFrame(b, ring, f)
			<-taken
		}
		ring.Close()
		all.Wait()
	})
}
