package store

import (
	"fmt"
	"strings"

	"github.com/rivus-live/rivus/internal/arn"
)

// A record's subject is <bucket prefix><table>.<region>.<account>.<id>. The tokens are escaped so that any text makes
// one legal token and comes back as it was; "" is "=".
const subjectTokens = 4

func subjectOf(prefix, table string, key Key) string {
	return prefix + table + "." + token(key.Region) + "." + token(key.Account) + "." + token(key.ID)
}

// parseSubject takes the part of a subject after the bucket prefix apart.
func parseSubject(rest string) (table string, key Key, err error) {
	parts := strings.Split(rest, ".")
	if len(parts) != subjectTokens {
		return "", Key{}, fmt.Errorf("store: %q is not the subject of a record", rest)
	}
	var plain [subjectTokens]string
	for i, p := range parts {
		if plain[i], err = untoken(p); err != nil {
			return "", Key{}, err
		}
	}
	return plain[0], Key{Scope: arn.Scope{Region: plain[1], Account: plain[2]}, ID: plain[3]}, nil
}

func plainByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// token escapes every byte that has a meaning in a subject as "=" and two hexadecimal digits.
func token(s string) string {
	if s == "" {
		return "="
	}
	for i := range len(s) {
		if !plainByte(s[i]) {
			return escape(s)
		}
	}
	return s
}

func escape(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plainByte(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('=')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

func untoken(s string) (string, error) {
	if s == "=" {
		return "", nil
	}
	if strings.IndexByte(s, '=') < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("store: %q is not an escaped token", s)
		}
		hi, lo := hexValue(s[i+1]), hexValue(s[i+2])
		if hi < 0 || lo < 0 {
			return "", fmt.Errorf("store: %q is not an escaped token", s)
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), nil
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// orderKey is the place of a key in the order of its table: by region, account and ID.
func orderKey(key Key) string { return scopePrefix(key.Scope) + key.ID }

func scopePrefix(s arn.Scope) string { return s.Region + "\x00" + s.Account + "\x00" }
