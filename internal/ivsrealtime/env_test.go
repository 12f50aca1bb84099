package ivsrealtime_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/ivsrealtime"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/sigv4"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/token"
)

const (
	region  = "us-west-2"
	account = "111122223333"
)

// keys are the access keys of two accounts.
type keys struct{}

func (keys) Lookup(accessKeyID string) (secret string, ok bool) {
	secret = map[string]string{"AKIDONE": "secret-one", "AKIDTWO": "secret-two"}[accessKeyID]
	return secret, secret != ""
}

func (keys) Principal(_ context.Context, accessKeyID, _ string) (awsapi.Principal, error) {
	of := map[string]string{"AKIDONE": account, "AKIDTWO": "444455556666"}[accessKeyID]
	return awsapi.Principal{Account: of, AccessKeyID: accessKeyID}, nil
}

// media stands for the nodes that have connections.
type media struct {
	disconnect func(stage arn.ARN, participantID, reason string) error
	close      func(stage arn.ARN) error
}

func (m *media) Disconnect(_ context.Context, stage arn.ARN, participantID, reason string) error {
	return m.disconnect(stage, participantID, reason)
}

func (m *media) Close(_ context.Context, stage arn.ARN) error { return m.close(stage) }

// env is a whole API over a state engine of its own, with a fake where the connections would be.
type env struct {
	conn      *natsd.Conn
	state     *store.Store
	opts      ivsrealtime.Options
	service   *ivsrealtime.Service
	authority *token.Authority
	media     *media
	now       atomic.Int64 // the clock of the service, in nanoseconds
	judge     judge
	handler   http.Handler
	url       string
}

// judge is the Authorizer of an API: the owner's, until a test has one of its own.
type judge struct {
	own atomic.Pointer[func(a awsapi.Access) error]
}

func (j *judge) Authorize(ctx context.Context, a awsapi.Access) error {
	if own := j.own.Load(); own != nil {
		return (*own)(a)
	}
	return awsapi.Owner{}.Authorize(ctx, a)
}

// start starts an API. change may alter the options of the service.
func start(tb testing.TB, change ...func(*ivsrealtime.Options)) *env {
	tb.Helper()
	return startIn(tb, tb.TempDir(), change...)
}

// startIn is start with the state of an earlier life.
func startIn(tb testing.TB, dir string, change ...func(*ivsrealtime.Options)) *env {
	tb.Helper()
	e := &env{media: &media{
		disconnect: func(arn.ARN, string, string) error { return nil },
		close:      func(arn.ARN) error { return nil },
	}}
	e.now.Store(time.Date(2026, 5, 5, 21, 55, 38, 987, time.UTC).UnixNano())
	var err error
	e.conn, err = natsd.Start(context.Background(), natsd.Options{Dir: dir})
	check(tb, err)
	tb.Cleanup(e.conn.Close)
	e.state, err = store.Open(context.Background(), e.conn, store.Options{})
	check(tb, err)
	tb.Cleanup(e.state.Close)
	e.open(tb, "one")
	for _, c := range change {
		c(&e.opts)
	}
	e.serve(tb)
	return e
}

// serve answers calls with the options as they are.
func (e *env) serve(tb testing.TB) {
	tb.Helper()
	e.service = ivsrealtime.New(e.opts)
	var err error
	e.handler, err = awsapi.New(awsapi.Options{ // the channel service answers tag requests for what is no ARN
		Services:    []awsapi.Service{e.service, ivs.New(ivs.Options{})},
		Credentials: keys{}, Authorizer: &e.judge, Logger: e.opts.Logger,
	})
	check(tb, err)
	srv := httptest.NewServer(e.handler)
	tb.Cleanup(srv.Close)
	e.url = srv.URL
}

// open joins as a node, opens the records and makes the options of a service over them.
func (e *env) open(tb testing.TB, node string) {
	tb.Helper()
	o := ivsrealtime.Options{
		Media: e.media, Pager: awsapi.NewPager(bytes.Repeat([]byte{7}, 32)), Logger: slog.New(slog.DiscardHandler),
		Clock:   func() time.Time { return time.Unix(0, e.now.Load()) },
		Unbuilt: awsapi.Unbuilt{Accept: true},
	}
	member, err := cluster.Join(context.Background(), cluster.Options{Store: e.state, Conn: e.conn, NodeID: node})
	check(tb, err)
	tb.Cleanup(member.Close)
	o.Records, err = records.OpenStages(tb.Context(), e.state, member, store.DefaultLogAge)
	check(tb, err)
	seed, err := e.state.Secret(tb.Context(), "participant-token", 32)
	check(tb, err)
	e.authority, err = token.NewAuthority(token.Options{
		Seed: seed, Clock: o.Clock,
		Records: token.Tables{Stages: o.Records},
	})
	check(tb, err)
	o.Tokens = e.authority
	e.opts = o
}

func withQuotas(o *ivsrealtime.Options) { o.Quotas = true }

// advance moves the clock of the service.
func (e *env) advance(d time.Duration) { e.now.Add(int64(d)) }

