package awsapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/sigv4"
)

func getBody(arn string) string { return fmt.Sprintf("{%q:%q}", "arn", arn) }

// TestFrontErrors holds the error of each request that does not reach a handler.
func TestFrontErrors(t *testing.T) {
	t.Parallel()
	api := newAPI(t, awsapi.Options{Services: []awsapi.Service{&fake{}}})
	const signature = "InvalidSignatureException"
	for _, c := range []struct {
		name   string
		call   call
		status int
		code   string
		text   string // part of the message
	}{
		{"unsigned", call{path: "/GetChannel", unsigned: true}, 403, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"unsigned and unknown", call{path: "/Nothing", unsigned: true}, 403, "MissingAuthenticationTokenException", ""},
		{"bearer token", call{path: "/GetChannel", unsigned: true, header: http.Header{"Authorization": {"Bearer x"}}}, 403, "IncompleteSignatureException", ""},
		{"unknown key", call{path: "/GetChannel", change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), testKey, "AKIDOTHER", 1))
		}}, 403, "UnrecognizedClientException", "security token"},
		{"wrong secret", call{path: "/GetChannel", secret: "x"}, 403, signature, "does not match"},
		{"changed body", call{path: "/GetChannel", body: "{}", change: func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("{ }")) }}, 403, signature, "does not match"},
		{"signed for another service", call{path: "/GetChannel", service: "s3"}, 403, signature, "correct service: 'ivs'"},
		{"chat signed as ivs", call{path: "/GetRoom"}, 403, signature, "correct service: 'ivschat'"},
		{"ivs signed as chat", call{path: "/GetChannel", service: "ivschat"}, 403, signature, "correct service: 'ivs'"},
		{"room tags signed as ivs", call{method: "GET", path: "/tags/" + url.PathEscape(roomARN)}, 403, signature, "correct service: 'ivschat'"},
		{"unknown path", call{path: "/Nothing"}, 404, "UnknownOperationException", ""},
		{"other case", call{path: "/getchannel"}, 404, "UnknownOperationException", ""},
		{"escaped name", call{path: "/Get%43hannel"}, 404, "UnknownOperationException", ""},
		{"deeper path", call{path: "/GetChannel/"}, 404, "UnknownOperationException", ""},
		{"wrong method", call{method: "GET", path: "/GetChannel"}, 404, "UnknownOperationException", ""},
		{"no tag resource", call{method: "GET", path: "/tags/"}, 404, "UnknownOperationException", ""},
		{"wrong tag method", call{method: "PUT", path: "/tags/" + url.PathEscape(channelARN)}, 404, "UnknownOperationException", ""},
		{"tags in other case", call{method: "GET", path: "/Tags/" + url.PathEscape(channelARN)}, 404, "UnknownOperationException", ""},
		{"no ARN in tags", call{method: "GET", path: "/tags/x"}, 400, "ValidationException", "Value 'x' at 'resourceArn'"},
		{"not built", call{path: "/ListCompositions"}, 400, "NotImplementedException", "ListCompositions"},
		{"not built, chat", call{path: "/CreateRoom", service: "ivschat"}, 400, "NotImplementedException", "CreateRoom"},
		{"not built and unsigned", call{path: "/ListCompositions", unsigned: true}, 403, "MissingAuthenticationTokenException", ""},
		{"too large", call{path: "/GetChannel", body: strings.Repeat(" ", 1<<20) + "x"}, 413, "RequestEntityTooLargeException", "1048576"},
		{"as large as can be", call{path: "/GetChannel", body: getBody(channelARN) + strings.Repeat(" ", 1<<20-len(getBody(channelARN)))}, 200, "", ""},
		{"no JSON", call{path: "/GetChannel", body: "arn=" + channelARN}, 400, "SerializationException", "no JSON value"},
		{"cut off", call{path: "/GetChannel", body: `{"arn":`}, 400, "SerializationException", "ends too early"},
		{"a list", call{path: "/GetChannel", body: `[]`}, 400, "SerializationException", "a list"},
		{"wrong type", call{path: "/GetChannel", body: `{"arn":7}`}, 400, "SerializationException", "member 'arn': found a number where a string"},
		{"wrong type inside", call{path: "/BatchGetChannel", body: `{"arns":[{}]}`}, 400, "SerializationException", "member 'arns'"},
		{"empty body", call{path: "/GetChannel"}, 400, "ValidationException", "Value null at 'arn' failed to satisfy constraint: Member must not be null"},
		{"null member", call{path: "/GetChannel", body: `{"arn":null}`}, 400, "ValidationException", "Value null at 'arn'"},
		{"empty member", call{path: "/GetChannel", body: `{"arn":""}`}, 400, "ValidationException", "Value '' at 'arn' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"member in other case", call{path: "/GetChannel", body: `{"Arn":"` + channelARN + `"}`}, 400, "ValidationException", "Value null at 'arn'"},
		{"pattern", call{path: "/GetChannel", body: getBody(stageARN)}, 400, "ValidationException", "pattern: arn:aws:ivs:[a-z0-9-]+:[0-9]+:channel/"},
		{"size", call{path: "/BatchGetChannel", body: `{"arns":[]}`}, 400, "ValidationException", "at 'arns'"},
		{"element", call{path: "/BatchGetChannel", body: `{"arns":["` + channelARN + `","x"]}`}, 400, "ValidationException", "Value 'x' at 'arns.2.member'"},
		{"range", call{path: "/ListChannels", body: `{"maxResults":101}`}, 400, "ValidationException", "less than or equal to 100"},
		{"enum", call{path: "/CreateChannel", body: `{"latencyMode":"low"}`}, 400, "ValidationException", "enum value set: [NORMAL, LOW]"},
		{"nested", call{path: "/CreateChannel", body: `{"multitrackInputConfiguration":{"policy":"x"}}`}, 400, "ValidationException", "at 'multitrackInputConfiguration.policy'"},
		{"tag key", call{path: "/tags/" + url.PathEscape(channelARN), body: `{"tags":{"a*":"b"}}`}, 400, "ValidationException", "Map keys must satisfy constraint"},
		{"secret", call{path: "/PutMetadata", body: `{"channelArn":"` + channelARN + `","metadata":""}`}, 400, "ValidationException", "Value at 'metadata'"},
		{"foreign account", call{path: "/GetChannel", body: getBody(strings.Replace(channelARN, testAccount, "999999999999", 1))}, 403, "AccessDeniedException", "is not authorized to perform: ivs:GetChannel on resource: arn:aws:ivs:us-west-2:999999999999:channel"},
		{"foreign region", call{path: "/GetChannel", body: getBody(channelARN), region: "eu-west-1"}, 404, "ResourceNotFoundException", ""},
		{"foreign region, tags", call{method: "GET", path: "/tags/" + url.PathEscape(channelARN), region: "eu-west-1"}, 404, "ResourceNotFoundException", ""},
		{"a batch answers for each ARN", call{path: "/BatchGetChannel", body: `{"arns":["` + channelARN + `"]}`, region: "eu-west-1"}, 200, "", ""},
		{"unknown members", call{path: "/GetChannel", body: `{"arn":"` + channelARN + `","x":{"y":[1,null]}}`}, 200, "", ""},
		{"session token", call{path: "/GetChannel", body: getBody(channelARN), header: http.Header{"X-Amz-Security-Token": {"t"}}}, 403, "UnrecognizedClientException", "security token"},
		{"session token that is not signed", call{path: "/GetChannel", body: getBody(channelARN), change: func(r *http.Request) {
			r.Header.Set("X-Amz-Security-Token", "eyJhbGciOiJFUzM4NCJ9.e30.c2ln")
		}}, 403, "IncompleteSignatureException", "'x-amz-security-token' must be among the SignedHeaders"},
		{"session token in a presigned URL", presigned(call{path: "/GetChannel", body: getBody(channelARN)}, "t", true), 403, "UnrecognizedClientException", "security token"},
		{"presigned URL", presigned(call{path: "/GetChannel", body: getBody(channelARN)}, "", true), 200, "", ""},
		{"unsigned payload", unsignedPayload(call{path: "/GetChannel", body: getBody(channelARN)}), 403, signature, "payload has to be signed"},
		{"unsigned payload in a presigned URL", presigned(call{path: "/GetChannel", body: getBody(channelARN)}, "", false), 403, signature, "payload has to be signed"},
		{"unsigned payload over TLS", overTLS(unsignedPayload(call{path: "/GetChannel", body: getBody(channelARN)})), 200, "", ""},
		{"unescaped tag path", call{method: "GET", path: "/tags/" + channelARN}, 200, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := do(t, api, c.call)
			if c.code == "" {
				if a.status != c.status {
					t.Fatalf("%d %s, want %d", a.status, a.body, c.status)
				}
				return
			}
			wantError(t, a, c.status, c.code)
			if text := a.fields["message"].(string); !strings.Contains(text, c.text) {
				t.Errorf("message %q, want %q in it", text, c.text)
			}
			wantHeaders(t, a)
		})
	}
}

