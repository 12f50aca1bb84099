package notification

import (
	"slices"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
)

// TestRetries: the delays of a policy's retries, phase by phase (spec neighbours.md 5, errata.md A5).
func TestRetries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		topic, subscription string
		want                []int // seconds
	}{
		"default":              {"", "", []int{20, 20, 20}},
		"topic":                {`{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":5,"numRetries":5,"backoffFunction":"linear"}}}`, "", []int{1, 2, 3, 4, 5}},
		"subscription wins":    {`{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":5,"numRetries":5}}}`, `{"healthyRetryPolicy":{"minDelayTarget":2,"maxDelayTarget":2,"numRetries":1}}`, []int{2}},
		"unless it may not":    {`{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":7,"maxDelayTarget":7,"numRetries":1},"disableSubscriptionOverrides":true}}`, `{"healthyRetryPolicy":{"minDelayTarget":2,"maxDelayTarget":2,"numRetries":1}}`, []int{7}},
		"four phases":          {"", `{"healthyRetryPolicy":{"minDelayTarget":2,"maxDelayTarget":10,"numRetries":8,"numNoDelayRetries":2,"numMinDelayRetries":1,"numMaxDelayRetries":2,"backoffFunction":"geometric"}}`, []int{0, 0, 2, 2, 4, 10, 10, 10}},
		"exponential":          {"", `{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":9,"numRetries":3,"backoffFunction":"exponential"}}`, []int{1, 2, 9}},
		"no retries":           {"", `{"healthyRetryPolicy":{"minDelayTarget":1,"maxDelayTarget":1,"numRetries":0}}`, nil},
		"a throttle says none": {"", `{"throttlePolicy":{"maxReceivesPerSecond":3}}`, []int{20, 20, 20}},
	} {
		p, err := EffectivePolicy(c.topic, c.subscription)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []int
		for i := range p.Retry.Retries {
			got = append(got, int(p.Retry.delay(i)/time.Second))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestBadPolicies: what is out of the limits is refused.
func TestBadPolicies(t *testing.T) {
	t.Parallel()
	retry := func(s string) string { return `{"healthyRetryPolicy":` + s + `}` }
	for _, text := range []string{
		`{`, `[]`, `{"healthyRetryPolicy":7}`,
		retry(`{"minDelayTarget":0,"maxDelayTarget":5,"numRetries":1}`), retry(`{"minDelayTarget":6,"maxDelayTarget":5,"numRetries":1}`),
		retry(`{"minDelayTarget":1,"maxDelayTarget":5,"numRetries":101}`), retry(`{"minDelayTarget":1,"maxDelayTarget":5,"numRetries":-1}`),
		retry(`{"minDelayTarget":1,"maxDelayTarget":5,"numRetries":2,"numNoDelayRetries":2,"numMinDelayRetries":1}`),
		retry(`{"minDelayTarget":60,"maxDelayTarget":60,"numRetries":61}`), retry(`{"minDelayTarget":1,"maxDelayTarget":3601,"numRetries":1}`),
		retry(`{"minDelayTarget":1,"maxDelayTarget":1,"numRetries":1,"backoffFunction":"wild"}`),
		`{"throttlePolicy":{"maxReceivesPerSecond":0}}`, `{"requestPolicy":{"headerContentType":"image/png"}}`,
		`{"requestPolicy":{"headerContentType":"text/plain\r\nX: y"}}`,
	} {
		if _, err := ParseSubscriptionPolicy(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := ParseTopicPolicy(`{"http":{"defaultRequestPolicy":{"headerContentType":"x"}}}`); !fault.Is(err, fault.Invalid) {
		t.Errorf("topic: %v", err)
	}
}

// FuzzPolicy: a policy that is taken asks for no more than an hour of retries, and no wait is shorter than nothing.
func FuzzPolicy(f *testing.F) {
	f.Add(`{"healthyRetryPolicy":{"minDelayTarget":2,"maxDelayTarget":10,"numRetries":8,"numNoDelayRetries":2,"backoffFunction":"geometric"}}`)
	f.Add(`{"healthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3},"throttlePolicy":{"maxReceivesPerSecond":1}}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := EffectivePolicy("", text)
		if err != nil {
			return
		}
		total := time.Duration(0)
		for i := range p.Retry.Retries {
			d := p.Retry.delay(i)
			if d < 0 || d > time.Duration(p.Retry.MaxDelay)*time.Second {
				t.Fatalf("retry %d waits %s", i, d)
			}
			total += d
		}
		if total > time.Hour || p.Retry.Retries > 100 {
			t.Fatalf("%d retries in %s", p.Retry.Retries, total)
		}
	})
}
