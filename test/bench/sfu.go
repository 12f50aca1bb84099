package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rivus-live/rivus/test/bench/peer"
)

// sfu is a server that forwards between participants: ours, or one that it is compared with.
type sfu interface {
	name() string
	usage() (usage, error)
	scrape(ctx context.Context) (metrics, error)
	profileFor(ctx context.Context, b *bench, name string, d time.Duration) error
	// collect makes the server collect its garbage, if it can be asked to.
	collect(ctx context.Context) error
	// mediaPort is the UDP port of all media.
	mediaPort() uint16
	// open makes a stage and returns n tickets to it.
	open(ctx context.Context, n int) ([]ticket, error)
	stop()
}

var (
	_ sfu = (*server)(nil)
	_ sfu = (*livekit)(nil)
)

func (s *server) name() string { return "rivus" }

func (s *server) collect(ctx context.Context) error {
	_, err := s.get(ctx, "http://"+s.Admin+"/debug/pprof/heap?gc=1")
	return err
}

func (s *server) mediaPort() uint16 {
	_, port, _ := strings.Cut(s.Media, ":")
	n, _ := strconv.ParseUint(port, 10, 16) // of the server's own writing
	return uint16(n)
}

func (s *server) open(ctx context.Context, n int) ([]ticket, error) {
	var made struct{ Stage struct{ Arn string } }
	if err := s.call(ctx, "CreateStage", map[string]string{"name": "bench"}, &made); err != nil {
		return nil, err
	}
	tickets := make([]ticket, n)
	for i := range tickets {
		var t struct {
			ParticipantToken struct{ ParticipantID, Token string }
		}
		if err := s.call(ctx, "CreateParticipantToken", map[string]string{"stageArn": made.Stage.Arn}, &t); err != nil {
			return nil, err
		}
		tickets[i] = ticket{
			ID: t.ParticipantToken.ParticipantID, Token: t.ParticipantToken.Token,
			URL: "http://" + s.HTTP + "/rt/whip", Stage: made.Stage.Arn,
		}
	}
	return tickets, nil
}

// onStage is a server with participants.
type onStage struct {
	sfu
	loads []*loader
}

func (o *onStage) close() {
	for _, l := range o.loads {
		l.stop()
	}
	o.stop()
}

// bring starts a load and waits until so many publish, and so many streams of each kind are received. When some streams
// never come there is a note about them, and the others are measured.
func (b *bench) bring(ctx context.Context, o *onStage, j stageJob, publishing, streams int) error {
	l, err := b.startLoad(ctx, job{Stage: &j})
	if err != nil {
		return err
	}
	o.loads = append(o.loads, l)
	var s stageState
	err = poll(ctx, "members join", func() error {
		failed := s.Failed
		if err := l.ask(stateCommand, &s); err != nil {
			return err
		}
		if s.Failed > failed {
			b.progress("%d members failed: %s", s.Failed, s.Failure)
		}
		if s.Publishing < publishing || s.Sounds < streams || s.Pictures < streams {
			return fmt.Errorf("%d of %d publish, %d and %d of %d streams are received; one has %s", s.Publishing, publishing, s.Sounds, s.Pictures, streams, s.Lacks)
		}
		return nil
	})
	if err == nil || ctx.Err() != nil || s.Publishing < publishing || s.Pictures == 0 {
		return err
	}
	b.progress("%v", err)
	b.report.note("%s did not bring %d streams to everybody: %v", o.name(), streams, err)
	return nil
}

// crossing is what went through a server in some time.
type crossing struct {
	stageWindow
	peer.Lost
	began, ended usage
	first, last  metrics
	scrapeCost   metrics
	client       time.Duration // CPU time of the receivers' process
	unread       int64         // datagrams that came to the server and were not read in time
	queued       int64         // packets of anybody that the system dropped before they came to a socket
}

func (c *crossing) cpu() time.Duration    { return c.ended.since(c.began) }
func (c *crossing) length() time.Duration { return c.ended.at.Sub(c.began.at) }
func (c *crossing) packets() float64      { return float64(c.Received.Packets) }
func (c *crossing) perSecond() float64    { return c.packets() / c.cpu().Seconds() }
func (c *crossing) perMillion() float64   { return c.cpu().Seconds() / c.packets() * 1e6 }

// settleTime is how long streams run before they are measured: joins are over, probes too.
const settleTime = 4 * time.Second

// repairTime is how long a packet may take to come after all.
const repairTime = 1500 * time.Millisecond

// cross measures for d what goes through the server; with profiles wanted they are kept under the name.
func (b *bench) cross(ctx context.Context, o *onStage, profile string, d time.Duration) (*crossing, error) {
	if err := wait(ctx, pick(b, settleTime, time.Second)); err != nil {
		return nil, err
	}
	c := &crossing{}
	if err := o.begin(ctx, c); err != nil {
		return nil, err
	}
	if err := o.profileFor(ctx, b, profile, d); err != nil {
		return nil, err
	}
	if err := o.end(ctx, c); err != nil {
		return nil, err
	}
	if c.Received.Packets == 0 {
		return nil, errors.New("nothing was received")
	}
	return c, nil
}

// begin opens the window everywhere; the server's use is read last.
func (o *onStage) begin(ctx context.Context, c *crossing) (err error) {
	if s, ok := o.sfu.(*server); ok {
		if c.scrapeCost, err = s.allocatedByScrape(ctx); err != nil {
			return err
		}
	}
	if c.first, err = o.scrape(ctx); err != nil {
		return err
	}
	if c.client, err = o.clients(); err != nil {
		return err
	}
	c.unread, c.queued = overflows(o.mediaPort()), queueDrops()
	for _, l := range o.loads {
		if err := l.ask(beginCommand, new(bool)); err != nil {
			return err
		}
	}
	c.began, err = o.usage()
	return err
}

// end closes the window everywhere, the server's use first, and waits for what is still on its way.
func (o *onStage) end(ctx context.Context, c *crossing) (err error) {
	if c.ended, err = o.usage(); err != nil {
		return err
	}
	for _, l := range o.loads {
		var w stageWindow
		if err := l.ask(endCommand, &w); err != nil {
			return err
		}
		c.add(&w.Received)
		c.Sent.Add(w.Sent)
		c.Overflows += w.Overflows
	}
	before := c.client
	if c.client, err = o.clients(); err != nil {
		return err
	}
	c.client -= before
	c.unread, c.queued = overflows(o.mediaPort())-c.unread, queueDrops()-c.queued
	if c.last, err = o.scrape(ctx); err != nil {
		return err
	}
	if err := wait(ctx, repairTime); err != nil {
		return err
	}
	for _, l := range o.loads {
		var lost peer.Lost
		if err := l.ask(lostCommand, &lost); err != nil {
			return err
		}
		c.Lost.Add(lost)
	}
	return nil
}

// clients returns the CPU time of the load processes.
func (o *onStage) clients() (time.Duration, error) {
	var sum time.Duration
	for _, l := range o.loads {
		t, err := l.cpu()
		if err != nil {
			return 0, err
		}
		sum += t
	}
	return sum, nil
}

// counters returns what the server itself has counted under the names, "no counter" for those that it does not have.
func (c *crossing) counters(names ...string) string {
	var parts []string
	for _, name := range names {
		full := "rivus_stage_" + name + "_total"
		if _, ok := c.last[full]; !ok {
			parts = append(parts, name+": no counter")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %.0f", name, c.last[full]-c.first[full]))
	}
	return strings.Join(parts, ", ")
}
