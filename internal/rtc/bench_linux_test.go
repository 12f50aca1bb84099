package rtc

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"golang.org/x/sys/unix"

	"github.com/rivus-live/rivus/internal/rtc/rtctest"
)

// clientsVar makes a test binary play the subscribers of a benchmark: so many.
const clientsVar = "RIVUS_BENCH_CLIENTS"

// TestPlayClients is the other process of the benchmarks: it prints an offer a line, reads an answer a line, and prints a
// line when all are connected.
func TestPlayClients(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(clientsVar))
	if err != nil {
		t.Skip("it is started by the benchmarks")
	}
	subs := make([]*rtctest.Subscriber, n)
	for i := range subs {
		subs[i] = rtctest.NewSubscriber(t, rtctest.Options{Settings: deaf(t)})
		line(os.Stdout, subs[i].Offer(t))
	}
	in := bufio.NewReader(os.Stdin)
	for _, s := range subs {
		s.Answer(t, unline(t, in))
	}
	for _, s := range subs {
		rtctest.WaitClosed(t, "a subscriber connects", s.Connected())
	}
	line(os.Stdout, "connected")
	_, _ = io.Copy(io.Discard, in)
}

// line and unline carry a text through a pipe.
func line(w io.Writer, text string) {
	_, _ = fmt.Fprintln(w, "\nline "+base64.StdEncoding.EncodeToString([]byte(text)))
}

func unline(tb testing.TB, r *bufio.Reader) string {
	tb.Helper()
	for {
		s, err := r.ReadString('\n')
		if err != nil {
			tb.Fatal(err)
		}
		if text, ok := strings.CutPrefix(strings.TrimSpace(s), "line "); ok {
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				tb.Fatal(err)
			}
			return string(b)
		}
	}
}

// deaf gives a client a socket whose kernel drops large RTP packets, so that receiving costs (nearly) nothing.
func deaf(tb testing.TB) func(*webrtc.SettingEngine) {
	tb.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	const header = 8 // of UDP, which the filter sees
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_LEN},
		{Code: unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K, K: header + 400, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: header},
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: 0x80, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff},
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		tb.Fatal(err)
	}
	if ctlErr := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{
			Len: uint16(len(filter)), Filter: &filter[0],
		})
	}); ctlErr != nil || err != nil {
		tb.Fatal(ctlErr, err)
	}
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: udp})
	tb.Cleanup(func() { _ = mux.Close() })
	return func(s *webrtc.SettingEngine) { s.SetICEUDPMux(mux) }
}

// crowd returns the connected video senders of n subscribers in another process, what one of them costs, and a packet.
func crowd(b *testing.B, e *Engine, n int) ([]*Sender, cost) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestPlayClients$", "-test.timeout=10m")
	cmd.Env = append(os.Environ(), clientsVar+"="+strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	in := bufio.NewReaderSize(stdout, 1<<16)
	offers := make([]string, n)
	for i := range offers {
		offers[i] = unline(b, in)
	}
	before := spent()
	senders := make([]*Sender, n)
	outs := make([]*Outbound, n)
	for i, text := range offers {
		o, err := ParseOffer(text)
		if err != nil {
			b.Fatal(err)
		}
		if outs[i], err = e.Send(o, first(o.Audio), first(o.Video), nil); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(outs[i].Close)
		senders[i] = outs[i].Video()
		line(stdin, outs[i].Answer())
	}
	for _, out := range outs {
		rtctest.WaitClosed(b, "connected", out.Connected())
	}
	if got := unline(b, in); got != "connected" {
		b.Fatal(got)
	}
	settle(b, int(before.goroutines)+n/10)
	return senders, spent().less(before, n)
}

