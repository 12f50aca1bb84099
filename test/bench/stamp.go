package main

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"time"
)

// A stamp is the time at which a publisher sent a picture, inside the picture: a supplemental message with
// unregistered user data (H.264 D.1.7) that decoders skip. Its UUID and the time in hexadecimal digits hold no zero
// bytes, so they need no emulation prevention, and the stamp can be searched for as it is.
const (
	stampUUID   = "rivus-bench-time"
	stampDigits = 16
	stampSize   = 3 + len(stampUUID) + stampDigits + 1 // of the NAL unit
)

// withStamp returns a copy of a video message with room for a stamp before its first NAL unit, which is at first, and
// where the stamp's digits go.
func withStamp(body []byte, first int) (stamped []byte, at int) {
	const seiNAL, userData, trailing = 6, 5, 0x80
	stamped = make([]byte, 0, len(body)+4+stampSize)
	stamped = append(stamped, body[:first]...)
	stamped = append(stamped, 0, 0, 0, byte(stampSize), seiNAL, userData, byte(len(stampUUID)+stampDigits))
	stamped = append(stamped, stampUUID...)
	at = len(stamped)
	stamped = append(stamped, "0000000000000000"...)
	stamped = append(stamped, trailing)
	return append(stamped, body[first:]...), at
}

// putStamp writes a time to where withStamp has made room.
func putStamp(room []byte, t time.Time) {
	var raw [stampDigits / 2]byte
	for i, n := len(raw)-1, uint64(t.UnixNano()); i >= 0; i, n = i-1, n>>8 {
		raw[i] = byte(n)
	}
	hex.Encode(room[:stampDigits], raw[:])
}

// lastStamp finds the stamp of the last picture in the bytes of a part.
func lastStamp(part []byte) (time.Time, bool) {
	i := bytes.LastIndex(part, []byte(stampUUID))
	if i < 0 || len(part) < i+len(stampUUID)+stampDigits {
		return time.Time{}, false
	}
	digits := part[i+len(stampUUID):][:stampDigits]
	n, err := strconv.ParseInt(string(digits), 16, 64)
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(0, n), true
}
