package peer

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"
	"golang.org/x/net/ipv4"
)

// Limits of what a receiver asks for again.
const (
	lostMemory   = 1000 // packets of a gap; more is no gap
	nackInterval = 100 * time.Millisecond
	nackTries    = 10
	earlyMemory  = 256 // packets that come before the keys do
)

// early is a packet that came before its key.
type early struct {
	b  []byte
	at int64
}

// receive reads the socket until it is closed.
func (p *Peer) receive(socket *ipv4.PacketConn) {
	defer close(p.read)
	batch := make([]ipv4.Message, batchSize)
	for i := range batch {
		batch[i] = ipv4.Message{Buffers: [][]byte{make([]byte, maxPacket)}, OOB: make([]byte, 64)}
	}
	for {
		n, err := socket.ReadBatch(batch, 0)
		if err != nil {
			if isClosed(err) {
				return
			}
			continue // nobody listened a moment ago
		}
		now := time.Now()
		p.mu.Lock()
		p.lag.Add(now.UnixNano() - arrival(&batch[0], now))
		for i := range batch[:n] {
			p.take(batch[i].Buffers[0][:batch[i].N], arrival(&batch[i], now))
		}
		p.tick(now)
		p.mu.Unlock()
	}
}

// arrival returns when the kernel had a datagram, in nanoseconds since 1970.
func arrival(m *ipv4.Message, now time.Time) int64 {
	const header = 16 // of a control message on 64-bit systems
	if m.NN < header+16 {
		return now.UnixNano()
	}
	seconds := int64(binary.NativeEndian.Uint64(m.OOB[header:]))
	return seconds*int64(time.Second) + int64(binary.NativeEndian.Uint64(m.OOB[header+8:]))
}

// take sorts a datagram by its first byte (RFC 7983). The caller holds the lock.
func (p *Peer) take(b []byte, at int64) {
	if len(b) < 12 {
		return
	}
	switch first := b[0]; {
	case first < 4:
		p.stun(b)
	case first >= 20 && first < 64:
		_, _ = p.handshake.Write(b) // a full buffer is a lost packet
	case first < 128:
	case p.in == nil:
		if len(p.early) < earlyMemory {
			p.early = append(p.early, early{append([]byte(nil), b...), at})
		}
	case b[1] >= 192 && b[1] < 224:
		p.rtcp(b)
	default:
		p.rtp(b, at)
	}
}

// rtp takes a media packet. It allocates nothing once its stream is known.
func (p *Peer) rtp(b []byte, at int64) {
	p.count.Packets++
	p.count.Bytes += int64(len(b))
	if p.opt.Loss > 0 && p.random.Float64() < p.opt.Loss {
		p.count.Dropped++
		return
	}
	plain, err := p.in.DecryptRTP(p.plain[:0], b, &p.header)
	if err != nil {
		p.count.Broken++
		return
	}
	h := &p.header
	payload := plain[headerSize(plain):]
	if h.Padding && len(payload) > 0 {
		payload = payload[:max(0, len(payload)-int(payload[len(payload)-1]))]
	}
	s := p.heard[h.SSRC]
	if s == nil {
		if s = p.newStream(h.SSRC, h.PayloadType); s == nil {
			return
		}
	}
	if s.twcc != 0 {
		if x := h.GetExtension(s.twcc); len(x) >= 2 {
			p.twcc.Record(h.SSRC, binary.BigEndian.Uint16(x), at/1000)
		}
	}
	if p.first.IsZero() {
		p.first = time.Unix(0, at)
	}
	switch {
	case !s.repair:
		p.media(s, h.SequenceNumber, payload, at, false)
	case len(payload) <= 2:
		p.count.Padding++
	default:
		p.count.Repairs++
		if s.repairs != nil {
			p.media(s.repairs, binary.BigEndian.Uint16(payload), payload[2:], at, true)
		}
	}
}

// headerSize returns the length of an RTP header that was parsed already.
func headerSize(b []byte) int {
	n := 12 + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 {
		n += 4 + 4*int(binary.BigEndian.Uint16(b[n+2:]))
	}
	return n
}

// media takes a packet of a stream, the first time or again.
func (p *Peer) media(s *stream, seq uint16, payload []byte, at int64, again bool) {
	n := s.unwrap(seq)
	if !s.got.set(n) {
		p.count.Duplicates++
		return
	}
	s.packets++
	s.follow(n, again)
	if len(payload) == 0 {
		p.count.Padding++
		return
	}
	if again {
		p.count.Recovered++
	}
	p.watchKeyframe(s, n, payload, at)
	stamp, ok := stampOf(payload)
	if !ok {
		return
	}
	t := s.source
	if t == nil || t.source != stamp.Source {
		t = p.tallyOf(stamp.Source)
		if s.source != nil && !again && s.source.source&0xff != stamp.Source&0xff {
			p.count.Switches++
		}
		if !again {
			s.source = t
		}
	}
	t.got.set(int64(stamp.Number))
	t.highest = max(t.highest, int64(stamp.Number))
	if !again {
		p.delay.Add(at - stamp.Sent)
	}
}

// rtcp takes what the other side says about its streams, or about ours.
func (p *Peer) rtcp(b []byte) {
	plain, err := p.in.DecryptRTCP(nil, b, nil)
	if err != nil {
		p.count.Broken++
		return
	}
	packets, err := rtcp.Unmarshal(plain)
	if err != nil {
		return
	}
	for _, packet := range packets {
		switch packet := packet.(type) {
		case *rtcp.SenderReport:
			if s := p.heard[packet.SSRC]; s != nil {
				s.report, s.reportAt = uint32(packet.NTPTime>>16), time.Now()
			}
		default:
			p.feedback(packet)
		}
	}
}
