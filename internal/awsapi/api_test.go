package awsapi_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/ivschat"
	"github.com/rivus-live/rivus/internal/ivsrealtime"
	"github.com/rivus-live/rivus/internal/sigv4"
)

const (
	testKey     = "AKIDTEST"
	testSecret  = "test/secret+key"
	testAccount = "111122223333"
	testRegion  = "us-west-2"
	channelARN  = "arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc"
	roomARN     = "arn:aws:ivschat:us-west-2:111122223333:room/hT4kPz81QmXc"
	stageARN    = "arn:aws:ivs:us-west-2:111122223333:stage/hT4kPz81QmXc"
)

// keys knows the one test key.
type keys struct{}

func (keys) Lookup(id string) (secret string, ok bool) { return testSecret, id == testKey }

func (keys) Principal(_ context.Context, id, token string) (awsapi.Principal, error) {
	if token != "" {
		return awsapi.Principal{}, fault.New(fault.Denied, "the key is permanent")
	}
	return awsapi.Principal{Account: testAccount, AccessKeyID: id}, nil
}

// rows is a service made of given rows.
type rows []awsapi.Operation

func (r rows) Operations() []awsapi.Operation { return r }

// row makes a row whose handler answers with fixed values.
func row[In, Out any, I awsapi.Input[In], O awsapi.Output[Out]](name string, out *Out, err error) awsapi.Operation {
	return awsapi.Op[In, Out, I, O](name, func(context.Context, awsapi.Caller, *In) (*Out, error) { return out, err },
		func(*In) []awsapi.Target { return anyChannel() })
}

// channelTargets names the channel of a request.
func channelTargets(text ...string) []awsapi.Target { return awsapi.Targets("channel", nil, text...) }

// anyChannel names no channel in particular.
func anyChannel() []awsapi.Target { return []awsapi.Target{{Type: "channel"}} }

// fake is a small service over a fixed channel; handlers that a test does not set answer something plain.
type fake struct {
	getChannel func(context.Context, awsapi.Caller, *ivs.GetChannelRequest) (*ivs.GetChannelResponse, error)

	mu    sync.Mutex
	seen  awsapi.Caller
	tags  map[string]string
	asked []string
}

func (f *fake) note(c awsapi.Caller, what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = c
	f.asked = append(f.asked, what)
}

func (f *fake) Operations() []awsapi.Operation {
	get := f.getChannel
	if get == nil {
		get = func(_ context.Context, c awsapi.Caller, in *ivs.GetChannelRequest) (*ivs.GetChannelResponse, error) {
			f.note(c, in.Arn)
			return &ivs.GetChannelResponse{Channel: aChannel(in.Arn)}, nil
		}
	}
	return []awsapi.Operation{
		awsapi.Op("GetChannel", get, func(in *ivs.GetChannelRequest) []awsapi.Target { return channelTargets(in.Arn) }),
		awsapi.Op("BatchGetChannel", func(_ context.Context, c awsapi.Caller, in *ivs.BatchGetChannelRequest) (*ivs.BatchGetChannelResponse, error) {
			f.note(c, strings.Join(in.Arns, " "))
			return &ivs.BatchGetChannelResponse{Channels: []ivs.Channel{*aChannel(in.Arns[0])}}, nil
		}, func(in *ivs.BatchGetChannelRequest) []awsapi.Target { return channelTargets(in.Arns...) }),
		awsapi.Op("TagResource", func(_ context.Context, c awsapi.Caller, in *ivs.TagResourceRequest) (*ivs.TagResourceResponse, error) {
			f.note(c, "ivs "+in.ResourceArn)
			f.tags = in.Tags
			return nil, nil
		}, func(in *ivs.TagResourceRequest) []awsapi.Target { return channelTargets(in.ResourceArn) }),
		awsapi.Op("UntagResource", func(_ context.Context, c awsapi.Caller, in *ivs.UntagResourceRequest) (*ivs.UntagResourceResponse, error) {
			f.note(c, strings.Join(in.TagKeys, "|"))
			return &ivs.UntagResourceResponse{}, nil
		}, func(in *ivs.UntagResourceRequest) []awsapi.Target { return channelTargets(in.ResourceArn) }),
		awsapi.Op("ListTagsForResource", func(context.Context, awsapi.Caller, *ivs.ListTagsForResourceRequest) (*ivs.ListTagsForResourceResponse, error) {
			return &ivs.ListTagsForResourceResponse{Tags: f.tags}, nil
		}, func(in *ivs.ListTagsForResourceRequest) []awsapi.Target { return channelTargets(in.ResourceArn) }),
		awsapi.Op("PutMetadata", func(_ context.Context, c awsapi.Caller, in *ivs.PutMetadataRequest) (*ivs.PutMetadataResponse, error) {
			f.note(c, in.Metadata)
			return nil, nil
		}, func(in *ivs.PutMetadataRequest) []awsapi.Target { return channelTargets(in.ChannelArn) }),
		row[ivs.ListChannelsRequest]("ListChannels", &ivs.ListChannelsResponse{}, nil),
		row[ivs.GetStreamRequest, ivs.GetStreamResponse]("GetStream", nil, fault.New(fault.NotLive, "Channel: %s is not currently online", channelARN)),
		row[ivs.StopStreamRequest, ivs.StopStreamResponse]("StopStream", nil, fault.New(fault.StreamUnavailable, "try again")),
		row[ivs.DeleteChannelRequest, ivs.DeleteChannelResponse]("DeleteChannel", nil, fault.New(fault.Conflict, "live")),
		row[ivs.CreateChannelRequest, ivs.CreateChannelResponse]("CreateChannel", nil, fault.New(fault.Quota, "too many channels")),
		awsapi.Op("ListTagsForResource", func(context.Context, awsapi.Caller, *ivsrealtime.ListTagsForResourceRequest) (*ivsrealtime.ListTagsForResourceResponse, error) {
			return &ivsrealtime.ListTagsForResourceResponse{Tags: map[string]string{"service": "ivs-realtime"}}, nil
		}, func(*ivsrealtime.ListTagsForResourceRequest) []awsapi.Target { return anyChannel() }),
		awsapi.Op("ListTagsForResource", func(context.Context, awsapi.Caller, *ivschat.ListTagsForResourceRequest) (*ivschat.ListTagsForResourceResponse, error) {
			return &ivschat.ListTagsForResourceResponse{Tags: map[string]string{"service": "ivschat"}}, nil
		}, func(*ivschat.ListTagsForResourceRequest) []awsapi.Target { return anyChannel() }),
		awsapi.Op("GetRoom", func(context.Context, awsapi.Caller, *ivschat.GetRoomRequest) (*ivschat.GetRoomResponse, error) {
			return nil, fault.New(fault.NotFound, "no such room")
		}, func(in *ivschat.GetRoomRequest) []awsapi.Target { return awsapi.Targets("room", nil, in.Identifier) }),
	}
}

