package whipcheck

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// session is one that the server has made for us.
type session struct {
	url           *url.URL
	etag          string
	offer, answer *description
	fragment      fragment // of the offer
	text          string   // the answer as it came
}

// open posts an offer and judges what comes back. The session is nil when there is none that can be used.
func (c *checker) open(ctx context.Context, offer string) (*session, *answer, error) {
	s := &session{}
	var err error
	if s.offer, err = parseSDP(offer); err != nil {
		return nil, nil, err
	}
	if s.fragment, err = fragmentOf(offer); err != nil {
		return nil, nil, err
	}
	x := c.post(ctx, offer, goodToken)
	made := x.ok() && x.status == http.StatusCreated
	c.judge("post.created", made, x, "it is not 201 with an answer")
	if !made {
		return nil, x, nil
	}
	c.judge("post.type", x.contentType() == typeSDP, x, "it is %.80q", x.contentType())
	s.url = c.location(x)
	c.judge("post.location", s.url != nil, x, "it is %.120q", x.header.Get("Location"))
	s.etag, s.text, s.answer = x.header.Get("ETag"), x.body, c.checkAnswer(s.offer, x)
	if s.url == nil {
		return nil, x, nil
	}
	c.judgeSecret(s.url)
	return s, x, nil
}

// location returns the URL in an answer's Location; nil when it is none.
func (c *checker) location(x *answer) *url.URL {
	u, err := c.endpoint.Parse(x.header.Get("Location"))
	if err != nil || x.header.Get("Location") == "" || !httpURL(u) {
		return nil
	}
	return u
}

// checkSession judges a first session, which never connects: what a POST returns, trickle, restart and the end.
func (c *checker) checkSession(ctx context.Context) error {
	s, x, err := c.open(ctx, c.offer)
	if err != nil {
		return err
	}
	if s == nil {
		return c.unopened(ctx, x)
	}
	if s.answer != nil {
		c.note(s.answer)
	}
	c.judgeHeaders(x)
	c.skip("post.counter-offer", "the server answers offers")
	c.checkMethods(ctx, "session", s.url, http.MethodPut, http.MethodPost)
	c.checkSessionPreflight(ctx, s)
	c.checkPatches(ctx, s)
	c.checkDelete(ctx, s)
	c.checkUnknown(ctx, s)
	return nil
}

// unopened decides what it means that a plain offer made no session. The endpoint can be judged without one.
func (c *checker) unopened(ctx context.Context, x *answer) error {
	switch x.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusServiceUnavailable, http.StatusTooManyRequests:
		if r := c.results["http.retry-after"]; r != nil && r.Verdict == Violated {
			return errStop // there is something to report
		}
		return fmt.Errorf("%s: the offer was answered %d %s", bare(c.endpoint), x.status, http.StatusText(x.status))
	case http.StatusConflict:
		if c.play && x.header.Get("Retry-After") != "" {
			return fmt.Errorf("%s: nothing is being published", bare(c.endpoint))
		}
	case http.StatusNotAcceptable:
		if c.play && x.contentType() == typeSDP {
			c.checkCounterOffer(x)
		}
	case 0:
		return fmt.Errorf("%s: %w", bare(c.endpoint), x.failure)
	}
	if err := c.checkEndpoint(ctx); err != nil {
		return err
	}
	return errStop
}

// checkCounterOffer judges a counter-offer of WHEP. The checker goes no further: it plays its own offers only.
func (c *checker) checkCounterOffer(x *answer) {
	delete(c.results, "post.created") // the other of two ways to begin
	c.skip("post.created", "the server made a counter-offer")
	const id = "post.counter-offer"
	c.judge(id, c.location(x) != nil, x, "Location is no URL")
	d, err := parseSDP(x.body)
	c.judge(id, err == nil, x, "the offer is not SDP: %v", err)
	if until := validUntil(x.header.Get("Content-Type")); until != "" {
		_, err := http.ParseTime(until)
		c.judge(id, err == nil, x, "valid-until is no date")
	}
	if d != nil {
		for i := range d.sections {
			way := d.direction(&d.sections[i])
			c.judge(id, way == "sendonly" || way == "sendrecv", x, "the %s section is %s", d.sections[i].kind, way)
		}
	}
	for _, prefix := range []string{"post.", "answer.", "offer.", "session.", "patch.", "restart.", "delete.", "media."} {
		c.skipAll(prefix, "the server makes counter-offers, and the checker plays its own offers only")
	}
}

