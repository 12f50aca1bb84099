package notification

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
)

// RetryPolicy says when a message is sent again to an HTTP endpoint that did not take it (spec neighbours.md 5, errata.md A5).
// The retries fall into four phases, in this order: at once, after the least delay, with a growing delay, after the greatest.
type RetryPolicy struct {
	MinDelay int    `json:"minDelayTarget"` // seconds
	MaxDelay int    `json:"maxDelayTarget"` // seconds
	Retries  int    `json:"numRetries"`
	AtMax    int    `json:"numMaxDelayRetries"`
	AtOnce   int    `json:"numNoDelayRetries"`
	AtMin    int    `json:"numMinDelayRetries"`
	Backoff  string `json:"backoffFunction"` // linear, arithmetic, geometric or exponential
}

// ThrottlePolicy bounds how many messages an endpoint gets.
type ThrottlePolicy struct {
	PerSecond int `json:"maxReceivesPerSecond"`
}

// Policy is the delivery policy that counts for a subscription.
type Policy struct {
	Retry       RetryPolicy
	Throttle    *ThrottlePolicy
	ContentType string // of notifications
}

const defaultContentType = "text/plain; charset=UTF-8"

func defaultRetry() RetryPolicy {
	return RetryPolicy{MinDelay: 20, MaxDelay: 20, Retries: 3, Backoff: "linear"}
}

// requestPolicy is the part of a policy that is about requests.
type requestPolicy struct {
	ContentType string `json:"headerContentType"`
}

// TopicPolicy is the DeliveryPolicy of a topic, as it is on the wire.
type TopicPolicy struct {
	HTTP struct {
		Retry            *RetryPolicy    `json:"defaultHealthyRetryPolicy,omitempty"`
		DisableOverrides bool            `json:"disableSubscriptionOverrides"`
		Throttle         *ThrottlePolicy `json:"defaultThrottlePolicy,omitempty"`
		Request          *requestPolicy  `json:"defaultRequestPolicy,omitempty"`
	} `json:"http"`
}

// SubscriptionPolicy is the DeliveryPolicy of a subscription, as it is on the wire.
type SubscriptionPolicy struct {
	Retry      *RetryPolicy    `json:"healthyRetryPolicy"`
	Sickly     *RetryPolicy    `json:"sicklyRetryPolicy"` // accepted and of no effect, as in the service
	Throttle   *ThrottlePolicy `json:"throttlePolicy"`
	Request    *requestPolicy  `json:"requestPolicy"`
	Guaranteed bool            `json:"guaranteed"`
}

// contentTypes that a policy may ask for begin so.
func allowedContentType(s string) bool {
	for _, prefix := range []string{"text/", "application/json", "application/xml", "application/octet-stream", "application/x-www-form-urlencoded"} {
		if strings.HasPrefix(s, prefix) && len(s) <= 128 && !strings.ContainsAny(s, "\r\n\x00") {
			return true
		}
	}
	return false
}

// ParseTopicPolicy reads the DeliveryPolicy of a topic; "" is one that says nothing. Errors are fault.Invalid.
func ParseTopicPolicy(text string) (TopicPolicy, error) {
	var p TopicPolicy
	if text == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return p, badPolicy("the text is not the JSON of a delivery policy")
	}
	return p, checkParts(p.HTTP.Retry, p.HTTP.Throttle, p.HTTP.Request)
}

// ParseSubscriptionPolicy reads the DeliveryPolicy of a subscription, as ParseTopicPolicy does a topic's.
func ParseSubscriptionPolicy(text string) (SubscriptionPolicy, error) {
	var p SubscriptionPolicy
	if text == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return p, badPolicy("the text is not the JSON of a delivery policy")
	}
	return p, checkParts(p.Retry, p.Throttle, p.Request)
}

func badPolicy(why string) error {
	return fault.New(fault.Invalid, "Invalid parameter: DeliveryPolicy: %s", why)
}

// Limits of a retry policy: how many retries, and within how many seconds.
const (
	maxRetries = 100
	maxSeconds = 3600
)

