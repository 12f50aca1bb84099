// Package natsd runs or reaches the state engine: NATS with JetStream.
//
// By default it starts a NATS server inside the process, on files in a data directory, with no open port; every write
// is on the disk before its answer. With an external URL it only connects. It guards the directory: one process at a
// time, only directories that Rivus made, and what the engine complained about while it recovered its files is kept
// for whoever checks them.
//
// Imports: fault, natsd/streamfile.
package natsd

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rivus-live/rivus/internal/fault"
)

// Options say where the engine is.
type Options struct {
	Dir            string       // data directory, made when it does not exist; may be empty when the engine is external
	ExternalURL    string       // one or more comma-separated NATS URLs; when set, no server is started in Dir
	AcceptDataLoss bool         // go past damage: serve what can still be read
	Logger         *slog.Logger // nil discards

	// Inspect judges the data directory before the embedded engine touches it; an error ends the start. It may change the
	// engine's files. nil: the engine is trusted with whatever is there.
	Inspect func(dir string, acceptLoss bool, log *slog.Logger) error

	// Between stands between Rivus and the engine, for tests of what goes wrong there; nil: nothing does.
	Between func(Exchange) Exchange
}

// Exchange sends one request to the engine and returns its answer. An error before the answer leaves open whether the
// engine has the request; nats.ErrNoResponders says that it has not.
type Exchange func(ctx context.Context, m *nats.Msg) (*nats.Msg, error)

// Conn is a connection to the engine, and the engine itself when it is embedded.
type Conn struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	opt      Options
	dir      *directory     // nil when there is none
	srv      *server.Server // nil when external
	room     *room          // nil when external
	recovery *recorder      // nil when external
	closed   chan struct{}  // closed when the client connection is

	mu        sync.Mutex
	afterStop []func()
}

// How long the engine may take to come up and to say goodbye. Recovering a large directory after a crash reads all of
// it, so the embedded limit is generous; an external server either answers soon or is not there.
const (
	embeddedStart = 2 * time.Minute
	externalStart = 10 * time.Second
	closeTimeout  = 10 * time.Second
)

