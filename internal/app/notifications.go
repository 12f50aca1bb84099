package app

import (
	"context"
	"fmt"
	"sync"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/delivery"
	"github.com/rivus-live/rivus/internal/notification"
	"github.com/rivus-live/rivus/internal/sns"
	"github.com/rivus-live/rivus/internal/tagging"
)

// notifications are the parts that bring messages to the subscribers of topics.
type notifications struct {
	engine    *delivery.Engine
	publisher *notification.Publisher
	signer    *notification.Signer
	tokens    *notification.Tokens
}

// openNotifications makes them, and has the rules of events publish through them. Deliveries are open.
func (s *server) openNotifications(ctx context.Context) error {
	queue, err := notification.OpenQueue(ctx, s.store)
	if err != nil {
		return err
	}
	n, r := &s.notifications, s.records.Topics
	if n.tokens, err = notification.OpenTokens(ctx, s.store); err != nil {
		return err
	}
	if n.signer, err = s.openSigner(ctx); err != nil {
		return err
	}
	n.publisher = &notification.Publisher{Records: r, Queue: queue, Clock: s.clock, Logger: s.log}
	s.deliveries.targets.Topics = n.publisher
	subscribers := &notification.Subscribers{
		Records: r, Signer: n.signer, Tokens: n.tokens, Egress: s.deliveries.egress, Queues: s.deliveries.targets, Clock: s.clock,
	}
	n.engine = delivery.NewEngine(delivery.Options{
		Queue: queue, Targets: subscribers.Of, Clock: s.clock, Logger: s.log, Pace: notification.Pace(),
	})
	return nil
}

// openSigner returns a signer with the operator's key, or with the one that is in the store.
func (s *server) openSigner(ctx context.Context) (*notification.Signer, error) {
	certificate, key, err := s.cfg.SigningPair()
	if err != nil {
		return nil, err
	}
	if certificate == nil {
		return notification.OpenSigner(ctx, s.store, s.records.Topics.SigningKeys)
	}
	signer, err := notification.NewSigner(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("--sns-cert and --sns-key: %w", err)
	}
	return signer, nil
}

// run delivers, and forgets subscriptions that are over, while this node does so for the cluster.
func (n *notifications) run(ctx context.Context) error {
	var sweeping sync.WaitGroup
	sweeping.Go(func() { _ = n.publisher.Sweep(ctx) }) // it ends with ctx alone
	err := n.engine.Run(ctx)
	sweeping.Wait()
	return err
}

func (s *server) newSNS(pager *awsapi.Pager, tags *tagging.Registry) *sns.Service {
	n, d := &s.notifications, &s.deliveries
	return sns.New(sns.Options{
		Records: s.records.Topics, Publisher: n.publisher, Tokens: n.tokens, Egress: d.egress, Queues: d.targets, Pager: pager,
		Tags: tags, Quotas: s.cfg.Quotas == "aws", Clock: s.clock,
	})
}

// collectNotifications sends what became of messages.
func (p partFigures) collectNotifications(out figures) {
	d := p.notifications.engine.Stats()
	const ended, how = "rivus_notifications_total", "Messages to subscribers that this node has ended, by what became of them."
	out.counter(ended, how, d.Delivered, "result", "delivered")
	out.counter(ended, how, d.Dead, "result", "dead_letter")
	out.counter(ended, how, d.Failed, "result", "failed")
	out.counter("rivus_notification_retries_total", "Attempts that failed and are made again.", d.Retried)
	out.gauge("rivus_notification_subscribers", "Subscribers that this node has something for, or just had.", float64(d.Targets))
	out.gauge("rivus_notification_subscribers_away", "Of these, those that do not answer.", float64(d.Away))
}
