// Package store keeps the records of Rivus in typed tables on the state engine.
//
// There are three storage classes. Facts survive everything: a write is on the disk before it returns. Presence lives
// in memory and tells who runs what now. History is append-only and read newest first. Facts and presence are held in
// an ordered index in memory, which follows the engine; a write returns when its own revision is in the index, so a
// caller always reads its own writes. When the engine does not answer, reads go on and writes fail with
// fault.Unavailable within a bounded time.
//
// One record is one aggregate and one put is one transaction. Values handed out are shared with the index: treat maps
// and slices inside them as read-only. Only the function given to Update gets a copy of its own.
//
// Imports: arn, fault, natsd, natsd/streamfile.
package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/natsd"
)

// engineTimeout bounds every single question to the engine.
const engineTimeout = 5 * time.Second

// Options configure a store.
type Options struct {
	Logger   *slog.Logger // nil discards
	Replicas int          // copies of every record in a cluster; 0 means 1
}

// Store is the open state of one process.
type Store struct {
	conn     *natsd.Conn
	log      *slog.Logger
	replicas int
	facts    *bucket
	presence *bucket
	stop     context.CancelFunc
	running  sync.WaitGroup
	secrets  *Table[secret]
	guards   *Table[guard]

	mu     sync.Mutex
	tables map[string]any // by class and name: *Table[T]
	logs   map[string]struct{}
}

// Open opens the buckets, makes those that do not exist and checks every record in them. Damage is an error that names
// the lost or broken records, unless the connection accepts data loss.
func Open(ctx context.Context, conn *natsd.Conn, opt Options) (*Store, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		conn: conn, log: opt.Logger, replicas: max(1, opt.Replicas),
		tables: map[string]any{}, logs: map[string]struct{}{},
	}
	s.facts = newBucket(conn, s.log, factsConfig(s.replicas))
	s.presence = newBucket(conn, s.log, presenceConfig(s.replicas))
	if dir := conn.Dir(); dir != "" {
		s.facts.ledgerPath = filepath.Join(dir, ledgerName)
	}
	var following context.Context
	following, s.stop = context.WithCancel(context.Background())
	for _, b := range []*bucket{s.facts, s.presence} {
		s.running.Go(func() { b.run(following) })
	}
	for _, b := range []*bucket{s.facts, s.presence} {
		if err := b.awaitOpen(ctx); err != nil {
			s.Close()
			return nil, fmt.Errorf("store: open %s: %w", b.name, err)
		}
	}
	var err error
	if s.secrets, err = OpenTable(ctx, s, Definition[secret]{Name: "secret", Class: Facts}); err != nil {
		s.Close()
		return nil, err
	}
	if s.guards, err = OpenTable(ctx, s, guardDefinition()); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close stops following the engine and returns when the last goroutine has ended. It does not close the connection.
func (s *Store) Close() {
	s.stop()
	s.running.Wait()
}

// engine is the engine for what is stored on disk.
func (s *Store) engine() engine { return newEngine(s.conn, s.conn.Room) }

// checkTimeout bounds Check: who asks for a server's health does not wait for long.
const checkTimeout = 2 * time.Second

// Check tells whether facts can be written now: the engine answers for them, and their disk has room. The error is
// fault.Unavailable and says what is missing.
func (s *Store) Check(ctx context.Context) error {
	if err := s.conn.Room(false); err != nil {
		return err
	}
	if !s.conn.NATS().IsConnected() {
		return unavailable(nats.ErrConnectionReconnecting)
	}
	asking, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_, err := s.conn.JetStream().Stream(asking, s.facts.cfg.Name)
	return unavailable(err)
}

// FactsAsOf returns when the facts in memory were last known to be those of the engine, which says so once a second while
// it can be reached. They may have changed since.
func (s *Store) FactsAsOf() time.Time { return time.Unix(0, s.facts.asOf.Load()) }

func factsConfig(replicas int) jetstream.StreamConfig {
	cfg := bucketConfig("rivus-facts", replicas)
	cfg.Storage = jetstream.FileStorage
	cfg.AllowAtomicPublish = true
	cfg.AllowMsgTTL = true // of deletions
	return cfg
}

func presenceConfig(replicas int) jetstream.StreamConfig {
	cfg := bucketConfig("rivus-presence", replicas)
	cfg.Storage = jetstream.MemoryStorage
	cfg.AllowMsgTTL = true
	cfg.SubjectDeleteMarkerTTL = time.Minute
	return cfg
}

// bucketConfig is what the client library would make for a key-value bucket, so that its tools can read ours. We make
// the stream ourselves because the library cannot set everything and turns off what it does not know.
func bucketConfig(name string, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              "KV_" + name,
		Subjects:          []string{"$KV." + name + ".>"},
		MaxMsgsPerSubject: 1,
		Discard:           jetstream.DiscardNew,
		DenyDelete:        true,
		AllowRollup:       true,
		AllowDirect:       true,
		Duplicates:        2 * time.Minute,
		Replicas:          replicas,
	}
}

