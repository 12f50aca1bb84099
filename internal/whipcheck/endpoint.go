package whipcheck

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// checkMissingToken tells whether the endpoint is guarded at all, before there is a session that could be disturbed.
func (c *checker) checkMissingToken(ctx context.Context) error {
	if c.token == "" {
		c.skipAll("auth.", "the check has no token")
		return nil
	}
	a := c.post(ctx, c.offer, noToken)
	if a.failure != nil {
		return fmt.Errorf("%s: %w", bare(c.endpoint), a.failure)
	}
	if a.ok() {
		c.skipAll("auth.", "the server asks for no token")
		c.drop(ctx, a)
		return nil
	}
	c.guarded = true
	c.judgeChallenge("auth.missing", a)
	c.judgeChallenge("auth.bad", c.post(ctx, c.offer, badToken))
	return nil
}

// judgeChallenge judges the answer to a request without a good token.
func (c *checker) judgeChallenge(id string, a *answer) {
	if a.ok() {
		c.judge(id, false, a, "the request was served")
		return
	}
	c.judge(id, a.status == http.StatusUnauthorized, a, "the status is not 401")
	c.judge(id, a.header.Get("WWW-Authenticate") != "", a, "there is no WWW-Authenticate")
}

// drop ends the session that a POST made although nobody wanted it.
func (c *checker) drop(ctx context.Context, a *answer) {
	if a.status != http.StatusCreated {
		return
	}
	if u := c.location(a); u != nil {
		c.judgeSecret(u)
		c.do(ctx, request{method: http.MethodDelete, url: u})
	}
}

// checkEndpoint judges requests to the endpoint that make no session.
func (c *checker) checkEndpoint(ctx context.Context) error {
	c.checkMethods(ctx, "endpoint", c.endpoint, http.MethodPut, "WHIPCHECK")
	c.checkOptions(ctx)
	c.checkBadPosts(ctx)
	return nil
}

// checkMethods judges GET and methods that mean nothing.
func (c *checker) checkMethods(ctx context.Context, id string, u *url.URL, others ...string) {
	get := c.do(ctx, request{method: http.MethodGet, url: u})
	c.judge(id+".get", get.ok(), get, "the status is not 2xx")
	c.judge(id+".get", get.body == "", get, "there is content")
	if id == "endpoint" {
		head := c.do(ctx, request{method: http.MethodHead, url: u})
		c.judge(id+".head", head.failure == nil && head.status == get.status, head, "GET has status %d", get.status)
	}
	for _, method := range others {
		a := c.do(ctx, request{method: method, url: u, kind: "text/plain", body: "x"})
		refused := a.refused() || a.failure == nil && a.status == http.StatusNotImplemented
		c.judge(id+".methods", refused, a, "%s is not refused", method)
		allow := len(a.header.Values("Allow")) > 0 // an empty one says that nothing is allowed
		c.judge(id+".methods", a.status != http.StatusMethodNotAllowed || allow, a, "405 without Allow")
	}
}

// preflight asks as a browser asks before a page of another site may send a request.
func (c *checker) preflight(ctx context.Context, u *url.URL, method, headers string) *answer {
	return c.do(ctx, request{method: http.MethodOptions, url: u, auth: noToken, header: map[string]string{
		"Origin":                         origin,
		"Access-Control-Request-Method":  method,
		"Access-Control-Request-Headers": headers,
	}})
}

// allows says what a preflight's answer does not allow; "" when everything is.
func allows(a *answer, method string, headers ...string) string {
	if !a.ok() {
		return "the status is not 2xx"
	}
	if o := a.header.Get("Access-Control-Allow-Origin"); o != "*" && o != origin {
		return fmt.Sprintf("Access-Control-Allow-Origin is %.80q", o)
	}
	if method != http.MethodPost && !lists(a.header, "Access-Control-Allow-Methods", method) &&
		!lists(a.header, "Access-Control-Allow-Methods", "*") {
		return "Access-Control-Allow-Methods lacks " + method
	}
	for _, h := range headers {
		wildcard := h != "authorization" && lists(a.header, "Access-Control-Allow-Headers", "*") // FETCH, 3.3.3
		if !wildcard && !lists(a.header, "Access-Control-Allow-Headers", h) {
			return "Access-Control-Allow-Headers lacks " + h
		}
	}
	return ""
}

