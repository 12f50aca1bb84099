package rtctest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// maxLayers is how many simulcast layers a publisher may have.
const maxLayers = 4

// Publisher sends made-up media.
type Publisher struct {
	client
	Audio  *webrtc.TrackLocalStaticRTP
	Videos []*webrtc.TrackLocalStaticRTP // one a layer
	mime   string
	rids   []string
	sender *webrtc.RTPSender       // of the video
	asked  [maxLayers]atomic.Int64 // keyframes asked for, by layer
	made   [maxLayers]atomic.Int64 // keyframes made, by layer
	wanted [maxLayers]atomic.Bool
	voice  atomic.Uint32
	rewind atomic.Uint32
}

// Rewind makes the numbers of the videos begin anew so many packets behind, as a restarted encoder's may.
func (p *Publisher) Rewind(packets uint16) { p.rewind.Store(uint32(packets)) }

// NewPublisher makes a publisher that sends nothing yet.
func NewPublisher(tb testing.TB, o Options) *Publisher {
	tb.Helper()
	pc, err := newPC(o)
	if err != nil {
		tb.Fatal(err)
	}
	p := &Publisher{mime: o.mime()}
	p.start(tb, pc)
	fatal := func(err error) {
		if err != nil {
			tb.Helper()
			tb.Fatal(err)
		}
	}
	if !o.NoAudio {
		p.Audio, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "audio", "pub")
		fatal(err)
		_, err = pc.AddTransceiverFromTrack(p.Audio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		fatal(err)
	}
	if p.mime == "" {
		return p
	}
	rids := o.RIDs
	if len(rids) == 0 {
		rids = []string{""}
	}
	p.rids = rids
	for i, rid := range rids {
		var options []func(*webrtc.TrackLocalStaticRTP)
		if rid != "" {
			options = append(options, webrtc.WithRTPStreamID(rid))
		}
		t, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: p.mime, ClockRate: 90000}, "video", "pub", options...)
		fatal(err)
		p.Videos = append(p.Videos, t)
		if i == 0 {
			tr, err := pc.AddTransceiverFromTrack(t, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
			fatal(err)
			fatal(tr.SetCodecPreferences(prefer(tr, p.mime)))
			p.sender = tr.Sender()
		} else {
			fatal(p.sender.AddEncoding(t))
		}
	}
	for i, rid := range rids {
		p.group.Go(func() { p.listen(p.sender, i, rid) })
	}
	return p
}

// prefer puts a codec, in its flavour for WebRTC, first.
func prefer(tr *webrtc.RTPTransceiver, mime string) []webrtc.RTPCodecParameters {
	var out []webrtc.RTPCodecParameters
	for _, c := range tr.Sender().GetParameters().Codecs {
		chosen := c.MimeType == mime &&
			(mime != webrtc.MimeTypeH264 || strings.Contains(c.SDPFmtpLine, "packetization-mode=1")) &&
			!strings.Contains(c.SDPFmtpLine, "profile-id=1") && !strings.Contains(c.SDPFmtpLine, "profile-id=2")
		if len(out) == 0 && chosen {
			out = append(out, c)
		} else if len(out) == 1 && c.MimeType == webrtc.MimeTypeRTX && c.SDPFmtpLine == fmt.Sprintf("apt=%d", out[0].PayloadType) {
			out = append(out, c)
		}
	}
	return out
}

// listen counts requests for keyframes of a layer.
func (p *Publisher) listen(s *webrtc.RTPSender, layer int, rid string) {
	for {
		var packets []rtcp.Packet
		var err error
		if rid == "" {
			packets, _, err = s.ReadRTCP()
		} else {
			packets, _, err = s.ReadSimulcastRTCP(rid)
		}
		if err != nil {
			return
		}
		for _, pkt := range packets {
			switch pkt.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				p.asked[layer].Add(1)
				p.wanted[layer].Store(true)
			}
		}
	}
}

// Asked returns how many keyframes of a layer were asked for.
func (p *Publisher) Asked(layer int) int { return int(p.asked[layer].Load()) }

// Keyframes returns how many keyframes of a layer were sent.
func (p *Publisher) Keyframes(layer int) int { return int(p.made[layer].Load()) }

