package transport

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/rivus-live/rivus/internal/rtc/ice"
)

// maxSources bounds the SSRCs of a peer.
const maxSources = 32

var (
	errSources = errors.New("too many sources in one connection")
	errReplay  = errors.New("a packet that was here before")
)

// incoming is the state of one SSRC of the peer.
type incoming struct {
	ssrc    uint32
	media   indexes
	marks   *marks  // of the packets of media
	control indexes // RTCP carries them whole
}

// marks are the ends of the packets that the indexes of the window were used for. A sender whose numbers begin anew a
// little behind, with the same SSRC and key, uses indexes again. It must not, but what is authentic and is not the packet
// of before is no replay, and to refuse it would freeze the picture until the numbers are past. Each index is let through
// twice, so that the packets of both times are known.
type marks struct {
	ends  [window][2]uint32
	twice [window / 64]uint64 // which have both
}

func markOf(b []byte) uint32 { return binary.BigEndian.Uint32(b[len(b)-4:]) }

// set notes the first packet of an index.
func (m *marks) set(index uint64, mark uint32) {
	m.ends[index%window][0] = mark
	m.twice[index%window/64] &^= 1 << (index % 64)
}

// other tells whether a packet may be let through under a used index.
func (m *marks) other(index uint64, mark uint32) bool {
	return m.twice[index%window/64]&(1<<(index%64)) == 0 && m.ends[index%window][0] != mark
}

// add notes the second packet of an index.
func (m *marks) add(index uint64, mark uint32) {
	m.ends[index%window][1] = mark
	m.twice[index%window/64] |= 1 << (index % 64)
}

// find places a packet, and tells whether it may be let through: under a fresh index, or once more under a used one.
func (s *incoming) find(seq uint16, mark uint32) (index uint64, fresh, ok bool) {
	if index, fresh = s.media.place(seq); fresh {
		return index, true, true
	}
	index, ok = s.media.again(seq)
	return index, false, ok && s.marks != nil && s.marks.other(index, mark)
}

// take lets a packet through that was found.
func (s *incoming) take(index uint64, fresh bool, mark uint32) {
	if s.marks == nil {
		s.marks = new(marks)
	}
	if !fresh {
		s.marks.add(index, mark)
		return
	}
	s.media.take(index)
	s.marks.set(index, mark)
}

// source finds what is known about an SSRC; what is new is only remembered by adopt, for it may be forged.
func (k *keys) source(ssrc uint32) (s *incoming, known bool) {
	for _, s := range k.sources {
		if s.ssrc == ssrc {
			return s, true
		}
	}
	return &incoming{ssrc: ssrc}, false
}

// adopt remembers a source, one packet of which was authentic.
func (k *keys) adopt(s *incoming) error {
	if len(k.sources) == maxSources {
		return errSources
	}
	k.sources = append(k.sources, s)
	return nil
}

// media takes an SRTP packet and hands on what it was. It destroys b.
func (p *Peer) media(b []byte, from ice.Path) {
	k := p.keys.Load()
	if k == nil || p.config.Media == nil {
		return
	}
	plain, err := k.openRTP(b)
	if p.authentic(err, from) {
		p.config.Media(plain)
	}
}

// control takes an SRTCP packet and hands on what it was. It destroys b.
func (p *Peer) control(b []byte, from ice.Path) {
	k := p.keys.Load()
	if k == nil {
		return
	}
	plain, err := k.openRTCP(b)
	if p.authentic(err, from) && p.config.Control != nil {
		p.config.Control(plain)
	}
}

// authentic deals with what is known once a packet was decrypted, or was not.
func (p *Peer) authentic(err error, from ice.Path) bool {
	if err != nil {
		if errors.Is(err, errSources) {
			p.over(err)
		}
		return false
	}
	p.dtls.proven()
	if now := p.mux.now(); now-time.Duration(p.heard.Load()) >= beat {
		p.heard.Store(int64(now))
		p.note(now, from)
	}
	return true
}

// note tells the agent that something authentic has come.
func (p *Peer) note(now time.Duration, from ice.Path) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.agent.Heard(now, from)
}

// openRTP decrypts an RTP packet in its place.
func (k *keys) openRTP(b []byte) ([]byte, error) {
	header := headerSize(b)
	if header == 0 {
		return nil, errPacket
	}
	k.receiving.Lock()
	defer k.receiving.Unlock()
	s, known := k.source(binary.BigEndian.Uint32(b[8:]))
	mark := markOf(b)
	index, fresh, ok := s.find(binary.BigEndian.Uint16(b[2:]), mark)
	if !ok {
		return nil, errReplay
	}
	var plain []byte
	var err error
	if k.rtpIn == nil {
		plain, err = k.in.DecryptRTP(b, b, nil)
	} else {
		plain, err = k.openGCM(s, b, header, index)
	}
	if err != nil {
		return nil, err //nolint:wrapcheck // nobody looks at it
	}
	s.take(index, fresh, mark) // it was authentic
	if !known {
		err = k.adopt(s)
	}
	return plain, err
}

// openGCM decrypts a packet of a source (RFC 7714, section 8.2).
func (k *keys) openGCM(s *incoming, b []byte, header int, index uint64) ([]byte, error) {
	k.rtpIn.nonce(&k.iv, s.ssrc, index)
	payload, err := k.rtpIn.Open(b[header:header], k.iv[:], b[header:], b[:header])
	if err != nil {
		return nil, err //nolint:wrapcheck // nobody looks at it
	}
	return b[:header+len(payload)], nil
}

// openRTCP decrypts an RTCP packet in its place.
func (k *keys) openRTCP(b []byte) ([]byte, error) {
	k.receiving.Lock()
	defer k.receiving.Unlock()
	s, known := k.source(binary.BigEndian.Uint32(b[4:]))
	var plain []byte
	var err error
	if encrypted := b[max(0, len(b)-rtcpTrailer)]>>7 == 1; k.rtcpIn == nil || !encrypted {
		plain, err = k.in.DecryptRTCP(b, b, nil)
	} else {
		plain, err = k.openControl(s, b)
	}
	if err == nil && !known {
		err = k.adopt(s)
	}
	return plain, err
}

// Sizes around the encrypted part of an RTCP packet (RFC 7714, section 9.2).
const (
	rtcpHeader  = 8
	rtcpTrailer = 4 // a bit that tells that it is encrypted, and the index
)

// openControl decrypts an RTCP packet of a source. Header and trailer are authenticated.
func (k *keys) openControl(s *incoming, b []byte) ([]byte, error) {
	end := len(b) - rtcpTrailer
	if end < rtcpHeader+gcmTag {
		return nil, errPacket
	}
	index := uint64(binary.BigEndian.Uint32(b[end:]) &^ (1 << 31))
	if !s.control.fresh(index) {
		return nil, errReplay
	}
	k.rtcpIn.nonce(&k.iv, s.ssrc, index)
	copy(k.aad[copy(k.aad[:], b[:rtcpHeader]):], b[end:])
	plain, err := k.rtcpIn.Open(b[rtcpHeader:rtcpHeader], k.iv[:], b[rtcpHeader:end], k.aad[:])
	if err != nil {
		return nil, err //nolint:wrapcheck // nobody looks at it
	}
	s.control.take(index)
	return b[:rtcpHeader+len(plain)], nil
}
