package ivs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/aws/aws-sdk-go-v2/service/ivs/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/quota"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
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

// media stands for the nodes that run broadcasts.
type media struct {
	stop func(channel arn.ARN) error
	put  func(channel arn.ARN, text string) error
}

func (m *media) Stop(_ context.Context, channel arn.ARN) error { return m.stop(channel) }

func (m *media) PutMetadata(_ context.Context, channel arn.ARN, text string) error {
	return m.put(channel, text)
}

// env is a whole API over a state engine of its own, with a fake where broadcasts would be.
type env struct {
	conn     *natsd.Conn
	channels *store.Table[resource.Channel]
	streams  *cluster.Claims[resource.Stream]
	viewers  records.Viewers
	media    *media
	now      atomic.Int64 // the clock of the service, in nanoseconds
	judge    judge
	handler  http.Handler
	url      string
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
func start(tb testing.TB, change ...func(*ivs.Options)) *env {
	tb.Helper()
	e := &env{media: &media{
		stop: func(arn.ARN) error { return fault.New(fault.NotLive, "not live") },
		put:  func(arn.ARN, string) error { return fault.New(fault.NotLive, "not live") },
	}}
	e.now.Store(time.Date(2026, 5, 5, 21, 55, 38, 0, time.UTC).UnixNano())
	ctx := context.Background()
	conn, err := natsd.Start(ctx, natsd.Options{Dir: tb.TempDir()})
	check(tb, err)
	tb.Cleanup(conn.Close)
	state, err := store.Open(ctx, conn, store.Options{})
	check(tb, err)
	tb.Cleanup(state.Close)
	node, err := cluster.Join(ctx, cluster.Options{Store: state, Conn: conn, NodeID: "one"})
	check(tb, err)
	tb.Cleanup(node.Close)
	e.conn = conn
	channels, err := records.OpenChannels(ctx, state, node)
	check(tb, err)
	e.channels, e.streams = channels.Channels, channels.Streams
	e.viewers, err = records.OpenViewers(ctx, state)
	check(tb, err)
	o := ivs.Options{
		Viewers: e.viewers, Channels: e.channels, Streams: e.streams, Broadcasts: e.media,
		Pager: awsapi.NewPager(bytes.Repeat([]byte{7}, 32)), Logger: slog.New(slog.DiscardHandler),
		IngestEndpoint: func(awsapi.Caller) string { return "ingest.test:1935" },
		Clock:          func() time.Time { return time.Unix(0, e.now.Load()) },
	}
	for _, c := range change {
		c(&o)
	}
	a := awsapi.Options{Services: []awsapi.Service{ivs.New(o)}, Credentials: keys{}, Authorizer: &e.judge, Logger: o.Logger}
	if o.Quotas {
		a.Limiter = quota.NewLimiter(o.Clock)
	}
	e.handler, err = awsapi.New(a)
	check(tb, err)
	srv := httptest.NewServer(e.handler)
	tb.Cleanup(srv.Close)
	e.url = srv.URL
	return e
}

func withQuotas(o *ivs.Options) { o.Quotas = true }

// advance moves the clock of the service.
func (e *env) advance(d time.Duration) { e.now.Add(int64(d)) }

// fill stores channels until only room more fit under the quota.
func (e *env) fill(tb testing.TB, room int) {
	tb.Helper()
	sc := arn.Scope{Region: region, Account: account}
	var writers errgroup.Group
	writers.SetLimit(16)
	for range quota.Channels - e.channels.Count(sc) - room {
		writers.Go(func() error {
			ch := resource.Channel{ARN: arn.Channel(sc, arn.NewID())}
			_, err := e.channels.Create(tb.Context(), store.Key{Scope: sc, ID: ch.ARN.ID}, ch)
			return err
		})
	}
	check(tb, writers.Wait())
}

// in returns a client of the first account in the given region.
func (e *env) in(region string) *sdk.Client { return e.client("AKIDONE", "secret-one", region, nil) }

// api returns a client of the first account.
func (e *env) api() *sdk.Client { return e.in(region) }

func (e *env) client(id, secret, region string, h sdk.HTTPClient) *sdk.Client {
	return sdk.New(sdk.Options{
		BaseEndpoint: aws.String(e.url), Region: region, HTTPClient: h, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
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

// create makes a channel and returns it and its key.
func (e *env) create(tb testing.TB, name string) (*types.Channel, *types.StreamKey) {
	tb.Helper()
	out, err := e.api().CreateChannel(tb.Context(), &sdk.CreateChannelInput{Name: &name})
	check(tb, err)
	return out.Channel, out.StreamKey
}

// publish claims a channel as a node does that has accepted an encoder.
func (e *env) publish(tb testing.TB, channel *string, st resource.Stream) *cluster.Hold[resource.Stream] {
	tb.Helper()
	a := parse(tb, channel)
	st.ChannelARN = a
	if st.StreamID == "" {
		st.StreamID = arn.NewStreamID()
	}
	hold, err := e.streams.Take(tb.Context(), store.Key{Scope: a.Scope, ID: a.ID}, st)
	check(tb, err)
	return hold
}

// live is a stream as GetStream shows it.
func live(health resource.Health) resource.Stream {
	return resource.Stream{
		State: resource.Live, Health: health, ViewerCount: 3,
		StartTime: time.Date(2026, 5, 5, 21, 55, 38, 123456789, time.UTC),
	}
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
	if got := codeOf(err); got != code {
		tb.Fatalf("error %v, want %s", err, code)
	}
}

// codeOf returns the name of an API error, "" when there is none.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func parse(tb testing.TB, text *string) arn.ARN {
	tb.Helper()
	a, err := arn.Parse(*text)
	check(tb, err)
	return a
}

// referring makes channels able to refer to everything of other services, of which all exists, or nothing.
func referring(exist bool) func(*ivs.Options) {
	return func(o *ivs.Options) {
		o.References = map[string]ivs.Lookup{}
		for _, kind := range []string{"recording-configuration", "ad-configuration"} {
			o.References[kind] = func(context.Context, arn.ARN) (bool, error) { return exist, nil }
		}
	}
}
