// Package app wires Rivus by hand: it builds every part in order, starts it, and stops it in reverse.
//
// Run is the whole server; main calls it, and so do tests. Nothing else knows how the parts fit together, and no part
// below knows this package.
//
// Imports: everything below it.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rivus-live/rivus/internal/access"
	"github.com/rivus-live/rivus/internal/accesskey"
	"github.com/rivus-live/rivus/internal/admission"
	"github.com/rivus-live/rivus/internal/audit"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/broadcast"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/config"
	"github.com/rivus-live/rivus/internal/console"
	"github.com/rivus-live/rivus/internal/event"
	"github.com/rivus-live/rivus/internal/geoip"
	"github.com/rivus-live/rivus/internal/ingest/rtmpsource"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/ivsrealtime"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/origin"
	"github.com/rivus-live/rivus/internal/quota"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/tagging"
	"github.com/rivus-live/rivus/internal/token"
)

// drainTimeout bounds the time from the signal to the end: what is not done by then is cut.
const drainTimeout = 10 * time.Second

// lastReload is how long a server that stops goes on answering players whose stream has ended: the longest target
// duration, within which every one of them asks again.
const lastReload = 6 * time.Second

// Ready says where a started server listens. Its JSON is the line of --ready-json.
type Ready struct {
	HTTP        string `json:"http"`
	RTMP        string `json:"rtmp,omitempty"`
	RTMPS       string `json:"rtmps,omitempty"`
	Media       string `json:"media,omitempty"`
	Admin       string `json:"admin,omitempty"`
	PublicURL   string `json:"public_url"`
	AccountID   string `json:"account_id"`
	AccessKeyID string `json:"access_key_id"`

	// SecretAccessKey is for a caller in the same process; it is in no output. CredentialsFile is where it is kept,
	// "" when it came from the flags.
	SecretAccessKey string `json:"-"`
	CredentialsFile string `json:"-"`
}

// Options are what the process around the server provides.
type Options struct {
	Logger *slog.Logger
	Ready  func(Ready)      // called once when everything listens; may be nil
	Clock  func() time.Time // nil means time.Now
}

// server holds the parts between start and stop.
type server struct {
	cfg   *config.Config
	log   *slog.Logger
	clock func() time.Time
	key   rootKey
	keys  *accesskey.Authority

	access        *access.Authorizer
	conn          *natsd.Conn
	store         *store.Store
	node          *cluster.Node
	records       records.Records
	relay         *event.Relay
	deliveries    deliveries
	notifications notifications
	audit         *audit.Trail
	auditRecords  *store.Queue[audit.Record]
	broadcasts    *broadcast.Manager
	origin        *origin.Handler
	countries     *geoip.Database // nil: no flag names one
	gate          *admission.Gate
	ivs           *ivs.Service
	tokens        *token.Authority
	realtime      *ivsrealtime.Service
	stages        stages
	api           *awsapi.API
	rtmp          *rtmp.Server
	metrics       *metrics
	listeners     *listeners
	doors         *doors
	http          *http.Server
	guard         httpGuard
	tlsPanics     atomic.Int64
	ready         readiness
}

