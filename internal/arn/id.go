package arn

import "crypto/rand"

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
