package sendonly

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtcp"
	"github.com/pion/srtp/v3"

	"github.com/rivus-live/rivus/internal/rtc/burst"
	"github.com/rivus-live/rivus/internal/rtc/ice"
)

// profiles are what is offered, the cheapest first: AES-CM with HMAC-SHA1 costs five times as much as GCM.
var profiles = []dtls.SRTPProtectionProfile{ //nolint:gochecknoglobals // a constant table
	dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80,
}

const (
	maxSources   = 32   // of a peer's RTCP
	replayWindow = 1024 // of its packets
	gcmTag       = 16
)

var (
	errPacket  = errors.New("it is no RTP packet of this stream")
	errSources = errors.New("too many sources in one connection")
)

// keys encrypt and decrypt for one peer.
type keys struct {
	gcm  cipher.AEAD // of RTP; nil: out does it
	salt [12]byte

	sending sync.Mutex // guards what follows
	out     *srtp.Context
	scratch []byte

	receiving sync.Mutex // guards what follows
	in        *srtp.Context
	sources   []uint32
}

// newKeys takes the keys from a handshake.
func newKeys(profile dtls.SRTPProtectionProfile, state *dtls.State) (*keys, error) {
	c := srtp.Config{Profile: srtp.ProtectionProfile(profile)}
	if err := c.ExtractSessionKeysFromDTLS(state, false); err != nil {
		return nil, fmt.Errorf("export keys: %w", err)
	}
	k := &keys{}
	var err error
	if k.out, err = srtp.CreateContext(c.Keys.LocalMasterKey, c.Keys.LocalMasterSalt, c.Profile); err != nil {
		return nil, fmt.Errorf("keys to send with: %w", err)
	}
	k.in, err = srtp.CreateContext(c.Keys.RemoteMasterKey, c.Keys.RemoteMasterSalt, c.Profile, srtp.SRTCPReplayProtection(replayWindow))
	if err != nil {
		return nil, fmt.Errorf("keys to receive with: %w", err)
	}
	if profile != dtls.SRTP_AES128_CM_HMAC_SHA1_80 {
		err = k.derive(c.Keys.LocalMasterKey, c.Keys.LocalMasterSalt)
	}
	return k, err
}

// derive makes the session key and salt of RTP for GCM (RFC 3711, section 4.3.1; RFC 7714, section 11).
func (k *keys) derive(master, salt []byte) error {
	const labelKey, labelSalt = 0, 2
	block, err := aes.NewCipher(master)
	if err != nil {
		return fmt.Errorf("key derivation: %w", err)
	}
	stream := func(label byte, out []byte) {
		var iv [aes.BlockSize]byte
		copy(iv[:], salt)
		iv[7] ^= label
		cipher.NewCTR(block, iv[:]).XORKeyStream(out, out)
	}
	session := make([]byte, len(master))
	stream(labelKey, session)
	stream(labelSalt, k.salt[:])
	if block, err = aes.NewCipher(session); err == nil {
		k.gcm, err = cipher.NewGCM(block)
	}
	if err != nil {
		return fmt.Errorf("session key: %w", err)
	}
	return nil
}

// Stream is one outgoing RTP stream with its retransmission stream.
type Stream struct {
	peer  *Peer
	media source
	rtx   source
	iv    [12]byte
}

// source is the state of one SSRC.
type source struct {
	ssrc    uint32
	begun   bool
	highest uint64              // index of the newest packet: rollover counter and sequence number
	used    [window / 64]uint64 // which of the newest indexes were encrypted, as a ring of bits
}

// window is how many packets behind the newest one may still be sent.
const window = 1024

// NewStream returns a stream with these SSRCs; rtx may be 0.
func (p *Peer) NewStream(ssrc, rtx uint32) *Stream {
	return &Stream{peer: p, media: source{ssrc: ssrc}, rtx: source{ssrc: rtx}}
}

// Write encrypts a finished RTP packet of the stream, or of its retransmission. Over UDP it waits for a flush. It keeps
// no reference to b and allocates nothing. One goroutine at a time. A number that was used before is refused, as is one
// that is far behind.
func (s *Stream) Write(b []byte) error {
	k, w := s.peer.keys.Load(), s.peer.way.Load()
	if k == nil || w == nil {
		return ErrNotReady
	}
	header := headerSize(b)
	if header == 0 || len(b) > burst.MaxPacket-gcmTag {
		return errPacket
	}
	if k.gcm == nil {
		return s.slow(k, w, b)
	}
	src := &s.media
	if ssrc := binary.BigEndian.Uint32(b[8:]); ssrc != src.ssrc {
		if src = &s.rtx; ssrc != src.ssrc {
			return errPacket
		}
	}
	index, ok := src.index(binary.BigEndian.Uint16(b[2:]))
	if !ok {
		return errPacket
	}
	s.nonce(&k.salt, src.ssrc, index)
	if w.tcp != nil {
		w.tcp.seal(k.gcm, s.iv[:], b, header)
		return nil
	}
	slot, ok := s.peer.mux.out.Reserve(w.route, len(b)+gcmTag)
	if !ok {
		return net.ErrClosed
	}
	seal(slot.B, k.gcm, s.iv[:], b, header)
	slot.Commit()
	return nil
}

