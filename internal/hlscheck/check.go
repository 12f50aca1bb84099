package hlscheck

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// defaultDuration is how long a live playlist is followed when Options does not say.
const defaultDuration = 20 * time.Second

// maxRenditions bounds how many Media Playlists of one Multivariant Playlist are followed at once.
const maxRenditions = 16

// Check plays o.URL for o.Duration and reports what it saw. The error is for a check that could not be made at all (a
// URL that cannot be parsed, no playlist in answer to the first request); whatever the server does wrong after that is
// in the report. Check returns after its last request has ended.
func Check(ctx context.Context, o Options) (*Report, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("hlscheck: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("hlscheck: %q is not an http or https URL", o.URL)
	}
	if o.Duration <= 0 {
		o.Duration = defaultDuration
	}
	c := &checker{client: o.Client, positions: map[string]position{}}
	if c.client == nil {
		transport := &http.Transport{MaxIdleConnsPerHost: 2 * maxRenditions, Proxy: http.ProxyFromEnvironment}
		defer transport.CloseIdleConnections()
		c.client = &http.Client{Transport: transport}
	}
	start := time.Now()
	playing, stop := context.WithDeadline(ctx, start.Add(o.Duration))
	defer stop()
	first, err := get(playing, c.client, u, nil)
	if err == nil && !first.ok() {
		err = errors.New(http.StatusText(first.status))
	}
	if err != nil {
		return nil, fmt.Errorf("hlscheck: %s: %w", u, err)
	}
	c.play(ctx, playing, u, first)
	c.report.Played = time.Since(start)
	return &c.report, nil
}

// checker is one check at work. Its followers share it.
type checker struct {
	client *http.Client

	mu        sync.Mutex
	report    Report
	positions map[string]position // by the Media Playlist's URL without its query
}

// position is the newest thing that a follower has seen in its Media Playlist.
type position struct {
	msn    int64
	part   int
	target int64
}

// play follows what the first playlist names. The playing context ends with the time of the check; the other allows
// the probes that come after it.
func (c *checker) play(ctx, playing context.Context, u *url.URL, first *answer) {
	p, problems := parse(first.body)
	c.violations(u, problems)
	c.add(u, checkPlaylistHeaders(u, first, p, false))
	if p == nil {
		return
	}
	if p.media != nil {
		f := newFollower(c, u, variant{})
		f.run(ctx, playing)
		c.finish([]*follower{f})
		return
	}
	c.add(u, checkMultivariant(p.multivariant))
	var followers []*follower
	var running sync.WaitGroup
	for _, v := range p.multivariant.playlists() {
		media, err := u.Parse(v.uri)
		if err != nil {
			c.violations(u, []problem{{"4.1", "uri", fmt.Sprintf("the URI %.60q: %v", v.uri, err)}})
			continue
		}
		f := newFollower(c, media, v)
		c.at(media, position{msn: -1})
		followers = append(followers, f)
		if len(followers) == maxRenditions {
			break
		}
	}
	for _, f := range followers {
		running.Go(func() { f.run(ctx, playing) })
	}
	running.Wait()
	c.finish(followers)
}

// playlists returns the Media Playlists of the presentation, each once. Renditions of their own have no attributes.
func (p *multivariantPlaylist) playlists() []variant {
	var list []variant
	seen := map[string]bool{"": true}
	for _, v := range p.variants {
		if !v.iframes && !seen[v.uri] {
			seen[v.uri] = true
			list = append(list, v)
		}
	}
	for _, m := range p.media {
		if !seen[m.uri] {
			seen[m.uri] = true
			list = append(list, variant{uri: m.uri})
		}
	}
	return list
}

// finish puts the followers' results into the report.
func (c *checker) finish(followers []*follower) {
	c.report.Ended = len(followers) > 0
	var target int64
	for _, f := range followers {
		c.report.Renditions = append(c.report.Renditions, f.stats)
		p := f.current
		if p == nil {
			c.report.Ended = false
			continue
		}
		c.report.Ended = c.report.Ended && p.ended
		c.report.LowLatency = c.report.LowLatency || p.partTarget > 0
		var g findings
		g.must(target == 0 || target == p.target, "6.2.4", "Target Durations differ between renditions: %d and %d", target, p.target)
		c.add(f.url, g)
		target = p.target
	}
}

// at notes where a rendition is.
func (c *checker) at(u *url.URL, p position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.positions[bare(u)] = p
}

// where returns the newest position of a rendition, and how many renditions there are.
func (c *checker) where(u *url.URL) (p position, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, known = c.positions[bare(u)]
	return p, known
}

// others returns how many renditions are followed beside one.
func (c *checker) others() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(len(c.positions)-1, 0)
}

func bare(u *url.URL) string {
	b := *u
	b.RawQuery, b.Fragment = "", ""
	return b.String()
}

func (c *checker) add(u *url.URL, f findings) {
	c.violations(u, f.musts)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Warnings = merge(c.report.Warnings, u, f.shoulds)
}

func (c *checker) violations(u *url.URL, problems []problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Violations = merge(c.report.Violations, u, problems)
}

// merge adds problems to a list in which each rule stands once per URL.
func merge(list []Violation, u *url.URL, problems []problem) []Violation {
next:
	for _, p := range problems {
		for i := range list {
			v := &list[i]
			if v.Clause == p.clause && v.rule == p.rule && v.URL == u.String() {
				v.Count++
				continue next
			}
		}
		list = append(list, Violation{Clause: p.clause, URL: u.String(), Text: p.text, Count: 1, rule: p.rule})
	}
	return list
}
