//go:build unix

package awsapi_test

import (
	"bytes"
	"net"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/awsapi"
)

// BenchmarkGetChannelCPU reports the processor time of a request, which other work on the machine does not change.
// The budget for the whole request, socket included, is 40 microseconds.
func BenchmarkGetChannelCPU(b *testing.B) {
	serve := serveGetChannel(b)
	serve()
	before, n := cpu(b), 0
	for b.Loop() {
		serve()
		n++
	}
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(n)/1000, "cpu-µs/op")
}

// BenchmarkGetChannelSocket sends the request over a kept connection from a client that does next to nothing, so the
// processor time is the server's and a little more.
func BenchmarkGetChannelSocket(b *testing.B) {
	f := &fake{getChannel: fixedChannel(aChannel(channelARN))}
	srv := httptest.NewServer(newAPI(b, awsapi.Options{Services: []awsapi.Service{f}}))
	defer srv.Close()
	var wire bytes.Buffer
	if err := (call{path: "/GetChannel", body: getBody(channelARN)}).request().Write(&wire); err != nil {
		b.Fatal(err)
	}
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	in := make([]byte, 16<<10)
	before, n := cpu(b), 0
	for b.Loop() {
		if _, err := conn.Write(wire.Bytes()); err != nil {
			b.Fatal(err)
		}
		got, err := conn.Read(in) // the answer is one small write
		if err != nil || !bytes.HasPrefix(in[:got], []byte("HTTP/1.1 200 ")) {
			b.Fatalf("%v %s", err, in[:got])
		}
		n++
	}
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(n)/1000, "cpu-µs/op")
}

// cpu returns the processor time that the process has used.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
