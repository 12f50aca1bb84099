package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/sigv4"
)

// Endpoint is where the operator says that a service of AWS, or what speaks its protocol, is, and with which key this server
// calls it. API users choose neither.
type Endpoint struct {
	URL         string
	AccessKeyID string
	Secret      string
	Client      *http.Client // of NewEndpointClient
}

// NewEndpointClient returns a client for endpoints that the operator names.
func NewEndpointClient() *http.Client {
	return &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// remote delivers to one target of a service at an endpoint. The requests are few and small, so they are written here rather
// than by five SDK clients.
type remote struct {
	endpoint Endpoint
	name     name
}

// Deliver sends one request.
func (t *remote) Deliver(ctx context.Context, d *Delivery, payload []byte) error {
	if d.Dead && t.name.service != serviceSQS {
		return &Failure{Code: codeNoResource, Message: "the dead-letter queue is no SQS queue", Final: true}
	}
	switch t.name.service {
	case serviceSQS:
		return t.sendMessage(ctx, d, payload)
	case serviceSNS:
		return t.publish(ctx, payload)
	case serviceEvents:
		return t.putEvents(ctx, d)
	case serviceLambda:
		return t.invoke(ctx, payload)
	case serviceLogs:
		return t.putLogEvents(ctx, d, payload)
	}
	return &Failure{Code: codeNoResource, Message: "there is no way to deliver to " + t.name.service, Final: true}
}

// sendMessage sends to an SQS queue. One that keeps the order gets a group, and the event's id to know repetitions by.
func (t *remote) sendMessage(ctx context.Context, d *Delivery, payload []byte) error {
	in := map[string]any{
		"QueueUrl":    strings.TrimSuffix(t.endpoint.URL, "/") + "/" + t.name.account + "/" + t.name.resource,
		"MessageBody": string(payload),
	}
	if strings.HasSuffix(t.name.resource, ".fifo") {
		in["MessageDeduplicationId"] = d.EventID
		in["MessageGroupId"] = d.Target.MessageGroupID
		if d.Target.MessageGroupID == "" {
			in["MessageGroupId"] = d.Resource
		}
	}
	if attributes := d.attributes(); len(attributes) > 0 {
		in["MessageAttributes"] = attributes
	}
	return t.json(ctx, "AmazonSQS.SendMessage", "application/x-amz-json-1.0", in, nil)
}

// attributes are those of the message to a queue.
func (d *Delivery) attributes() map[string]any {
	out := map[string]any{}
	for name, a := range d.Attributes {
		value := "StringValue"
		if a.Type == "Binary" || strings.HasPrefix(a.Type, "Binary.") {
			value = "BinaryValue"
		}
		out[name] = map[string]string{"DataType": a.Type, value: a.Value}
	}
	if d.Dead {
		maps.Copy(out, d.obituary())
	}
	return out
}

// obituary says in the attributes of a dead letter what it died of.
func (d *Delivery) obituary() map[string]any {
	out := map[string]any{}
	put := func(name, value string) {
		if value != "" {
			out[name] = map[string]string{"DataType": "String", "StringValue": value}
		}
	}
	put("RULE_ARN", d.RuleARN)
	put("TARGET_ARN", d.Target.ARN)
	put("ERROR_CODE", d.Code)
	put("ERROR_MESSAGE", d.Message)
	put("EXHAUSTED_RETRY_CONDITION", d.Exhausted)
	put("RETRY_ATTEMPTS", strconv.Itoa(max(0, d.Attempts-1)))
	return out
}

// publish sends to an SNS topic.
func (t *remote) publish(ctx context.Context, payload []byte) error {
	form := url.Values{
		"Action": {"Publish"}, "Version": {"2010-03-31"}, "Message": {string(payload)},
		"TopicArn": {"arn:aws:sns:" + t.name.region + ":" + t.name.account + ":" + t.name.resource},
	}
	_, err := t.send(ctx, http.MethodPost, "/", []byte(form.Encode()), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	return err
}

// putEvents sends an event, as it is, to another bus.
func (t *remote) putEvents(ctx context.Context, d *Delivery) error {
	var e struct {
		DetailType string          `json:"detail-type"`
		Source     string          `json:"source"`
		Time       time.Time       `json:"time"`
		Resources  []string        `json:"resources"`
		Detail     json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(d.Event, &e); err != nil {
		return &Failure{Code: codeBadInput, Message: "the event is not one", Final: true}
	}
	in := map[string]any{"Entries": []map[string]any{{
		"Source": e.Source, "DetailType": e.DetailType, "Detail": string(e.Detail), "Resources": e.Resources, "Time": e.Time.Unix(),
		"EventBusName": "arn:aws:events:" + t.name.region + ":" + t.name.account + ":" + t.name.resource,
	}}}
	var out struct {
		FailedEntryCount int
		Entries          []struct{ ErrorCode, ErrorMessage string }
	}
	if err := t.json(ctx, "AWSEvents.PutEvents", "application/x-amz-json-1.1", in, &out); err != nil {
		return err
	}
	if out.FailedEntryCount > 0 && len(out.Entries) > 0 {
		return refusal(http.StatusBadRequest, out.Entries[0].ErrorCode, http.Header{})
	}
	return nil
}

// invoke calls a function without waiting for what it does.
func (t *remote) invoke(ctx context.Context, payload []byte) error {
	function := "arn:aws:lambda:" + t.name.region + ":" + t.name.account + ":" + t.name.resource
	header := http.Header{"Content-Type": {"application/json"}, "X-Amz-Invocation-Type": {"Event"}}
	_, err := t.send(ctx, http.MethodPost, "/2015-03-31/functions/"+url.PathEscape(function)+"/invocations", payload, header)
	return err
}

// putLogEvents appends to a log group, in a stream of the rule's name, which is made when it is not there.
func (t *remote) putLogEvents(ctx context.Context, d *Delivery, payload []byte) error {
	const version, kind = "Logs_20140328.", "application/x-amz-json-1.1"
	group, _, _ := strings.Cut(strings.TrimPrefix(t.name.resource, "log-group:"), ":")
	in := map[string]any{"logGroupName": group, "logStreamName": d.RuleName, "logEvents": []map[string]any{
		{"timestamp": d.Ingested.UnixMilli(), "message": string(payload)},
	}}
	err := t.json(ctx, version+"PutLogEvents", kind, in, nil)
	if f, ok := errors.AsType[*Failure](err); !ok || f.Code != codeNoResource {
		return err
	}
	made := t.json(ctx, version+"CreateLogStream", kind, map[string]any{"logGroupName": group, "logStreamName": d.RuleName}, nil)
	if f, ok := errors.AsType[*Failure](made); made != nil && (!ok || f.Code != "ResourceAlreadyExistsException") {
		return made
	}
	return t.json(ctx, version+"PutLogEvents", kind, in, nil)
}

// json calls an operation of the JSON protocol.
func (t *remote) json(ctx context.Context, operation, kind string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("delivery: encode %s: %w", operation, err)
	}
	answer, err := t.send(ctx, http.MethodPost, "/", body, http.Header{"Content-Type": {kind}, "X-Amz-Target": {operation}})
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return errors.New("the answer is not JSON")
	}
	return nil
}

const maxRemoteAnswer = 64 << 10

// send signs and sends a request.
func (t *remote) send(ctx context.Context, method, path string, body []byte, header http.Header) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(t.endpoint.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the endpoint is no URL")
	}
	r.Header = header
	signer := sigv4.Signer{
		AccessKeyID: t.endpoint.AccessKeyID, Secret: t.endpoint.Secret, Region: t.name.region, Service: t.name.service,
	}
	signer.Sign(r, sigv4.HashBody(body), time.Now())
	resp, err := t.endpoint.Client.Do(r)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return nil, fmt.Errorf("call %s: %w", t.name.service, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxRemoteAnswer))
	if err != nil {
		return nil, fmt.Errorf("call %s: read the answer: %w", t.name.service, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return answer, nil
	}
	return nil, refusal(resp.StatusCode, errorCode(resp.Header, answer), resp.Header)
}

