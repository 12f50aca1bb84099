package whipcheck

import (
	"context"
	"net/http"
	"sync"
)

// staleTag is an entity-tag that no session has.
const staleTag = `"whipcheck-of-another-session"`

// patch sends a fragment to a session.
func (c *checker) patch(ctx context.Context, s *session, match, body string) *answer {
	return c.do(ctx, request{method: http.MethodPatch, url: s.url, kind: typeFragment, body: body, match: match})
}

// checkPatches judges trickle and restart with a session that nobody connects to.
func (c *checker) checkPatches(ctx context.Context, s *session) {
	first := c.patch(ctx, s, s.etag, s.fragment.text())
	renewed := s.fragment.renewed()
	restart := c.patch(ctx, s, "*", renewed.text())
	c.trickles = !unsupported(first)
	c.restarts = !unsupported(restart)
	switch {
	case !c.trickles && !c.restarts:
		for _, prefix := range []string{"patch.", "restart.", "session.auth", "media.restart", "media.survives"} {
			c.skipAll(prefix, "the server supports neither trickle ICE nor ICE restarts, which is optional (4.4.5)")
		}
		if s.etag == "" {
			c.skip("post.etag", "the server supports neither trickle ICE nor ICE restarts")
			return
		}
	case !c.trickles:
		c.judge("patch.unsupported", first.status == http.StatusUnprocessableEntity, first, "a trickle is refused otherwise")
	case !c.restarts:
		c.judge("patch.unsupported", restart.status == http.StatusUnprocessableEntity, restart, "a restart is refused otherwise")
		c.skipAll("restart.", "the server does not support ICE restarts, which is optional (4.4.5)")
		c.skip("media.restart", "the server does not support ICE restarts")
	default:
		c.skip("patch.unsupported", "the server supports both")
	}
	problem := checkETag(s.etag)
	c.judge("post.etag", problem == "", nil, "%s, although PATCH is supported (%.80q)", problem, s.etag)
	before := s.etag
	if c.restarts && c.judgeRestart(s, restart) != nil {
		s.fragment = renewed
	}
	c.skip("restart.stale", "the entity-tag did not change")
	if c.trickles {
		c.judgeTrickle(first)
		c.checkPreconditions(ctx, s, before)
		c.checkBadPatches(ctx, s)
	}
	c.skipAll("patch.", "the server does not support trickle ICE, which is optional (4.4.5)")
	c.skip("restart.implied", "the server does not support trickle ICE")
	c.skip("session.auth", "the server asks for no token")
}

