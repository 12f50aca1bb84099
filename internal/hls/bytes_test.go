package hls

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/resource"
)

// viewed hashes what a viewer can see of a stream: the playlist of every snapshot, its delta update, and every file when
// it is first listed.
type viewed struct {
	p    *Packager
	last *Snapshot
	seen map[string]bool
	sum  hash.Hash
}

func newViewed(p *Packager) *viewed { return &viewed{p: p, seen: map[string]bool{}, sum: sha256.New()} }

func (v *viewed) look(tb testing.TB) {
	tb.Helper()
	s := v.p.Snapshot()
	if s == v.last {
		return
	}
	v.last = s
	text := s.Playlist(false).Plain()
	fmt.Fprintf(v.sum, "%d.%d %v %+v\n", s.LastMSN(), s.LastPart(), s.PlaylistDuration(), s.Info())
	_, _ = v.sum.Write(text) // a hash does not fail
	_, _ = v.sum.Write(s.Playlist(true).Plain())
	for line := range strings.Lines(string(text)) {
		name := strings.TrimSpace(line)
		if strings.HasPrefix(name, "#") {
			if _, name, _ = strings.Cut(name, `URI="`); name == "" || strings.Contains(line, "PRELOAD") {
				continue
			}
			name, _, _ = strings.Cut(name, `"`)
		}
		if v.seen[name] {
			continue
		}
		v.seen[name] = true
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what is listed is there, or a gap
		r, err := v.p.Resource(ctx, name)
		fmt.Fprintln(v.sum, name, r.ContentType, r.Size, err != nil, r.FirstFrameArrived.UnixNano(), r.LastFrameArrived.UnixNano())
		for _, data := range r.Data {
			_, _ = v.sum.Write(data)
		}
	}
}

// TestBytes holds what viewers of a channel with one rendition get, to the byte, against what they got before there could
// be more than one: playlists, parts, segments and initialization sections of streams that are sane and of some that are not.
func TestBytes(t *testing.T) {
	t.Parallel()
	aac := audioTrack(t)
	streams := map[string][]media.Frame{
		"regular":       pattern{length: 50 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac}.build(t),
		"reordered":     pattern{length: 20 * time.Second, fps: 60, gop: time.Second, reorder: 2, audio: aac}.build(t),
		"no sound":      pattern{length: 20 * time.Second, fps: 29.97, gop: 2002 * time.Millisecond}.build(t),
		"long GOPs":     pattern{length: 40 * time.Second, fps: 25, gop: 10 * time.Second, audio: aac}.build(t),
		"odd GOPs":      pattern{keys: at(0, 2.1, 4.8, 7, 7.6, 10, 12.4, 15.8, 18), length: 20 * time.Second, fps: 30, audio: aac}.build(t),
		"jittery":       pattern{frames: jittery(20 * time.Second), length: 20 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac}.build(t),
		"sound late":    pattern{length: 20 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac, late: time.Second}.build(t),
		"sound at 7 s":  pattern{length: 20 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac, from: 7 * time.Second}.build(t),
		"blind":         pattern{length: 40 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac, blind: func(at time.Duration) bool { return at >= 5*time.Second && at < 30*time.Second }}.build(t),
		"new tracks":    changing(t),
		"a hole":        pattern{length: 20 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac, mute: holeAt5, blind: holeAt5}.build(t),
		"slow delivery": pattern{length: 60 * time.Second, fps: 30, gop: 2 * time.Second, audio: aac, stall: func(at time.Duration) time.Duration { return max(0, 5*time.Second-at) }}.build(t),
	}
	got := map[string]string{}
	for container, low := range map[string]bool{resource.ContainerFMP4: true, resource.ContainerTS: false} {
		for name, frames := range streams {
			for _, opts := range []Options{
				{Container: container, LowLatency: true},
				{Container: container, LowLatency: low, Window: 3, TargetDuration: 2 * time.Second},
			} {
				got[fmt.Sprintf("%s/%s/%v/%d", name, container, opts.LowLatency, opts.Window)] = hashOf(t, opts, frames)
			}
		}
	}
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 7))
		opts := optionsOf(byte(seed * 11))
		got[fmt.Sprintf("random/%02d", seed)] = hashOfScript(t, opts, randomSteps(r, 1500))
	}
	var lines bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(got)) {
		fmt.Fprintf(&lines, "%s  %s\n", got[name], name)
	}
	golden(t, "bytes.sha256", lines.Bytes())
}

func holeAt5(at time.Duration) bool { return at > 5*time.Second && at < 8*time.Second }

// hashOf packages frames, with metadata now and then.
func hashOf(tb testing.TB, opts Options, frames []media.Frame) string {
	tb.Helper()
	p := NewPackager(opts)
	v := newViewed(p)
	for i, f := range frames {
		if i%97 == 96 {
			p.Metadata("metadata.live-video.net", fmt.Append(nil, "number ", i))
		}
		if err := p.Write(f); err != nil {
			tb.Fatal(err)
		}
		v.look(tb)
	}
	p.End()
	v.look(tb)
	return fmt.Sprintf("%x", v.sum.Sum(nil)[:12])
}

// hashOfScript is hashOf for what a script makes an encoder do.
func hashOfScript(tb testing.TB, opts Options, steps []byte) string {
	tb.Helper()
	p := NewPackager(opts)
	v := newViewed(p)
	a := audioTrack(tb)
	s := &script{video: videoTrack(tb), audio: a, videoDTS: 10 * second, audioDTS: 10 * a.TimeScale}
	for i := 0; i+1 < len(steps); i += 2 {
		if err := s.step(p, steps[i], steps[i+1]); err != nil {
			tb.Fatal(err)
		}
		v.look(tb)
	}
	p.End()
	v.look(tb)
	return fmt.Sprintf("%x", v.sum.Sum(nil)[:12])
}
