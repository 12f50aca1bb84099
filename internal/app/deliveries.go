package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/delivery"
	"github.com/rivus-live/rivus/internal/egress"
	"github.com/rivus-live/rivus/internal/event"
	"github.com/rivus-live/rivus/internal/eventbridge"
	"github.com/rivus-live/rivus/internal/fault"
)

// deliveries are the parts that bring events to the targets of rules.
type deliveries struct {
	engine  *delivery.Engine
	targets *delivery.Targets
	vault   *delivery.Vault
	egress  *egress.Client
	list    delivery.List
}

// openDeliveries makes them.
func (s *server) openDeliveries(ctx context.Context) error {
	queue, err := delivery.OpenQueue(ctx, s.store)
	if err != nil {
		return err
	}
	d := &s.deliveries
	d.list = delivery.List{Queue: queue}
	if d.vault, err = delivery.OpenVault(ctx, s.store); err != nil {
		return err
	}
	private, err := s.cfg.PrivateTargets()
	if err != nil {
		return err
	}
	d.egress = egress.New(egress.Options{AllowPrivate: private, AllowLoopback: s.cfg.LoopbackOnly(), Concurrent: maxEgress})
	rules := s.records.Rules
	d.targets = &delivery.Targets{
		APIDestinations: &delivery.APIDestinations{
			Destinations: rules.APIDestinations, Connections: rules.Connections, Vault: d.vault, Egress: d.egress, Clock: s.clock,
		},
		Endpoints: map[string]delivery.Endpoint{}, Allow: s.cfg.AllowTargets,
	}
	endpoints, err := s.cfg.Endpoints()
	if err != nil {
		return err
	}
	client := delivery.NewEndpointClient()
	for service, e := range endpoints {
		d.targets.Endpoints[service] = delivery.Endpoint{URL: e.URL, AccessKeyID: e.AccessKeyID, Secret: e.Secret, Client: client}
	}
	opt := delivery.Options{
		Queue: queue, Rules: rules.Rules, Cursors: rules.Cursors, Outbox: s.relay.Follow, Targets: d.targets.Of, Clock: s.clock, Logger: s.log,
	}
	if s.cfg.NATSURL != "" {
		opt.Publish = event.NewPublisher(s.conn).Publish
	}
	d.engine = delivery.NewEngine(opt)
	return nil
}

// maxEgress is how many requests to addresses of API users may be under way.
const maxEgress = 1024

// run delivers, and authorizes connections, while this node does so for the cluster.
func (d *deliveries) run(ctx context.Context) error {
	var authorizing sync.WaitGroup
	authorizing.Go(func() { d.targets.APIDestinations.Authorize(ctx) })
	err := d.engine.Run(ctx)
	authorizing.Wait()
	return err
}

func (d *deliveries) close() {
	if d.egress != nil {
		d.egress.Close()
	}
}

func (s *server) newEventBridge(pager *awsapi.Pager) *eventbridge.Service {
	d := &s.deliveries
	return eventbridge.New(eventbridge.Options{
		Records: s.records.Rules, Bus: s.relay, Targets: d.targets, Vault: d.vault, Egress: d.egress, Pager: pager,
		Quotas: s.cfg.Quotas == "aws", Clock: s.clock, Logger: s.log,
	})
}

// listFailed shows an operator which events could not be delivered, and why.
func (s *server) listFailed(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, err := strconv.ParseUint("0"+q.Get("after"), 10, 64)
	if err != nil {
		http.Error(w, "after is no number", http.StatusBadRequest)
		return
	}
	page, err := s.deliveries.list.Page(r.Context(), q.Get("region"), q.Get("account"), after)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(page)
}

// resendFailed sends a failed delivery again. A page of another origin cannot ask for that: it may not send this type.
func (s *server) resendFailed(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "application/json" {
		http.Error(w, "the content type is not application/json", http.StatusUnsupportedMediaType)
		return
	}
	var in struct{ Region, Account, ID string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&in); err != nil {
		http.Error(w, "the body is not JSON", http.StatusBadRequest)
		return
	}
	err := s.deliveries.list.Resend(r.Context(), in.Region, in.Account, in.ID)
	switch {
	case fault.Is(err, fault.NotFound):
		http.Error(w, fault.Message(err), http.StatusNotFound)
	case fault.Is(err, fault.Invalid):
		http.Error(w, fault.Message(err), http.StatusBadRequest)
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		_, _ = fmt.Fprintln(w, "ok")
	}
}

// collectDeliveries sends what became of events.
func (p partFigures) collectDeliveries(out figures) {
	d := p.deliveries.engine.Stats()
	out.counter("rivus_events_routed_total", "Events that this node has shown to the rules.", d.Routed)
	out.counter("rivus_events_matched_total", "Deliveries that came of them.", d.Matched)
	const ended, how = "rivus_event_deliveries_total", "Deliveries that this node has ended, by what became of them."
	out.counter(ended, how, d.Delivered, "result", "delivered")
	out.counter(ended, how, d.Dead, "result", "dead_letter")
	out.counter(ended, how, d.Failed, "result", "failed")
	out.counter("rivus_event_retries_total", "Attempts that failed and are made again.", d.Retried)
	out.counter("rivus_event_stepped_aside_total", "Deliveries that let those behind them pass.", d.Aside)
	out.gauge("rivus_event_targets", "Targets that this node has something for, or just had.", float64(d.Targets))
	out.gauge("rivus_event_targets_away", "Of these, those that do not answer.", float64(d.Away))
	out.gauge("rivus_event_attempts", "Attempts under way.", float64(d.InFlight))
}
