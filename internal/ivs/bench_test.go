package ivs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// request is a signed request that can be sent again and again while its signature is fresh.
type request struct {
	*http.Request
	body []byte
	at   time.Time
}

func (e *env) sign(tb testing.TB, operation, body string) *request {
	tb.Helper()
	r := &request{body: []byte(body), at: time.Now()}
	var err error
	r.Request, err = http.NewRequestWithContext(tb.Context(), http.MethodPost, e.url+"/"+operation, bytes.NewReader(r.body))
	check(tb, err)
	r.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(r.body)
	creds := aws.Credentials{AccessKeyID: "AKIDONE", SecretAccessKey: "secret-one"}
	check(tb, v4.NewSigner().SignHTTP(tb.Context(), creds, r.Request, hex.EncodeToString(sum[:]), "ivs", region, r.at))
	return r
}

// answer keeps the status and forgets the rest.
type answer struct {
	header http.Header
	status int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }

// serve sends the request once through the pipeline. It allocates what a server would: the request's copy, the answer.
func (e *env) serve(tb testing.TB, r *request) {
	tb.Helper()
	req := *r.Request
	req.Body = io.NopCloser(bytes.NewReader(r.body))
	a := answer{header: make(http.Header, 16)}
	e.handler.ServeHTTP(&a, &req)
	if a.status != http.StatusOK {
		tb.Fatalf("status %d", a.status)
	}
}

// run benchmarks an operation from the signed request to the encoded answer, without the socket.
func (e *env) run(b *testing.B, operation, body string) {
	b.Helper()
	b.ReportAllocs()
	r := e.sign(b, operation, body)
	for b.Loop() {
		e.serve(b, r)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

func BenchmarkGetChannel(b *testing.B) {
	e := start(b)
	ch, _ := e.create(b, "demo")
	e.run(b, "GetChannel", `{"arn":"`+*ch.Arn+`"}`)
}

func BenchmarkCreateChannel(b *testing.B) {
	start(b).run(b, "CreateChannel", `{"name":"demo","tags":{"team":"live"}}`)
}

func BenchmarkListChannels(b *testing.B) {
	e := start(b)
	for range 100 {
		e.create(b, "demo")
	}
	e.run(b, "ListChannels", `{"filterByName":"demo"}`)
}
