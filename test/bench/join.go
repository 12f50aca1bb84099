package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/rivus-live/rivus/test/bench/peer"
)

// measureJoin measures how soon a subscriber of a running publication gets something, and something to show.
func measureJoin(ctx context.Context, b *bench) error {
	err := b.eachServer(ctx, func(c contender) error {
		return b.tolerate(ctx, c, "joins one after the other", b.measureJoinsOf(ctx, c))
	})
	b.report.note("from the beginning of the join (POST; with LiveKit the opening of its socket) to the kernel's arrival of the first media packet and of the last packet of the first keyframe; joins come one after the other at random moments; the client sends its first ICE check at once, so its pace does not count")
	b.report.note("a stock Pion client looks at its checks every 200 ms only, which counts against servers that wait for it to nominate; ours checks back at once")
	return err
}

// joining is how long joins took.
type joining struct{ packet, keyframe []time.Duration }

func (b *bench) measureJoinsOf(ctx context.Context, c contender) error {
	s, err := c.start(ctx)
	if err != nil {
		return err
	}
	o := &onStage{sfu: s}
	defer o.close()
	b.progress("join: %s", s.name())
	n, stock := pick(b, 60, 5), pick(b, 20, 2)
	tickets, err := s.open(ctx, 1+n+stock)
	if err != nil {
		return err
	}
	if err := b.bring(ctx, o, stageJob{Members: []member{{Ticket: tickets[0], Program: program()}}}, 1, 0); err != nil {
		return err
	}
	if err := wait(ctx, 3*time.Second); err != nil {
		return err
	}
	var took joining
	for _, t := range tickets[1 : 1+n] {
		if err := took.join(ctx, member{Ticket: t, Watch: []string{tickets[0].ID}}); err != nil {
			return err
		}
	}
	b.budget(s, "first packet, p50", quantile(sorted(took.packet), 0.5).Seconds()*1000, 20, "%.1f ms")
	b.budget(s, "first keyframe, p50", quantile(sorted(took.keyframe), 0.5).Seconds()*1000, 150, "%.1f ms")
	b.report.add(mark(s)+"first packet, p95", "%.1f ms", quantile(took.packet, 0.95).Seconds()*1000)
	b.report.add(mark(s)+"first keyframe, p95", "%.1f ms", quantile(took.keyframe, 0.95).Seconds()*1000)
	if tickets[0].LiveKit {
		return nil
	}
	var times []time.Duration
	for _, t := range tickets[1+n:] {
		d, err := stockJoin(ctx, t, tickets[0].ID)
		if err != nil {
			return fmt.Errorf("stock Pion: %w", err)
		}
		times = append(times, d)
	}
	b.report.add("first packet of a stock Pion client, p50 / p95", "%s", milliseconds(times, 0.5, 0.95))
	return nil
}

// program is what a single publisher sends.
func program() *peer.Program { return &peer.Program{Layers: []peer.Layer{peer.HD("")}} }

// join lets one subscriber come, waits for its first keyframe and lets it go.
func (j *joining) join(ctx context.Context, m member) error {
	if err := wait(ctx, time.Duration(rand.IntN(300))*time.Millisecond); err != nil {
		return err
	}
	began := time.Now()
	p, leave, err := visit(ctx, m)
	if err != nil {
		return err
	}
	defer leave()
	return poll(ctx, "a subscriber's first keyframe", func() error {
		p.Tick(time.Now())
		packet, keyframe := p.Firsts()
		if keyframe.IsZero() {
			return fmt.Errorf("it has not come: %s", p.State().Lacks)
		}
		j.packet, j.keyframe = append(j.packet, packet.Sub(began)), append(j.keyframe, keyframe.Sub(began))
		return nil
	})
}

// visit connects one subscriber.
func visit(ctx context.Context, m member) (*peer.Peer, func(), error) {
	l, err := newStageLoad(stageJob{})
	if err != nil {
		return nil, nil, err
	}
	return l.visit(ctx, m)
}

// visit connects one subscriber of whom the caller takes care.
func (l *stageLoad) visit(ctx context.Context, m member) (*peer.Peer, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	s, err := l.session(ctx, m)
	if err != nil {
		return nil, nil, err
	}
	peers, err := s.watch(ctx)
	if err == nil && len(peers) != 1 {
		err = fmt.Errorf("%d connections instead of one", len(peers))
	}
	if err != nil {
		s.leave()
		return nil, nil, err
	}
	return peers[0], func() { peers[0].Close(); s.leave() }, nil
}

// stockJoin lets a Pion client with its defaults join, and returns how long its first packet took.
func stockJoin(ctx context.Context, t ticket, publisher string) (time.Duration, error) {
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return 0, err
	}
	defer pc.Close() //nolint:errcheck // all is said
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			return 0, err
		}
	}
	came := make(chan time.Time, 2)
	pc.OnTrack(func(*webrtc.TrackRemote, *webrtc.RTPReceiver) { came <- time.Now() }) // with the first packet of each
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return 0, err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(offer); err != nil {
		return 0, err
	}
	<-gathered
	began := time.Now()
	r, answer, err := postWHIP(ctx, t.URL+"/subscribe/"+publisher, t.Token, pc.LocalDescription().SDP)
	if err != nil {
		return 0, err
	}
	defer r.leave()
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	select {
	case at := <-came:
		return at.Sub(began), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
