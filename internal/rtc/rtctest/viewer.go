package rtctest

import (
	"sync"

	"github.com/pion/rtcp"
)

// Viewer watches a subscriber's packets as a browser would: it shows the video, hears the audio, and asks for keyframes.
type Viewer struct {
	*Subscriber

	mu    sync.Mutex
	video Decoder
	heard map[uint32]bool // numbers of audio packets
	last  uint32          // highest of them
}

// Watch makes a viewer of a subscriber, whose packets then come to nobody else.
func Watch(s *Subscriber) *Viewer {
	v := &Viewer{Subscriber: s, heard: map[uint32]bool{}}
	s.group.Go(v.run)
	return v
}

func (v *Viewer) run() {
	for {
		select {
		case g := <-v.got:
			if v.take(g) {
				_ = v.PC.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: g.Header.SSRC}})
			}
		case <-v.ctx.Done():
			return
		}
	}
}

func (v *Viewer) take(g Got) (ask bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if IsVideo(g) {
		return v.video.Put(g)
	}
	v.heard[g.Frame] = true
	v.last = max(v.last, g.Frame)
	return false
}

// Video returns what became of the video so far.
func (v *Viewer) Video() Report {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.video.Report
}

// Heard returns the number of the newest audio packet.
func (v *Viewer) Heard() uint32 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last
}

// Unheard returns how many of the audio packets from, up to but not including to, have not come.
func (v *Viewer) Unheard(from, to uint32) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := from; i < to; i++ {
		if !v.heard[i] {
			n++
		}
	}
	return n
}
