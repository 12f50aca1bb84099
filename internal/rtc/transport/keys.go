package transport

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/pion/dtls/v3"
	"github.com/pion/srtp/v3"
)

// profiles are what we offer, or choose from, the cheapest first: AES-CM with HMAC-SHA1 costs five times as much as GCM.
var profiles = []dtls.SRTPProtectionProfile{ //nolint:gochecknoglobals // a constant table
	dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80,
}

const gcmTag = 16

// keys encrypt and decrypt for one peer. What there is much of, RTP and the peer's RTCP, with GCM, is done here,
// everything else by srtp.
type keys struct {
	rtpOut, rtpIn, rtcpIn *gcmKey // nil: out and in do it

	sending sync.Mutex // guards what follows
	out     *srtp.Context
	scratch []byte

	receiving sync.Mutex // guards what follows
	in        *srtp.Context
	sources   []*incoming
	iv, aad   [12]byte
}

// newKeys takes the keys from a handshake, in which we were the client or the server.
func newKeys(profile dtls.SRTPProtectionProfile, state *dtls.State, client bool) (*keys, error) {
	c := srtp.Config{Profile: srtp.ProtectionProfile(profile)}
	if err := c.ExtractSessionKeysFromDTLS(state, client); err != nil {
		return nil, fmt.Errorf("export keys: %w", err)
	}
	k := &keys{}
	var err error
	if k.out, err = srtp.CreateContext(c.Keys.LocalMasterKey, c.Keys.LocalMasterSalt, c.Profile); err != nil {
		return nil, fmt.Errorf("keys to send with: %w", err)
	}
	k.in, err = srtp.CreateContext(c.Keys.RemoteMasterKey, c.Keys.RemoteMasterSalt, c.Profile,
		srtp.SRTPNoReplayProtection(), srtp.SRTCPReplayProtection(window)) // RTP that comes has its indexes here
	if err != nil {
		return nil, fmt.Errorf("keys to receive with: %w", err)
	}
	if profile == dtls.SRTP_AES128_CM_HMAC_SHA1_80 {
		return k, nil
	}
	if k.rtpOut, err = newGCM(c.Keys.LocalMasterKey, c.Keys.LocalMasterSalt, labelRTP); err != nil {
		return nil, err
	}
	if k.rtpIn, err = newGCM(c.Keys.RemoteMasterKey, c.Keys.RemoteMasterSalt, labelRTP); err != nil {
		return nil, err
	}
	k.rtcpIn, err = newGCM(c.Keys.RemoteMasterKey, c.Keys.RemoteMasterSalt, labelRTCP)
	return k, err
}

// Labels of session keys (RFC 3711, section 4.3.2); that of the salt is two more.
const (
	labelRTP  = 0
	labelRTCP = 3
)

// gcmKey is a session key with its salt.
type gcmKey struct {
	cipher.AEAD
	salt [12]byte
}

// newGCM derives them (RFC 3711, section 4.3.1; RFC 7714, section 11).
func newGCM(master, salt []byte, label byte) (*gcmKey, error) {
	block, err := aes.NewCipher(master)
	if err != nil {
		return nil, fmt.Errorf("key derivation: %w", err)
	}
	stream := func(label byte, out []byte) { // of zeros
		var iv [aes.BlockSize]byte
		copy(iv[:], salt)
		iv[7] ^= label
		cipher.NewCTR(block, iv[:]).XORKeyStream(out, out)
	}
	k, session := &gcmKey{}, make([]byte, len(master))
	stream(label, session)
	stream(label+2, k.salt[:])
	if block, err = aes.NewCipher(session); err == nil {
		k.AEAD, err = cipher.NewGCM(block)
	}
	if err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	return k, nil
}

// nonce makes the initialization vector of a packet (RFC 7714, sections 8.1 and 9.1, which are alike).
func (k *gcmKey) nonce(iv *[12]byte, ssrc uint32, index uint64) {
	*iv = k.salt
	var b [12]byte
	binary.BigEndian.PutUint32(b[2:], ssrc)
	binary.BigEndian.PutUint32(b[6:], uint32(index>>16))
	binary.BigEndian.PutUint16(b[10:], uint16(index))
	for i := range b {
		iv[i] ^= b[i]
	}
}
