package whipcheck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// gatherTimeout bounds how long the checker looks for its own addresses.
const gatherTimeout = 5 * time.Second

// peer is the checker's end of a connection: it sends, or it plays.
type peer struct {
	pc      *webrtc.PeerConnection
	sources []*source
	stop    chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something below changes
	closed  bool
	seen    seen
}

// seen is what came over the connection.
type seen struct {
	state     webrtc.PeerConnectionState
	dtls      webrtc.DTLSTransportState
	reported  map[uint32]uint16 // highest sequence number in the reports on an SSRC
	packets   map[string]int    // by kind
	tracks    int
	keyframes int
	video     uint32 // SSRC; 0 before there is one
}

// newPeer makes a peer connection with an audio and a video section.
func newPeer(play bool) (*peer, error) {
	engine := &webrtc.MediaEngine{}
	if err := registerCodecs(engine, play); err != nil {
		return nil, err
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel, quiet.Writer = logging.LogLevelDisabled, io.Discard
	settings := webrtc.SettingEngine{LoggerFactory: quiet}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetICETimeouts(3*time.Second, 6*time.Second, 500*time.Millisecond)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithSettingEngine(settings))
	pc, err := api.NewPeerConnection(webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle})
	if err != nil {
		return nil, err
	}
	p := &peer{pc: pc, stop: make(chan struct{}), changed: make(chan struct{})}
	p.seen.reported, p.seen.packets = map[uint32]uint16{}, map[string]int{}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { p.update(func(v *seen) { v.state = s }) })
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { p.spawn(func() { p.play(t) }) })
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if err = p.add(kind, play); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

// registerCodecs says what we can send (the first three), and what we can recognise when it is played.
func registerCodecs(engine *webrtc.MediaEngine, play bool) error {
	feedback := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}}
	video := func(pt webrtc.PayloadType, mimeType, fmtp string) webrtc.RTPCodecParameters {
		return webrtc.RTPCodecParameters{PayloadType: pt, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: mimeType, ClockRate: 90000, SDPFmtpLine: fmtp, RTCPFeedback: feedback,
		}}
	}
	h264 := func(profile string) string {
		return "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + profile
	}
	opus := webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
	}}
	list := []webrtc.RTPCodecParameters{video(102, webrtc.MimeTypeH264, h264("42e01f")), video(96, webrtc.MimeTypeVP8, "")}
	if play {
		list = append(list, video(104, webrtc.MimeTypeH264, h264("42001f")), video(106, webrtc.MimeTypeH264, h264("4d001f")),
			video(108, webrtc.MimeTypeH264, h264("640c1f")), video(98, webrtc.MimeTypeVP9, "profile-id=0"), video(45, webrtc.MimeTypeAV1, ""))
	}
	err := engine.RegisterCodec(opus, webrtc.RTPCodecTypeAudio)
	for _, c := range list {
		err = errors.Join(err, engine.RegisterCodec(c, webrtc.RTPCodecTypeVideo))
	}
	return err
}

// add adds a section.
func (p *peer) add(kind webrtc.RTPCodecType, play bool) error {
	if play {
		t, err := p.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err == nil {
			p.watch(t.Receiver().Transport())
		}
		return err
	}
	s := &source{kind: kind}
	t, err := p.pc.AddTransceiverFromTrack(s, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return err
	}
	p.watch(t.Sender().Transport())
	p.sources = append(p.sources, s)
	p.spawn(func() { s.run(p.stop) })
	p.spawn(func() { p.readReports(t.Sender(), s) })
	return nil
}

func (p *peer) watch(t *webrtc.DTLSTransport) {
	t.OnStateChange(func(s webrtc.DTLSTransportState) { p.update(func(v *seen) { v.dtls = s }) })
}

// spawn runs fn, which close waits for, unless the peer is closed.
func (p *peer) spawn(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.running.Go(fn)
	}
}

// maxTracks bounds how many SSRCs are read.
const maxTracks = 8

// close ends the connection and returns when nothing of it runs any more.
func (p *peer) close() {
	p.mu.Lock()
	was := p.closed
	p.closed = true
	p.mu.Unlock()
	if was {
		return
	}
	close(p.stop)
	_ = p.pc.Close() // nothing can be done
	p.running.Wait()
}

func (p *peer) update(fn func(v *seen)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn(&p.seen)
	close(p.changed)
	p.changed = make(chan struct{})
}

// await waits until a condition holds, at most for a time, and reports whether it does.
func (p *peer) await(ctx context.Context, limit time.Duration, condition func(v *seen) bool) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		p.mu.Lock()
		ok, changed := condition(&p.seen), p.changed
		p.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// readReports reads what the server says of a track.
func (p *peer) readReports(sender *webrtc.RTPSender, s *source) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			switch r := packet.(type) {
			case *rtcp.ReceiverReport:
				p.report(r.Reports)
			case *rtcp.SenderReport:
				p.report(r.Reports)
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				s.rewind()
			}
		}
	}
}

func (p *peer) report(blocks []rtcp.ReceptionReport) {
	p.update(func(v *seen) {
		for _, b := range blocks {
			if len(v.reported) < 16 {
				v.reported[b.SSRC] = uint16(b.LastSequenceNumber)
			}
		}
	})
}

// play reads a track to its end.
func (p *peer) play(t *webrtc.TrackRemote) {
	kind, mimeType := t.Kind().String(), t.Codec().MimeType
	first := false
	p.update(func(v *seen) { v.tracks++; first = v.tracks <= maxTracks })
	if !first {
		return
	}
	for {
		packet, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		key := kind == "video" && isKeyframe(mimeType, packet.Payload)
		p.update(func(v *seen) {
			v.packets[kind]++
			if kind == "video" {
				v.video = packet.SSRC
			}
			if key {
				v.keyframes++
			}
		})
	}
}

// askKeyframe sends a picture loss indication.
func (p *peer) askKeyframe(ssrc uint32) error {
	return p.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}})
}

// offer makes an offer with all our candidates. One that restarts ICE has new credentials.
func (p *peer) offer(ctx context.Context, restart bool) (string, error) {
	offer, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return "", fmt.Errorf("making an offer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(offer); err != nil {
		return "", fmt.Errorf("making an offer: %w", err)
	}
	timer := time.NewTimer(gatherTimeout)
	defer timer.Stop()
	select {
	case <-gathered:
	case <-timer.C:
		return "", errors.New("our own addresses could not be found")
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return p.pc.LocalDescription().SDP, nil
}

// take applies an answer.
func (p *peer) take(answer string) error {
	return p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

// restarted returns an answer with the credentials and candidates of a fragment in place of its own.
func restarted(answer string, f *description) string {
	where := &section{}
	if len(f.sections) > 0 {
		where = &f.sections[0]
	}
	ufrag, _ := f.get(where, "ice-ufrag")
	password, _ := f.get(where, "ice-pwd")
	candidates := where.all("candidate")
	keep := len(candidates) == 0 // a server need not repeat them
	var b strings.Builder
	for line := range strings.Lines(answer) {
		key, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		switch key {
		case "a=ice-ufrag":
			line = "a=ice-ufrag:" + ufrag + "\r\n"
		case "a=ice-pwd":
			line = "a=ice-pwd:" + password + "\r\n"
			for _, c := range slices.Clip(candidates) {
				line += "a=candidate:" + c + "\r\n"
			}
		case "a=candidate", "a=end-of-candidates":
			if !keep {
				continue
			}
		}
		b.WriteString(line)
	}
	return b.String()
}
