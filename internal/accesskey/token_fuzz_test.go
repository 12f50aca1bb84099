package accesskey

import (
	"bytes"
	"encoding/base64"
	"reflect"
	"testing"
	"time"
)

func authority(tb testing.TB) *Authority {
	tb.Helper()
	a, err := New(Options{Key: bytes.Repeat([]byte{1}, KeySize), Root: Root{ID: "AKIA", Secret: "s", Account: "1"}})
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// FuzzSession: whatever a session is, its token gives it back for its own key, and no other text does: neither any text that
// somebody sends, nor the token with a byte of it changed, nor under another key.
func FuzzSession(f *testing.F) {
	f.Add("me", `{"Version":"2012-10-17"}`, "team", "live", []byte("AQID"), uint16(0), byte(1))
	f.Add("", "", "", "", []byte{1}, uint16(20), byte(128))
	f.Add("é\u2028", "\x00", "a", "<b>", []byte("%"), uint16(999), byte(255))
	a := authority(f)
	sample, err := a.seal("ASIASEED", session{Kind: kindRole})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("x", "y", "z", "w", []byte(sample), uint16(0), byte(7))
	f.Fuzz(func(t *testing.T, name, policy, key, value string, foreign []byte, at uint16, flip byte) {
		if s, err := a.open("ASIAMINE", string(foreign)); err == nil {
			t.Fatalf("%q is a token: %+v", foreign, s)
		}
		issued := time.Unix(1700000000, 0).UTC()
		s := session{
			Kind: kindRole, Account: "111122223333", ID: "AROA", Name: utf8(name), Issued: issued, Expires: issued.Add(time.Hour),
			Policy: utf8(policy), Tags: map[string]string{utf8(key): utf8(value)},
		}
		token, err := a.seal("ASIAMINE", s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.open("ASIAMINE", token); len(token) <= maxToken && (err != nil || !reflect.DeepEqual(got, s)) {
			t.Fatalf("%+v, error %v, want %+v", got, err, s)
		}
		if _, err := a.open("ASIAYOURS", token); err == nil {
			t.Fatal("the token is good for another key")
		}
		b, err := base64.StdEncoding.DecodeString(token)
		if err != nil || flip == 0 {
			return
		}
		b[int(at)%len(b)] ^= flip
		if _, err := a.open("ASIAMINE", base64.StdEncoding.EncodeToString(b)); err == nil {
			t.Fatal("a changed token is good")
		}
	})
}

// utf8 returns a text as JSON keeps it.
func utf8(s string) string { return string(bytes.ToValidUTF8([]byte(s), []byte("\uFFFD"))) }

func BenchmarkPrincipal(b *testing.B) {
	a := authority(b)
	token, err := a.seal("ASIAMINE", session{Kind: kindRoot, Account: "111122223333", Expires: time.Now().Add(time.Hour)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Principal(b.Context(), "ASIAMINE", token); err != nil {
			b.Fatal(err)
		}
	}
}
