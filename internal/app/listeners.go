package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rivus-live/rivus/internal/config"
)

// listeners are the open ports of a server. A nil one is turned off.
type listeners struct {
	http, rtmp, rtmps, admin net.Listener
	tls                      *tls.Config
	shared                   []*sharedListener
	closing                  sync.Once
}

// listen opens every port, so that a taken one is reported before anything runs.
func (s *server) listen(ctx context.Context) error {
	l := &listeners{}
	s.listeners = l
	if s.cfg.TLS() || s.cfg.RTMPSAddr != "" {
		var err error
		if l.tls, err = serverTLS(s.cfg, s.clock, s.log); err != nil {
			return err
		}
	}
	for _, o := range []struct {
		flag, addr string
		to         *net.Listener
	}{
		{"--http-addr", s.cfg.HTTPAddr, &l.http},
		{"--rtmp-addr", s.cfg.RTMPAddr, &l.rtmp},
		{"--rtmps-addr", s.cfg.RTMPSAddr, &l.rtmps},
		{"--admin-addr", s.cfg.AdminAddr, &l.admin},
	} {
		if o.addr == "" {
			continue
		}
		var lc net.ListenConfig
		opened, err := lc.Listen(ctx, "tcp", o.addr)
		if err != nil {
			l.close()
			return fmt.Errorf("%s: %w", o.flag, err)
		}
		*o.to = s.doors.guard(opened)
	}
	return nil
}

// start serves every port inside g until ctx ends or the listeners are closed.
func (l *listeners) start(g *errgroup.Group, ctx context.Context, s *server) {
	serveHTTP := func(name string, srv *http.Server, ln net.Listener) {
		g.Go(func() error {
			err := srv.Serve(ln)
			if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("%s: %w", name, err)
		})
	}
	encrypted := func(ln net.Listener) net.Listener {
		sh := newSharedListener(ctx, ln, l.tls, maxHandshakes, func(ctx context.Context, c net.Conn) { s.rtmp.ServeConn(ctx, c, true) }, s.tlsDefect)
		l.shared = append(l.shared, sh)
		g.Go(func() error { sh.wait(); return nil })
		return sh
	}
	if s.cfg.TLS() {
		serveHTTP("http", s.http, encrypted(l.http))
	} else {
		serveHTTP("http", s.http, l.http)
	}
	serveHTTP("http", s.http, s.origin.TakeOver()) // connections on which viewers ask for something else
	if l.rtmps != nil {
		serveHTTP("rtmps", s.http, encrypted(l.rtmps))
	}
	if l.rtmp != nil {
		g.Go(func() error { return named("rtmp", s.rtmp.Serve(ctx, l.rtmp, false)) })
	}
	if l.admin != nil {
		admin := &http.Server{Handler: s.adminHandler(), ReadHeaderTimeout: 10 * time.Second}
		serveHTTP("admin", admin, l.admin)
		g.Go(func() error {
			<-ctx.Done()
			if err := admin.Close(); err != nil && !errors.Is(err, net.ErrClosed) { // the listener may be closed already
				return fmt.Errorf("admin: %w", err)
			}
			return nil
		})
	}
}

// close closes every port; a second call does nothing.
func (l *listeners) close() {
	l.closing.Do(func() {
		for _, sh := range l.shared {
			_ = sh.Close()
		}
		for _, ln := range []net.Listener{l.http, l.rtmp, l.rtmps, l.admin} {
			if ln != nil {
				_ = ln.Close()
			}
		}
	})
}

func addrOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

func portOf(l net.Listener) string {
	_, port, err := net.SplitHostPort(addrOf(l))
	if err != nil {
		return ""
	}
	return port
}

func joinHostPort(host, port string) string { return net.JoinHostPort(host, port) }

// readyInfo describes the running server.
func (s *server) readyInfo() Ready {
	scheme := "http://"
	if s.cfg.TLS() {
		scheme = "https://"
	}
	public := strings.TrimSuffix(s.cfg.PublicURL, "/")
	if public == "" {
		public = scheme + config.Reachable(addrOf(s.listeners.http))
	}
	return Ready{
		HTTP: addrOf(s.listeners.http), RTMP: addrOf(s.listeners.rtmp), RTMPS: addrOf(s.listeners.rtmps), Media: s.stages.addr(), Admin: addrOf(s.listeners.admin),
		PublicURL: public, AccountID: s.key.account,
		AccessKeyID: s.key.accessKeyID, SecretAccessKey: s.key.secret, CredentialsFile: s.key.path,
	}
}
