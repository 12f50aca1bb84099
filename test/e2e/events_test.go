package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/rivus-live/rivus/internal/apptest"
)

func (p *process) events() *eventbridge.Client {
	return eventbridge.New(eventbridge.Options{
		Region: apptest.Region, BaseEndpoint: aws.String(p.PublicURL), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(p.AccessKeyID, "secret-of-the-test", ""),
	})
}

// TestEventsOutliveKills: the server is killed again and again while an application puts events; each that was taken reaches a
// receiver that fails now and then, in order of first arrival for each resource, and at most those around a kill come twice.
func TestEventsOutliveKills(t *testing.T) {
	t.Parallel()
	const events, kills = 90, 3
	var mu sync.Mutex
	calls, times, last := 0, map[int]int{}, map[string]int{}
	arrived := make(chan struct{}, 10_000)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var e struct {
			Resources []string
			Detail    struct{ N int }
		}
		if err := json.Unmarshal(body, &e); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls%7 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if times[e.Detail.N]++; times[e.Detail.N] == 1 {
			if e.Detail.N < last[e.Resources[0]] {
				t.Errorf("event %d of %s came behind %d", e.Detail.N, e.Resources[0], last[e.Resources[0]])
			}
			last[e.Resources[0]] = e.Detail.N
			arrived <- struct{}{}
		}
	}))
	defer receiver.Close()
	dir := t.TempDir()
	p := startProcess(t, dir)
	hook(t, p.events(), receiver.URL)
	taken := 0
	for n := range events {
		for {
			_, err := p.events().PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{{
				Source: aws.String("app"), DetailType: aws.String("T"), Detail: aws.String(fmt.Sprintf(`{"n":%d}`, n)), Resources: []string{fmt.Sprint("r", n%3)},
			}}})
			if err == nil {
				break
			}
			t.Logf("event %d: %v", n, err)
		}
		taken++
		if n%(events/kills) == events/kills-1 {
			p.signal(syscall.SIGKILL)
			p = startProcess(t, dir)
		}
	}
	for range taken {
		<-arrived
	}
	mu.Lock()
	defer mu.Unlock()
	twice := 0
	for _, n := range times {
		twice += n - 1
	}
	t.Logf("%d events, %d kills, %d came again", taken, kills, twice)
}

// hook makes a rule that sends what an application puts to a URL.
func hook(t *testing.T, api *eventbridge.Client, url string) {
	t.Helper()
	c, err := api.CreateConnection(t.Context(), &eventbridge.CreateConnectionInput{
		Name: aws.String("c"), AuthorizationType: types.ConnectionAuthorizationTypeApiKey,
		AuthParameters: &types.CreateConnectionAuthRequestParameters{
			ApiKeyAuthParameters: &types.CreateConnectionApiKeyAuthRequestParameters{ApiKeyName: aws.String("X-Key"), ApiKeyValue: aws.String("k")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := api.CreateApiDestination(t.Context(), &eventbridge.CreateApiDestinationInput{
		Name: aws.String("d"), ConnectionArn: c.ConnectionArn, InvocationEndpoint: &url, HttpMethod: types.ApiDestinationHttpMethodPost,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("hook"), EventPattern: aws.String(`{"source":["app"]}`)}); err != nil {
		t.Fatal(err)
	}
	_, err = api.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("hook"), Targets: []types.Target{{Id: aws.String("t"), Arn: d.ApiDestinationArn}}})
	if err != nil {
		t.Fatal(err)
	}
}
