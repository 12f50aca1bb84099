package peer_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/rivus-live/rivus/test/bench/peer"
)

// limit bounds what these tests wait for.
const limit = 20 * time.Second

// relay is a Pion connection that answers a peer's offer.
func relay(t *testing.T, p *peer.Peer, set func(*webrtc.PeerConnection)) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s)).NewPeerConnection(webrtc.Configuration{})
	must(err)
	t.Cleanup(func() { _ = pc.GracefulClose() })
	set(pc)
	must(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: p.Offer()}))
	answer, err := pc.CreateAnswer(nil)
	must(err)
	gathered := webrtc.GatheringCompletePromise(pc)
	must(pc.SetLocalDescription(answer))
	<-gathered
	must(p.Accept(pc.LocalDescription().SDP))
	t.Cleanup(p.Close)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	must(p.Connect(ctx))
}

func newIdentity(t *testing.T) *peer.Identity {
	t.Helper()
	i, err := peer.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// until waits for a condition.
func until(t *testing.T, what string, check func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(limit)
	for !check() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not in %v", what, limit)
		}
	}
}

// Media of a publisher goes through Pion to a receiver that loses a fifth of it, and gets all of it in the end.
func TestThroughPion(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	sender := peer.New(peer.Options{Identity: id, Program: &peer.Program{Layers: []peer.Layer{peer.HD("")}}})
	receiver := peer.New(peer.Options{Identity: id, Loss: 0.2})
	video, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
	}, "video", "s")
	if err != nil {
		t.Fatal(err)
	}
	var source atomic.Pointer[webrtc.PeerConnection]
	var media atomic.Uint32
	relay(t, receiver, func(pc *webrtc.PeerConnection) {
		sender, err := pc.AddTrack(video)
		if err != nil {
			t.Fatal(err)
		}
		go func() { // ends with the connection
			for {
				packets, _, err := sender.ReadRTCP()
				if err != nil {
					return
				}
				for _, packet := range packets {
					if _, ok := packet.(*rtcp.PictureLossIndication); ok && source.Load() != nil {
						_ = source.Load().WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: media.Load()}})
					}
				}
			}
		}()
	})
	relay(t, sender, func(pc *webrtc.PeerConnection) {
		pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
			if track.Kind() == webrtc.RTPCodecTypeVideo {
				media.Store(uint32(track.SSRC()))
			}
			for {
				packet, _, err := track.ReadRTP()
				if err != nil {
					return
				}
				if track.Kind() == webrtc.RTPCodecTypeVideo {
					packet.Extension, packet.Extensions = false, nil
					_ = video.WriteRTP(packet)
				}
			}
		})
		source.Store(pc)
	})
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- sender.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ran })

	until(t, "a whole keyframe", func() bool { return receiver.State().Pictures == 1 })
	receiver.Begin()
	until(t, "a keyframe is asked for and packets are lost", func() bool { return receiver.End().Dropped > 20 })
	w := receiver.End()
	if w.Asked == 0 || w.Recovered == 0 || w.Delay.Count() == 0 || w.Broken != 0 {
		t.Errorf("%+v", w.Counts)
	}
	until(t, "everything comes in the end", func() bool { return receiver.Lost().Video == 0 })
	if lost := receiver.Lost().Stamps; lost != 0 {
		t.Errorf("%d packets of the publisher are missing", lost)
	}
	if first, keyframe := receiver.Firsts(); first.IsZero() || keyframe.Before(first) {
		t.Errorf("first packet at %v, keyframe at %v", first, keyframe)
	}
}

// Three layers are three streams to Pion.
func TestSimulcast(t *testing.T) {
	t.Parallel()
	p := peer.New(peer.Options{Identity: newIdentity(t), Program: &peer.Program{Layers: peer.Simulcast()}})
	rids := make(chan string, 8)
	relay(t, p, func(pc *webrtc.PeerConnection) {
		pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { rids <- track.RID() })
	})
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- p.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ran })
	seen := map[string]bool{}
	deadline := time.After(limit)
	for len(seen) < 4 { // sound has no name
		select {
		case rid := <-rids:
			seen[rid] = true
		case <-deadline:
			t.Fatalf("only %v", seen)
		}
	}
}

func TestBadDescriptions(t *testing.T) {
	t.Parallel()
	p := peer.New(peer.Options{Identity: newIdentity(t)})
	for _, text := range []string{"", "v=0", "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"} {
		if err := p.Accept(text); err == nil {
			t.Errorf("%q is an answer", text)
		}
		if _, err := p.Answer(text); err == nil {
			t.Errorf("%q is an offer", text)
		}
	}
	if err := p.Connect(t.Context()); err == nil {
		t.Error("connected to nobody")
	}
}
