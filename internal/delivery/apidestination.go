package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/egress"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// APIDestinations delivers over HTTP to what API users name (spec neighbours.md 4, errata.md A4).
type APIDestinations struct {
	Destinations *store.Table[resource.APIDestination]
	Connections  *store.Table[resource.Connection]
	Vault        *Vault
	Egress       *egress.Client
	Clock        func() time.Time

	rates  Rates
	tokens tokens
}

// invocationTimeout is how long a request may take, with its answer.
const invocationTimeout = 5 * time.Second

// Deliver sends one request.
func (a *APIDestinations) Deliver(ctx context.Context, d *Delivery, payload []byte) error {
	dest, conn, err := a.find(ctx, d.Target.ARN)
	if err != nil {
		return err
	}
	secrets, err := a.Vault.Open(conn.Value.UUID, conn.Value.Sealed)
	if err != nil {
		return &Failure{Code: codeNoPermissions, Message: err.Error(), Final: true}
	}
	r, err := newInvocation(d, &dest, payload)
	if err != nil {
		return &Failure{Code: codeClientError, Message: err.Error(), Final: true}
	}
	add(r, &conn.Value.Invocation, &secrets.Invocation)
	if err := a.rates.Wait(ctx, d.Target.ARN, dest.Rate, a.Clock); err != nil {
		return err
	}
	if err := a.prove(ctx, r, conn, &secrets); err != nil {
		return err
	}
	fix(r)
	ctx, cancel := context.WithTimeout(ctx, invocationTimeout)
	defer cancel()
	answer, err := a.Egress.Do(ctx, r)
	if err != nil {
		return SendFailure(err)
	}
	if answer.Status == http.StatusUnauthorized || answer.Status == http.StatusProxyAuthRequired {
		a.tokens.forget(conn.Value.UUID)
	}
	return answerFailure(answer, a.Clock())
}

// find returns the destination of an ARN and its connection.
func (a *APIDestinations) find(ctx context.Context, target string) (resource.APIDestination, store.Record[resource.Connection], error) {
	var none store.Record[resource.Connection]
	n, _ := parseARN(target)
	id, uuid, _ := strings.Cut(strings.TrimPrefix(n.resource, "api-destination/"), "/")
	key := store.Key{Scope: arn.Scope{Region: n.region, Account: n.account}, ID: id}
	dest, err := a.Destinations.Get(ctx, key)
	if fault.Is(err, fault.NotFound) || err == nil && dest.Value.UUID != uuid {
		return dest.Value, none, &Failure{Code: codeNoResource, Message: "there is no such API destination", Final: true}
	}
	if err != nil {
		return dest.Value, none, err
	}
	conn, err := a.Connections.Get(ctx, store.Key{Scope: key.Scope, ID: dest.Value.Connection})
	if fault.Is(err, fault.NotFound) {
		err = &Failure{Code: codeNoResource, Message: "the API destination has no connection any more", Final: true}
	}
	return dest.Value, conn, err
}

// newInvocation makes the request with what the rule says of it.
func newInvocation(d *Delivery, dest *resource.APIDestination, payload []byte) (*http.Request, error) {
	params := d.Target.HTTP
	if params == nil {
		params = &resource.HTTPParameters{}
	}
	endpoint := dest.Endpoint
	for _, v := range params.PathValues {
		endpoint = strings.Replace(endpoint, "*", url.PathEscape(v), 1)
	}
	if strings.Contains(endpoint, "*") {
		return nil, errors.New("the endpoint has more path parameters than the target has values")
	}
	if dest.Method == http.MethodGet || dest.Method == http.MethodHead {
		payload = nil
	}
	r, err := http.NewRequest(dest.Method, endpoint, bytes.NewReader(payload)) //nolint:noctx // Egress.Do gives it one
	if err != nil {
		return nil, errors.New("the endpoint is no URL") // the error would tell of it
	}
	for k, v := range params.Header {
		r.Header.Set(k, v)
	}
	if len(params.Query) > 0 {
		q := r.URL.Query()
		for k, v := range params.Query {
			q.Set(k, v)
		}
		r.URL.RawQuery = q.Encode()
	}
	r.Header.Set("Rivus-Event-Number", strconv.FormatUint(d.Number, 10))
	return r, nil
}