// Run starts a server, serves until ctx ends, drains, and returns. It returns an error when the start failed or a part
// stopped by itself, nil after an orderly end.
func Run(ctx context.Context, cfg config.Config, opt Options) (err error) {
	if err := cfg.Validate(); err != nil {
		return err
	}
	s := &server{cfg: &cfg, log: opt.Logger, clock: opt.Clock}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.doors, err = newDoors(s.cfg, s.clock, s.log); err != nil {
		return err
	}
	if s.countries, err = openCountries(s.cfg, s.clock, s.log); err != nil {
		return err
	}
	defer s.closeState()
	defer s.stages.close()
	defer s.deliveries.close()
	if err := s.openState(ctx); err != nil {
		return err
	}
	if err := s.build(ctx); err != nil {
		return err
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	defer s.listeners.close()
	return s.serve(ctx, opt.Ready)
}

// openState brings up the engine, the tables and this node's membership.
func (s *server) openState(ctx context.Context) error {
	var err error
	s.conn, err = natsd.Start(ctx, natsd.Options{
		Dir: s.cfg.DataDir, ExternalURL: s.cfg.NATSURL, AcceptDataLoss: s.cfg.AcceptDataLoss, Inspect: store.Inspect, Logger: s.log,
	})
	if err != nil {
		return fmt.Errorf("state engine: %w", err)
	}
	if err := os.MkdirAll(s.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if s.key, err = loadRootKey(s.cfg); err != nil {
		return err
	}
	if s.store, err = store.Open(ctx, s.conn, store.Options{Replicas: s.conn.Replicas(s.cfg.NATSReplicas), Logger: s.log}); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	id, err := nodeID(s.cfg.DataDir)
	if err != nil {
		return err
	}
	s.node, err = cluster.Join(ctx, cluster.Options{Store: s.store, Conn: s.conn, NodeID: id, Logger: s.log})
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	if s.records, err = records.Open(ctx, s.store, s.node, records.Options{StageHistory: s.cfg.StageHistory}); err != nil {
		return err
	}
	if s.keys, err = s.openKeys(ctx); err != nil {
		return err
	}
	s.relay, err = event.NewRelay(ctx, event.Options{Store: s.store, Logger: s.log})
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	return nil
}

func (s *server) closeState() {
	if s.node != nil {
		s.node.Close()
	}
	if s.store != nil {
		s.store.Close()
	}
	if s.conn != nil {
		s.conn.Close()
	}
}

// build makes the parts of both planes and plugs them together.
func (s *server) build(ctx context.Context) error {
	viewerKey, err := s.store.Secret(ctx, "viewer-id", 32)
	if err != nil {
		return fmt.Errorf("viewer key: %w", err)
	}
	pageKey, err := s.store.Secret(ctx, "page-token", 32)
	if err != nil {
		return fmt.Errorf("page token key: %w", err)
	}
	s.broadcasts = broadcast.NewManager(broadcast.Options{
		Records: s.records.Channels, Node: s.node,
		AllowInsecure: s.cfg.InsecureIngestAllowed(), MaxStreams: s.maxStreams(),
		Viewers: func(streamID string) int64 { return s.origin.Viewers(streamID) },
		Clock:   s.clock, Logger: s.log,
	})
	if s.gate, err = s.newGate(ctx); err != nil {
		return err
	}
	proxies, err := s.cfg.Proxies()
	if err != nil {
		return err
	}
	s.origin = origin.New(origin.Options{
		Presentations: s.broadcasts, Channels: s.records.Channels.Channels, Gate: s.gate, ViewerKey: viewerKey, Proxies: proxies,
		Clock: s.clock, Logger: s.log,
	})
	publishers := keyRouter{channels: s.broadcasts, stages: noEncoders{}}
	s.rtmp = rtmp.NewServer(rtmp.Options{Handler: rtmpsource.Handler{Sink: publishers}, Logger: s.log})
	s.metrics = newMetrics(s)
	if err := s.openTokens(ctx); err != nil {
		return err
	}
	if err := s.openStages(ctx); err != nil {
		return err
	}
	if err := s.openDeliveries(ctx); err != nil {
		return fmt.Errorf("deliveries: %w", err)
	}
	if err := s.openNotifications(ctx); err != nil {
		return fmt.Errorf("notifications: %w", err)
	}
	if err := s.openAudit(ctx); err != nil {
		return err
	}
	return s.buildAPI(awsapi.NewPager(pageKey))
}

// maxStreams is the quota of concurrent streams, 0 when quotas are lifted.
func (s *server) maxStreams() int {
	if s.cfg.Quotas == "aws" {
		return quota.ConcurrentStreams
	}
	return 0
}

func (s *server) buildAPI(pager *awsapi.Pager) error {
	proxies, err := s.cfg.Proxies()
	if err != nil {
		return err
	}
	var limiter awsapi.Limiter
	if s.cfg.Quotas == "aws" {
		limiter = quota.NewLimiter(s.clock)
	}
	s.access = s.newAccess()
	endpoints, tags, channels := newEndpoints(s.ingestEndpoint), tagging.NewRegistry(), s.records.Channels
	s.ivs = ivs.New(ivs.Options{
		Channels: channels.Channels, Streams: channels.Streams, Viewers: s.records.Viewers, KnowsCountries: s.countries != nil,
		Broadcasts: &broadcast.Remote{Node: s.node, Claims: channels.Streams, Manager: s.broadcasts},
		Pager:      pager, Tags: tags, Quotas: s.cfg.Quotas == "aws", Clock: s.clock, Logger: s.log,
		IngestEndpoint: func(c awsapi.Caller) string { return endpoints.of(c.BaseURL) },
		Unbuilt:        awsapi.Unbuilt{Accept: s.cfg.AcceptUnbuilt, Logger: s.log},
	})
	s.realtime = s.newRealtime(pager, tags)
	s.api, err = awsapi.New(awsapi.Options{
		Services:    append(s.identityServices(pager), s.ivs, s.realtime, s.newEventBridge(pager), s.newSNS(pager, tags)),
		Credentials: s.keys, Used: s.keys.Used, Audit: s.audit.Note, Authorizer: s.access, Limiter: limiter, Clock: s.clock,
		PublicURL: s.cfg.PublicURL, TrustedProxies: proxies, Logger: s.log, Observe: s.metrics.observeCall,
	})
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	pages, err := console.Handler()
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	s.guard.log = s.log
	s.http = &http.Server{
		Handler:           s.guard.wrap(proveRequests(restoreTLS(s.route(pages)))),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2 * time.Minute, // a segment on a slow line, or a blocked playlist request
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ConnContext:       withConnection,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return nil
}

// serve runs every part until ctx ends or one of them fails, then drains.
func (s *server) serve(ctx context.Context, ready func(Ready)) error {
	// Parts get a context of their own: they must outlive the signal, so that players and encoders can be told.
	partsCtx, stopParts := context.WithCancel(context.WithoutCancel(ctx))
	defer stopParts()
	g, gctx := errgroup.WithContext(partsCtx)
	g.Go(func() error { return named("cluster", s.node.Run(gctx)) })
	g.Go(func() error { return named("events", s.node.Singleton(gctx, "event-relay", s.relay.Run)) })
	g.Go(func() error { return named("deliveries", s.node.Singleton(gctx, "event-delivery", s.deliveries.run)) })
	g.Go(func() error { return named("access keys", s.keys.Run(gctx)) })
	g.Go(func() error { return named("audit", s.audit.Run(gctx)) })
	g.Go(func() error {
		return named("notifications", s.node.Singleton(gctx, "notification-delivery", s.notifications.run))
	})
	g.Go(func() error { return named("broadcasts", s.broadcasts.Run(gctx)) })
	g.Go(func() error { return named("reaper", s.node.Reap(gctx, s.broadcasts.Reap, s.stages.manager.Reap)) })
	g.Go(func() error { return named("viewers", s.gate.Run(gctx)) })
	g.Go(func() error { return named("viewer records", s.node.Singleton(gctx, "viewer-records", s.ivs.Run)) })
	g.Go(func() error { return named("stages", s.realtime.Run(gctx)) })
	g.Go(func() error { return named("stage media", s.stages.manager.Run(gctx)) })
	ingestCtx, stopIngest := context.WithCancel(gctx)
	defer stopIngest()
	s.listeners.start(g, ingestCtx, s)

	s.ready.set(true)
	info := s.readyInfo()
	s.log.Info("serving", "http", info.HTTP, "rtmp", info.RTMP, "rtmps", info.RTMPS, "media", info.Media, "admin", info.Admin, "public_url", info.PublicURL)
	if s.cfg.MediaUnreachable() {
		s.log.Warn("stages work on this machine only: the server is public and --media-addr is a loopback address", "media", info.Media)
	}
	if ready != nil {
		ready(info)
	}
	select {
	case <-ctx.Done():
		s.log.Info("stopping", "cause", context.Cause(ctx).Error())
	case <-gctx.Done():
	}
	s.ready.set(false)
	s.stayForBalancers(gctx)
	s.drain(stopIngest)
	stopParts()
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// stayForBalancers goes on serving for the drain delay after /readyz has begun to say no, so that whoever sends traffic
// here can send it elsewhere before streams end. It ends at once when a part of the server has failed.
func (s *server) stayForBalancers(parts context.Context) {
	if s.cfg.DrainDelay == 0 || parts.Err() != nil {
		return
	}
	s.log.Info("not ready any more; streams end after the drain delay", "delay", s.cfg.DrainDelay)
	select {
	case <-time.After(s.cfg.DrainDelay):
	case <-parts.Done():
	}
}

// drain ends every stream so that players find ENDLIST, and lets requests that are under way finish.
func (s *server) drain(stopIngest func()) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	watched := len(s.broadcasts.Stats().Streams) > 0 && s.origin.Stats().Viewers > 0
	if err := s.broadcasts.Drain(ctx); err != nil {
		s.log.Warn("streams did not end in time", "error", err)
	}
	if err := s.stages.manager.Drain(ctx); err != nil {
		s.log.Warn("stages did not end in time", "error", err)
	}
	if watched {
		select {
		case <-time.After(lastReload):
		case <-ctx.Done():
		}
	}
	stopIngest() // this closes shared TLS ports too, and with them playback
	if err := s.origin.Shutdown(ctx); err != nil {
		s.log.Warn("viewers did not read their answers in time", "error", err)
	}
	if err := s.http.Shutdown(ctx); err != nil {
		s.log.Warn("requests did not finish in time", "error", err)
		_ = s.http.Close()
	}
	s.listeners.close()
}

func named(part string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return fmt.Errorf("%s: %w", part, err)
}