// unsignedPayload makes a call whose signature leaves the body out.
func unsignedPayload(c call) call {
	c.unsigned = true
	c.change = func(r *http.Request) {
		sigv4.Signer{AccessKeyID: testKey, Secret: testSecret, Region: testRegion, Service: "ivs"}.Sign(r, sigv4.UnsignedPayload, time.Now())
	}
	return c
}

// presigned makes a call whose signature is in its URL, over its body or not.
func presigned(c call, sessionToken string, withBody bool) call {
	c.unsigned = true
	c.change = func(r *http.Request) {
		hash := sigv4.UnsignedPayload
		if withBody {
			hash = sigv4.HashBody([]byte(c.body))
		}
		s := sigv4.Signer{AccessKeyID: testKey, Secret: testSecret, SessionToken: sessionToken, Region: testRegion, Service: "ivs"}
		s.Presign(r, hash, time.Now(), time.Minute)
	}
	return c
}

// overTLS makes a call come over an encrypted connection.
func overTLS(c call) call {
	change := c.change
	c.change = func(r *http.Request) {
		change(r)
		r.TLS = &tls.ConnectionState{}
	}
	return c
}

// wantHeaders checks the set that every answer has.
func wantHeaders(t *testing.T, a answer) {
	t.Helper()
	for _, name := range []string{
		"Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Cache-Control", "Content-Security-Policy",
		"Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options",
	} {
		if a.header.Get(name) == "" {
			t.Errorf("no %s", name)
		}
	}
	if id := a.header.Get("x-amzn-RequestId"); !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("request id %q", id)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	f := &fake{}
	api := newAPI(t, awsapi.Options{Services: []awsapi.Service{f}})

	a := do(t, api, call{path: "/GetChannel", body: getBody(channelARN)})
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" || a.fields["channel"].(map[string]any)["arn"] != channelARN {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a.header.Get("Content-Length") != fmt.Sprint(len(a.body)) || a.header.Get("x-amzn-ErrorType") != "" {
		t.Errorf("%v", a.header)
	}
	wantHeaders(t, a)

	a = do(t, api, call{path: "/PutMetadata", body: `{"channelArn":"` + channelARN + `","metadata":"x"}`})
	if a.status != 204 || len(a.body) != 0 || a.header.Get("Content-Type") != "" {
		t.Errorf("%d %q %v", a.status, a.body, a.header)
	}
	wantHeaders(t, a)

	a = do(t, api, call{path: "/tags/" + url.PathEscape(channelARN), body: `{"tags":{"k":"v"}}`})
	if a.status != 200 || string(a.body) != "{}" || f.tags["k"] != "v" {
		t.Errorf("%d %q %v", a.status, a.body, f.tags)
	}
	a = do(t, api, call{method: "DELETE", path: "/tags/" + url.PathEscape(channelARN) + "?tagKeys=a&tagKeys=b%20c", body: "ignored"})
	if a.status != 200 || string(a.body) != "{}" || f.asked[len(f.asked)-1] != "a|b c" {
		t.Errorf("%d %q %v", a.status, a.body, f.asked)
	}
	a = do(t, api, call{path: "/ListChannels"})
	if a.status != 200 || string(a.body) != `{"channels":[]}` {
		t.Errorf("%d %q", a.status, a.body)
	}
}

