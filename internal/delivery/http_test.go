package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/egress"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/seal"
	"github.com/rivus-live/rivus/internal/sigv4"
	"github.com/rivus-live/rivus/internal/store"
)

// webhook is an API destination with its receiver.
type webhook struct {
	*world
	api      *APIDestinations
	requests chan *http.Request
	bodies   chan string
	answer   func(w http.ResponseWriter, r *http.Request)
	url      string
}

const destination = "arn:aws:events:eu-west-1:000000000000:api-destination/d/u2"

func newWebhook(t *testing.T, c resource.Connection, secrets Secrets, endpoint string) *webhook {
	t.Helper()
	h := &webhook{world: newWorld(t), requests: make(chan *http.Request, 100), bodies: make(chan string, 100)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.requests <- r
		h.bodies <- string(body)
		if h.answer != nil {
			h.answer(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	h.url = srv.URL
	vault, err := NewVault(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	h.api = &APIDestinations{
		Destinations: h.records.APIDestinations, Connections: h.records.Connections, Vault: vault,
		Egress: egress.New(egress.Options{AllowLoopback: true}), Clock: time.Now,
	}
	t.Cleanup(h.api.Egress.Close)
	c.Name, c.UUID = "c", "u1"
	if c.OAuth != nil {
		c.OAuth.Endpoint = srv.URL + c.OAuth.Endpoint
	}
	if c.Sealed, err = vault.Seal(c.UUID, secrets); err != nil {
		t.Fatal(err)
	}
	if _, err := h.records.Connections.Create(t.Context(), store.Key{Scope: scope, ID: "c"}, c); err != nil {
		t.Fatal(err)
	}
	d := resource.APIDestination{Name: "d", UUID: "u2", Connection: "c", Endpoint: srv.URL + endpoint, Method: http.MethodPost, Rate: 300}
	if _, err := h.records.APIDestinations.Create(t.Context(), store.Key{Scope: scope, ID: "d"}, d); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *webhook) deliver(p *resource.HTTPParameters, payload string) error {
	return h.api.Deliver(context.Background(), &Delivery{Number: 7, Target: resource.RuleTarget{ARN: destination, HTTP: p}}, []byte(payload))
}

// TestInvocation: a request has what the endpoint, the connection and the rule say, and the headers that nobody may choose.
func TestInvocation(t *testing.T) {
	t.Parallel()
	h := newWebhook(t, resource.Connection{
		AuthType: resource.AuthAPIKey, APIKeyName: "X-Key", State: resource.ConnectionAuthorized,
		Invocation: resource.Parameters{
			Header: []resource.Parameter{{Key: "X-Plain", Value: "p"}, {Key: "X-Hidden", Secret: true}, {Key: "Transfer-Encoding", Value: "chunked"}},
			Query:  []resource.Parameter{{Key: "q", Secret: true}},
			Body:   []resource.Parameter{{Key: "b", Value: "plain"}, {Key: "s", Secret: true}},
		},
	}, Secrets{APIKey: "key", Invocation: Members{
		Header: map[string]string{"X-Hidden": "hidden"}, Query: map[string]string{"q": "a b"}, Body: map[string]string{"s": "quiet"},
	}}, "/x/*/y/*")
	err := h.deliver(&resource.HTTPParameters{
		PathValues: []string{"a/b", "c"}, Query: map[string]string{"r": "1"},
		Header: map[string]string{"X-Rule": "yes", "Content-Type": "text/html", "Host": "elsewhere", "User-Agent": "mine", "Accept-Encoding": "br"},
	}, `{"a":1}`)
	if err != nil {
		t.Fatal(err)
	}
	r := <-h.requests
	if r.URL.EscapedPath() != "/x/a%2Fb/y/c" || r.URL.Query().Get("q") != "a b" || r.URL.Query().Get("r") != "1" || r.Method != http.MethodPost {
		t.Errorf("%s %s", r.Method, r.URL)
	}
	for name, want := range map[string]string{
		"X-Key": "key", "X-Plain": "p", "X-Hidden": "hidden", "X-Rule": "yes", "User-Agent": "mine", "Content-Type": "application/json; charset=utf-8",
		"Range": "bytes=0-1048575", "Accept-Encoding": "gzip,deflate", "Rivus-Event-Number": "7", "Connection": "close",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if strings.Contains(r.Host, "elsewhere") || len(r.TransferEncoding) > 0 {
		t.Errorf("%s %v", r.Host, r.TransferEncoding)
	}
	if body := <-h.bodies; body != `{"a":1,"b":"plain","s":"quiet"}` {
		t.Error(body)
	}
}

// TestAnswers: which answers are an end, which are to be tried again, and when.
func TestAnswers(t *testing.T) {
	t.Parallel()
	h := newWebhook(t, resource.Connection{AuthType: resource.AuthBasic, Username: "u", State: resource.ConnectionAuthorized}, Secrets{Password: "p"}, "/")
	for _, c := range []struct {
		status int
		after  string
		code   string // "" is success
		final  bool
		wait   time.Duration
	}{
		{200, "", "", false, 0},
		{204, "5", "", false, 0},
		{301, "", codeClientError, true, 0},
		{307, "", codeClientError, true, 0},
		{400, "", codeClientError, true, 0},
		{401, "", codeNoPermissions, false, 0},
		{403, "", codeNoPermissions, true, 0},
		{404, "", codeNoResource, true, 0},
		{407, "", codeNoPermissions, false, 0},
		{409, "", codeClientError, false, 0},
		{410, "", codeNoResource, true, 0},
		{422, "", codeClientError, true, 0},
		{429, "120", codeThrottled, false, 2 * time.Minute},
		{429, "-1", codeThrottled, true, 0},
		{429, "nonsense", codeThrottled, false, 0},
		{500, "", codeClientError, false, 0},
		{503, "999999999", codeClientError, false, 24 * time.Hour},
	} {
		h.answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			if c.after != "" {
				w.Header().Set("Retry-After", c.after)
			}
			w.WriteHeader(c.status)
		}
		err := h.deliver(nil, `{}`)
		r := <-h.requests
		<-h.bodies
		if u, p, ok := r.BasicAuth(); !ok || u != "u" || p != "p" {
			t.Errorf("%s %s", u, p)
		}
		if c.code == "" {
			if err != nil {
				t.Errorf("%d: %v", c.status, err)
			}
			continue
		}
		f, ok := errors.AsType[*Failure](err)
		if !ok || f.Code != c.code || f.Final != c.final || f.After != c.wait {
			t.Errorf("%d %s: %+v %v", c.status, c.after, f, err)
		}
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if after, stop := RetryAfter("Thu, 01 Jan 2026 00:01:00 GMT", now); after != time.Minute || stop {
		t.Error(after, stop)
	}
}

// TestOAuth: a token is fetched once, for as long as it is good, and anew when it is refused.
func TestOAuth(t *testing.T) {
	t.Parallel()
	h := newWebhook(t, resource.Connection{
		AuthType: resource.AuthOAuth, State: resource.ConnectionAuthorizing,
		OAuth: &resource.OAuth{Endpoint: "/token", Method: http.MethodPost, ClientID: "me", Parameters: resource.Parameters{Body: []resource.Parameter{{Key: "scope", Value: "all"}}}},
	}, Secrets{ClientSecret: "secret"}, "/hook")
	var mu sync.Mutex
	tokens, refuse := 0, false
	h.answer = func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/token" {
			tokens++
			_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "t" + strconv.Itoa(tokens), "expires_in": 3600})
			return
		}
		if refuse || r.Header.Get("Authorization") != "Bearer t"+strconv.Itoa(tokens) {
			refuse = false
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var authorizing sync.WaitGroup
	authorizing.Go(func() { h.api.Authorize(ctx) })
	until(t, func() bool {
		c, err := h.records.Connections.Get(t.Context(), store.Key{Scope: scope, ID: "c"})
		return err == nil && c.Value.State == resource.ConnectionAuthorized && !c.Value.AuthorizedAt.IsZero()
	})
	cancel()
	authorizing.Wait()
	if form := <-h.bodies; form != "client_id=me&client_secret=secret&grant_type=client_credentials&scope=all" {
		t.Error(form)
	}
	for i := range 3 {
		if i == 2 {
			mu.Lock()
			refuse = true
			mu.Unlock()
			if f := failureOf(h.deliver(nil, `{}`)); f.Final || f.Code != codeNoPermissions {
				t.Errorf("%+v", f)
			}
		}
		if err := h.deliver(nil, `{}`); err != nil {
			t.Error(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if tokens != 2 {
		t.Errorf("%d tokens were fetched", tokens)
	}
}

// TestForbiddenDestination: an endpoint inside the operator's network is not called, whatever its record says.
func TestForbiddenDestination(t *testing.T) {
	t.Parallel()
	h := newWebhook(t, resource.Connection{AuthType: resource.AuthBasic, State: resource.ConnectionAuthorized}, Secrets{}, "/")
	h.api.Egress = egress.New(egress.Options{Resolve: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}})
	f := failureOf(h.deliver(nil, `{}`))
	if !f.Final || f.Code != codeNoPermissions || len(h.requests) != 0 {
		t.Errorf("%+v, %d requests", f, len(h.requests))
	}
	gone := &Delivery{Target: resource.RuleTarget{ARN: strings.Replace(destination, "u2", "other", 1)}}
	if f := failureOf(h.api.Deliver(t.Context(), gone, nil)); !f.Final || f.Code != codeNoResource {
		t.Errorf("%+v", f)
	}
}

// TestRate: requests to one destination are as far apart as it asks.
func TestRate(t *testing.T) {
	t.Parallel()
	var r Rates
	now := time.Now()
	clock := func() time.Time { return now }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Wait(ctx, "d", 10, clock); err != nil {
		t.Error("the first waits")
	}
	if err := r.Wait(ctx, "d", 10, clock); err == nil {
		t.Error("the second does not wait")
	}
	if err := r.Wait(ctx, "other", 10, clock); err != nil {
		t.Error("another destination waits")
	}
	now = now.Add(200 * time.Millisecond)
	if err := r.Wait(ctx, "d", 10, clock); err != nil {
		t.Error("it waits when its time has come")
	}
}

// TestVault: what is sealed is opened by its own connection alone, and holds nothing in the clear.
func TestVault(t *testing.T) {
	t.Parallel()
	v, err := NewVault(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := v.Seal("a", Secrets{Password: "password"})
	if err != nil || strings.Contains(string(sealed), "password") {
		t.Errorf("%q %v", sealed, err)
	}
	if s, err := v.Open("a", sealed); err != nil || s.Password != "password" {
		t.Errorf("%v %v", s, err)
	}
	if _, err := v.Open("b", sealed); err == nil {
		t.Error("another connection opens it")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := v.Open("a", sealed); err == nil {
		t.Error("it is opened though it was changed")
	}
	if _, err := v.Open("a", sealed[:3]); err == nil {
		t.Error("a piece is opened")
	}
}

// TestEndpoints: what the services of AWS get, signed with the operator's key for the service and region of the target.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	type call struct{ target, path, body, service, region string }
	calls := make(chan call, 10)
	var answer func(w http.ResponseWriter, c call)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		id, err := sigv4.Verify(r, sigv4.HashBody(body), time.Now(), func(key string) (string, bool) { return "operator-secret", key == "OPERATOR" })
		if err != nil {
			t.Errorf("%s: %v", r.URL, err)
		}
		c := call{r.Header.Get("X-Amz-Target"), r.URL.EscapedPath(), string(body), id.Service, id.Region}
		calls <- c
		if answer != nil {
			answer(w, c)
		}
	}))
	defer srv.Close()
	endpoint := Endpoint{URL: srv.URL, AccessKeyID: "OPERATOR", Secret: "operator-secret", Client: NewEndpointClient()}
	targets := &Targets{
		Endpoints: map[string]Endpoint{"sqs": endpoint, "sns": endpoint, "events": endpoint, "lambda": endpoint, "logs": endpoint},
		Allow:     []string{"arn:aws:*:eu-west-1:000000000000:*"},
	}
	send := func(d *Delivery) error {
		to, err := targets.Of(d.destination())
		if err != nil {
			return err
		}
		return to.Deliver(t.Context(), d, []byte(`{"x":1}`))
	}
	event := json.RawMessage(`{"detail-type":"T","source":"s","time":"2024-05-05T21:55:38Z","resources":["r"],"detail":{"a":1}}`)
	d := func(arn string) *Delivery {
		return &Delivery{EventID: "e1", Event: event, Resource: "r", RuleName: "rule", Target: resource.RuleTarget{ARN: arn}}
	}
	const prefix = "arn:aws:"
	const place = ":eu-west-1:000000000000:"
	for _, c := range []struct {
		arn  string
		want call
	}{
		{prefix + "sqs" + place + "q", call{"AmazonSQS.SendMessage", "/", `{"MessageBody":"{\"x\":1}","QueueUrl":"` + srv.URL + `/000000000000/q"}`, "sqs", "eu-west-1"}},
		{prefix + "sqs" + place + "q.fifo", call{"AmazonSQS.SendMessage", "/", `{"MessageBody":"{\"x\":1}","MessageDeduplicationId":"e1","MessageGroupId":"r","QueueUrl":"` + srv.URL + `/000000000000/q.fifo"}`, "sqs", "eu-west-1"}},
		{prefix + "sns" + place + "t", call{"", "/", "Action=Publish&Message=%7B%22x%22%3A1%7D&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A000000000000%3At&Version=2010-03-31", "sns", "eu-west-1"}},
		{prefix + "events" + place + "event-bus/b", call{"AWSEvents.PutEvents", "/", `{"Entries":[{"Detail":"{\"a\":1}","DetailType":"T","EventBusName":"arn:aws:events:eu-west-1:000000000000:event-bus/b","Resources":["r"],"Source":"s","Time":1714946138}]}`, "events", "eu-west-1"}},
		{prefix + "lambda" + place + "function:f", call{"", "/2015-03-31/functions/arn:aws:lambda:eu-west-1:000000000000:function:f/invocations", `{"x":1}`, "lambda", "eu-west-1"}},
		{prefix + "logs" + place + "log-group:/aws/events/g:*", call{"Logs_20140328.PutLogEvents", "/", `{"logEvents":[{"message":"{\"x\":1}","timestamp":-62135596800000}],"logGroupName":"/aws/events/g","logStreamName":"rule"}`, "logs", "eu-west-1"}},
	} {
		answer = func(w http.ResponseWriter, _ call) { _, _ = io.WriteString(w, `{"FailedEntryCount":0}`) }
		if err := send(d(c.arn)); err != nil {
			t.Errorf("%s: %v", c.arn, err)
			continue
		}
		got := <-calls
		got.path = strings.ReplaceAll(got.path, "%3A", ":")
		if got != c.want {
			t.Errorf("%s:\n%+v, want\n%+v", c.arn, got, c.want)
		}
	}

	dead := d(prefix + "sqs" + place + "q")
	dead.Dead, dead.Code, dead.Message, dead.Exhausted, dead.Attempts, dead.RuleARN = true, "C", "M", exhaustedAttempts, 3, "arn:rule"
	dead.Target.DeadLetterARN = prefix + "sqs" + place + "dead"
	if err := send(dead); err != nil {
		t.Error(err)
	}
	for _, want := range []string{`"RETRY_ATTEMPTS":{"DataType":"String","StringValue":"2"}`, `"EXHAUSTED_RETRY_CONDITION"`, `"ERROR_CODE"`, `"ERROR_MESSAGE"`, `"RULE_ARN"`, `"TARGET_ARN"`, "/000000000000/dead"} {
		if got := <-calls; !strings.Contains(got.body, want) {
			t.Errorf("%s lacks %s", got.body, want)
		} else {
			calls <- got
		}
	}
	<-calls

	for _, c := range []struct {
		status int
		header string
		body   string
		code   string
		final  bool
	}{
		{400, "", `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}`, codeNoResource, true},
		{400, "AWS.SimpleQueueService.NonExistentQueue", ``, codeNoResource, true},
		{403, "", `<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>`, codeNoPermissions, true},
		{400, "ThrottlingException:http://x", `{}`, codeThrottled, false},
		{500, "", ``, "", false},
		{503, "ServiceUnavailable", ``, "ServiceUnavailable", false},
		{400, "InvalidMessageContents", ``, "InvalidMessageContents", true},
		{302, "", ``, codeClientError, true},
	} {
		answer = func(w http.ResponseWriter, _ call) {
			if c.header != "" {
				w.Header().Set("X-Amzn-ErrorType", c.header)
			}
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}
		f := failureOf(send(d(prefix + "sqs" + place + "q")))
		<-calls
		if f.Code != c.code || f.Final != c.final {
			t.Errorf("%d %s %s: %+v", c.status, c.header, c.body, f)
		}
	}

	for arn, account := range map[string]string{
		prefix + "sqs:eu-west-1:111111111111:q": "000000000000", prefix + "sqs:us-east-1:000000000000:q": "000000000000", "nonsense": "000000000000",
		prefix + "kinesis" + place + "stream/s": "000000000000", prefix + "events" + place + "rule/r": "000000000000",
	} {
		if err := targets.Check(account, arn); err == nil {
			t.Errorf("%s may be a target", arn)
		}
	}
	if err := targets.Check("000000000000", prefix+"sqs"+place+"q"); err != nil {
		t.Error(err)
	}
	if err := (&Targets{Endpoints: targets.Endpoints}).Check("000000000000", prefix+"sqs"+place+"q"); err == nil {
		t.Error("without --allow-targets the operator's credentials may be used")
	}
}