// seal encrypts b into dst, which has its length and that of the tag.
func seal(dst []byte, gcm cipher.AEAD, iv, b []byte, header int) {
	copy(dst, b[:header])
	gcm.Seal(dst[header:header], iv, b[header:], b[:header])
}

// slow is for profiles that are no AEAD.
func (s *Stream) slow(k *keys, w *way, b []byte) error {
	k.sending.Lock()
	defer k.sending.Unlock()
	var err error
	if k.scratch, err = k.out.EncryptRTP(k.scratch, b, nil); err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	if w.tcp != nil {
		w.tcp.write(k.scratch)
		return nil
	}
	slot, ok := s.peer.mux.out.Reserve(w.route, len(k.scratch))
	if !ok {
		return net.ErrClosed
	}
	copy(slot.B, k.scratch)
	slot.Commit()
	return nil
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

// index extends a sequence number with its rollover counter (RFC 3711, section 3.3.1). False: the number is too old, the
// key is used up, or the index was given before. With GCM, to encrypt two packets under one index gives away the key of
// the authentication (RFC 7714, section 9), so no mistake above may lead to that.
func (s *source) index(seq uint16) (uint64, bool) {
	if !s.begun {
		s.begun, s.highest = true, uint64(seq)
		s.mark(s.highest)
		return s.highest, true
	}
	i := int64(s.highest) + int64(int16(seq-uint16(s.highest)))
	if i < 0 || i >= 1<<48 || i <= int64(s.highest)-window {
		return 0, false
	}
	index := uint64(i)
	if index <= s.highest {
		return index, s.mark(index)
	}
	if index-s.highest >= window {
		s.used = [len(s.used)]uint64{}
	} else {
		for n := s.highest + 1; n < index; n++ {
			s.used[n%window/64] &^= 1 << (n % 64)
		}
		s.used[index%window/64] &^= 1 << (index % 64)
	}
	s.highest = index
	return index, s.mark(index)
}

// mark notes that an index is used, and tells whether it was not.
func (s *source) mark(index uint64) bool {
	word, bit := &s.used[index%window/64], uint64(1)<<(index%64)
	fresh := *word&bit == 0
	*word |= bit
	return fresh
}

// nonce makes the initialization vector of a packet (RFC 7714, section 8.1).
func (s *Stream) nonce(salt *[12]byte, ssrc uint32, index uint64) {
	s.iv = *salt
	var b [12]byte
	binary.BigEndian.PutUint32(b[2:], ssrc)
	binary.BigEndian.PutUint32(b[6:], uint32(index>>16))
	binary.BigEndian.PutUint16(b[10:], uint16(index))
	for i := range b {
		s.iv[i] ^= b[i]
	}
}

// WriteRTCP sends RTCP to the peer at once.
func (p *Peer) WriteRTCP(packets ...rtcp.Packet) error {
	k := p.keys.Load()
	if k == nil {
		return ErrNotReady
	}
	b, err := rtcp.Marshal(packets)
	if err != nil {
		return fmt.Errorf("write RTCP: %w", err)
	}
	k.sending.Lock()
	defer k.sending.Unlock()
	if b, err = k.out.EncryptRTCP(nil, b, nil); err != nil {
		return fmt.Errorf("encrypt RTCP: %w", err)
	}
	return p.transmit(b)
}

// control takes an SRTCP packet and hands on what it says. It destroys b.
func (p *Peer) control(b []byte, from ice.Path) {
	k := p.keys.Load()
	if k == nil {
		return
	}
	ssrc := binary.BigEndian.Uint32(b[4:])
	k.receiving.Lock()
	plain, err := k.in.DecryptRTCP(b, b, nil)
	full := false
	if err == nil && !slices.Contains(k.sources, ssrc) {
		if full = len(k.sources) == maxSources; !full {
			k.sources = append(k.sources, ssrc)
		}
	}
	k.receiving.Unlock()
	if err != nil {
		return
	}
	if full {
		p.over(errSources)
		return
	}
	p.dtls.proven()
	p.mu.Lock()
	p.agent.Heard(p.mux.now(), from)
	p.mu.Unlock()
	if p.config.Feedback != nil {
		p.config.Feedback(plain)
	}
}
