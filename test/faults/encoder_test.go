package faults

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

// What an encoder sends: 320x240 H.264 (Baseline) at 25 pictures a second, a keyframe every second, and AAC-LC at 48 kHz.
var ( //nolint:gochecknoglobals // constant tables
	avcConfig = []byte{
		1, 66, 0xC0, 31, 0xFF, 0xE1, 0, 8, 0x67, 66, 0xC0, 31, 0xDA, 5, 7, 0xE4, 1, 0, 4, 0x68, 0xCE, 0x38, 0x80,
	}
	aacConfig = []byte{0x11, 0x90}
	slice     = make([]byte, 60)
	silence   = append([]byte{0x21}, make([]byte, 20)...)
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
	if c.Video(0, rtmptest.AppendAVCHeader(nil, avcConfig)) != nil || c.Audio(0, rtmptest.AppendAACHeader(nil, aacConfig)) != nil {
		return
	}
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