// unsupported reports whether a server says that it does not do what a PATCH asks for.
func unsupported(a *answer) bool {
	switch a.status {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

func (c *checker) judgeTrickle(a *answer) {
	c.judge("patch.trickle", a.status == http.StatusNoContent, a, "the status is not 204")
	if a.status == http.StatusNoContent {
		c.judge("patch.trickle-bare", a.header.Get("ETag") == "", a, "there is an ETag")
		c.judge("patch.trickle-bare", a.body == "", a, "there is a body")
	}
}

// judgeRestart judges the answer to a restart, and takes over what is new in it.
func (c *checker) judgeRestart(s *session, a *answer) *description {
	ok := a.status == http.StatusOK && a.contentType() == typeFragment
	c.judge("restart.status", ok, a, "it is not 200 with a fragment")
	if !ok {
		c.skipAll("restart.", "the restart was not answered as it should")
		return nil
	}
	f, err := parseFragment(a.body)
	c.judge("restart.status", err == nil, a, "the fragment is malformed: %v", err)
	if err != nil || s.answer == nil || s.answer.tagged() == nil {
		c.skipAll("restart.", "the fragment or the answer cannot be read")
		return nil
	}
	tagged := s.answer.tagged()
	where := &section{}
	if len(f.sections) > 0 {
		where = &f.sections[0]
	}
	ufrag, _ := f.get(where, "ice-ufrag")
	password, _ := f.get(where, "ice-pwd")
	problem := checkCredentials(ufrag, password)
	c.judge("restart.credentials", problem == "", a, "%s", problem)
	old, _ := s.answer.get(tagged, "ice-ufrag")
	oldPassword, _ := s.answer.get(tagged, "ice-pwd")
	c.judge("restart.credentials", ufrag != old && password != oldPassword, a, "they are those of the answer")
	c.judge("restart.candidates", where.has("candidate"), a, "there are none")
	for _, key := range []string{"ice-options", "ice-pacing", "ice-lite"} {
		was, had := s.answer.get(tagged, key)
		is, has := f.get(where, key)
		c.judge("restart.attributes", had == has && was == is, a, "%s was %t %.40q and is %t %.40q", key, had, was, has, is)
	}
	etag := a.header.Get("ETag")
	problem = checkETag(etag)
	c.judge("restart.etag", problem == "", a, "%s", problem)
	c.judge("restart.etag", etag != s.etag, a, "it is the one from before")
	s.etag = etag
	return f
}

// checkPreconditions judges entity-tags that are missing or stale, and requests at the same time.
func (c *checker) checkPreconditions(ctx context.Context, s *session, before string) {
	if s.etag == "" {
		c.skip("patch.missing", "there is no ETag")
		c.skip("patch.stale", "there is no ETag")
		return
	}
	body := s.fragment.text()
	a := c.patch(ctx, s, "", body)
	c.judge("patch.missing", a.status == http.StatusPreconditionRequired, a, "the status is not 428")
	a = c.patch(ctx, s, staleTag, body)
	c.judge("patch.stale", a.status == http.StatusPreconditionFailed, a, "the status is not 412")
	if before != s.etag {
		delete(c.results, "restart.stale")
		a = c.patch(ctx, s, before, body)
		c.judge("restart.stale", a.status == http.StatusPreconditionFailed, a, "the entity-tag of before: the status is not 412")
		a = c.patch(ctx, s, s.etag, body)
		c.judge("restart.stale", a.status == http.StatusNoContent, a, "the new entity-tag: the status is not 204")
	}
}

// checkBadPatches sends what must be borne, and then what must be refused: a server that takes that is no longer one to ask.
func (c *checker) checkBadPatches(ctx context.Context, s *session) {
	a := c.patch(ctx, s, s.etag, s.fragment.unusable().text())
	c.judge("patch.discard", a.status == http.StatusNoContent, a, "the status is not 204")
	c.checkOverlap(ctx, s)
	if c.restarts {
		renewed := s.fragment.renewed()
		a = c.patch(ctx, s, s.etag, renewed.text())
		c.judge("restart.implied", a.status == http.StatusOK, a, "the status is not 200")
		if a.status == http.StatusOK {
			s.etag, s.fragment = a.header.Get("ETag"), renewed
		}
	}
	r := request{method: http.MethodPatch, url: s.url, kind: "text/plain", body: s.fragment.text(), match: s.etag}
	a = c.do(ctx, r)
	c.judge("patch.content-type", a.refused(), a, "the status is not 4xx")
	r.kind, r.auth = typeFragment, noToken
	if a = c.do(ctx, r); c.guarded && a.ok() {
		c.skip("session.auth", "the session's URL is the secret")
	} else if c.guarded {
		c.judgeChallenge("session.auth", a)
	}
	for _, bad := range []string{"this is not a fragment", "\x00\x01\x02\r\n", "a=ice-ufrag:x\r\na=ice-pwd:y\r\n"} {
		a = c.patch(ctx, s, s.etag, bad)
		c.judge("patch.malformed", a.refused(), a, "the status is not 4xx")
	}
}

// checkOverlap sends trickles at the same time.
func (c *checker) checkOverlap(ctx context.Context, s *session) {
	answers := make([]*answer, 4)
	r := request{method: http.MethodPatch, url: s.url, kind: typeFragment, body: s.fragment.text(), match: s.etag}
	var running sync.WaitGroup
	for i := range answers {
		running.Go(func() { answers[i] = c.send(ctx, r) })
	}
	running.Wait()
	for _, a := range answers {
		c.judge("patch.overlap", a.status == http.StatusNoContent, a, "one of %d was not answered 204", len(answers))
	}
}
