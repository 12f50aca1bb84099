package whipcheck

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const defaultWait = 10 * time.Second

// checkTimeout bounds a whole check. It takes a few seconds with a server that keeps the rules.
const checkTimeout = 5 * time.Minute

// Check holds the endpoint at o.URL against the specification. The error is for a check that could not be made: a URL
// that is none, a server that does not answer, a token that it does not take. Whatever the server does wrong is in the
// report. Check returns after its last request and connection have ended.
func Check(ctx context.Context, o Options) (*Report, error) {
	start, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("whipcheck: the URL cannot be parsed") // the error would repeat it
	}
	if !httpURL(start) {
		return nil, errors.New("whipcheck: the URL is neither http nor https")
	}
	if o.Wait <= 0 {
		o.Wait = defaultWait
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	client, closeIdle := newClient(o.Insecure)
	defer closeIdle()
	c := &checker{
		client: client, token: o.Token, play: o.Play, wait: o.Wait,
		start: start, endpoint: start, results: map[string]*Result{},
	}
	for _, step := range c.steps() {
		if o.without == step.name {
			continue
		}
		if err = step.run(ctx); errors.Is(err, errStop) {
			break
		}
		if err == nil && ctx.Err() != nil {
			err = fmt.Errorf("the check was ended: %w", ctx.Err())
		}
		if err != nil {
			return nil, fmt.Errorf("whipcheck: %s", c.redact(err.Error()))
		}
	}
	return c.report(), nil
}

type step struct {
	name string
	run  func(context.Context) error
}

// steps returns what there is to do. It is done one session after the other: a server may allow only one for each token.
func (c *checker) steps() []step {
	return []step{
		{"prepare", c.prepare},
		{"token", c.checkMissingToken},
		{"session", c.checkSession},
		{"endpoint", c.checkEndpoint},
		{"variants", c.checkVariants},
		{"media", c.checkMedia},
	}
}

// checker is one check at work. One goroutine uses it.
type checker struct {
	client   *http.Client
	token    string
	play     bool
	wait     time.Duration
	start    *url.URL
	endpoint *url.URL // where redirects have led

	results map[string]*Result // by rule
	facts   []string

	guarded  bool   // the endpoint refuses requests without a token
	offer    string // a plain offer, for requests that make no session to use
	session  string // URL of the session before
	servers  int    // ice-server links seen
	trickles bool   // PATCH takes candidates
	restarts bool   // PATCH restarts ICE
	secrets  []string
}

// errStop ends a check early with the report of what was seen.
var errStop = errors.New("nothing more can be checked")

// prepare makes the plain offer and judges what the URL shows.
func (c *checker) prepare(ctx context.Context) error {
	p, err := newPeer(c.play)
	if err != nil {
		return err
	}
	defer p.close()
	local, err := p.offer(ctx, false)
	if err != nil {
		return err
	}
	c.offer = wireOffer(local)
	ip := net.ParseIP(c.start.Hostname())
	if c.start.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		c.skip("https", "the server is on this machine")
		return nil
	}
	c.judge("https", c.start.Scheme == "https", nil, "the URL is http")
	return nil
}

// judge notes whether a rule is kept. The first breach of a rule stands.
func (c *checker) judge(id string, ok bool, a *answer, format string, args ...any) {
	r := c.results[id]
	if r != nil && (r.Verdict == Violated || ok && r.Verdict == Passed) {
		return
	}
	r = &Result{Verdict: Passed}
	if !ok {
		r.Verdict, r.Detail = Violated, fmt.Sprintf(format, args...)
		if a != nil && a.busy() && !strings.HasPrefix(id, "http.") {
			r.Verdict, r.Detail = NotApplicable, "the server asked to come back later"
		}
	}
	if a != nil {
		r.Sent, r.Got = "sent "+a.sent, "got  "+a.String()
	}
	c.results[id] = r
}

// skip notes why a rule is of no concern, unless it was judged. A judgement takes its place.
func (c *checker) skip(id, reason string) {
	if c.results[id] == nil {
		c.results[id] = &Result{Verdict: NotApplicable, Detail: reason}
	}
}

// skipAll skips every rule whose name begins with a prefix.
func (c *checker) skipAll(prefix, reason string) {
	for _, r := range rules() {
		if strings.HasPrefix(r.id, prefix) {
			c.skip(r.id, reason)
		}
	}
}

// report puts the results in order and the names of clauses to them.
func (c *checker) report() *Report {
	document, name := "RFC 9725", "WHIP by RFC 9725"
	if c.play {
		document, name = "draft-ietf-wish-whep-03", "WHEP by draft-ietf-wish-whep-03"
	}
	r := &Report{Protocol: name, URL: bare(c.endpoint), Facts: []string{}}
	for _, f := range c.facts {
		r.Facts = append(r.Facts, c.redact(f))
	}
	c.skip("http.redirect", "no POST was redirected")
	c.skip("http.retry-after", "no answer had the header")
	for _, rule := range rules() {
		clause := rule.whip
		if c.play {
			clause = rule.whep
		}
		if clause == "" {
			continue
		}
		if !strings.Contains(clause, ",") {
			clause = document + ", " + clause
		}
		v := Result{Verdict: NotApplicable, Detail: "the check did not get this far"}
		if seen := c.results[rule.id]; seen != nil {
			v = *seen
		}
		if v.Verdict == Violated {
			v.Verdict = rule.level
		}
		v.Rule, v.Clause, v.Title = rule.id, clause, rule.title
		v.Detail, v.Sent, v.Got = c.redact(v.Detail), c.redact(v.Sent), c.redact(v.Got)
		r.Results = append(r.Results, v)
	}
	return r
}

// redact removes the token from a text, in whatever form a server may have sent it back.
func (c *checker) redact(s string) string {
	for _, secret := range c.secretForms() {
		s = strings.ReplaceAll(s, secret, "[token]")
	}
	return s
}

func (c *checker) secretForms() []string {
	if c.secrets == nil && c.token != "" {
		c.secrets = []string{c.token, url.QueryEscape(c.token), url.PathEscape(c.token)}
		quoted := fmt.Sprintf("%q", c.token)
		c.secrets = append(c.secrets, quoted[1:len(quoted)-1])
		// A text is cut at some length, so the beginning of a token counts as one; JWTs begin alike.
		for n := len(c.token) - 1; n >= max(len(c.token)/4, 12); n-- {
			c.secrets = append(c.secrets, c.token[:n])
		}
	}
	return c.secrets
}

func (c *checker) fact(format string, args ...any) {
	if f := fmt.Sprintf(format, args...); len(c.facts) < 32 {
		c.facts = append(c.facts, f)
	}
}
