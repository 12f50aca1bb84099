package main

import (
	"context"
	"fmt"
	"time"
)

// audience is a number of subscribers and how much of what comes they lose.
type audience struct {
	subscribers int
	loss        float64
}

func (a audience) String() string {
	return fmt.Sprintf("%d subscribers, %g %% loss", a.subscribers, a.loss*100)
}

// measureForward measures one publisher that many watch.
func measureForward(ctx context.Context, b *bench) error {
	if err := b.measureBare(ctx); err != nil {
		return err
	}
	audiences := pick(b, []audience{{50, 0}, {100, 0}, {200, 0}, {400, 0}, {50, 0.01}, {100, 0.01}, {200, 0.01}, {400, 0.01}}, []audience{{20, 0}, {20, 0.01}})
	err := b.eachServer(ctx, func(c contender) error {
		for _, a := range audiences {
			if err := b.tolerate(ctx, c, a.String(), b.measureAudienceOf(ctx, c, a)); err != nil {
				return err
			}
		}
		return nil
	})
	b.report.note("one publisher of 720p30 H.264 at 2.5 Mbit/s and Opus, in packets of 1200 bytes at most; forwarded packets are those that come to subscribers, retransmissions among them, in CPU seconds of the whole server process, which on this machine pays for delivery too")
	b.report.note("a receiver that loses packets drops them at random before it decrypts them and asks for them at once, then every 100 ms, ten times; delays are from the publisher's write to the kernel's arrival at the subscriber")
	return err
}

// measureAudienceOf measures one server with one audience.
func (b *bench) measureAudienceOf(ctx context.Context, c contender, a audience) error {
	s, err := c.start(ctx)
	if err != nil {
		return err
	}
	o := &onStage{sfu: s}
	defer o.close()
	b.progress("forward: %s, %v", s.name(), a)
	tickets, err := s.open(ctx, 1+a.subscribers)
	if err != nil {
		return err
	}
	if err := b.bring(ctx, o, stageJob{Members: []member{{Ticket: tickets[0], Program: program()}}}, 1, 0); err != nil {
		return err
	}
	idle, err := b.hold(ctx, s)
	if err != nil {
		return err
	}
	j := stageJob{Loss: a.loss}
	for _, t := range tickets[1:] {
		j.Members = append(j.Members, member{Ticket: t, Watch: []string{tickets[0].ID}})
	}
	if err := b.bring(ctx, o, j, 0, a.subscribers); err != nil {
		return err
	}
	name := fmt.Sprintf("forward-%s-%d-%g", s.name(), a.subscribers, a.loss*100)
	went, err := b.cross(ctx, o, name, pick(b, 15*time.Second, 3*time.Second))
	if err != nil {
		return err
	}
	held, err := b.hold(ctx, s)
	if err != nil {
		return err
	}
	what := a.String() + ": "
	b.reportCrossing(s, what, went, a.loss == 0)
	b.report.add(mark(s)+what+"packets that were not sent to a subscriber", "%d (as the server saw no room for its video)", max(0, went.Lost.Stamps-went.Lost.Video))
	if a.loss == 0 { // it is the same with loss
		b.reportHeld(s, what, a.subscribers, idle, held)
	}
	return nil
}

// holding is the memory of a server at rest from garbage.
type holding struct {
	resident int64
	live     float64 // bytes of heap that live, and of stacks; 0 where the server does not say
}

// hold makes the server collect its garbage and tells what it holds.
func (b *bench) hold(ctx context.Context, s sfu) (holding, error) {
	if err := wait(ctx, pick(b, 2*time.Second, time.Second)); err != nil {
		return holding{}, err
	}
	u, err := s.usage() // before the collection, as it was
	if err != nil {
		return holding{}, err
	}
	if err := s.collect(ctx); err != nil {
		return holding{}, err
	}
	m, err := s.scrape(ctx)
	return holding{u.resident, m["go_memstats_heap_alloc_bytes"] + m["go_memstats_stack_inuse_bytes"]}, err
}

// mark begins the name of a figure that is not ours.
func mark(s sfu) string {
	if s.name() == "rivus" {
		return ""
	}
	return s.name() + ", "
}

// budget adds a figure that must not be above limit if it is ours.
func (b *bench) budget(s sfu, what string, figure, limit float64, format string) {
	if s.name() == "rivus" {
		b.report.hold(what, figure, limit, format)
		return
	}
	b.report.add(mark(s)+what, format, figure)
}

