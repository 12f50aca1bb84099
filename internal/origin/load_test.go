package origin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/media"
	"github.com/rivus-live/rivus/internal/resource"
)

// loadVariable makes the test binary a crowd of viewers: see TestCrowd.
const loadVariable = "RIVUS_ORIGIN_CROWD"

// crowd is what the parent tells the process of viewers, and crowdResult what comes back.
type crowd struct {
	Address  string
	Viewers  int
	Duration time.Duration
	MSN      int64 // the first part to wait for
	Part     int
}

type crowdResult struct {
	Parts    int
	Bytes    int64
	Late     int // parts that came later than one part duration after their last frame
	P50, P99 time.Duration
	Errors   int
	Error    string // one of them
}

const (
	loadParts   = 10                     // in a segment
	loadPart    = 200 * time.Millisecond // of media
	loadPicture = 16 << 10               // 4 Mbit/s at 30 a second
)

// stamp marks the place in a picture where the time at which it arrived stands.
const stamp = "\x0b\x0dARRIVED\x0b\x0d"

// BenchmarkViewers serves a channel of 4 Mbit/s with parts of 200 ms to low-latency viewers in another process, over
// real sockets. Each viewer waits for the next playlist and then loads the part that it lists. The metrics are the CPU
// time of this process, packaging included, for each Gbit of media, and how long after the last frame's arrival the last
// byte of its part was at the viewer.
func BenchmarkViewers(b *testing.B) {
	for _, n := range []int{200, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for range b.N {
				serveCrowd(b, n, 4*time.Second)
			}
		})
	}
}

func serveCrowd(b *testing.B, viewers int, duration time.Duration) {
	b.Helper()
	e := newEncoder(b, resource.ContainerFMP4, true)
	e.size, e.began = loadPicture, time.Now().Add(-5*time.Second)
	e.feed(b, 5*time.Second)
	h := newHandler(onAir(e))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: h}
	var all sync.WaitGroup
	all.Go(func() { _ = server.Serve(l) })
	all.Go(func() { _ = server.Serve(h.TakeOver()) })
	ctx, stop := context.WithCancel(b.Context())
	defer func() {
		stop()
		_ = h.Shutdown(ctx) // which has ended: the connections are cut
		_ = server.Close()
		all.Wait()
	}()
	all.Go(func() { pace(ctx, b, e) })
	before := cpuTime(b)
	r := runCrowd(b, crowd{l.Addr().String(), viewers, duration, e.Snapshot().LastMSN(), e.Snapshot().LastPart() + 1})
	used := cpuTime(b) - before
	if r.Errors > 0 {
		b.Errorf("%d errors, such as %s", r.Errors, r.Error)
	}
	gigabits := float64(r.Bytes) * 8 / 1e9
	b.ReportMetric(used.Seconds()/gigabits, "cpu-s/Gbit")
	b.ReportMetric(gigabits/duration.Seconds(), "Gbit/s")
	b.ReportMetric(float64(r.Late), "late-parts")
	b.ReportMetric(float64(r.P50.Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(r.P99.Microseconds())/1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// pace writes frames as they become due, with the time in each.
func pace(ctx context.Context, b *testing.B, e *encoder) {
	b.Helper()
	tick := time.NewTicker(time.Second / 120)
	defer tick.Stop()
	for {
		for time.Now().After(e.began.Add(e.at())) {
			f := e.next()
			if f.Track.IsVideo() {
				f.Data = stamped(f)
			}
			if err := e.Write(f); err != nil {
				b.Error(err)
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func stamped(f media.Frame) []byte {
	n := copy(f.Data[16:], stamp)
	binary.BigEndian.PutUint64(f.Data[16+n:], uint64(time.Now().UnixNano()))
	return f.Data
}

// cpuTime is what this process has used so far, in user and kernel.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func runCrowd(b *testing.B, c crowd) (r crowdResult) {
	b.Helper()
	in, err := json.Marshal(c)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestCrowd$")
	cmd.Env = append(os.Environ(), loadVariable+"="+string(in))
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	if err := json.Unmarshal(line, &r); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return r
}

// TestCrowd is no test: in a process started by BenchmarkViewers it is the viewers.
func TestCrowd(t *testing.T) {
	text := os.Getenv(loadVariable)
	if text == "" {
		t.Skip("only for BenchmarkViewers")
	}
	var c crowd
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), c.Duration)
	defer cancel()
	viewers := make([]crowdViewer, c.Viewers)
	var all sync.WaitGroup
	for i := range viewers {
		all.Go(func() { viewers[i].err = viewers[i].watch(ctx, c) })
	}
	all.Wait()
	var r crowdResult
	var delays []time.Duration
	for i := range viewers {
		v := &viewers[i]
		r.Parts, r.Bytes = r.Parts+v.parts, r.Bytes+v.bytes
		delays = append(delays, v.delays...)
		if v.err != nil && ctx.Err() == nil || v.parts == 0 {
			r.Errors, r.Error = r.Errors+1, fmt.Sprint(v.err)
		}
	}
	slices.Sort(delays)
	for _, d := range delays {
		if d > loadPart {
			r.Late++
		}
	}
	if n := len(delays); n > 0 {
		r.P50, r.P99 = delays[n/2], delays[n*99/100]
	}
	out, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdout.Write(append(out, '\n')) // the parent reads it
}

// crowdViewer is one viewer with one connection and a buffer that it reads everything into.
type crowdViewer struct {
	parts  int
	bytes  int64
	delays []time.Duration
	err    error
	buf    []byte
}

func (v *crowdViewer) watch(ctx context.Context, c crowd) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", c.Address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // only read from
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	in := bufio.NewReaderSize(conn, 16<<10)
	for msn, part := c.MSN, c.Part; ; part++ {
		if part == loadParts {
			msn, part = msn+1, 0
		}
		n := strconv.FormatInt(msn, 10)
		if _, err := v.load(conn, in, testIndex+"?_HLS_msn="+n+"&_HLS_part="+strconv.Itoa(part)); err != nil {
			return err
		}
		body, err := v.load(conn, in, testBelow+"seg"+n+"."+strconv.Itoa(part)+".m4s")
		if err != nil {
			return err
		}
		v.parts++
		v.bytes += int64(len(body))
		if i := bytes.LastIndex(body, []byte(stamp)); i >= 0 {
			arrived := int64(binary.BigEndian.Uint64(body[i+len(stamp):]))
			v.delays = append(v.delays, time.Since(time.Unix(0, arrived)))
		}
	}
}

// load makes one request and reads the answer.
func (v *crowdViewer) load(conn net.Conn, in *bufio.Reader, path string) ([]byte, error) {
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nOrigin: http://a\r\n\r\n"); err != nil {
		return nil, err
	}
	size := 0
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		text := strings.TrimSpace(string(line))
		if first && !strings.HasPrefix(text, "HTTP/1.1 200") {
			return nil, fmt.Errorf("%s: %s", path, text)
		}
		if name, value, _ := strings.Cut(text, ": "); name == "Content-Length" {
			if size, err = strconv.Atoi(value); err != nil {
				return nil, err
			}
		}
		if text == "" {
			break
		}
	}
	v.buf = slices.Grow(v.buf[:0], size)[:size]
	_, err := io.ReadFull(in, v.buf)
	return v.buf, err
}
