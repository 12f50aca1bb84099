// Package natsd runs or reaches the state engine: NATS with JetStream.
//
// By default it starts a NATS server inside the process, on files in a data directory, with no open port; every write
// is on the disk before its answer. With an external URL it only connects. It guards the directory: one process at a
// time, only directories that Rivus made, and what the engine complained about while it recovered its files is kept
// for whoever checks them.
//
// Imports: fault.
package natsd

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Options say where the engine is.
type Options struct {
	Dir            string       // data directory of the embedded server; made when it does not exist
	ExternalURL    string       // one or more comma-separated NATS URLs; when set, no server is started and Dir is not used
	AcceptDataLoss bool         // go past damage: serve what can still be read
	Logger         *slog.Logger // nil discards
}

// Conn is a connection to the engine, and the engine itself when it is embedded.
type Conn struct {
	nc  *nats.Conn
	js  jetstream.JetStream
	opt Options
}

// Start starts the embedded server, or connects to the external one, and waits until JetStream answers.
//
// A directory that is not empty and has no marker of ours is refused and left untouched. The error is a
// fault.Unavailable when an external server does not answer.
func Start(ctx context.Context, opt Options) (*Conn, error) { return nil, nil }

// NATS returns the client connection. It reconnects for ever.
func (c *Conn) NATS() *nats.Conn { return c.nc }

// JetStream returns the JetStream interface of the connection.
func (c *Conn) JetStream() jetstream.JetStream { return c.js }

// Dir returns the data directory, "" when the engine is external.
func (c *Conn) Dir() string { return c.opt.Dir }

// AcceptDataLoss tells whether the operator asked to go past damage.
func (c *Conn) AcceptDataLoss() bool { return c.opt.AcceptDataLoss }

// Close closes the connection and stops the embedded server gracefully. It returns when both are done.
func (c *Conn) Close() {}