// fixedChannel is a handler that always answers the same.
func fixedChannel(c *ivs.Channel) func(context.Context, awsapi.Caller, *ivs.GetChannelRequest) (*ivs.GetChannelResponse, error) {
	return func(context.Context, awsapi.Caller, *ivs.GetChannelRequest) (*ivs.GetChannelResponse, error) {
		return &ivs.GetChannelResponse{Channel: c}, nil
	}
}

// aChannel is a channel as large as real ones.
func aChannel(text string) *ivs.Channel {
	no, yes := false, true
	return &ivs.Channel{
		Arn: &text, Name: new("demo"), LatencyMode: new("LOW"), Type: new("STANDARD"), Authorized: &no, InsecureIngest: &yes,
		ContainerFormat: new("TS"), Preset: new(""), RecordingConfigurationArn: new(""), PlaybackRestrictionPolicyArn: new(""),
		IngestEndpoint: new("127.0.0.1:1935"), Tags: map[string]string{"team": "video", "stage": "test"},
		PlaybackUrl:                  new("http://127.0.0.1:8080/api/video/v1/us-west-2.111122223333.channel.hT4kPz81QmXc.m3u8"),
		MultitrackInputConfiguration: &ivs.MultitrackInputConfiguration{Enabled: &no, Policy: new("ALLOW"), MaximumResolution: new("FULL_HD")},
		Srt:                          &ivs.Srt{Endpoint: new("127.0.0.1"), Passphrase: new(strings.Repeat("x", 69))},
	}
}

// newAPI builds an API with the test key.
func newAPI(tb testing.TB, opts awsapi.Options) *awsapi.API {
	tb.Helper()
	if opts.Authorizer == nil {
		opts.Authorizer = awsapi.Owner{}
	}
	opts.Services = append(opts.Services, whoami{})
	return newBare(tb, opts)
}

// newBare builds an API with the test key and no more than it is told.
func newBare(tb testing.TB, opts awsapi.Options) *awsapi.API {
	tb.Helper()
	opts.Credentials = keys{}
	api, err := awsapi.New(opts)
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	return api
}

// call is one request to an API; zero fields have plain defaults.
type call struct {
	method, path, body string
	region, service    string
	secret             string
	unsigned           bool
	header             http.Header
	change             func(*http.Request) // after signing
}

func (c call) request() *http.Request {
	r := httptest.NewRequest(cmp.Or(c.method, http.MethodPost), "http://api.test:8080"+c.path, strings.NewReader(c.body))
	for name, values := range c.header {
		r.Header[name] = values
	}
	if !c.unsigned {
		s := sigv4.Signer{
			AccessKeyID: testKey, Secret: cmp.Or(c.secret, testSecret),
			Region: cmp.Or(c.region, testRegion), Service: cmp.Or(c.service, "ivs"),
		}
		s.Sign(r, sigv4.HashBody([]byte(c.body)), time.Now())
	}
	if c.change != nil {
		c.change(r)
	}
	return r
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	fields map[string]any
}

func do(tb testing.TB, api http.Handler, c call) answer {
	tb.Helper()
	w := httptest.NewRecorder()
	api.ServeHTTP(w, c.request())
	a := answer{status: w.Code, header: w.Header(), body: w.Body.Bytes()}
	if len(a.body) > 0 && w.Header().Get("Content-Encoding") == "" {
		if err := json.Unmarshal(a.body, &a.fields); err != nil {
			tb.Fatalf("%s %s: body %q: %v", c.method, c.path, a.body, err)
		}
	}
	return a
}

// wantError checks status, type header and both messages.
func wantError(tb testing.TB, a answer, status int, code string) {
	tb.Helper()
	if a.status != status || a.header.Get("x-amzn-ErrorType") != code {
		tb.Fatalf("got %d %s %s, want %d %s", a.status, a.header.Get("x-amzn-ErrorType"), a.body, status, code)
	}
	if m := a.fields["message"]; m == "" || m == nil || m != a.fields["exceptionMessage"] {
		tb.Fatalf("message %q and exceptionMessage %q must both be there", m, a.fields["exceptionMessage"])
	}
}

// logBuffer returns a logger and what it wrote.
func logBuffer() (*slog.Logger, func() string) {
	var mu sync.Mutex
	var buf bytes.Buffer
	w := writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return buf.Write(p)
	})
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})), func() string {
		mu.Lock()
		defer mu.Unlock()
		return buf.String()
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

var _ io.Writer = writerFunc(nil)