// Voice returns the number of the newest audio packet, as Got.Frame tells it.
func (p *Publisher) Voice() uint32 { return p.voice.Load() }

// Media is what a publisher sends.
type Media struct {
	FPS     int
	Packets int           // of every frame, where Rates says nothing
	Rates   []int         // bits a second of each layer; keyframes have four times the size of other frames
	Voice   int           // bytes of an audio packet, at least 7
	Every   time.Duration // an audio packet; 0: 20 ms
	Bare    bool          // H.264 without parameter sets in the stream
}

// Run sends media in real time until the publisher is closed: 50 audio packets and fps frames of every layer a second,
// each frame of perFrame packets. Without asking there is one keyframe, the first.
func (p *Publisher) Run(fps, perFrame int) { p.Play(Media{FPS: fps, Packets: perFrame}) }

// Play is Run with more to choose.
func (p *Publisher) Play(m Media) {
	p.group.Go(func() { p.play(m) })
}

func (p *Publisher) play(m Media) {
	select {
	case <-p.connected:
	case <-p.ctx.Done():
		return
	}
	if m.Every == 0 {
		m.Every = 20 * time.Millisecond
	}
	audio, video := time.NewTicker(m.Every), time.NewTicker(time.Second/time.Duration(m.FPS))
	defer audio.Stop()
	defer video.Stop()
	var seqs [maxLayers]uint16
	for i := range p.Videos {
		p.wanted[i].Store(true)
		seqs[i] = uint16(rand.Uint32()) // a test
	}
	voice := make([]byte, max(m.Voice, 7))
	copy(voice, []byte{0xf8, 0xff, 0xfe})
	for n, frame := uint32(0), uint32(0); ; {
		select {
		case <-audio.C:
			n++
			p.speak(n, uint32(m.Every/time.Millisecond)*48*n, voice)
		case <-video.C:
			back := uint16(p.rewind.Swap(0))
			for i := range p.Videos {
				seqs[i] -= back
				seqs[i] = p.show(&m, i, frame, seqs[i])
			}
			frame++
		case <-p.ctx.Done():
			return
		}
	}
}

// speak sends an audio packet that ends in its number.
func (p *Publisher) speak(n, timestamp uint32, payload []byte) {
	if p.Audio == nil {
		return
	}
	binary.BigEndian.PutUint32(payload[len(payload)-4:], n)
	_ = p.Audio.WriteRTP(&rtp.Packet{
		Header: rtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: timestamp}, Payload: payload,
	})
	p.voice.Store(n)
}

// show sends a frame of a layer, whose first packet has the number seq, and returns the next number.
func (p *Publisher) show(m *Media, layer int, frame uint32, seq uint16) uint16 {
	key := p.wanted[layer].CompareAndSwap(true, false)
	if key {
		p.made[layer].Add(1)
	}
	sizes := equal(m.Packets, plainSize)
	if layer < len(m.Rates) {
		size := m.Rates[layer] / 8 / m.FPS
		if key {
			size *= 4
		}
		packets := (size + fullSize - 1) / fullSize
		sizes = equal(packets, size/packets)
	}
	for _, pkt := range picture(p.mime, key, layer, sizes, frame, uint32(90000/m.FPS)*frame) {
		if m.Bare {
			if pkt.Payload[0] == 0x78 {
				continue
			}
			pkt.Payload[2] = 0x88 // the first macroblock is that of the picture
		}
		pkt.SequenceNumber = seq
		seq++
		p.name(pkt, layer, frame)
		_ = p.Videos[layer].WriteRTP(pkt)
	}
	return seq
}

// name puts MID and RID into the packets of the first frames of a simulcast layer, as browsers do.
func (p *Publisher) name(pkt *rtp.Packet, layer int, frame uint32) {
	if p.rids[0] == "" || frame > 100 {
		return
	}
	for _, e := range p.sender.GetParameters().HeaderExtensions {
		value := ""
		switch e.URI {
		case "urn:ietf:params:rtp-hdrext:sdes:mid":
			for _, tr := range p.PC.GetTransceivers() {
				if tr.Sender() == p.sender {
					value = tr.Mid()
				}
			}
		case "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id":
			value = p.rids[layer]
		}
		if value != "" {
			_ = pkt.SetExtension(uint8(e.ID), []byte(value)) // ids are small
		}
	}
}