func checkParts(r *RetryPolicy, t *ThrottlePolicy, q *requestPolicy) error {
	if t != nil && (t.PerSecond < 1 || t.PerSecond > 100_000) {
		return badPolicy("throttlePolicy.maxReceivesPerSecond must be at least 1")
	}
	if q != nil && !allowedContentType(q.ContentType) {
		return badPolicy("requestPolicy.headerContentType is not one that can be sent")
	}
	if r == nil {
		return nil
	}
	if r.Backoff == "" {
		r.Backoff = "linear"
	}
	counts := [...]int{r.MinDelay, r.MaxDelay, r.Retries, r.AtMax, r.AtOnce, r.AtMin}
	for _, n := range counts {
		if n < 0 || n > maxSeconds {
			return badPolicy("a number of healthyRetryPolicy is out of its range")
		}
	}
	total := time.Duration(0)
	for i := range min(r.Retries, maxRetries) {
		total += r.delay(i)
	}
	switch {
	case r.Retries > maxRetries:
		return badPolicy("healthyRetryPolicy.numRetries must be less than or equal to 100")
	case r.MinDelay < 1 || r.MinDelay > r.MaxDelay:
		return badPolicy("healthyRetryPolicy.minDelayTarget must be between 1 and maxDelayTarget")
	case r.AtOnce+r.AtMin+r.AtMax > r.Retries:
		return badPolicy("healthyRetryPolicy.numRetries must be greater than or equal to the total of its phases")
	case total > maxSeconds*time.Second:
		return badPolicy("healthyRetryPolicy must not take longer than 3600 seconds")
	case grow(r.Backoff) == nil:
		return badPolicy("healthyRetryPolicy.backoffFunction is none of linear, arithmetic, geometric, exponential")
	}
	return nil
}

// EffectivePolicy returns what counts for a subscription: its own policy where it says something and the topic allows it, then
// the topic's, then the service's. The texts were checked when they were set.
func EffectivePolicy(topic, subscription string) (Policy, error) {
	p := Policy{Retry: defaultRetry(), ContentType: defaultContentType}
	t, err := ParseTopicPolicy(topic)
	if err != nil {
		return p, err
	}
	p.take(t.HTTP.Retry, t.HTTP.Throttle, t.HTTP.Request)
	if t.HTTP.DisableOverrides {
		return p, nil
	}
	s, err := ParseSubscriptionPolicy(subscription)
	if err != nil {
		return p, err
	}
	p.take(s.Retry, s.Throttle, s.Request)
	return p, nil
}

func (p *Policy) take(r *RetryPolicy, t *ThrottlePolicy, q *requestPolicy) {
	if r != nil {
		p.Retry = *r
	}
	if t != nil {
		p.Throttle = t
	}
	if q != nil {
		p.ContentType = q.ContentType
	}
}

// delay returns how long to wait before the retry of this number, 0 for the first.
func (r *RetryPolicy) delay(n int) time.Duration {
	least, most := time.Duration(r.MinDelay)*time.Second, time.Duration(r.MaxDelay)*time.Second
	growing := r.Retries - r.AtOnce - r.AtMin - r.AtMax
	switch n -= r.AtOnce; {
	case n < 0:
		return 0
	case n < r.AtMin:
		return least
	case n >= r.AtMin+growing:
		return most
	}
	n -= r.AtMin
	if growing < 2 {
		return least
	}
	share := grow(r.Backoff)(float64(n) / float64(growing-1))
	return least + time.Duration(share*float64(most-least))
}

// grow returns the curve of a backoff function, from 0 at 0 to 1 at 1; nil for one that there is not.
func grow(function string) func(float64) float64 {
	switch function {
	case "linear":
		return func(x float64) float64 { return x }
	case "arithmetic":
		return func(x float64) float64 { return (x + x*x) / 2 }
	case "geometric":
		return func(x float64) float64 { return x * x }
	case "exponential":
		return func(x float64) float64 { return x * x * x }
	}
	return nil
}

// SetEffective fills in what counts for the subscriptions of the topic, as EffectiveDeliveryPolicy shows it.
func (t *TopicPolicy) SetEffective(p Policy) {
	t.HTTP.Retry, t.HTTP.Throttle, t.HTTP.Request = &p.Retry, p.Throttle, &requestPolicy{p.ContentType}
}

// Subscription returns the policy in the form of a subscription's, as EffectiveDeliveryPolicy shows it.
func (p *Policy) Subscription() SubscriptionPolicy {
	return SubscriptionPolicy{Retry: &p.Retry, Throttle: p.Throttle, Request: &requestPolicy{p.ContentType}}
}