// Start starts the embedded server, or connects to the external one, and waits until JetStream answers.
//
// The directory is this process's own until Close, whether or not an engine runs in it: what else Rivus keeps there
// belongs to one process too. A directory that is not empty and has no marker of ours is refused and left untouched. The error is a
// fault.Unavailable when an external server does not answer.
func Start(ctx context.Context, opt Options) (*Conn, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Conn{opt: opt, closed: make(chan struct{})}
	start := c.startEmbedded
	if opt.ExternalURL != "" {
		start = c.startExternal
	}
	if err := start(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) startExternal(ctx context.Context) error {
	if c.opt.Dir != "" {
		if err := c.openDir(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, externalStart)
	defer cancel()
	err := c.connect(ctx, c.opt.ExternalURL)
	return fault.Wrap(fault.Unavailable, err, "the NATS server at %s does not answer", redact(c.opt.ExternalURL))
}

func (c *Conn) startEmbedded(ctx context.Context) error {
	err := c.openDir()
	if err != nil {
		return err
	}
	if c.opt.Inspect != nil {
		if err := c.opt.Inspect(c.dir.path, c.opt.AcceptDataLoss, c.opt.Logger); err != nil {
			return err //nolint:wrapcheck // it is the verdict of another package
		}
	}
	c.room = newRoom(c.dir, c.opt.Logger.Warn)
	_ = c.room.check(false) // make what room there can be; a start needs none
	c.recovery = &recorder{log: c.opt.Logger}
	if c.srv, err = startServer(c.dir.path, c.recovery); err != nil {
		return fmt.Errorf("natsd: start the embedded engine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, embeddedStart)
	defer cancel()
	if err := c.connect(ctx, "", nats.InProcessServer(c.srv)); err != nil {
		return fmt.Errorf("natsd: connect to the embedded engine: %w", err)
	}
	return nil
}

func (c *Conn) openDir() (err error) {
	if c.dir, err = openDirectory(c.opt.Dir, c.opt.AcceptDataLoss); err != nil {
		return fmt.Errorf("natsd: %w", err)
	}
	return nil
}

// connect dials until it succeeds or ctx ends, and then waits until JetStream answers: a server that has just started,
// or a cluster that is electing, accepts connections before it does.
func (c *Conn) connect(ctx context.Context, url string, more ...nats.Option) error {
	opts := append([]nats.Option{
		nats.Name("rivus"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.ReconnectBufSize(-1), // a write that cannot be sent now must fail now
		nats.Timeout(2 * time.Second),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ErrorHandler(c.onError),
		nats.DisconnectErrHandler(c.onDisconnect),
		nats.ReconnectHandler(c.onReconnect),
		nats.ClosedHandler(func(*nats.Conn) { close(c.closed) }),
	}, more...)
	for told := false; ; {
		err := c.try(ctx, url, opts)
		if err == nil {
			return nil
		}
		if !told && url != "" { // whoever waits wants to know for what
			c.opt.Logger.Warn("the NATS server does not answer yet", "url", redact(url), "error", err)
			told = true
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c *Conn) try(ctx context.Context, url string, opts []nats.Option) error {
	if c.nc == nil {
		nc, err := nats.Connect(url, opts...)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		js, err := jetstream.New(nc)
		if err != nil {
			nc.Close()
			return fmt.Errorf("open JetStream: %w", err)
		}
		c.nc, c.js = nc, js
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := c.js.AccountInfo(ctx); err != nil {
		return fmt.Errorf("ask JetStream: %w", err)
	}
	return nil
}

func (c *Conn) onError(_ *nats.Conn, sub *nats.Subscription, err error) {
	subject := ""
	if sub != nil {
		subject = sub.Subject
	}
	c.opt.Logger.Warn("state engine connection", "error", err, "subject", subject)
}

func (c *Conn) onDisconnect(_ *nats.Conn, err error) {
	if err != nil { // nil on our own Close
		c.opt.Logger.Warn("state engine disconnected", "error", err)
	}
}

func (c *Conn) onReconnect(*nats.Conn) { c.opt.Logger.Info("state engine reconnected") }

// NATS returns the client connection. It reconnects for ever.
func (c *Conn) NATS() *nats.Conn { return c.nc }

// Request is the Exchange with the engine by which records are written and read.
func (c *Conn) Request(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
	exchange := Exchange(c.nc.RequestMsgWithContext)
	if c.opt.Between != nil {
		exchange = c.opt.Between(exchange)
	}
	return exchange(ctx, m) // the caller says what it asked
}

// JetStream returns the JetStream interface of the connection.
func (c *Conn) JetStream() jetstream.JetStream { return c.js }

// Dir returns the directory in which the engine keeps its files, "" when it is external.
func (c *Conn) Dir() string {
	if c.opt.ExternalURL != "" {
		return ""
	}
	return c.opt.Dir
}

// clusterReplicas is how many copies a cluster keeps unless somebody says otherwise: with fewer it cannot lose a server
// and go on.
const clusterReplicas = 3

// Replicas returns how many copies of every record the engine is to keep: as many as are wanted, and where that is 0 as
// many as suit the engine.
func (c *Conn) Replicas(wanted int) int {
	switch {
	case wanted > 0:
		return wanted
	case c.opt.ExternalURL != "" && c.nc.ConnectedClusterName() != "":
		return clusterReplicas
	}
	return 1
}

// AcceptDataLoss tells whether the operator asked to go past damage.
func (c *Conn) AcceptDataLoss() bool { return c.opt.AcceptDataLoss }

// Room is a fault.Unavailable when the disk of the data directory is all but full; a deletion may take more of it than
// another write. Ask before writing anything that the engine stores on it: the engine itself answers to a full disk by
// never writing to that stream again.
func (c *Conn) Room(deletion bool) error {
	if c.room == nil {
		return nil
	}
	return c.room.check(deletion)
}

// Complaints returns what the embedded engine warned about since it started, oldest first. Most of it is harmless
// after a crash; next to a lost record it says which file was hurt.
func (c *Conn) Complaints() []string {
	if c.recovery == nil {
		return nil
	}
	return c.recovery.list()
}

// AfterStop has fn called by Close when the embedded server has stopped and all it was told is on the disk. With an
// external server it is never called.
func (c *Conn) AfterStop(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.afterStop = append(c.afterStop, fn)
}

func (c *Conn) stopped() {
	c.mu.Lock()
	list := c.afterStop
	c.afterStop = nil
	c.mu.Unlock()
	for _, fn := range list {
		fn()
	}
}

// Close closes the connection and stops the embedded server gracefully. It returns when both are done.
func (c *Conn) Close() {
	if c.nc != nil {
		c.nc.Close()
		select {
		case <-c.closed:
		case <-time.After(closeTimeout):
		}
	}
	if c.srv != nil {
		c.srv.Shutdown()
		c.srv.WaitForShutdown()
		c.stopped()
	}
	if c.dir != nil {
		c.dir.unlock()
	}
}