// judgeHeaders judges what comes beside an answer.
func (c *checker) judgeHeaders(x *answer) {
	servers, problem := iceServers(x)
	if len(x.header.Values("Link")) == 0 {
		c.skip("post.link", "there are none")
	} else {
		c.judge("post.link", problem == "", x, "%s", problem)
	}
	c.servers = len(servers)
	for i := range servers {
		problem := checkICEServer(&servers[i])
		c.judge("post.ice-servers", problem == "", x, "<%.80s>: %s", servers[i].target, problem)
	}
	c.skip("post.ice-servers", "there are none")
	for _, name := range []string{"Location", "ETag", "Link"} {
		if x.header.Get(name) == "" {
			continue
		}
		shown := lists(x.header, "Access-Control-Expose-Headers", name) || lists(x.header, "Access-Control-Expose-Headers", "*")
		c.judge("post.expose", shown, x, "Access-Control-Expose-Headers lacks %s", name)
	}
}

func (c *checker) checkSessionPreflight(ctx context.Context, s *session) {
	for _, method := range []string{http.MethodPatch, http.MethodDelete} {
		a := c.preflight(ctx, s.url, method, "authorization,content-type,if-match")
		problem := allows(a, method, "authorization", "content-type", "if-match")
		c.judge("session.cors", problem == "", a, "%s", problem)
	}
}

// checkDelete ends the session with a precondition that no session has, and asks for it afterwards.
func (c *checker) checkDelete(ctx context.Context, s *session) {
	a := c.do(ctx, request{method: http.MethodDelete, url: s.url, match: staleTag})
	c.judge("delete.etag", a.status != http.StatusPreconditionFailed && a.failure == nil, a, "the precondition was looked at")
	if !a.ok() {
		a = c.do(ctx, request{method: http.MethodDelete, url: s.url})
	}
	c.judge("delete.status", a.ok(), a, "the status is not 2xx")
	c.judge("delete.200", a.status == http.StatusOK, a, "the status is %d", a.status)
	if !a.ok() {
		return
	}
	if c.trickles {
		gone := c.patch(ctx, s, s.etag, s.fragment.text())
		c.judge("delete.gone", gone.refused(), gone, "the status is not 4xx")
	}
	c.skip("delete.gone", "the server takes no PATCH")
	again := c.do(ctx, request{method: http.MethodDelete, url: s.url})
	c.judge("delete.again", notThere(again), again, "the status is neither 404 nor 410")
}

func notThere(a *answer) bool { return a.status == http.StatusNotFound || a.status == http.StatusGone }

// checkUnknown asks for a session that never was.
func (c *checker) checkUnknown(ctx context.Context, s *session) {
	path := strings.TrimSuffix(s.url.Path, "/")
	name := path[strings.LastIndexByte(path, '/')+1:]
	other := *s.url
	other.Path, other.RawPath = strings.TrimSuffix(path, name)+strings.Repeat("0", max(len(name), 8)), ""
	a := c.do(ctx, request{method: http.MethodDelete, url: &other})
	c.judge("session.unknown", notThere(a), a, "the status is neither 404 nor 410")
}

// judgeSecret holds two session URLs against each other: what they do not share is what cannot be guessed, if anything.
func (c *checker) judgeSecret(u *url.URL) {
	was, is := c.session, u.String()
	c.session = is
	if was == "" {
		return
	}
	// 64 random bits are 11 characters of base64; a few may be alike by chance.
	for was != "" && is != "" && was[0] == is[0] {
		was, is = was[1:], is[1:]
	}
	for was != "" && is != "" && was[len(was)-1] == is[len(is)-1] {
		was, is = was[:len(was)-1], is[:len(is)-1]
	}
	c.judge("post.secret", max(len(was), len(is)) >= 8, nil, "the URLs of two sessions differ in %d characters", max(len(was), len(is)))
}

// validUntil returns the parameter of a counter-offer's Content-Type.
func validUntil(contentType string) string {
	_, rest, ok := strings.Cut(contentType, "valid-until=")
	if !ok {
		return ""
	}
	if strings.HasPrefix(rest, `"`) {
		if value, _, err := unquote(rest); err == nil {
			return value
		}
	}
	return rest
}
