package delivery

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/rivus-live/rivus/internal/egress"
	"github.com/rivus-live/rivus/internal/event"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/seal"
	"github.com/rivus-live/rivus/internal/store"
)

// BenchmarkDelivery is an event's way from the call that puts it on the bus to a target: how many a second when many are put at
// once, and how long one takes that is alone. The targets: one that takes everything at once, and one over HTTP.
func BenchmarkDelivery(b *testing.B) {
	for _, how := range []struct {
		name    string
		measure func(*testing.B, *world, <-chan string)
	}{{"many", many}, {"alone", alone}} {
		b.Run(how.name+"/subject", func(b *testing.B) { toSubject(b, how.measure) })
		b.Run(how.name+"/function", func(b *testing.B) { toFunction(b, how.measure) })
		b.Run(how.name+"/http", func(b *testing.B) { toHTTP(b, how.measure) })
	}
}

// toSubject has events published without a rule.
func toSubject(b *testing.B, measure func(*testing.B, *world, <-chan string)) {
	b.Helper()
	w := newWorld(b)
	w.publish = event.NewPublisher(w.conn).Publish
	got := make(chan string, 1024)
	_, err := w.conn.NATS().Subscribe("rivus.events."+scope.Account+"."+scope.Region, func(m *nats.Msg) { got <- m.Subject })
	if err != nil {
		b.Fatal(err)
	}
	measure(b, w, got)
}

func toFunction(b *testing.B, measure func(*testing.B, *world, <-chan string)) {
	b.Helper()
	w := newWorld(b)
	w.pace = Pace{}
	got := make(chan string, 1024)
	w.target("a", resource.RuleTarget{}, func(_ context.Context, d *Delivery, _ []byte) error {
		got <- d.EventID
		return nil
	})
	measure(b, w, got)
}

func toHTTP(b *testing.B, measure func(*testing.B, *world, <-chan string)) {
	b.Helper()
	w := newWorld(b)
	w.pace = Pace{}
	got := make(chan string, 1024)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("X-Event") }))
	defer srv.Close()
	vault, err := NewVault(make([]byte, seal.KeySize))
	if err != nil {
		b.Fatal(err)
	}
	api := &APIDestinations{
		Destinations: w.records.APIDestinations, Connections: w.records.Connections, Vault: vault,
		Egress: egress.New(egress.Options{AllowLoopback: true}), Clock: time.Now,
	}
	defer api.Egress.Close()
	create(b, w, srv.URL)
	w.target("a", resource.RuleTarget{}, func(ctx context.Context, d *Delivery, payload []byte) error {
		sent := *d
		sent.Target = resource.RuleTarget{ARN: destination, HTTP: &resource.HTTPParameters{Header: map[string]string{"X-Event": d.EventID}}}
		return api.Deliver(ctx, &sent, payload)
	})
	measure(b, w, got)
}

func create(b *testing.B, w *world, url string) {
	b.Helper()
	c := resource.Connection{Name: "c", UUID: "u1", AuthType: resource.AuthBasic, State: resource.ConnectionAuthorized}
	if _, err := w.records.Connections.Create(b.Context(), store.Key{Scope: scope, ID: "c"}, c); err != nil {
		b.Fatal(err)
	}
	d := resource.APIDestination{Name: "d", UUID: "u2", Connection: "c", Endpoint: url, Method: http.MethodPost}
	if _, err := w.records.APIDestinations.Create(b.Context(), store.Key{Scope: scope, ID: "d"}, d); err != nil {
		b.Fatal(err)
	}
}

// many puts b.N events of eight resources at once and waits for all of them.
func many(b *testing.B, w *world, got <-chan string) {
	b.Helper()
	const resources = 8
	w.run()
	b.ResetTimer()
	var putting sync.WaitGroup
	for r := range resources {
		putting.Go(func() {
			for n := r; n < b.N; n += resources {
				w.put("a", fmt.Sprint("r", r), n)
			}
		})
	}
	for range b.N {
		<-got
	}
	putting.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// alone puts one event after the other, each when the one before has arrived.
func alone(b *testing.B, w *world, got <-chan string) {
	b.Helper()
	w.run()
	delays := make([]time.Duration, b.N)
	b.ResetTimer()
	for n := range b.N {
		began := time.Now()
		w.put("a", "r", n)
		<-got
		delays[n] = time.Since(began)
	}
	b.StopTimer()
	slices.Sort(delays)
	b.ReportMetric(float64(delays[len(delays)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(delays[len(delays)*99/100].Microseconds())/1000, "p99-ms")
}