// errorCode finds the code of an error in any of the protocols.
func errorCode(h http.Header, body []byte) string {
	if code := h.Get("X-Amzn-ErrorType"); code != "" {
		return lastWord(code)
	}
	var e struct {
		Type string `json:"__type"`
		Code string `json:"code"`
	}
	if json.Unmarshal(body, &e) == nil && e.Type+e.Code != "" {
		if e.Type == "" {
			return lastWord(e.Code)
		}
		return lastWord(e.Type)
	}
	if _, rest, ok := strings.Cut(string(body), "<Code>"); ok {
		if code, _, ok := strings.Cut(rest, "</Code>"); ok && len(code) <= 128 {
			return lastWord(code)
		}
	}
	return ""
}

// lastWord takes a code out of "namespace#Code:more".
func lastWord(s string) string {
	s, _, _ = strings.Cut(s, ":")
	return s[strings.LastIndexAny(s, "#.")+1:]
}

// refusal judges the error of a service.
func refusal(status int, code string, h http.Header) error {
	f := &Failure{Code: code, Message: "the service answered " + strconv.Itoa(status) + " " + code, Final: true}
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(code, p) {
				return true
			}
		}
		return false
	}
	switch {
	case status == http.StatusTooManyRequests || has("Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown"):
		f.Code, f.Final = codeThrottled, false
		f.After, f.Final = RetryAfter(h.Get("Retry-After"), time.Now())
	case status >= 500 || has("ServiceUnavailable", "InternalException", "InternalFailure"):
		f.Final = false
	case has("NonExistentQueue", "QueueDoesNotExist", "ResourceNotFound", "NotFound") || status == http.StatusNotFound:
		f.Code = codeNoResource
	case status == http.StatusForbidden || has("AccessDenied", "Authorization", "InvalidClientTokenId", "UnrecognizedClient", "Signature", "NotAuthorized"):
		f.Code = codeNoPermissions
	case code == "":
		f.Code = codeClientError
	}
	return f
}