// reportCrossing reports what went through. Without loss on purpose, sound must not be lost either: it is not sent again.
func (b *bench) reportCrossing(s sfu, what string, c *crossing, lossless bool) {
	lost := c.Lost.Video
	if lossless {
		lost += c.Lost.Sound
	}
	b.budget(s, what+"CPU seconds a million packets", c.perMillion(), 2.2, "%.2f")
	b.report.add(mark(s)+what+"forwarded packets a CPU second", "%.0f", c.perSecond())
	b.report.compare(s.name(), what+"forwarded packets a CPU second", c.perSecond())
	b.budget(s, what+"packets lost for good", float64(lost), 0, "%.0f")
	b.reportWay(s, what, c)
	b.reportActivity(s, what, c)
}

// reportWay reports how much came and how long it took, and whether the load was fit to say so.
func (b *bench) reportWay(s sfu, what string, c *crossing) {
	ms := func(d time.Duration) float64 { return d.Seconds() * 1000 }
	seconds := c.length().Seconds()
	b.report.add(mark(s)+what+"arrived", "%.0f packets a second, %.0f Mbit/s, of %.0f that were published; %.2f cores, %.2f of the clients",
		c.packets()/seconds, float64(c.Received.Bytes)*8/1e6/seconds, float64(c.Sent.Packets)/seconds, c.ended.cores(c.began), c.client.Seconds()/seconds)
	delay := &c.Received.Delay
	b.report.add(mark(s)+what+"forwarding delay p50 / p99 / max", "%.2f / %.2f / %.2f ms",
		ms(delay.Quantile(0.5)), ms(delay.Quantile(0.99)), ms(time.Duration(delay.Most)))
	if lag := c.Received.Lag.Quantile(0.99); lag > lateReader || c.Overflows > 0 || c.Sent.Behind > lateSender {
		b.report.note("%s%sthe load was SLOW: clients read p99 %.0f ms after the arrival and left %d packets unread, publishers sent up to %.0f ms late",
			mark(s), what, ms(lag), c.Overflows, ms(c.Sent.Behind))
	}
	if c.queued > 0 {
		b.report.note("%s%sthe SYSTEM dropped %d packets before they came to a socket (net.core.netdev_max_backlog): not all that is lost is the server's loss", mark(s), what, c.queued)
	}
	if c.unread > 0 {
		b.report.note("%s%sthe server left %d packets unread, which were lost", mark(s), what, c.unread)
	}
}

// How late the load may be without a word about it.
const (
	lateReader = 50 * time.Millisecond
	lateSender = 100 * time.Millisecond
)

// reportActivity proves that the server did all of its work: retransmission, feedback, allocation.
func (b *bench) reportActivity(s sfu, what string, c *crossing) {
	seconds := c.length().Seconds()
	in := &c.Received
	b.report.add(mark(s)+what+"retransmissions", "%d packets lost on purpose (%.2f %%), %d asked for, %d came again, %d of them missing",
		in.Dropped, float64(in.Dropped)/c.packets()*100, in.Asked, in.Repairs, in.Recovered)
	b.report.add(mark(s)+what+"feedback", "%.0f transport-wide messages a second, %d packets of padding, %d keyframes asked for in %.0f s",
		float64(in.Feedbacks)/seconds, in.Padding, c.Sent.Refreshes, seconds)
	if s.name() != "rivus" {
		return
	}
	objects := c.last[allocatedObjects] - c.first[allocatedObjects] - c.scrapeCost[allocatedObjects]
	b.report.hold(what+"allocations a forwarded packet", objects/c.packets(), 0.1, "%.3f")
	b.report.add(what+"the server's counters", "%.0f publications, %.0f subscriptions; %s", c.last["rivus_stage_publications"], c.last["rivus_stage_subscriptions"], c.counters(
		"packets_received", "packets_sent", "packets_resent", "nacked", "padding", "feedback", "allocations", "layer_changes", "probes", "keyframe_requests", "dropped"))
}

// reportHeld reports the memory of n subscriptions.
func (b *bench) reportHeld(s sfu, what string, n int, idle, held holding) {
	each := func(from, to float64) float64 { return megabytes(to-from) / float64(n) }
	b.budget(s, what+"memory a subscription, resident", each(float64(idle.resident), float64(held.resident)), 0.5, "%.3f MB")
	b.report.add(mark(s)+what+"memory a subscription, live heap and stacks", "%.3f MB", each(idle.live, held.live))
}
