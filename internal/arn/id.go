package arn

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Random returns n characters of [A-Za-z0-9], each equally likely, from the system's secure random source.
func Random(n int) string {
	const fair = 256 - 256%len(base62) // bytes from here on would favour the first characters
	out := make([]byte, 0, n)
	buf := make([]byte, n+n/4+8)
	for len(out) < n {
		rand.Read(buf) // never fails: the runtime ends the process when the system has no randomness
		for _, b := range buf {
			if int(b) < fair && len(out) < n {
				out = append(out, base62[int(b)%len(base62)])
			}
		}
	}
	return string(out)
}

// NewID mints the id of a resource: 12 characters (spec ivs.md 1.2).
func NewID() string { return Random(12) }

// NewStreamID mints the id of a stream and its session: "st-" and 23 characters (spec ivs.md 1.2).
func NewStreamID() string { return "st-" + Random(23) }

// NewUUID mints a random UUID (RFC 9562, version 4).
func NewUUID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails, as above
	return formatUUID(id, 4)
}

// NamedUUID returns the UUID of a name: always the same, and another one for every other name (RFC 9562, version 8, which
// leaves the making to us: the beginning of a SHA-256).
func NamedUUID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return formatUUID([16]byte(sum[:]), 8)
}

func formatUUID(id [16]byte, version byte) string {
	id[6], id[8] = id[6]&0x0f|version<<4, id[8]&0x3f|0x80
	return HexUUID(id)
}

// HexUUID returns the text of a UUID.
func HexUUID(id [16]byte) string {
	var s [36]byte
	hex.Encode(s[:], id[:4])
	for i, at := 4, 8; i < 16; at += 5 {
		s[at] = '-'
		n := 2
		if i == 10 {
			n = 6
		}
		hex.Encode(s[at+1:], id[i:i+n])
		i += n
	}
	return string(s[:])
}
