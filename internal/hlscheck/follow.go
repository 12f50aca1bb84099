package hlscheck

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// follower plays one Media Playlist: it reloads it as a client would and loads all media that appears.
type follower struct {
	c       *checker
	url     *url.URL
	variant variant // what the Multivariant Playlist says; zero when it says nothing
	stats   Rendition

	current   *mediaPlaylist // the newest full playlist
	changedAt time.Time      // when the playlist last changed
	reloads   int            // blocking ones
	useless   int            // delta updates that could not be used

	player  player
	removed []removedSegment
	sizes   map[int64]int // bytes of the segments loaded, by number
}

func newFollower(c *checker, u *url.URL, v variant) *follower {
	f := &follower{c: c, url: u, variant: v, sizes: map[int64]int{}}
	f.stats.URL = u.String()
	f.player = player{f: f, inits: map[string]*format{}}
	f.player.timeline.reset()
	return f
}

// run follows the playlist until playing ends or the stream does, then probes what a client should never ask.
func (f *follower) run(ctx, playing context.Context) {
	p := f.load(playing, directives{msn: -1, part: -1}, nil)
	for p != nil {
		f.accept(p)
		if f.player.consume(playing, p) != nil || p.ended {
			break
		}
		f.checkRemoved(playing)
		p = f.next(playing)
	}
	f.probe(ctx)
}

// directives are the delivery directives of one playlist request (6.2.5).
type directives struct {
	msn  int64 // -1: none
	part int   // -1: none
	skip bool
}

// apply returns the playlist's URL with the directives added.
func (d directives) apply(u *url.URL) *url.URL {
	with := *u
	query := with.RawQuery
	add := func(name, value string) {
		if query != "" {
			query += "&"
		}
		query += name + "=" + value
	}
	if d.msn >= 0 {
		add("_HLS_msn", strconv.FormatInt(d.msn, 10))
	}
	if d.part >= 0 {
		add("_HLS_part", strconv.Itoa(d.part))
	}
	if d.skip {
		add("_HLS_skip", "YES")
	}
	with.RawQuery = query
	return &with
}

// load loads the playlist, checks it by itself, makes it whole if it is a delta update of older, and notes statistics.
// It returns nil when there is none to go on with.
func (f *follower) load(ctx context.Context, d directives, older *mediaPlaylist) *mediaPlaylist {
	a, err := get(ctx, f.c.client, d.apply(f.url), nil)
	if err != nil {
		if ctx.Err() == nil {
			f.note("HTTP", "loading the playlist: %v", err)
		}
		return nil
	}
	if !a.ok() {
		f.note("6.2.1", "the playlist is answered with status %d", a.status)
		return nil
	}
	parsed, problems := parse(a.body)
	f.c.violations(f.url, problems)
	f.c.add(f.url, checkPlaylistHeaders(f.url, a, parsed, d.msn >= 0))
	if parsed == nil || parsed.media == nil {
		f.note("4.4.6", "not a Media Playlist")
		return nil
	}
	p := parsed.media
	f.stats.Reloads++
	if d.msn >= 0 {
		f.stats.BlockedReload.add(a.took)
	}
	if p.skip != nil {
		f.stats.DeltaReloads++
		if p = f.patch(p, older, d); p == nil {
			d.skip = false // 6.3.7: a delta update that cannot be used is followed by a request for the whole
			return f.loadFull(ctx, d)
		}
	}
	f.c.add(f.url, checkMedia(p))
	if end := p.dateAtEnd(); !end.IsZero() && !p.ended {
		f.stats.Latency.add(a.at.Sub(end))
	}
	f.checkDirectives(p, d, a)
	return p
}

// loadFull loads the playlist once more after a useless delta update; another delta update then is the end.
func (f *follower) loadFull(ctx context.Context, d directives) *mediaPlaylist {
	if f.useless++; f.useless > maxUseless {
		return nil
	}
	return f.load(ctx, d, nil)
}

// maxUseless is after how many delta updates that cannot be used the check of a rendition gives up.
const maxUseless = 5

func (f *follower) patch(p, older *mediaPlaylist, d directives) *mediaPlaylist {
	f.c.add(f.url, checkMedia(p))
	if !d.skip || older == nil {
		f.note("6.2.5.1", "a Playlist Delta Update that was not asked for")
		return nil
	}
	full, findings := patch(older, p)
	f.c.add(f.url, findings)
	return full
}

// checkDirectives: the answer to a blocking reload holds what was asked for, unless the stream has ended (6.2.5.2).
func (f *follower) checkDirectives(p *mediaPlaylist, d directives, a *answer) {
	if d.msn < 0 || p.ended {
		return
	}
	msn, part := p.last()
	enough := p.end() > d.msn || d.part >= 0 && msn == d.msn && part >= d.part
	var g findings
	g.must(enough, "6.2.5.2", "a blocking reload for %d.%d is answered with a playlist that ends at %d.%d", d.msn, d.part, msn, part)
	limit := time.Duration(3*p.target) * time.Second
	g.must(a.took <= limit+time.Second, "6.2.5.2", "a blocking reload took %v, more than three Target Durations", a.took.Round(time.Millisecond))
	f.c.add(f.url, g)
}

