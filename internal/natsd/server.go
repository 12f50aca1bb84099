package natsd

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// maxPayload bounds one stored record with its pending events.
const maxPayload = 4 << 20

// maxStore is no limit: else the engine takes one from what is free at its start, and on a full disk refuses even
// deletions. Room is the limit.
const maxStore = 1 << 50

// engineDir is the directory of the engine in a data directory.
const engineDir = "engine"

// StreamPath is the directory of a stream in a data directory.
func StreamPath(stream string) string {
	return filepath.Join(engineDir, "jetstream", "$G", "streams", stream)
}

// startServer starts a NATS server that listens nowhere and keeps its JetStream files below dir.
func startServer(dir string, log *recorder) (*server.Server, error) {
	srv, err := server.NewServer(&server.Options{
		ServerName:             "rivus",
		DontListen:             true,
		NoSigs:                 true,
		JetStream:              true,
		StoreDir:               filepath.Join(dir, engineDir),
		SyncAlways:             true,
		JetStreamMaxStore:      maxStore,
		MaxPayload:             maxPayload,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("configure: %w", err)
	}
	srv.SetLoggerV2(log, false, false, false)
	srv.Start()
	if log.hasGivenUp() || !srv.ReadyForConnections(embeddedStart) || !srv.JetStreamEnabled() {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, errors.New(strings.Join(append([]string{"it did not come up"}, log.list()...), "; "))
	}
	return srv, nil
}

// recorder is the engine's logger. It keeps the warnings: the engine repairs damaged files by dropping what it cannot
// read and only says so here.
type recorder struct {
	log *slog.Logger

	mu      sync.Mutex
	lines   []string
	givenUp bool
}

// hasGivenUp tells that the engine will not come up any more.
func (r *recorder) hasGivenUp() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.givenUp
}

// maxComplaints bounds what is kept; the first lines are the ones that tell about recovery.
const maxComplaints = 200

func (r *recorder) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines...)
}

func (r *recorder) keep(format string, v []any) string {
	line := strings.TrimSpace(fmt.Sprintf(format, v...))
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) < maxComplaints {
		r.lines = append(r.lines, line)
	}
	return line
}

// Noticef logs what an operator of NATS would see; ours does not care.
func (r *recorder) Noticef(format string, v ...any) {
	r.log.Debug("state engine", "text", strings.TrimSpace(fmt.Sprintf(format, v...)))
}

// afterKill is in what the engine says whenever it was killed, and which hurts nothing: it finds out once more when
// deletions may be forgotten.
const afterKill = "TTL state is outdated"

// Warnf keeps and logs a warning.
func (r *recorder) Warnf(format string, v ...any) {
	if strings.Contains(format, afterKill) {
		r.Noticef(format, v...)
		return
	}
	r.log.Warn("state engine", "text", r.keep(format, v))
}

// Errorf keeps and logs an error.
func (r *recorder) Errorf(format string, v ...any) {
	r.log.Error("state engine", "text", r.keep(format, v))
}

// Fatalf keeps and logs what made the server give up. It does not exit: the caller sees that the server is down.
func (r *recorder) Fatalf(format string, v ...any) {
	r.log.Error("state engine", "text", r.keep(format, v))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.givenUp = true
}

// Debugf drops the line.
func (r *recorder) Debugf(string, ...any) {}

// Tracef drops the line.
func (r *recorder) Tracef(string, ...any) {}

// redact takes passwords and tokens out of NATS URLs before they are shown.
func redact(urls string) string {
	list := strings.Split(urls, ",")
	for i, s := range list {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil {
			list[i] = "(unreadable URL)"
			continue
		}
		u.User = nil
		list[i] = u.String()
	}
	return strings.Join(list, ",")
}