// add adds the parameters of a connection to a request: to its headers, its query and, if that is a JSON object, its body.
func add(r *http.Request, p *resource.Parameters, secret *Members) {
	for _, m := range p.Header {
		r.Header.Set(m.Key, valueOf(m, secret.Header))
	}
	if len(p.Query) > 0 {
		q := r.URL.Query()
		for _, m := range p.Query {
			q.Set(m.Key, valueOf(m, secret.Query))
		}
		r.URL.RawQuery = q.Encode()
	}
	if len(p.Body) == 0 || r.Body == nil {
		return
	}
	body, err := io.ReadAll(r.Body)
	var members map[string]json.RawMessage
	if err == nil && json.Unmarshal(body, &members) == nil && members != nil {
		for _, m := range p.Body {
			members[m.Key], _ = json.Marshal(valueOf(m, secret.Body)) // a string cannot fail
		}
		body, _ = json.Marshal(members)
	}
	setBody(r, body)
}

func setBody(r *http.Request, body []byte) {
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
}

func valueOf(p resource.Parameter, secret map[string]string) string {
	if p.Secret {
		return secret[p.Key]
	}
	return p.Value
}

// prove adds what shows the target who sends.
func (a *APIDestinations) prove(ctx context.Context, r *http.Request, conn store.Record[resource.Connection], s *Secrets) error {
	switch c := &conn.Value; c.AuthType {
	case resource.AuthBasic:
		r.SetBasicAuth(c.Username, s.Password)
	case resource.AuthAPIKey:
		r.Header.Set(c.APIKeyName, s.APIKey)
	case resource.AuthOAuth:
		token, err := a.token(ctx, c, s)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return nil
}

const (
	userAgent    = "Amazon/EventBridge/ApiDestinations"
	defaultRange = "bytes=0-1048575"
)

// stripped are headers that are the connection's or the body's, and so ours to set (RFC 9110, 7.6.1).
var stripped = []string{ //nolint:gochecknoglobals // a constant table
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Host", "Content-Length", "Content-Encoding", "Content-Type", "Content-Range", "Content-Location", "Content-Md5", "Expect",
	"Max-Forwards", "Accept-Encoding", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded",
}

// fix sets the headers that nobody may choose, and two that have a default.
func fix(r *http.Request) {
	for name := range r.Header {
		if slices.Contains(stripped, name) || strings.HasPrefix(name, "X-Amz") {
			delete(r.Header, name)
		}
	}
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("Accept-Encoding", "gzip,deflate")
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", userAgent)
	}
	if r.Header.Get("Range") == "" {
		r.Header.Set("Range", defaultRange)
	}
	r.Close = true
}

// SendFailure judges a request that got no answer.
func SendFailure(err error) error {
	if f, ok := errors.AsType[*egress.ForbiddenError](err); ok {
		return &Failure{Code: codeNoPermissions, Message: f.Error(), Final: true}
	}
	return fmt.Errorf("send the request: %w", err)
}

// answerFailure judges an answer: nil when the target has taken the event.
func answerFailure(answer egress.Answer, now time.Time) error {
	status := answer.Status
	if status >= 200 && status < 300 {
		return nil
	}
	f := &Failure{Code: codeClientError, Message: "the target answered " + strconv.Itoa(status), Final: true}
	switch {
	case status == http.StatusTooManyRequests:
		f.Code, f.Final = codeThrottled, false
	case status == http.StatusUnauthorized || status == http.StatusProxyAuthRequired:
		f.Code, f.Final = codeNoPermissions, false
	case status == http.StatusConflict || status >= 500:
		f.Final = false
	case status == http.StatusForbidden:
		f.Code = codeNoPermissions
	case status == http.StatusNotFound || status == http.StatusGone:
		f.Code = codeNoResource
	}
	if !f.Final {
		f.After, f.Final = RetryAfter(answer.Header.Get("Retry-After"), now)
	}
	return f
}

// RetryAfter reads a Retry-After header: seconds or a date. A negative one asks not to try again.
func RetryAfter(s string, now time.Time) (after time.Duration, stop bool) {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil {
		if seconds < 0 {
			return 0, true
		}
		return time.Duration(min(seconds, int64(defaultMaxAge/time.Second))) * time.Second, false
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(0, at.Sub(now)), defaultMaxAge), false
	}
	return 0, false
}
