package awsapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/awsapi"
)

// sink is a response writer that keeps nothing.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }

// serveGetChannel returns a function that takes one signed GetChannel through the pipeline.
func serveGetChannel(tb testing.TB) func() {
	tb.Helper()
	channel := aChannel(channelARN)
	f := &fake{getChannel: fixedChannel(channel)}
	api := newAPI(tb, awsapi.Options{Services: []awsapi.Service{f}})
	body := getBody(channelARN)
	r := call{path: "/GetChannel", body: body, header: http.Header{"Content-Type": {"application/json"}, "Accept-Encoding": {"gzip"}}}.request()
	reader := strings.NewReader(body)
	r.Body = io.NopCloser(reader)
	w := &sink{header: http.Header{}}
	return func() {
		reader.Reset(body)
		clear(w.header)
		api.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			tb.Fatal(w.status)
		}
	}
}

// BenchmarkGetChannel is the whole pipeline without the socket: signature, decoding, checks, encoding.
func BenchmarkGetChannel(b *testing.B) {
	serve := serveGetChannel(b)
	b.ReportAllocs()
	for b.Loop() {
		serve()
	}
}

// BenchmarkDenied is a call that the Authorizer denies: it ends before the handler, and must cost no more for it.
func BenchmarkDenied(b *testing.B) {
	api := newBare(b, awsapi.Options{Services: []awsapi.Service{&fake{}}, Authorizer: denies()})
	body := getBody(channelARN)
	r := call{path: "/GetChannel", body: body, header: http.Header{"Content-Type": {"application/json"}}}.request()
	reader := strings.NewReader(body)
	r.Body = io.NopCloser(reader)
	w := &sink{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		clear(w.header)
		api.ServeHTTP(w, r)
		if w.status != http.StatusForbidden {
			b.Fatal(w.status)
		}
	}
}

// TestGetChannelAllocations holds the pipeline's share of the budget: what it allocates is what it costs.
func TestGetChannelAllocations(t *testing.T) {
	serve := serveGetChannel(t)
	const most = 25
	n := testing.AllocsPerRun(200, serve)
	for range 4 { // under the race detector pools forget at random, so the least tells
		n = min(n, testing.AllocsPerRun(200, serve))
	}
	if n > most {
		t.Errorf("%v allocations a request, at most %d", n, most)
	}
}
