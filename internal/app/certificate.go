package app

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateCheck is how often the files of a certificate are looked at, when there are handshakes.
const certificateCheck = 10 * time.Second

// certificateFiles is the operator's certificate. Whoever renews it replaces the files; a handshake later than
// certificateCheck after that has the new one, and no restart is needed. Files that cannot be read, or do not fit together
// because only one has been replaced yet, leave the old certificate in use.
type certificateFiles struct {
	chain, key string // paths of PEM files
	clock      func() time.Time
	log        *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	read    fileState // what current was made from
	failed  fileState // what could not be used: told of once
	checked time.Time
}

// fileState tells whether files have been replaced.
type fileState struct{ chain, key os.FileInfo }

func (s fileState) same(other fileState) bool {
	equal := func(a, b os.FileInfo) bool {
		return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
	}
	return equal(s.chain, other.chain) && equal(s.key, other.key)
}

// openCertificate reads a certificate for the first time.
func openCertificate(chain, key string, clock func() time.Time, log *slog.Logger) (*certificateFiles, error) {
	f := &certificateFiles{chain: chain, key: key, clock: clock, log: log}
	now, err := f.state()
	if err != nil {
		return nil, err
	}
	cert, err := tls.LoadX509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("read %s and %s: %w", chain, key, err)
	}
	f.current, f.read, f.checked = &cert, now, clock()
	return f, nil
}

// certificate returns the certificate for a handshake; it has the form of tls.Config.GetCertificate.
func (f *certificateFiles) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.clock(); now.Sub(f.checked) >= certificateCheck {
		f.checked = now
		f.reload()
	}
	return f.current, nil
}

// reload takes replaced files. The lock is held: reading two small files is as long as a handshake waits.
func (f *certificateFiles) reload() {
	now, err := f.state()
	if err == nil {
		if now.same(f.read) || now.same(f.failed) {
			return
		}
		var cert tls.Certificate
		if cert, err = tls.LoadX509KeyPair(f.chain, f.key); err == nil {
			f.current, f.read, f.failed = &cert, now, fileState{}
			f.log.Info("certificate renewed", "file", f.chain, "not_after", cert.Leaf.NotAfter)
			return
		}
	}
	f.failed = now
	f.log.Warn("certificate not renewed; the one before stays in use", "file", f.chain, "error", err)
}

func (f *certificateFiles) state() (s fileState, err error) {
	if s.chain, err = os.Stat(f.chain); err != nil {
		return fileState{}, err
	}
	if s.key, err = os.Stat(f.key); err != nil {
		return fileState{}, err
	}
	return s, nil
}
