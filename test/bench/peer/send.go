package peer

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/pion/rtcp"
)

const sentMemory = 512 // packets of a stream that can be sent again

// outStream is one outgoing RTP stream.
type outStream struct {
	source    uint32
	layer     Layer // of video
	ssrc      uint32
	payload   uint8
	mid       byte
	known     bool // the other side has reported on it, so its names need not be sent any more
	seq       uint16
	timestamp uint32
	clock     uint32    // ticks a packet's or picture's time
	reference time.Time // when the timestamp was sent
	number    uint64
	octets    uint32
	pictures  int
	refresh   bool // a keyframe is wanted
	sent      [sentMemory]struct {
		seq    uint16
		sealed []byte
	}
}

// streams returns what a program is sent as, sound first.
func (p *Program) streams() []*outStream {
	made := []*outStream{{source: p.source(0), payload: typeOpus, mid: '0', clock: soundTicks}}
	for i, l := range p.Layers {
		made = append(made, &outStream{source: p.source(1 + i), layer: l, payload: typeH264, mid: '1', clock: pictureTicks})
	}
	for _, o := range made {
		o.ssrc, o.timestamp, o.seq = rand.Uint32()|1, rand.Uint32(), uint16(rand.Uint32())
	}
	return made
}

// Run sends the program until ctx ends.
func (p *Peer) Run(ctx context.Context) error {
	program := p.opt.Program
	start := time.Now().Add(program.Phase)
	timer := time.NewTimer(0)
	defer timer.Stop()
	room := make([]byte, payloadBytes)
	for sounds, pictures := 0, 0; ; {
		sound, picture := start.Add(time.Duration(sounds)*soundTime), start.Add(time.Duration(pictures)*pictureTime)
		next := sound
		if picture.Before(sound) {
			next = picture
		}
		timer.Reset(time.Until(next))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
		p.mu.Lock()
		if next.Equal(sound) {
			sounds++
			p.sendSound(room[:soundBytes])
		}
		if next.Equal(picture) {
			pictures++
			for _, o := range p.sends[1:] {
				p.sendPicture(o, room)
			}
		}
		p.count.Behind = max(p.count.Behind, time.Since(next))
		p.tick(time.Now())
		p.mu.Unlock()
	}
}

func (p *Peer) sendSound(payload []byte) {
	o := p.sends[0]
	o.timestamp += o.clock
	o.reference = time.Now()
	payload[0] = 0x78 // 20 ms of full band, one frame (RFC 6716, section 3.1)
	p.send(o, payload, false)
}

func (p *Peer) sendPicture(o *outStream, room []byte) {
	o.timestamp += o.clock
	o.reference = time.Now()
	keyframe := o.refresh || o.pictures%keyframeEvery == 0
	if o.refresh {
		o.pictures = 0
	}
	o.pictures++
	o.refresh = false
	size := o.layer.Picture
	if keyframe {
		size = o.layer.Keyframe
		p.count.Keyframes++
		p.send(o, parameterSets(), false)
	}
	fragments(size, keyframe, room, func(payload []byte, last bool) { p.send(o, payload, last) })
}

// send stamps a payload and sends it.
func (p *Peer) send(o *outStream, payload []byte, marker bool) {
	Stamp{Source: o.source, Number: o.number, Sent: time.Now().UnixNano()}.put(payload)
	o.number++
	o.octets += uint32(len(payload))
	plain := o.begin(p.plain[:0], marker)
	plain = p.extend(plain, o)
	plain = append(plain, payload...)
	kept := &o.sent[o.seq%sentMemory]
	sealed, err := p.out.EncryptRTP(kept.sealed[:0], plain, &p.header)
	if err != nil {
		p.count.Broken++
		return
	}
	kept.seq, kept.sealed = o.seq, sealed
	o.seq++
	p.count.Packets++
	p.count.Bytes += int64(len(sealed))
	if _, err := p.conn.Write(sealed); err != nil {
		p.count.Broken++
	}
}

// begin appends the fixed header of the next packet.
func (o *outStream) begin(b []byte, marker bool) []byte {
	second := o.payload
	if marker {
		second |= 0x80
	}
	b = append(b, 0x90, second)
	b = binary.BigEndian.AppendUint16(b, o.seq)
	b = binary.BigEndian.AppendUint32(b, o.timestamp)
	return binary.BigEndian.AppendUint32(b, o.ssrc)
}

// extend appends the header extensions (RFC 8285, section 4.2): the other side accepts ids as they were offered.
func (p *Peer) extend(b []byte, o *outStream) []byte {
	start := len(b)
	b = append(b, 0xbe, 0xde, 0, 0)
	video := o.payload == typeH264
	s := p.sectionOf(video)
	if s != nil && s.twcc != 0 {
		b = append(b, idTransportSeq<<4|1, byte(p.number>>8), byte(p.number))
		p.number++
	}
	if s != nil && s.extensions[uriAudioLevel] != 0 {
		b = append(b, idAudioLevel<<4, 0x80|30) // a voice
	}
	if !o.known {
		b = append(b, idMID<<4, o.mid)
		if video && o.layer.RID != "" {
			b = append(b, idRID<<4|byte(len(o.layer.RID)-1))
			b = append(b, o.layer.RID...)
		}
	}
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[start+2:], uint16((len(b)-start)/4-1))
	return b
}

func (p *Peer) sectionOf(video bool) *section {
	kind := map[bool]string{false: "audio", true: "video"}[video]
	for i := range p.remote.sections {
		if p.remote.sections[i].kind == kind {
			return &p.remote.sections[i]
		}
	}
	return nil
}

// refresh makes the next picture of a layer a keyframe.
func (p *Peer) refresh(ssrc uint32) {
	for _, o := range p.sends {
		if o.ssrc == ssrc {
			o.refresh = true
			p.count.Refreshes++
		}
	}
}

// repeat sends a packet again as it was.
func (p *Peer) repeat(ssrc uint32, seq uint16) {
	for _, o := range p.sends {
		if kept := &o.sent[seq%sentMemory]; o.ssrc == ssrc && kept.seq == seq && len(kept.sealed) > 0 {
			p.count.Repeated++
			_, _ = p.conn.Write(kept.sealed) // it may be lost again
		}
	}
}

// sendReports sends the sender reports of a publisher.
func (p *Peer) sendReports(now time.Time) {
	for _, o := range p.sends {
		if o.reference.IsZero() {
			continue
		}
		ticks := now.Sub(o.reference).Seconds() * 90000
		if o.payload == typeOpus {
			ticks = now.Sub(o.reference).Seconds() * 48000
		}
		p.say(&rtcp.SenderReport{
			SSRC: o.ssrc, NTPTime: ntp(now), RTPTime: o.timestamp + uint32(ticks), PacketCount: uint32(o.number), OctetCount: o.octets,
		})
	}
}

// ntp returns an instant as 32.32 fixed point seconds since 1900 (RFC 5905, section 6).
func ntp(t time.Time) uint64 {
	const from1900 = 2_208_988_800
	return (uint64(t.Unix())+from1900)<<32 | uint64(t.Nanosecond())<<32/1_000_000_000
}