func TestGzip(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("many channels ", 200)
	list := row[ivs.ListChannelsRequest]("ListChannels", &ivs.ListChannelsResponse{Channels: []ivs.ChannelSummary{{Name: &name}}}, nil)
	api := newAPI(t, awsapi.Options{Services: []awsapi.Service{rows{list}}})
	for accept, want := range map[string]bool{
		"": false, "gzip": true, "gzip, deflate": true, "br;q=1.0, gzip;q=0.5": true, "*": true, "GZIP": true,
		"gzip;q=0": false, "identity": false, "gzip; q=0.0, *": false, "*;q=0": false, "br": false, "gzip;q=x": false,
	} {
		for range 2 { // the second takes pooled buffers
			a := do(t, api, call{path: "/ListChannels", header: http.Header{"Accept-Encoding": {accept}}})
			if got := a.header.Get("Content-Encoding") == "gzip"; got != want || a.header.Get("Vary") != "Accept-Encoding" {
				t.Fatalf("%q: compressed %v, want %v", accept, got, want)
			}
			body := a.body
			if want {
				z, err := gzip.NewReader(bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				if body, err = io.ReadAll(z); err != nil || len(a.body) > len(body)/10 {
					t.Fatalf("%d of %d bytes, %v", len(a.body), len(body), err)
				}
			}
			var out ivs.ListChannelsResponse
			if err := json.Unmarshal(body, &out); err != nil || *out.Channels[0].Name != name {
				t.Errorf("%q: %v %s", accept, err, body)
			}
		}
	}
	small := newAPI(t, awsapi.Options{Services: []awsapi.Service{&fake{}}})
	if a := do(t, small, call{path: "/ListChannels", header: http.Header{"Accept-Encoding": {"gzip"}}}); a.header.Get("Content-Encoding") != "" {
		t.Error("a small answer is not worth compressing")
	}
}

// TestHandlerErrors shows what becomes of each kind of fault, and that causes and panics stay in the log.
func TestHandlerErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("bucket rivus_facts: connection refused")
	for _, c := range []struct {
		name   string
		err    error
		status int
		code   string
		text   string
	}{
		{"plain error", cause, 500, "InternalServerException", "server"},
		{"internal", fault.Wrap(fault.Internal, cause, "the index is broken"), 500, "InternalServerException", "server"},
		{"fenced", fault.Wrap(fault.Fenced, cause, "fenced"), 500, "InternalServerException", "server"},
		{"unavailable", fault.Wrap(fault.Unavailable, cause, "the state engine does not answer"), 500, "InternalServerException", "the state engine does not answer"},
		{"not found", fmt.Errorf("get channel: %w", fault.New(fault.NotFound, "no such channel")), 404, "ResourceNotFoundException", "no such channel"},
		{"conflict, not declared", fault.New(fault.Conflict, "live"), 400, "ValidationException", "live"},
		{"quota, not declared", fault.New(fault.Quota, "full"), 400, "ValidationException", "full"},
		{"not live, not declared", fault.New(fault.NotLive, "off"), 404, "ResourceNotFoundException", "off"},
		{"throttled, not declared", fault.New(fault.Throttled, "slow down"), 429, "ThrottlingException", "slow down"},
		{"denied", fault.New(fault.Denied, "no"), 403, "AccessDeniedException", "no"},
		{"invalid", fault.Wrap(fault.Invalid, cause, "bad"), 400, "ValidationException", "bad"},
		{"hung up", context.Canceled, 500, "InternalServerException", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			log, logged := logBuffer()
			api := newAPI(t, awsapi.Options{Logger: log, Services: []awsapi.Service{rows{row[ivs.GetChannelRequest, ivs.GetChannelResponse]("GetChannel", nil, c.err)}}})
			a := do(t, api, call{path: "/GetChannel", body: getBody(channelARN)})
			wantError(t, a, c.status, c.code)
			if text := a.fields["message"].(string); !strings.Contains(text, c.text) || strings.Contains(text, "rivus_facts") {
				t.Errorf("message %q", text)
			}
			if c.status == 500 && (!strings.Contains(logged(), `"level":"ERROR"`) || !strings.Contains(logged(), a.header.Get("x-amzn-RequestId"))) {
				t.Errorf("log %s", logged())
			}
			if errors.Is(c.err, cause) && c.status == 500 && !strings.Contains(logged(), "rivus_facts") {
				t.Errorf("the cause is missing: %s", logged())
			}
		})
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	log, logged := logBuffer()
	f := &fake{getChannel: func(context.Context, awsapi.Caller, *ivs.GetChannelRequest) (*ivs.GetChannelResponse, error) {
		panic("index out of range")
	}}
	api := newAPI(t, awsapi.Options{Logger: log, Services: []awsapi.Service{f}})
	a := do(t, api, call{path: "/GetChannel", body: getBody(channelARN)})
	wantError(t, a, 500, "InternalServerException")
	if strings.Contains(string(a.body), "index") || !strings.Contains(logged(), "index out of range") || !strings.Contains(logged(), "pipeline_test.go") {
		t.Errorf("answer %s log %s", a.body, logged())
	}
}