func (c *checker) checkOptions(ctx context.Context) {
	first := c.do(ctx, request{method: http.MethodOptions, url: c.endpoint})
	c.judge("endpoint.options", first.ok(), first, "the status is not 2xx")
	c.judge("endpoint.accept-post", first.ok() && lists(first.header, "Accept-Post", typeSDP), first, "Accept-Post lacks application/sdp")
	a := c.preflight(ctx, c.endpoint, http.MethodPost, "authorization,content-type")
	problem := allows(a, http.MethodPost, "authorization", "content-type")
	c.judge("endpoint.cors", problem == "", a, "%s", problem)
	c.judge("http.keep-alive", a.reused, a, "the connection of the request before was not kept")
	if c.servers == 0 {
		c.skip("endpoint.preflight-link", "the server names no STUN/TURN servers")
		return
	}
	servers, _ := iceServers(a)
	c.judge("endpoint.preflight-link", len(servers) == 0, a, "it has %d ice-server links", len(servers))
}

// checkBadPosts sends what must be refused.
func (c *checker) checkBadPosts(ctx context.Context) {
	a := c.postAs(ctx, "text/plain", c.offer, goodToken)
	c.judge("post.content-type", a.refused(), a, "the status is not 4xx")
	c.judge("post.415", a.status == http.StatusUnsupportedMediaType, a, "the status is not 415")
	c.drop(ctx, a)
	for _, offer := range []string{
		"this is not an offer",
		"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio\r\n",
		c.offer[:min(len(c.offer), strings.Index(c.offer, "m=")+4)], // cut in the middle of a line
	} {
		a = c.post(ctx, offer, goodToken)
		c.judge("post.malformed", a.refused(), a, "the status is not 4xx")
		c.drop(ctx, a)
	}
	a = c.post(ctx, largeOffer(c.offer), goodToken)
	// A server that stops reading and hangs up has refused, too.
	c.judge("post.large", a.failure != nil || a.refused(), a, "it was taken")
	c.drop(ctx, a)
}

// checkVariants makes offers that a client may make and judges how they are answered, one session at a time.
func (c *checker) checkVariants(ctx context.Context) error {
	c.variant(ctx, "offer.sendrecv", bothWays(c.offer), func(o, a *description) string { return checkDirection(o, a, c.play) })
	c.variant(ctx, "offer.active", dtlsClient(c.offer), func(o, a *description) string { return checkSetup(o, a, c.play) })
	if c.play {
		return nil
	}
	c.variant(ctx, "offer.two-videos", twoVideos(c.offer), func(o, a *description) string { return checkComplete(o, a, c.play) })
	c.variant(ctx, "offer.partial", unknownVideo(c.offer), func(_, _ *description) string { return "the offer was accepted" })
	return nil
}

// variant posts an offer. An answer is judged by a function; refusals are judged by their status.
func (c *checker) variant(ctx context.Context, id, offer string, check func(o, a *description) string) {
	x := c.post(ctx, offer, goodToken)
	defer c.drop(ctx, x)
	if x.status != http.StatusCreated {
		either := x.status == http.StatusUnprocessableEntity || x.status == http.StatusBadRequest
		switch id {
		case "offer.sendrecv": // a client may always send it
			c.judge(id, false, x, "the offer was refused")
		case "offer.two-videos", "offer.active":
			c.judge(id, either, x, "the status is neither 422 nor 400")
		default:
			c.judge(id, x.refused(), x, "the status is not 4xx")
		}
		return
	}
	o, err := parseSDP(offer)
	if err != nil {
		c.skip(id, "our offer is malformed") // held by a test
		return
	}
	a, err := parseSDP(x.body)
	if err != nil {
		c.judge(id, false, x, "the answer is not SDP: %v", err)
		return
	}
	problem := checkSections(o, a)
	if problem == "" {
		problem = check(o, a)
	}
	c.judge(id, problem == "", x, "%s", problem)
}

// iceServers returns the ice-server links of an answer, and what is wrong with its Link headers.
func iceServers(a *answer) (servers []link, problem string) {
	for _, field := range a.header.Values("Link") {
		list, err := parseLinks(field)
		if err != nil {
			return servers, fmt.Sprintf("%.80q is %v", field, err)
		}
		for _, l := range list {
			if _, ok := l.param("rel"); !ok {
				return servers, fmt.Sprintf("<%.80s> has no rel", l.target)
			}
			if l.rel("ice-server") {
				servers = append(servers, l)
			}
		}
	}
	return servers, ""
}
