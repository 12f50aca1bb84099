package rtmp_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

// TestBatchesEnd holds that the server, once it has learned to wait for large frames, still hears small messages: it
// would sit there until the idle time ended, which is longer than this test is willing to wait.
func TestBatchesEnd(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	heard := make(chan rtmp.Message, 1000)
	h.took = func(_ *rtmp.Publication, m rtmp.Message) error {
		heard <- m
		return nil
	}
	s := start(t, rtmp.Options{Handler: h, IdleTimeout: 10 * patience}, nil)
	c := s.dial(t, "app/"+goodKey, rtmptest.Options{})
	next := func(kind uint8, size int) {
		t.Helper()
		select {
		case m := <-heard:
			if m.Type != kind || len(m.Payload) != size {
				t.Fatalf("heard %d bytes of type %d, want %d of type %d", len(m.Payload), m.Type, size, kind)
			}
		case <-time.After(patience):
			t.Fatalf("did not hear a message of type %d", kind)
		}
	}
	picture := make([]byte, 9000)
	for range 130 {
		send(t, c.Video(0, picture))
		next(rtmp.TypeVideo, len(picture))
	}
	send(t, c.Audio(0, []byte("sound")))
	next(rtmp.TypeAudio, 5)
	send(t, c.Video(0, bytes.Repeat(picture, 30)))
	next(rtmp.TypeVideo, 30*len(picture))
	send(t, c.Video(0, []byte("dot")))
	next(rtmp.TypeVideo, 3)
	for range 20 {
		send(t, c.Audio(0, []byte("sound")))
	}
	for range 20 {
		next(rtmp.TypeAudio, 5)
	}
	send(t, c.Unpublish(), c.Wait())
	if got := h.wait(t); !errors.Is(got.err, io.EOF) {
		t.Errorf("ended with %v", got.err)
	}
}
