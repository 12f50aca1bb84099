package faults

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

// What an encoder sends: 320x240 H.264 (Baseline) at 25 pictures a second, a keyframe every second, and AAC-LC at 48 kHz.
const (
	avcConfig = "\x01\x42\xC0\x1F\xFF\xE1\x00\x08\x67\x42\xC0\x1F\xDA\x05\x07\xE4\x01\x00\x04\x68\xCE\x38\x80"
	aacConfig = "\x11\x90"
)

const pictureGap = 40 * time.Millisecond

// encoder streams to one channel, to any node that takes it, for as long as ctx lasts. When its connection breaks it goes
// on to the next node, as an encoder with several addresses does.
type encoder struct {
	key     string
	nodes   []*node
	away    atomic.Bool // it does not come back when its connection breaks
	at      atomic.Pointer[node]
	refusal atomic.Value // string: why the last connection ended
}

func (e *encoder) run(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		if !e.away.Load() {
			e.stream(ctx, e.nodes[i%len(e.nodes)])
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// stream streams to one node until the connection breaks.
func (e *encoder) stream(ctx context.Context, n *node) {
	dialing, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := rtmptest.Dial(dialing, "rtmp://"+n.rtmp+"/app/"+e.key, rtmptest.Options{})
	if err != nil {
		e.refusal.Store(err.Error())
		return
	}
	defer c.Close()
	e.at.Store(n)
	defer e.at.Store(nil)
	broken := make(chan struct{})
	go func() {
		defer close(broken)
		if err := c.Wait(); err != nil { // until the server ends it, or the connection
			e.refusal.Store(err.Error())
		}
	}()
	defer func() { _ = c.Close(); <-broken }()
	if c.Video(0, rtmptest.AppendAVCHeader(nil, []byte(avcConfig))) != nil || c.Audio(0, rtmptest.AppendAACHeader(nil, []byte(aacConfig))) != nil {
		return
	}
	slice, silence := make([]byte, 60), append([]byte{0x21}, make([]byte, 20)...)
	tick := time.NewTicker(pictureGap)
	defer tick.Stop()
	for i := 0; ; i++ {
		at, unit := uint32(i)*40, append([]byte{0, 0, 0, byte(1 + len(slice)), 0x41}, slice...)
		if i%25 == 0 {
			unit[4] = 0x65
		}
		if c.Video(at, rtmptest.AppendAVC(nil, i%25 == 0, 0, unit)) != nil || c.Audio(at, rtmptest.AppendAAC(nil, silence)) != nil {
			return
		}
		select {
		case <-tick.C:
		case <-broken:
			return
		case <-ctx.Done():
			_ = c.Unpublish()
			return
		}
	}
}