// settle waits until what only the handshakes need has ended.
func settle(b *testing.B, goroutines int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > goroutines {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// cost is what the process has in use.
type cost struct{ heap, stack, goroutines, cpu float64 }

func spent() cost {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return cost{heap: float64(m.HeapInuse), stack: float64(m.StackInuse), goroutines: float64(runtime.NumGoroutine()), cpu: cpu().Seconds()}
}

func (c cost) less(before cost, n int) cost {
	d := float64(n)
	return cost{(c.heap - before.heap) / d, (c.stack - before.stack) / d, (c.goroutines - before.goroutines) / d, (c.cpu - before.cpu) / d}
}

// cpu is the processor time of this process.
func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkCrowd sends frames of five packets to many subscribers, subscriber by subscriber as the stage does, over
// real sockets; an operation is one packet to one subscriber.
func BenchmarkCrowd(b *testing.B) {
	for _, n := range []int{100, 400} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			e := newTestEngine(b)
			senders, each := crowd(b, e, n)
			packets := make([][]byte, n)
			for i, s := range senders {
				packets[i] = bench1200(b, s)
			}
			const frame, share = 5, 20 // packets, and subscribers of a batch
			batch := e.Batch()
			seq := uint16(0)
			was, start := e.opt.Port.Stats(), cpu()
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; seq += frame {
				for i, s := range senders {
					for k := range uint16(frame) {
						packets[i][2], packets[i][3] = byte((seq+k)>>8), byte(seq+k)
						if err := s.Write(batch, packets[i]); err != nil {
							b.Fatal(err)
						}
					}
					if done += frame; i%share == share-1 {
						batch.End()
						batch = e.Batch()
					}
				}
			}
			batch.End()
			b.StopTimer()
			now := e.opt.Port.Stats()
			sent := float64(now.Packets - was.Packets)
			b.ReportMetric(sent/(cpu()-start).Seconds(), "packets/core-s")
			b.ReportMetric(sent/max(1, float64(now.Calls-was.Calls)), "packets/call")
			b.ReportMetric(each.heap/1024, "heapKiB/sub")
			b.ReportMetric(each.stack/1024, "stackKiB/sub")
			b.ReportMetric(each.goroutines, "goroutines/sub")
			b.ReportMetric(1000*each.cpu, "joinCPU-ms/sub")
		})
	}
}

// bench1200 is a packet of a video stream as the stage writes it.
func bench1200(tb testing.TB, s *Sender) []byte {
	tb.Helper()
	ssrc, payload, _, _ := s.Stream()
	p := rtp.Packet{Header: rtp.Header{Version: 2, SSRC: ssrc, PayloadType: payload}, Payload: bytes.Repeat([]byte{1}, 1160)}
	if err := p.SetExtension(3, []byte{0, 0}); err != nil {
		tb.Fatal(err)
	}
	raw, err := p.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// BenchmarkJoin is the time from an offer to the first packet at the subscriber.
func BenchmarkJoin(b *testing.B) {
	for _, tcp := range []bool{false, true} {
		b.Run(map[bool]string{false: "udp", true: "tcp"}[tcp], func(b *testing.B) {
			e := newTestEngine(b)
			for range b.N {
				b.StopTimer()
				sub := rtctest.NewSubscriber(b, rtctest.Options{TCP: tcp})
				text := sub.Offer(b)
				b.StartTimer()
				o, err := ParseOffer(text)
				if err != nil {
					b.Fatal(err)
				}
				out, err := e.Send(o, first(o.Audio), first(o.Video), nil)
				if err != nil {
					b.Fatal(err)
				}
				sub.Answer(b, out.Answer())
				rtctest.WaitClosed(b, "connected", out.Connected())
				s := out.Video()
				rtctest.WaitClosed(b, "ready", out.Connected())
				batch := e.Batch()
				if err := s.Write(batch, bench1200(b, s)); err != nil {
					b.Fatal(err)
				}
				batch.End()
				<-sub.Packets()
				b.StopTimer()
				out.Close()
				sub.Close()
				b.StartTimer()
			}
		})
	}
}
