package sns

import (
	"bytes"
	"context"
	"crypto/subtle"
	"strings"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/notification"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// ConfirmSubscription begins a subscription whose endpoint has got its token, or takes the end of one back. It needs no
// signature: the token is the proof. To confirm once more is no error.
func (s *Service) ConfirmSubscription(ctx context.Context, c awsapi.Caller, in *ConfirmSubscriptionInput) (*ConfirmSubscriptionResponse, error) {
	topic, err := s.confirmed(ctx, c, in.TopicArn)
	if err != nil {
		return nil, err
	}
	id, nonce, ok := s.opts.Tokens.Read(topic.ARN.String(), in.Token)
	if !ok {
		return nil, errToken()
	}
	key := store.Key{Scope: topic.ARN.Scope, ID: id}
	lock := strings.EqualFold(restjson.Value(in.AuthenticateOnUnsubscribe), "true") && !c.Anonymous()
	sub, err := s.opts.Records.Subscriptions.Under(records.TopicGuard(keyOf(topic.ARN))).Update(ctx, key, func(now resource.Subscription) (resource.Subscription, error) {
		if subtle.ConstantTimeCompare(now.Nonce, nonce) != 1 {
			return now, errToken()
		}
		if now.State != resource.SubscriptionConfirmed && !s.opts.Clock().Before(now.Until) {
			return now, errToken()
		}
		now.State = resource.SubscriptionConfirmed
		now.Authenticated = now.Authenticated || !c.Anonymous()
		now.AuthenticateOnUnsubscribe = now.AuthenticateOnUnsubscribe || lock
		return now, nil
	})
	if fault.Is(err, fault.NotFound) {
		err = errToken()
	}
	if err != nil {
		return nil, err
	}
	return &ConfirmSubscriptionResponse{SubscriptionArn: new(sub.Value.ARN.String())}, nil
}

// confirmed returns the topic of a confirmation, with a signature or without.
func (s *Service) confirmed(ctx context.Context, c awsapi.Caller, text string) (resource.Topic, error) {
	if c.Anonymous() {
		return s.topicOf(ctx, text)
	}
	return s.named(ctx, c, text)
}

// errToken is the error for a token that confirms nothing here.
func errToken() error { return invalid("Token") }

// Unsubscribe ends a subscription. Whoever has its URL may, unless it was confirmed with a signature and asks for one; then its
// endpoint is told, and can take that back.
func (s *Service) Unsubscribe(ctx context.Context, c awsapi.Caller, in *UnsubscribeInput) (*UnsubscribeResponse, error) {
	key, err := notification.SubscriptionKeyOf(in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	if c.Anonymous() {
		return nil, s.leave(ctx, key)
	}
	sub, topic, err := s.subscription(ctx, c, in.SubscriptionArn)
	if fault.Is(err, fault.NotFound) { // it has ended: that is no error
		a, err := c.Own(in.SubscriptionArn)
		if err != nil {
			return nil, err
		}
		return nil, c.May(a, nil)
	}
	if err != nil {
		return nil, err
	}
	_, err = s.opts.Records.Subscriptions.Delete(ctx, key, func(now resource.Subscription) error {
		if err := c.May(sub.ARN, topic.Tags); err != nil {
			return err
		}
		return notPending(&now)
	})
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	return nil, err
}

func notPending(sub *resource.Subscription) error {
	if sub.State == resource.SubscriptionPending {
		return invalid("SubscriptionArn Reason: Cannot unsubscribe a subscription that is pending confirmation")
	}
	return nil
}

// leave ends a subscription for somebody who has not signed.
func (s *Service) leave(ctx context.Context, key store.Key) error {
	nonce := notification.NewNonce()
	r, err := s.opts.Records.Subscriptions.Update(ctx, key, func(now resource.Subscription) (resource.Subscription, error) {
		if now.State == resource.SubscriptionGone {
			return now, nil
		}
		if now.AuthenticateOnUnsubscribe {
			return now, fault.New(fault.Denied, "The subscription can be ended only by its owner, with a signature")
		}
		if err := notPending(&now); err != nil {
			return now, err
		}
		now.State, now.Until, now.Nonce = resource.SubscriptionGone, s.opts.Clock().UTC().Add(notification.PendingTime), nonce
		return now, nil
	})
	switch {
	case fault.Is(err, fault.NotFound): // it has ended: that is no error
		return nil
	case err != nil:
		return err
	case r.Value.Protocol == notification.SQS || !bytes.Equal(r.Value.Nonce, nonce): // it was ended before
		return nil
	}
	t, err := s.opts.Records.Topics.Get(ctx, keyOf(r.Value.Topic))
	if err != nil {
		return nil //nolint:nilerr // the topic is gone too: there is nothing to go back to
	}
	return s.opts.Publisher.SayGoodbye(ctx, &t.Value, &r.Value)
}