// TestSecretsStayOut shows that neither what is refused nor the key material reaches the log or the answer.
func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	log, logged := logBuffer()
	api := newAPI(t, awsapi.Options{Logger: log, Services: []awsapi.Service{&fake{}}})
	for _, body := range []string{
		`{"channelArn":"x","metadata":"s3cret"}`, `{"channelArn":7,"metadata":"s3cret"}`, `{"metadata":"s3cret","channelArn":"` + channelARN + `"`,
	} {
		a := do(t, api, call{path: "/PutMetadata", body: body})
		if a.status != 400 || strings.Contains(string(a.body)+logged(), "s3cret") {
			t.Errorf("%s: %d %s log %s", body, a.status, a.body, logged())
		}
	}
	do(t, api, call{path: "/PutMetadata", secret: "wrong"})
	if strings.Contains(logged(), testSecret) || strings.Contains(logged(), "Signature=") {
		t.Error(logged())
	}
}

// limit refuses one operation.
type limit struct{ operation string }

func (l limit) Allow(sc arn.Scope, operation string) bool {
	return operation != l.operation || sc.Account != testAccount
}

func TestThrottleAndMetrics(t *testing.T) {
	t.Parallel()
	type sample struct {
		operation string
		status    int
	}
	var samples []sample
	api := newAPI(t, awsapi.Options{
		Services: []awsapi.Service{&fake{}}, Limiter: limit{"GetChannel"},
		Observe: func(operation string, status int, d time.Duration) {
			if d < 0 {
				t.Errorf("it took %v", d)
			}
			samples = append(samples, sample{operation, status})
		},
	})
	// Throttling comes before the body is looked at, and after the signature.
	wantError(t, do(t, api, call{path: "/GetChannel", body: "no json"}), 429, "ThrottlingException")
	wantError(t, do(t, api, call{path: "/GetChannel", secret: "x"}), 403, "InvalidSignatureException")
	do(t, api, call{path: "/ListChannels"})
	do(t, api, call{path: "/Nothing"})
	want := []sample{{"GetChannel", 429}, {"GetChannel", 403}, {"ListChannels", 200}, {"Unknown", 404}}
	if fmt.Sprint(samples) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", samples, want)
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest requests come from 192.0.2.1
	overTLS := func(r *http.Request) { r.TLS = &tls.ConnectionState{} }
	forwarded := func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }
	for _, c := range []struct {
		name   string
		opts   awsapi.Options
		change func(*http.Request)
		want   string
	}{
		{"plain", awsapi.Options{}, nil, "http://api.test:8080"},
		{"TLS", awsapi.Options{}, overTLS, "https://api.test:8080"},
		{"stranger's header", awsapi.Options{}, forwarded, "http://api.test:8080"},
		{"proxy's header", awsapi.Options{TrustedProxies: proxies}, forwarded, "https://api.test:8080"},
		{"public", awsapi.Options{PublicURL: "https://live.example"}, overTLS, "https://live.example"},
		{"public with a slash", awsapi.Options{PublicURL: "https://live.example/"}, nil, "https://live.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{}
			c.opts.Services = []awsapi.Service{f}
			do(t, newAPI(t, c.opts), call{path: "/GetChannel", body: getBody(channelARN), change: c.change})
			if f.seen.BaseURL != c.want || f.seen.Action != "ivs:GetChannel" {
				t.Errorf("%+v, want %s", f.seen, c.want)
			}
		})
	}
}

