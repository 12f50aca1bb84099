package rtc

import (
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// loggers gives Pion's parts a logger. What peers do wrong is theirs, so nothing of it is louder than debug.
type loggers struct{ log *slog.Logger }

// NewLogger returns the logger of a part.
func (l loggers) NewLogger(scope string) logging.LeveledLogger {
	return quiet{l.log.With("part", scope)}
}

type quiet struct{ log *slog.Logger }

func (q quiet) Trace(string)          {}
func (q quiet) Tracef(string, ...any) {}
func (q quiet) Debug(string)          {}
func (q quiet) Debugf(string, ...any) {}
func (q quiet) Info(string)           {}
func (q quiet) Infof(string, ...any)  {}
func (q quiet) Warn(msg string)       { q.debug(msg) }
func (q quiet) Error(msg string)      { q.debug(msg) }

func (q quiet) Warnf(format string, args ...any)  { q.debugf(format, args) }
func (q quiet) Errorf(format string, args ...any) { q.debugf(format, args) }

func (q quiet) debug(msg string) { q.log.Debug("webrtc", "message", msg) }

func (q quiet) debugf(format string, args []any) {
	if q.log.Enabled(nil, slog.LevelDebug) { //nolint:staticcheck // there is no context in Pion's loggers
		q.debug(fmt.Sprintf(format, args...))
	}
}
