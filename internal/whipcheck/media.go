package whipcheck

import (
	"context"
	"net/http"

	"github.com/pion/webrtc/v4"
)

// checkMedia judges a session that connects and carries media.
func (c *checker) checkMedia(ctx context.Context) error {
	p, err := newPeer(c.play)
	if err != nil {
		return err
	}
	defer p.close()
	local, err := p.offer(ctx, false)
	if err != nil {
		return err
	}
	s, x, err := c.open(ctx, wireOffer(local))
	if err != nil {
		return err
	}
	if s == nil || s.answer == nil {
		c.skipAll("media.", "there is no session with an answer that can be used")
		if s != nil {
			c.drop(ctx, x)
		}
		return nil
	}
	connected := c.connect(ctx, p, s, x)
	if connected && c.flow(ctx, p, s) {
		c.survive(ctx, p, s)
		c.restart(ctx, p, s)
	}
	end := c.do(ctx, request{method: http.MethodDelete, url: s.url})
	c.judge("delete.status", end.ok(), end, "the status is not 2xx")
	if connected {
		c.judge("media.end", p.await(ctx, c.wait, (*seen).over), end, "after %v the connection is still up", c.wait)
	}
	c.skipAll("media.", "there was no connection with media")
	return nil
}

// over reports whether the connection has ended, by DTLS or because the server consents no longer.
func (v *seen) over() bool {
	return v.dtls == webrtc.DTLSTransportStateClosed || v.dtls == webrtc.DTLSTransportStateFailed ||
		v.state == webrtc.PeerConnectionStateDisconnected || v.state == webrtc.PeerConnectionStateFailed ||
		v.state == webrtc.PeerConnectionStateClosed
}

func (v *seen) connected() bool { return v.state == webrtc.PeerConnectionStateConnected }

// connect applies the answer, trickles and waits for the connection.
func (c *checker) connect(ctx context.Context, p *peer, s *session, x *answer) bool {
	if s.answer.candidates() > maxCandidates*len(s.answer.sections) {
		c.judge("media.connect", false, x, "more than %d candidates to try", maxCandidates)
		return false
	}
	if err := p.take(s.text); err != nil {
		c.judge("media.connect", false, x, "the answer cannot be applied: %v", err)
		return false
	}
	if c.trickles {
		c.judgeTrickle(c.patch(ctx, s, s.etag, s.fragment.text()))
	}
	ok := p.await(ctx, c.wait, (*seen).connected)
	c.judge("media.connect", ok, x, "not within %v", c.wait)
	return ok
}

// flow waits for media, or for reports on ours.
func (c *checker) flow(ctx context.Context, p *peer, s *session) bool {
	if !c.play {
		ok := p.await(ctx, c.wait, func(v *seen) bool { return p.reportedSince(v, nil) })
		c.judge("media.reports", ok, nil, "after %v some track was not reported on", c.wait)
		return ok
	}
	all := true
	for i := range s.answer.sections {
		kind := s.answer.sections[i].kind
		if s.answer.sections[i].accepted() {
			ok := p.await(ctx, c.wait, func(v *seen) bool { return v.packets[kind] > 0 })
			c.judge("media.flow", ok, nil, "after %v there is no %s", c.wait, kind)
			all = all && ok
		}
	}
	c.keyframe(ctx, p)
	return all
}

// keyframe asks for a keyframe, again and again as a player would.
func (c *checker) keyframe(ctx context.Context, p *peer) {
	const id = "media.keyframe"
	var ssrc uint32
	var before int
	if !p.await(ctx, 0, func(v *seen) bool { ssrc, before = v.video, v.keyframes; return v.video != 0 }) {
		c.skip(id, "there is no video")
		return
	}
	const tries = 5
	for range tries {
		if err := p.askKeyframe(ssrc); err != nil {
			break
		}
		if p.await(ctx, c.wait/tries, func(v *seen) bool { return v.keyframes > before }) {
			c.judge(id, true, nil, "")
			return
		}
	}
	c.judge(id, false, nil, "not within %v", c.wait)
}

// survive sends what is refused and sees that media goes on.
func (c *checker) survive(ctx context.Context, p *peer, s *session) {
	if !c.trickles {
		c.skip("media.survives", "the server takes no PATCH")
		return
	}
	c.patch(ctx, s, staleTag, s.fragment.text())
	a := c.patch(ctx, s, s.etag, "this is not a fragment")
	if !a.refused() || notThere(a) && !p.await(ctx, 0, (*seen).over) {
		c.skip("media.survives", "nothing was refused")
		return
	}
	c.judge("media.survives", c.goesOn(ctx, p), a, "media has stopped")
}

// goesOn waits for media, or reports on ours, from now on.
func (c *checker) goesOn(ctx context.Context, p *peer) bool {
	if !c.play {
		from := map[uint32]uint16{}
		for _, s := range p.sources {
			if ssrc, last, ok := s.sent(); ok {
				from[ssrc] = last
			}
		}
		return p.await(ctx, c.wait, func(v *seen) bool { return p.reportedSince(v, from) })
	}
	before := map[string]int{}
	p.await(ctx, 0, func(v *seen) bool {
		for kind, n := range v.packets {
			before[kind] = n
		}
		return true
	})
	return p.await(ctx, c.wait, func(v *seen) bool {
		for kind, n := range before {
			if v.packets[kind] < n+2 { // one may have been on its way
				return false
			}
		}
		return !v.over()
	})
}

// reportedSince reports whether each track that is sent was reported on, beyond given sequence numbers.
func (p *peer) reportedSince(v *seen, from map[uint32]uint16) bool {
	sending := false
	for _, s := range p.sources {
		ssrc, _, ok := s.sent()
		if !ok {
			continue
		}
		sending = true
		reported, ok := v.reported[ssrc]
		if last, limited := from[ssrc]; !ok || limited && int16(reported-last) <= 0 {
			return false
		}
	}
	return sending
}

// restart restarts ICE and sees that the connection comes back and media goes on.
func (c *checker) restart(ctx context.Context, p *peer, s *session) {
	const id = "media.restart"
	if !c.restarts {
		c.skip(id, "the server does not support ICE restarts")
		return
	}
	local, err := p.offer(ctx, true)
	if err != nil {
		c.skip(id, "the checker could not restart")
		return
	}
	f, err := fragmentOf(local)
	if err != nil {
		c.skip(id, "the checker could not restart")
		return
	}
	a := c.patch(ctx, s, "*", f.text())
	d := c.judgeRestart(s, a)
	if d == nil || d.candidates() > maxCandidates {
		c.judge(id, false, a, "the restart was not answered as it should")
		return
	}
	if err := p.take(restarted(s.text, d)); err != nil {
		c.judge(id, false, a, "the fragment cannot be applied: %v", err)
		return
	}
	if !p.await(ctx, c.wait, (*seen).connected) {
		c.judge(id, false, a, "no connection within %v", c.wait)
		return
	}
	c.judge(id, c.goesOn(ctx, p), a, "no media within %v", c.wait)
}