// ensureStream opens a stream as cfg says: it is made when it does not exist and changed when it differs.
func ensureStream(ctx context.Context, js jetstream.JetStream, cfg jetstream.StreamConfig) (*jetstream.StreamInfo, error) {
	stream, err := js.Stream(ctx, cfg.Name)
	made := errors.Is(err, jetstream.ErrStreamNotFound)
	if made {
		stream, err = js.CreateStream(ctx, cfg)
		if cfg.Replicas > 1 && isNoPlace(err) {
			return nil, fmt.Errorf("make stream %s: the NATS cluster has no %d servers with room for it now (--nats-replicas): %w", cfg.Name, cfg.Replicas, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", cfg.Name, err)
	}
	// A new stream is written once more: in the remains of a damaged one the engine leaves the old description.
	info := stream.CachedInfo()
	if !made && sameConfig(info.Config, cfg) {
		return info, nil
	}
	if stream, err = js.UpdateStream(ctx, cfg); err != nil {
		return nil, fmt.Errorf("change stream %s: %w", cfg.Name, err)
	}
	return stream.CachedInfo(), nil
}

// isNoPlace reports whether the engine has too few servers for the copies of a stream.
func isNoPlace(err error) bool {
	const insufficientResources, noPeers, notClustered = 10023, 10005, 10074 // of nats-server's errors.json
	var api *jetstream.APIError
	return errors.As(err, &api) && slices.Contains([]jetstream.ErrorCode{insufficientResources, noPeers, notClustered}, api.ErrorCode)
}

func sameConfig(a, b jetstream.StreamConfig) bool {
	return a.Replicas == b.Replicas && a.AllowAtomicPublish == b.AllowAtomicPublish && a.AllowMsgTTL == b.AllowMsgTTL &&
		a.SubjectDeleteMarkerTTL == b.SubjectDeleteMarkerTTL && max(0, a.MaxMsgsPerSubject) == max(0, b.MaxMsgsPerSubject) && // the engine says -1 for 0

		a.AllowDirect == b.AllowDirect && a.MaxAge == b.MaxAge && a.PersistMode == b.PersistMode &&
		a.Duplicates == b.Duplicates
}

// Damage is the error of a state that is not what it was.
type Damage struct {
	Lost       []string // what is lost, one line each
	Unreadable []string // which files, and where; a start that found it there has changed nothing
	Sound      int      // records and entries that can be read, when there is something in Unreadable
	Complaints []string // what the engine said while it recovered its files
}

// Error names at most ten losses and unreadable places, and everything the engine said.
func (d *Damage) Error() string {
	var b strings.Builder
	b.WriteString("the stored state is damaged (--accept-data-loss goes past it): ")
	b.WriteString(joinSome(d.Lost))
	if len(d.Unreadable) > 0 {
		b.WriteString(". " + joinSome(d.Unreadable))
	}
	if d.Sound > 0 {
		fmt.Fprintf(&b, ". Nothing was changed; %d records and history entries can be read", d.Sound)
	}
	if len(d.Complaints) > 0 {
		b.WriteString(". The engine said: " + strings.Join(d.Complaints, "; "))
	}
	return b.String()
}

// joinSome joins the first ten of a list.
func joinSome(list []string) string {
	const shown = 10
	text := strings.Join(list[:min(shown, len(list))], "; ")
	if len(list) > shown {
		text += fmt.Sprintf("; and %d more findings", len(list)-shown)
	}
	return text
}

// judge returns nil when nothing is lost, or when the operator accepts it.
func judge(conn *natsd.Conn, log *slog.Logger, lost []string) error {
	if len(lost) == 0 {
		return nil
	}
	if conn.AcceptDataLoss() {
		log.Error("going on without damaged records, as told", "lost", lost)
		return nil
	}
	return &Damage{Lost: lost, Complaints: conn.Complaints()}
}

// secret is a record of the table of secrets.
type secret struct {
	Value []byte `json:"value"`
}

// Secret returns a random secret of size bytes that is made once under this name and kept with the facts.
func (s *Store) Secret(ctx context.Context, name string, size int) ([]byte, error) {
	key := Key{ID: name}
	for {
		r, err := s.secrets.Get(ctx, key)
		if err == nil && len(r.Value.Value) == size {
			return r.Value.Value, nil
		}
		if err == nil {
			return nil, fmt.Errorf("store: secret %s has %d bytes, not %d", name, len(r.Value.Value), size)
		}
		if !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		fresh := secret{Value: make([]byte, size)}
		if _, err := rand.Read(fresh.Value); err != nil {
			return nil, fmt.Errorf("store: make secret %s: %w", name, err)
		}
		err = AtStart(ctx, s.log, "make the secret "+name, func(ctx context.Context) error {
			r, err = s.secrets.Create(ctx, key, fresh)
			return err
		})
		if err == nil {
			return r.Value.Value, nil
		}
		if !fault.Is(err, fault.Conflict) { // another process was faster: read its secret
			return nil, err
		}
	}
}