// accept takes p as the newest playlist after holding it against the one before.
func (f *follower) accept(p *mediaPlaylist) {
	now := time.Now()
	if older := f.current; older != nil {
		f.c.add(f.url, checkUpdate(older, p))
		f.noteRemoved(older, p, now)
		if grown(older, p) {
			f.changedAt = now
		}
	} else {
		f.changedAt = now
	}
	f.current = p
	msn, part := p.last()
	f.c.at(f.url, position{msn, part, p.target})
	f.checkReports(p)
}

func grown(older, newer *mediaPlaylist) bool {
	oldMSN, oldPart := older.last()
	msn, part := newer.last()
	return msn != oldMSN || part != oldPart || newer.end() != older.end() || newer.ended != older.ended
}

// checkReports: each other rendition of the presentation has a report, and it is as new as this playlist (4.4.5.4).
func (f *follower) checkReports(p *mediaPlaylist) {
	var g findings
	for _, r := range p.reports {
		u, err := f.url.Parse(r.uri)
		if err != nil {
			g.must(false, "4.4.5.4", "the URI of a rendition report: %v", err)
			continue
		}
		other, known := f.c.where(u)
		g.must(known || f.c.others() == 0, "4.4.5.4", "a rendition report for %s, which is not a rendition of the presentation", r.uri)
		if !known || other.msn < 0 || r.lastMSN < 0 {
			continue
		}
		g.must(r.lastMSN >= other.msn-1, "4.4.5.4", "the report of %s says LAST-MSN %d; it was at %d already", r.uri, r.lastMSN, other.msn)
		g.must(p.partTarget == 0 || r.lastPart >= 0, "4.4.5.4", "the report of %s has no LAST-PART", r.uri)
	}
	g.should(p.partTarget == 0 || p.ended || len(p.reports) >= f.c.others(), "B.1",
		"%d rendition reports for %d other renditions", len(p.reports), f.c.others())
	f.c.add(f.url, g)
}

// next waits for a newer playlist: with a blocking reload where the server can, else by asking again after the times
// of 6.3.4.
func (f *follower) next(ctx context.Context) *mediaPlaylist {
	p := f.current
	if p.control == nil || !p.control.block {
		return f.poll(ctx)
	}
	f.reloads++
	d := directives{msn: p.end(), part: -1}
	if p.partTarget > 0 {
		d.part = 0
		if p.open != nil {
			d.part = len(p.open.parts)
		}
	}
	d.skip = p.control.skipUntil > 0 && f.reloads%2 == 0
	stopHint := f.player.startHint(ctx, p)
	newer := f.load(ctx, d, p)
	if newer == nil {
		stopHint()
		return nil
	}
	f.player.checkHint(p, newer)
	if !grown(p, newer) {
		pause(ctx, politeness)
	}
	if d.skip {
		f.proveDelta(ctx, d, newer)
	}
	return newer
}

// proveDelta loads the same playlist in full and compares.
func (f *follower) proveDelta(ctx context.Context, d directives, patched *mediaPlaylist) {
	d.skip = false
	if full := f.load(ctx, d, nil); full != nil {
		f.c.add(f.url, checkSame(patched, full))
	}
}

// politeness is the pause after a blocking reload that did not block.
const politeness = 100 * time.Millisecond

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (f *follower) poll(ctx context.Context) *mediaPlaylist {
	target := time.Duration(f.current.target) * time.Second
	wait := target
	if time.Since(f.changedAt) > target/4 {
		wait = target / 2
	}
	pause(ctx, wait)
	p := f.load(ctx, directives{msn: -1, part: -1}, nil)
	if p == nil {
		return nil
	}
	stale := time.Since(f.changedAt)
	var g findings
	g.must(grown(f.current, p) || stale <= 2*target+target/2, "6.2.2",
		"the live playlist has not changed for %v; the Target Duration is %v", stale.Round(time.Millisecond), target)
	f.c.add(f.url, g)
	return p
}

// probe asks what a server should refuse, and what it should answer at once.
func (f *follower) probe(ctx context.Context) {
	p := f.current
	if p == nil || p.control == nil || !p.control.block || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	status := func(d directives) string {
		a, err := get(ctx, f.c.client, d.apply(f.url), nil)
		if err != nil {
			return "nothing"
		}
		return "status " + strconv.Itoa(a.status)
	}
	var g findings
	if p.ended {
		got := status(directives{msn: p.end() + 1, part: -1})
		g.should(got != "nothing", "6.2.5.2", "a blocking reload of a playlist that has ended is answered with %s", got)
		f.c.add(f.url, g)
		return
	}
	got := status(directives{msn: -1, part: 0})
	g.should(got == "status 400", "6.2.5.2", "_HLS_part without _HLS_msn is answered with %s, not 400", got)
	got = status(directives{msn: p.end() + 1000, part: -1})
	g.should(got == "status 400", "6.2.5.2", "_HLS_msn far ahead is answered with %s, not 400", got)
	f.c.add(f.url, g)
}

func (f *follower) note(clause, format string, args ...any) {
	f.c.violations(f.url, []problem{{clause, format, fmt.Sprintf(format, args...)}})
}
