package ice

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/stun/v4"
)

// signed makes a message with another implementation.
func signed(tb testing.TB, password string, setters ...stun.Setter) []byte {
	tb.Helper()
	setters = append(setters, stun.NewShortTermIntegrity(password), stun.Fingerprint)
	m, err := stun.Build(setters...)
	if err != nil {
		tb.Fatal(err)
	}
	return m.Raw
}

func attr(kind stun.AttrType, value ...byte) stun.Setter {
	return stun.RawAttribute{Type: kind, Value: value}
}

// TestMessagesOfOthers reads what another implementation writes.
func TestMessagesOfOthers(t *testing.T) {
	t.Parallel()
	raw := signed(t, "secret", stun.BindingRequest, stun.TransactionID, stun.NewUsername("ours:theirs"),
		attr(stun.AttrPriority, 1, 2, 3, 4), attr(stun.AttrUseCandidate), attr(stun.AttrICEControlling, 1, 2, 3, 4, 5, 6, 7, 8),
		attr(0xc057, 0, 1, 0, 2)) // Chromium's word about its network
	var m Message
	if !Parse(raw, &m) {
		t.Fatal("refused")
	}
	if string(m.Ufrag()) != "ours" || m.priority != 0x01020304 || !m.use || !m.controlling || m.controlled || m.tiebreaker != 0x0102030405060708 {
		t.Errorf("%+v", m)
	}
	if !m.authentic("secret") || m.authentic("Secret") || m.authentic("") {
		t.Error("the signature is misread")
	}
	conflict := signed(t, "secret", stun.BindingError, stun.TransactionID, stun.CodeRoleConflict)
	if !Parse(conflict, &m) || m.code != roleConflict || m.Ufrag() != nil {
		t.Errorf("%+v", m)
	}
}

// TestOthersReadOurs hands what we write to another implementation.
func TestOthersReadOurs(t *testing.T) {
	t.Parallel()
	tx := transaction{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	read := func(b []byte, password string) *stun.Message {
		t.Helper()
		m := &stun.Message{Raw: b}
		if err := m.Decode(); err != nil {
			t.Fatal(err)
		}
		if err := stun.Fingerprint.Check(m); err != nil {
			t.Error(err)
		}
		if err := stun.NewShortTermIntegrity(password).Check(m); err != nil {
			t.Error(err)
		}
		if m.TransactionID != tx {
			t.Errorf("transaction %x", m.TransactionID)
		}
		return m
	}
	for _, addr := range []string{"192.0.2.1:4711", "[2001:db8::1]:4711", "[::ffff:192.0.2.1]:4711"} {
		to := netip.MustParseAddrPort(addr)
		var x stun.XORMappedAddress
		if err := x.GetFrom(read(answer(tx, to, "secret"), "secret")); err != nil {
			t.Fatal(err)
		}
		if want := net.IP(to.Addr().Unmap().AsSlice()); !x.IP.Equal(want) || x.Port != 4711 {
			t.Errorf("%s became %s", addr, x)
		}
	}
	var code stun.ErrorCodeAttribute
	if err := code.GetFrom(read(refusal(tx, "secret"), "secret")); err != nil || code.Code != stun.CodeRoleConflict {
		t.Errorf("%v %v", code, err)
	}
	r := request{transaction: tx, username: "theirs:ours", password: "secret", priority: 7, tiebreaker: 9}
	m := read(r.bytes(), "secret")
	name, _ := m.Get(stun.AttrUsername)
	if string(name) != "theirs:ours" || !m.Contains(stun.AttrICEControlled) || m.Contains(stun.AttrUseCandidate) || m.Type != stun.BindingRequest {
		t.Errorf("%v", m)
	}
	r.controlling = true
	if m = read(r.bytes(), "secret"); !m.Contains(stun.AttrICEControlling) || !m.Contains(stun.AttrUseCandidate) {
		t.Errorf("%v", m)
	}
}

// TestParseRefuses changes a good message.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := (&request{username: "ours:theirs", password: "secret"}).bytes()
	var m Message
	if !Parse(good, &m) {
		t.Fatal("the good one is refused")
	}
	change := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	refinish := func(b []byte) []byte { // correct length and fingerprint
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize+8))
		return attribute(b, attrFingerprint, binary.BigEndian.AppendUint32(nil, fingerprint(b))...)
	}
	head := func() []byte { return start(binding, transaction{}) }
	for name, b := range map[string][]byte{
		"nothing":           nil,
		"half a header":     good[:10],
		"cut":               good[:len(good)-4],
		"longer":            append(bytes.Clone(good), 0, 0, 0, 0),
		"another cookie":    change(func(b []byte) []byte { b[4]++; return b }),
		"another method":    change(func(b []byte) []byte { b[1] = 3; return b }),
		"wrong fingerprint": change(func(b []byte) []byte { b[len(b)-1]++; return b }),
		"changed":           change(func(b []byte) []byte { b[25]++; return b }),
		"no fingerprint": change(func(b []byte) []byte {
			b = b[:len(b)-8]
			binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize))
			return b
		}),
		"attribute too long": refinish(append(head(), 0x00, 0x06, 0x7f, 0xff)),
		"short priority":     refinish(attribute(head(), attrPriority, 1, 2)),
		"short tiebreaker":   refinish(attribute(head(), attrControlled, 1, 2, 3, 4)),
		"short signature":    refinish(attribute(head(), attrIntegrity, make([]byte, 16)...)),
		"short error":        refinish(attribute(head(), attrErrorCode, 1)),
		"long username":      refinish(attribute(head(), attrUsername, make([]byte, maxUsername+1)...)),
		"too long":           refinish(attribute(head(), 0x8888, make([]byte, MaxMessage)...)),
	} {
		if Parse(b, &m) {
			t.Errorf("%s is accepted", name)
		}
	}
}

// TestUnsignedAttributesAreIgnored: whoever is on the path can append to a message.
func TestUnsignedAttributesAreIgnored(t *testing.T) {
	t.Parallel()
	b := attribute(start(binding, transaction{}), attrUsername, []byte("ours:theirs")...)
	b = attribute(b, attrIntegrity, sign(b, "secret")...)
	b = attribute(b, attrUse)
	b = attribute(b, attrUsername, []byte("evil:theirs")...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-headerSize+8))
	b = attribute(b, attrFingerprint, binary.BigEndian.AppendUint32(nil, fingerprint(b))...)
	var m Message
	if !Parse(b, &m) || !m.authentic("secret") || m.use || string(m.Ufrag()) != "ours" {
		t.Errorf("%+v", m)
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	b := (&request{username: "ours:theirs", password: "secret"}).bytes()
	var m Message
	if n := testing.AllocsPerRun(100, func() { Parse(b, &m) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse: what is accepted is read alike by another implementation.
func FuzzParse(f *testing.F) {
	f.Add((&request{username: "ours:theirs", password: "secret", controlling: true}).bytes())
	f.Add(answer(transaction{1}, netip.MustParseAddrPort("192.0.2.1:1"), "secret"))
	f.Add(refusal(transaction{1}, "secret"))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		var m Message
		ok := Parse(b, &m)
		if !bytes.Equal(b, before) {
			t.Fatal("the message was changed")
		}
		if !ok {
			return
		}
		other := &stun.Message{Raw: bytes.Clone(b)}
		if err := other.Decode(); err != nil {
			t.Fatalf("another implementation refuses it: %v", err)
		}
		if other.TransactionID != m.transaction || stun.Fingerprint.Check(other) != nil {
			t.Fatal("read differently")
		}
		if m.authentic("a password that nobody guesses") {
			t.Fatal("forged")
		}
	})
}
