package transport

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/rivus-live/rivus/internal/rtc/burst"
)

var errPacket = errors.New("it is no RTP packet of this stream")

// errChanged is returned for a packet with a number that was used for another one.
var errChanged = errors.New("it is not the packet that was sent with its number")

// Stream is one outgoing RTP stream with its retransmission stream.
type Stream struct {
	peer    *Peer
	media   source
	rtx     source
	iv      [12]byte
	tags    *[window]tag // of the packets of media; nil: none is sent again
	scratch []byte
}

// tag is the end of an encrypted packet, by which it is known again: all of the header, the payload, the nonce and the
// key are in it, with every profile.
type tag [8]byte

func tagOf(encrypted []byte) tag { return tag(encrypted[len(encrypted)-len(tag{}):]) }

// source is the state of one outgoing SSRC. With GCM, to encrypt two packets under one index gives away the key of the
// authentication (RFC 7714, section 9), so no mistake above may lead to that. To encrypt one packet twice makes the same
// bytes twice, which tells nobody anything.
type source struct {
	ssrc uint32
	indexes
}

// NewStream returns a stream with these SSRCs; rtx may be 0. If it repeats, the last 1,024 packets can be sent again.
func (p *Peer) NewStream(ssrc, rtx uint32, repeats bool) *Stream {
	s := &Stream{peer: p, media: source{ssrc: ssrc}, rtx: source{ssrc: rtx}}
	if repeats {
		s.tags = new([window]tag)
	}
	return s
}

// Write encrypts a finished RTP packet of the stream, or of its retransmission. Over UDP it leaves with a batch of the
// socket. It keeps no reference to b and allocates nothing. One goroutine at a time. A number that was used before is
// refused, as is one that is far behind, but a stream that repeats sends the same packet again.
func (s *Stream) Write(out *burst.Batch, b []byte) error {
	k, w := s.peer.keys.Load(), s.peer.way.Load()
	if k == nil || w == nil {
		return ErrNotReady
	}
	header := headerSize(b)
	if header == 0 || len(b) > burst.MaxPacket-gcmTag {
		return errPacket
	}
	if k.rtpOut == nil {
		return s.slow(k, w, out, b)
	}
	src := &s.media
	if ssrc := binary.BigEndian.Uint32(b[8:]); ssrc != src.ssrc {
		if src = &s.rtx; ssrc != src.ssrc {
			return errPacket
		}
	}
	index, ok := src.next(binary.BigEndian.Uint16(b[2:]))
	if !ok {
		return s.repeat(k, w, out, b, header)
	}
	k.rtpOut.nonce(&s.iv, src.ssrc, index)
	if s.tags != nil && src == &s.media {
		return s.remember(k, w, out, b, header)
	}
	if w.tcp != nil {
		w.tcp.seal(k.rtpOut, s.iv[:], b, header)
		return nil
	}
	room := out.Reserve(w.route, len(b)+gcmTag)
	if room == nil {
		return errPacket
	}
	seal(room, k.rtpOut, s.iv[:], b, header)
	return nil
}

// remember is the rest of Write for a stream that repeats. The packet counts as sent whatever becomes of it.
func (s *Stream) remember(k *keys, w *way, out *burst.Batch, b []byte, header int) error {
	s.scratch = slices.Grow(s.scratch[:0], len(b)+gcmTag)[:len(b)+gcmTag]
	seal(s.scratch, k.rtpOut, s.iv[:], b, header)
	s.tags[binary.BigEndian.Uint16(b[2:])%window] = tagOf(s.scratch)
	return w.pass(out, s.scratch)
}

// repeat encrypts a packet with a number that was used before under its index, and sends it if that makes the packet that
// was sent.
func (s *Stream) repeat(k *keys, w *way, out *burst.Batch, b []byte, header int) error {
	seq := binary.BigEndian.Uint16(b[2:])
	index, ok := s.media.again(seq)
	if s.tags == nil || binary.BigEndian.Uint32(b[8:]) != s.media.ssrc || !ok {
		return errPacket
	}
	k.rtpOut.nonce(&s.iv, s.media.ssrc, index)
	s.scratch = slices.Grow(s.scratch[:0], len(b)+gcmTag)[:len(b)+gcmTag]
	seal(s.scratch, k.rtpOut, s.iv[:], b, header)
	if tagOf(s.scratch) != s.tags[seq%window] {
		return errChanged
	}
	return w.pass(out, s.scratch)
}

// pass sends an encrypted packet: over UDP with a batch, over TCP at once.
func (w *way) pass(out *burst.Batch, b []byte) error {
	if w.tcp != nil {
		w.tcp.write(b)
		return nil
	}
	room := out.Reserve(w.route, len(b))
	if room == nil {
		return errPacket
	}
	copy(room, b)
	return nil
}

// seal encrypts b into dst, which has its length and that of the tag.
func seal(dst []byte, gcm cipher.AEAD, iv, b []byte, header int) {
	copy(dst, b[:header])
	gcm.Seal(dst[header:header], iv, b[header:], b[:header])
}

// slow is for profiles that are no AEAD. Their index is the library's, but a packet is let through, or known again, as with
// those.
func (s *Stream) slow(k *keys, w *way, out *burst.Batch, b []byte) error {
	k.sending.Lock()
	defer k.sending.Unlock()
	var err error
	if k.scratch, err = k.out.EncryptRTP(k.scratch, b, nil); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	if seq := binary.BigEndian.Uint16(b[2:]); s.tags != nil && binary.BigEndian.Uint32(b[8:]) == s.media.ssrc {
		if _, fresh := s.media.next(seq); fresh {
			s.tags[seq%window] = tagOf(k.scratch)
		} else if _, again := s.media.again(seq); !again {
			return errPacket
		} else if tagOf(k.scratch) != s.tags[seq%window] {
			return errChanged
		}
	}
	return w.pass(out, k.scratch)
}

// headerSize returns the length of a packet's RTP header, 0 for what is no packet (RFC 3550, section 5.1).
func headerSize(b []byte) int {
	if len(b) < 12 || b[0]>>6 != 2 {
		return 0
	}
	n := 12 + 4*int(b[0]&15)
	if b[0]&0x10 != 0 {
		if len(b) < n+4 {
			return 0
		}
		n += 4 + 4*int(binary.BigEndian.Uint16(b[n+2:]))
	}
	if len(b) < n {
		return 0
	}
	return n
}

// WriteRTCP sends a compound RTCP packet to the peer: with a batch of the socket, or at once when there is none. It keeps
// no reference to b.
func (p *Peer) WriteRTCP(out *burst.Batch, b []byte) error {
	k := p.keys.Load()
	if k == nil {
		return ErrNotReady
	}
	k.sending.Lock()
	defer k.sending.Unlock()
	var err error
	if k.scratch, err = k.out.EncryptRTCP(k.scratch, b, nil); err != nil {
		return fmt.Errorf("encrypt RTCP: %w", err)
	}
	if w := p.way.Load(); w != nil && w.tcp == nil {
		if room := out.Reserve(w.route, len(k.scratch)); room != nil {
			copy(room, k.scratch)
			return nil
		}
	}
	return p.transmit(k.scratch)
}
