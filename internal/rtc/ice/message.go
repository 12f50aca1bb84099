package ice

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what RFC 8489, section 14.5 asks for
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// Numbers of STUN (RFC 8489, sections 5, 14 and 18; RFC 8445, section 16).
const (
	headerSize = 20
	cookie     = 0x2112a442
	integrity  = sha1.Size

	binding    = 0x0001
	indication = 0x0011
	success    = 0x0101
	failure    = 0x0111

	attrUsername    = 0x0006
	attrIntegrity   = 0x0008
	attrErrorCode   = 0x0009
	attrMapped      = 0x0020
	attrPriority    = 0x0024
	attrUse         = 0x0025
	attrFingerprint = 0x8028
	attrControlled  = 0x8029
	attrControlling = 0x802a

	fingerprintMask = 0x5354554e
	roleConflict    = 487

	// MaxMessage is how long a message may be: a datagram that fits any path.
	MaxMessage = 1500
	// maxUsername bounds the attribute (RFC 8489, section 14.3).
	maxUsername = 513
)

// transaction pairs a request with its answer.
type transaction [12]byte

// Message is a STUN message that was taken apart. It refers to the bytes that it was read from.
type Message struct {
	class       uint16
	transaction transaction
	username    []byte
	priority    uint32
	use         bool // USE-CANDIDATE
	controlled  bool
	controlling bool
	tiebreaker  uint64 // of whichever role is claimed
	code        int    // of an error
	signed      int    // where MESSAGE-INTEGRITY begins; 0: there is none
	mac         []byte
	raw         []byte
}

// IsMessage tells whether a datagram is STUN by its header (RFC 7983, section 7).
func IsMessage(b []byte) bool {
	return len(b) >= headerSize && b[0] < 4 && binary.BigEndian.Uint32(b[4:]) == cookie
}

// Parse reads a Binding message. False: it is none, it is malformed, or its FINGERPRINT is wrong or missing. It does
// not look whether the message is authentic, and allocates nothing.
func Parse(b []byte, m *Message) bool {
	*m = Message{raw: b}
	if !IsMessage(b) || len(b) > MaxMessage || int(binary.BigEndian.Uint16(b[2:])) != len(b)-headerSize || len(b)%4 != 0 {
		return false
	}
	m.class = binary.BigEndian.Uint16(b)
	switch m.class {
	case binding, indication, success, failure:
	default:
		return false
	}
	copy(m.transaction[:], b[8:])
	for at := headerSize; at < len(b); {
		if len(b)-at < 4 {
			return false
		}
		kind, size := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
		if size > len(b)-at-4 {
			return false
		}
		value := b[at+4 : at+4+size]
		if kind == attrFingerprint {
			// The last attribute; nothing after it was checked.
			return size == 4 && at+8 == len(b) && binary.BigEndian.Uint32(value) == fingerprint(b[:at])
		}
		// What follows MESSAGE-INTEGRITY is not covered by it and must be ignored (RFC 8489, section 14.5).
		if m.signed == 0 && !m.read(kind, value, at) {
			return false
		}
		at += 4 + (size+3)&^3
	}
	return false
}

// read takes one attribute.
func (m *Message) read(kind uint16, value []byte, at int) bool {
	switch kind {
	case attrUsername:
		m.username = value
		return len(value) <= maxUsername
	case attrPriority:
		if len(value) != 4 {
			return false
		}
		m.priority = binary.BigEndian.Uint32(value)
	case attrUse:
		m.use = true
	case attrControlled, attrControlling:
		if len(value) != 8 {
			return false
		}
		m.controlled, m.controlling = kind == attrControlled, kind == attrControlling
		m.tiebreaker = binary.BigEndian.Uint64(value)
	case attrErrorCode:
		if len(value) < 4 {
			return false
		}
		m.code = int(value[2]&7)*100 + int(value[3])
	case attrIntegrity:
		if len(value) != integrity {
			return false
		}
		m.signed, m.mac = at, value
	}
	return true
}

