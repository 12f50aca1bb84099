package hls

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/resource"
)

// script turns bytes into what an encoder may do, however odd: two bytes are a step.
type script struct {
	video, audio *media.Track
	now          time.Duration // of arrival
	videoDTS     int64
	audioDTS     int64
}

// step does what two bytes say.
func (s *script) step(p *Packager, op, arg byte) error {
	flag := op&8 != 0
	f := media.Frame{Track: s.video, Arrived: epoch.Add(s.now)}
	switch op & 7 {
	case 0, 1, 2, 3: // a picture: 33 ms later, or arg ms
		d := int64(33)
		if op&7 == 1 {
			d = int64(arg) + 1
		}
		s.videoDTS += d * (second / 1000)
		s.now += time.Duration(d) * time.Millisecond
		f.DTS, f.Key = s.videoDTS, flag
		f.Offset = int32(arg>>6) * 3000
		f.Data = accessUnit(flag, 16+int(arg))
	case 4, 5: // sound, perhaps after a hole
		s.audioDTS += 1024
		if flag {
			s.audioDTS += int64(arg) * 480
		}
		f.Track, f.DTS, f.Key, f.Data = s.audio, s.audioDTS, true, make([]byte, 8+int(arg))
	case 6:
		p.Metadata("metadata.live-video.net", []byte{arg})
		return nil
	case 7: // new parameters, or a jump of both tracks
		switch arg & 3 {
		case 0:
			t := *s.video
			s.video = &t
		case 1:
			t := *s.audio
			s.audio = &t
		default:
			jump := int64(arg) * 20
			s.videoDTS += jump * (second / 1000)
			s.audioDTS += jump * s.audio.TimeScale / 1000
		}
		return nil
	}
	return p.Write(f)
}

// play runs a script against a packager and checks every snapshot.
func play(tb testing.TB, opts Options, steps []byte) {
	tb.Helper()
	p := NewPackager(opts)
	c := newChecker(p)
	a := audioTrack(tb)
	s := &script{video: videoTrack(tb), audio: a, videoDTS: 10 * second, audioDTS: 10 * a.TimeScale}
	for i := 0; i+1 < len(steps); i += 2 {
		if err := s.step(p, steps[i], steps[i+1]); err != nil {
			tb.Fatal(err)
		}
		if err := c.check(); err != nil {
			tb.Fatalf("after step %d: %v", i/2, err)
		}
	}
	p.End()
	if err := c.check(); err != nil {
		tb.Fatalf("at the end: %v", err)
	}
	if got := p.Stats().Pending; got < 0 {
		tb.Fatalf("%d bytes pending", got)
	}
}

// randomSteps writes a script that is mostly sane: regular pictures with a keyframe now and then, sound beside them, and
// sometimes a stretch of something odd.
func randomSteps(r *rand.Rand, n int) []byte {
	b := make([]byte, 0, 2*n)
	gop := 15 + r.IntN(300)
	oddness := r.IntN(6)
	for i := 0; len(b) < 2*n; i++ {
		op := byte(2)
		if i%gop == 0 {
			op |= 8
		}
		if r.IntN(200) < oddness*oddness {
			for range r.IntN(60) {
				b = append(b, byte(r.IntN(16)), byte(r.IntN(256)))
			}
		}
		if r.IntN(100) < oddness {
			op = op&8 | 1
		}
		b = append(b, op, byte(r.IntN(200)))
		if oddness < 5 || i/100%2 == 0 {
			for range 1 + i%2 {
				b = append(b, 4, 100)
			}
		}
		if i%gop == 0 {
			gop += r.IntN(1+oddness*20) - oddness*10
			gop = max(gop, 5)
		}
	}
	return b
}

func optionsOf(n byte) Options {
	o := Options{LowLatency: n&1 == 0, Container: resource.ContainerFMP4, Window: 3 + int(n>>4)}
	if n&2 != 0 {
		o.Container = resource.ContainerTS
	}
	if n&4 != 0 {
		o.TargetDuration = 2 * time.Second
	}
	return o
}

func TestRandomStreams(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			play(t, optionsOf(byte(r.IntN(256))), randomSteps(r, 1500))
		})
	}
}

func FuzzStream(f *testing.F) {
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 2))
		f.Add(byte(seed*37), randomSteps(r, 120))
	}
	f.Fuzz(func(t *testing.T, opts byte, steps []byte) {
		play(t, optionsOf(opts), steps[:min(len(steps), 1500)])
	})
}

func FuzzParseReload(f *testing.F) {
	for _, s := range []string{
		"", "_HLS_msn=3", "_HLS_msn=3&_HLS_part=0", "_HLS_part=1", "_HLS_skip=YES", "_HLS_skip=v2&v=1",
		"_HLS_msn=-1", "_HLS_msn=1&_HLS_msn=2", "_HLS_msn=99999999999999999999", "_HLS_msn=", "_HLS_skip=no", "_HLS_msn=0x1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		r, err := ParseReload(q)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || r != (Reload{}) {
				t.Fatalf("%+v, %v", r, err)
			}
			return
		}
		if r.MSN < -1 || r.Part < -1 || r.MSN > maxDirective || r.Part >= 0 && r.MSN < 0 {
			t.Fatalf("%+v", r)
		}
		if again, err := ParseReload(r.values()); err != nil || again != r {
			t.Fatalf("%+v came back as %+v, %v", r, again, err)
		}
	})
}

// values is the inverse of ParseReload.
func (r Reload) values() url.Values {
	q := url.Values{}
	if r.MSN >= 0 {
		q.Set("_HLS_msn", fmt.Sprint(r.MSN))
	}
	if r.Part >= 0 {
		q.Set("_HLS_part", fmt.Sprint(r.Part))
	}
	if r.Skip {
		q.Set("_HLS_skip", "YES")
	}
	return q
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"init1.mp4", "seg0.m4s", "seg12.3.ts", "seg.ts", "seg1..ts", "init0.mp4", "seg01.ts", "../seg1.ts", "seg1.2.3.ts"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		n, ok := parseName(name)
		if !ok {
			return
		}
		var again string
		switch {
		case n.initNumber > 0:
			again = fmt.Sprintf("init%d.mp4", n.initNumber)
		case n.part < 0:
			again = string(appendSegmentName(nil, n.msn, n.extension))
		default:
			again = string(appendPartName(nil, n.msn, n.part, n.extension))
		}
		if again != name {
			t.Fatalf("%q was read as %q", name, again)
		}
	})
}
