package rtmp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

// loadTarget in the environment turns this test binary into the load generator of BenchmarkRealTime.
const loadTarget = "RIVUS_RTMP_LOAD"

const (
	loadStreams = 30
	loadTime    = 8 * time.Second
)

func TestMain(m *testing.M) {
	if target := os.Getenv(loadTarget); target != "" {
		if err := load(target); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	m.Run()
}

// load publishes 1080p30 streams of 4 Mbit/s with a GOP of 2 s in real time, evenly spread.
func load(target string) error {
	ctx, cancel := context.WithTimeout(context.Background(), loadTime)
	defer cancel()
	var all sync.WaitGroup
	for i := range loadStreams {
		all.Go(func() {
			o := rtmptest.Options{}
			o.Format.Size = 4096 // as OBS does it
			c, err := rtmptest.Dial(ctx, target, o)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return
			}
			defer c.Close()
			publish(ctx, c, time.Duration(i)*time.Second/30/loadStreams)
		})
	}
	all.Wait()
	return nil
}

// publish sends pictures and sound on time until ctx ends.
func publish(ctx context.Context, c *rtmptest.Client, offset time.Duration) {
	key := rtmptest.AppendAVC(nil, true, 0, accessUnit(120_000))
	inter := rtmptest.AppendAVC(nil, false, 0, accessUnit(14_900))
	sound := rtmptest.AppendAAC(nil, make([]byte, 370))
	begun := time.Now().Add(offset)
	timer := time.NewTimer(0)
	for pictures, sounds := 0, 0; ; {
		nextPicture, nextSound := time.Duration(pictures)*time.Second/30, time.Duration(sounds)*time.Second*1024/48000
		timer.Reset(time.Until(begun.Add(min(nextPicture, nextSound))))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		var err error
		switch {
		case nextSound <= nextPicture:
			err = c.Audio(uint32(nextSound.Milliseconds()), sound)
			sounds++
		case pictures%60 == 0:
			err = c.Video(uint32(nextPicture.Milliseconds()), key)
			pictures++
		default:
			err = c.Video(uint32(nextPicture.Milliseconds()), inter)
			pictures++
		}
		if err != nil {
			return
		}
	}
}

// accessUnit is one NAL unit of n bytes behind its length.
func accessUnit(n int) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(n)), bytes.Repeat([]byte{0x41}, n)...)
}

func drain(_ context.Context, p *rtmp.Publication) error {
	if err := p.Accept(); err != nil {
		return err
	}
	for {
		if _, err := p.Read(); err != nil {
			return err
		}
	}
}

// BenchmarkRealTime measures the processor time of 30 publications in real time; the publishers run in another process.
func BenchmarkRealTime(b *testing.B) {
	for b.Loop() {
		s := rtmp.NewServer(rtmp.Options{Handler: handlerFunc(drain)})
		addr, stop := listen(b, s)
		self, err := os.Executable()
		if err != nil {
			b.Fatal(err)
		}
		load := exec.CommandContext(b.Context(), self)
		load.Env = append(os.Environ(), loadTarget+"=rtmp://"+addr+"/app/key")
		before, slept := processorTime(b)
		out, err := load.CombinedOutput()
		if err != nil || len(out) > 0 {
			b.Fatalf("%v %s", err, out)
		}
		after, sleptAfter := processorTime(b)
		stop()
		b.ReportMetric((after-before).Seconds()/loadTime.Seconds()/loadStreams, "cores/stream")
		b.ReportMetric(float64(sleptAfter-slept)/loadTime.Seconds()/loadStreams, "sleeps/s/stream")
		b.ReportMetric(float64(s.Stats().BytesIn)*8/1e6/loadTime.Seconds()/loadStreams, "Mbit/s/stream")
	}
}

// processorTime is what this process has used so far, user and system, and how often its threads have gone to sleep.
func processorTime(tb testing.TB) (used time.Duration, sleeps int64) {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), u.Nvcsw
}

// BenchmarkMessage measures one 17 kB video message through a socket, as fast as it goes.
func BenchmarkMessage(b *testing.B) {
	for _, size := range []int{128, 4096, 64 << 10} {
		b.Run(strings.TrimSpace(fmt.Sprintf("chunks of %6d", size)), func(b *testing.B) {
			n := make(chan int)
			s := rtmp.NewServer(rtmp.Options{Handler: handlerFunc(func(_ context.Context, p *rtmp.Publication) error {
				if err := p.Accept(); err != nil {
					return err
				}
				for {
					want, ok := <-n
					if !ok {
						return nil
					}
					for range want {
						if _, err := p.Read(); err != nil {
							return err
						}
					}
					n <- want
				}
			})})
			addr, stop := listen(b, s)
			defer stop()
			o := rtmptest.Options{}
			o.Format.Size = size
			c, err := rtmptest.Dial(b.Context(), "rtmp://"+addr+"/app/key", o)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			body := make([]byte, 16_700)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			b.ResetTimer()
			n <- b.N
			for range b.N {
				if err := c.Video(0, body); err != nil {
					b.Fatal(err)
				}
			}
			<-n
			b.StopTimer()
			close(n)
		})
	}
}
