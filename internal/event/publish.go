package event

import (
	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/natsd"
)

// subjects begins the subjects under which events are published to whoever shares our engine.
const subjects = "rivus.events."

// Publisher tells everybody on an external engine of events, under rivus.events.<account>.<region>. It keeps nothing: who is
// not subscribed misses them.
type Publisher struct{ conn *natsd.Conn }

// NewPublisher returns a publisher.
func NewPublisher(conn *natsd.Conn) *Publisher { return &Publisher{conn} }

// Publish sends an event as it is on the bus, and waits for nobody.
func (p *Publisher) Publish(scope arn.Scope, event []byte) {
	_ = p.conn.NATS().Publish(subjects+scope.Account+"."+scope.Region, event) // what cannot be sent now is missed
}