func TestHandles(t *testing.T) {
	t.Parallel()
	api := newAPI(t, awsapi.Options{})
	for _, c := range []struct {
		method, target string
		header         http.Header
		want           bool
	}{
		{"POST", "/GetChannel", nil, true},
		{"POST", "/CreateStage", nil, true},
		{"GET", "/tags/x", nil, true},
		{"POST", "/Nothing", nil, false},
		{"POST", "/Nothing", http.Header{"Authorization": {"AWS4-HMAC-SHA256 …"}}, true},
		{"GET", "/x?X-Amz-Algorithm=y", nil, true},
		{"GET", "/", nil, false},
		{"GET", "/watch", http.Header{"Authorization": {"Bearer x"}}, false},
	} {
		r := httptest.NewRequest(c.method, c.target, nil)
		r.Header = c.header
		if got := api.Handles(r); got != c.want {
			t.Errorf("%s %s: %v", c.method, c.target, got)
		}
	}
}

func TestNewRefusesBadRows(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]awsapi.Options{
		"no credentials": {},
		"nobody decides": {Credentials: keys{}},
		"two rows":       {Credentials: keys{}, Authorizer: awsapi.Owner{}, Services: []awsapi.Service{&fake{}, &fake{}}},
		"wrong input":    {Credentials: keys{}, Authorizer: awsapi.Owner{}, Services: []awsapi.Service{rows{row[ivs.GetStreamRequest, ivs.GetStreamResponse]("GetChannel", nil, nil)}}},
	} {
		if _, err := awsapi.New(opts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestSlowBody shows that strangers are refused before their body is read.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	api := newAPI(t, awsapi.Options{Services: []awsapi.Service{&fake{}}})
	r := httptest.NewRequest("POST", "/GetChannel", io.NopCloser(neverRead{t}))
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	if w.Code != 403 {
		t.Errorf("unsigned: %d", w.Code)
	}
	r = httptest.NewRequest("POST", "/GetChannel", io.NopCloser(neverRead{t}))
	sigv4.Signer{AccessKeyID: "AKIDOTHER", Secret: "x", Region: "r", Service: "ivs"}.Sign(r, sigv4.HashBody(nil), time.Now())
	w = httptest.NewRecorder()
	api.ServeHTTP(w, r)
	if w.Code != 403 {
		t.Errorf("unknown key: %d", w.Code)
	}
}

type neverRead struct{ t *testing.T }

func (n neverRead) Read([]byte) (int, error) {
	n.t.Error("the body was read")
	return 0, io.EOF
}