// Ufrag returns the user fragment that a request is addressed to: the first half of its username (RFC 8445, section
// 7.2.2). Nil: it is no request, or has no username.
func (m *Message) Ufrag() []byte {
	if m.class != binding {
		return nil
	}
	ufrag, _, ok := bytes.Cut(m.username, []byte(":"))
	if !ok {
		return nil
	}
	return ufrag
}

// authentic checks MESSAGE-INTEGRITY in constant time.
func (m *Message) authentic(password string) bool {
	if m.signed == 0 {
		return false
	}
	return hmac.Equal(m.mac, sign(m.raw[:m.signed], password))
}

// sign computes MESSAGE-INTEGRITY of a message that ends before it: the length in the header is as if the message
// ended after it.
func sign(b []byte, password string) []byte {
	h := hmac.New(sha1.New, []byte(password))
	var length [2]byte
	binary.BigEndian.PutUint16(length[:], uint16(len(b)-headerSize+4+integrity))
	_, _ = h.Write(b[:2])
	_, _ = h.Write(length[:])
	_, _ = h.Write(b[4:])
	return h.Sum(nil)
}

// fingerprint computes FINGERPRINT of a message that ends before it, with its final length in the header.
func fingerprint(b []byte) uint32 { return crc32.ChecksumIEEE(b) ^ fingerprintMask }

// start begins a message.
func start(class uint16, t transaction) []byte {
	b := make([]byte, headerSize, 128)
	binary.BigEndian.PutUint16(b, class)
	binary.BigEndian.PutUint32(b[4:], cookie)
	copy(b[8:], t[:])
	return b
}

// attribute appends one with padding.
func attribute(b []byte, kind uint16, value ...byte) []byte {
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// finish signs a message and adds its fingerprint.
func finish(b []byte, password string) []byte {
	b = attribute(b, attrIntegrity, sign(b, password)...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize+8))
	return attribute(b, attrFingerprint, binary.BigEndian.AppendUint32(nil, fingerprint(b))...)
}

// answer makes a success response that tells the peer its address (RFC 8489, section 14.2).
func answer(t transaction, to netip.AddrPort, password string) []byte {
	ip := to.Addr().Unmap()
	family := byte(1)
	if ip.Is6() {
		family = 2
	}
	value := []byte{0, family}
	value = binary.BigEndian.AppendUint16(value, to.Port()^cookie>>16)
	address := len(value)
	value = append(value, ip.AsSlice()...)
	mask := binary.BigEndian.AppendUint32(nil, cookie)
	mask = append(mask, t[:]...)
	for i := range value[address:] {
		value[address+i] ^= mask[i]
	}
	return finish(attribute(start(success, t), attrMapped, value...), password)
}

// refusal makes an error response about a conflict of roles (RFC 8445, section 7.3.1.1).
func refusal(t transaction, password string) []byte {
	value := append([]byte{0, 0, roleConflict / 100, roleConflict % 100}, "Role Conflict"...)
	return finish(attribute(start(failure, t), attrErrorCode, value...), password)
}

// request is a check of ours.
type request struct {
	transaction transaction
	username    string
	password    string
	priority    uint32
	controlling bool
	tiebreaker  uint64
}

// bytes makes the message. A controlling agent nominates with every check: all of its pairs are good enough.
func (r *request) bytes() []byte {
	b := attribute(start(binding, r.transaction), attrUsername, []byte(r.username)...)
	b = attribute(b, attrPriority, binary.BigEndian.AppendUint32(nil, r.priority)...)
	role := uint16(attrControlled)
	if r.controlling {
		role = attrControlling
		b = attribute(b, attrUse)
	}
	b = attribute(b, role, binary.BigEndian.AppendUint64(nil, r.tiebreaker)...)
	return finish(b, r.password)
}