// time is the clock of the service, to the second.
func (e *env) time() time.Time { return time.Unix(0, e.now.Load()).UTC().Truncate(time.Second) }

// fill stores stages until only room more fit under the quota.
func (e *env) fill(tb testing.TB, room int) {
	tb.Helper()
	sc := arn.Scope{Region: region, Account: account}
	var writers errgroup.Group
	writers.SetLimit(16)
	for range 1000 - e.opts.Records.Stages.Count(sc) - room {
		writers.Go(func() error {
			st := resource.Stage{ARN: resource.StageARN(sc, arn.NewID())}
			_, err := e.opts.Records.Stages.Create(tb.Context(), store.Key{Scope: sc, ID: st.ARN.ID}, st)
			return err
		})
	}
	check(tb, writers.Wait())
}

// in returns a client of the first account in the given region.
func (e *env) in(region string) *sdk.Client { return e.client(e.url, region, nil) }

// api returns a client of the first account.
func (e *env) api() *sdk.Client { return e.in(region) }

func (*env) client(url, region string, h sdk.HTTPClient) *sdk.Client {
	return sdk.New(sdk.Options{
		BaseEndpoint: &url, Region: region, HTTPClient: h, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDONE", "secret-one", ""),
	})
}

// recorder is an HTTP client that keeps the last answer.
type recorder struct {
	status int
	body   []byte
}

func (r *recorder) Do(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	r.status = resp.StatusCode
	if r.body, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(r.body))
	return resp, nil
}

// call makes a request with members that the SDK for Go cannot send (false), and returns the status and the answer.
func (e *env) call(tb testing.TB, operation, body string) (int, string) {
	tb.Helper()
	resp, err := http.DefaultClient.Do(e.signed(tb.Context(), tb, operation, body))
	check(tb, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	check(tb, err)
	return resp.StatusCode, string(answer)
}

// signed returns a request of the first account.
func (e *env) signed(ctx context.Context, tb testing.TB, operation, body string) *http.Request {
	tb.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+"/"+operation, strings.NewReader(body))
	check(tb, err)
	signer := sigv4.Signer{AccessKeyID: "AKIDONE", Secret: "secret-one", Region: region, Service: "ivs"}
	signer.Sign(r, sigv4.HashBody([]byte(body)), time.Now())
	return r
}

// create makes a stage.
func (e *env) create(tb testing.TB, name string) *types.Stage {
	tb.Helper()
	out, err := e.api().CreateStage(tb.Context(), &sdk.CreateStageInput{Name: &name})
	check(tb, err)
	return out.Stage
}

// importKey makes a key and imports its public half.
func (e *env) importKey(tb testing.TB) (*types.PublicKey, *ecdsa.PrivateKey) {
	tb.Helper()
	private, material := newKey(tb)
	out, err := e.api().ImportPublicKey(tb.Context(), &sdk.ImportPublicKeyInput{PublicKeyMaterial: &material})
	check(tb, err)
	return out.PublicKey, private
}

// storage makes a storage configuration.
func (e *env) storage(tb testing.TB) *types.StorageConfiguration {
	tb.Helper()
	out, err := e.api().CreateStorageConfiguration(tb.Context(), &sdk.CreateStorageConfigurationInput{
		S3: &types.S3StorageConfiguration{BucketName: aws.String("bucket.of-mine")},
	})
	check(tb, err)
	return out.StorageConfiguration
}

// newKey makes a key for tokens and the PEM of its public half.
func newKey(tb testing.TB) (*ecdsa.PrivateKey, string) {
	tb.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	check(tb, err)
	return k, publicPEM(tb, &k.PublicKey)
}

func publicPEM(tb testing.TB, key any) string {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	check(tb, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// wantCode checks the name of an API error.
func wantCode(tb testing.TB, err error, code string) {
	tb.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		tb.Fatalf("error %v, want %s", err, code)
	}
}

// wantRefusal checks that a token is no good.
func wantRefusal(tb testing.TB, err error, reason token.Reason) {
	tb.Helper()
	var r *token.Refusal
	if !errors.As(err, &r) || r.Reason != reason {
		tb.Errorf("error %v, want %s", err, reason)
	}
}

func parse(tb testing.TB, text *string) arn.ARN {
	tb.Helper()
	a, err := arn.Parse(*text)
	check(tb, err)
	return a
}

func keyOf(a arn.ARN) store.Key { return store.Key{Scope: a.Scope, ID: a.ID} }

func contextWithCancel(tb testing.TB) (context.Context, context.CancelFunc) {
	tb.Helper()
	ctx, stop := context.WithCancel(tb.Context())
	tb.Cleanup(stop)
	return ctx, stop
}

// eventually waits until a condition holds.
func eventually(tb testing.TB, holds func() bool) {
	tb.Helper()
	ctx, stop := context.WithTimeout(tb.Context(), 10*time.Second)
	defer stop()
	for !holds() {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			tb.Fatal("it did not come to be")
		}
	}
}
