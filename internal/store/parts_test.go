package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/arn"
)

func TestSortedIsAnOrderedMap(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var s sorted[int]
	model := map[string]int{}
	for step := range 20_000 {
		key := fmt.Sprintf("%04d", random.IntN(3000))
		if random.IntN(3) == 0 {
			delete(model, key)
			s.remove(key)
		} else {
			model[key] = step
			s.set(key, &step)
		}
		if step%997 != 0 {
			continue
		}
		from := fmt.Sprintf("%04d", random.IntN(3000))
		var want, got []string
		for k, v := range model {
			if k >= from {
				want = append(want, fmt.Sprint(k, v))
			}
		}
		slices.Sort(want)
		s.walk(from, func(k string, v *int) bool {
			got = append(got, fmt.Sprint(k, *v))
			return true
		})
		if !slices.Equal(got, want) {
			t.Fatalf("step %d from %s: %d items, want %d", step, from, len(got), len(want))
		}
	}
	for key := range model {
		s.remove(key)
	}
	if len(s.chunks) != 0 {
		t.Fatalf("%d chunks left of nothing", len(s.chunks))
	}
}

func FuzzSubject(f *testing.F) {
	for _, id := range []string{"", "abc-DEF_123", "a.b", "*", ">", "=", "=2E", "ü", "a b\x00", strings.Repeat(".", 50)} {
		f.Add("eu-west-1", "000000000000", id)
	}
	f.Fuzz(func(t *testing.T, region, account, id string) {
		key := Key{Scope: arn.Scope{Region: region, Account: account}, ID: id}
		subject := subjectOf("", "thing", key)
		if strings.ContainsAny(subject, " *>\x00\r\n") || strings.Count(subject, ".") != 3 || strings.Contains(subject, "..") {
			t.Fatalf("%q is not a legal subject", subject)
		}
		table, back, err := parseSubject(subject)
		if err != nil || table != "thing" || back != key {
			t.Fatalf("%q came back as %+v, %v", subject, back, err)
		}
	})
}

func FuzzParseSubject(f *testing.F) {
	f.Add("thing.eu-west-1.000000000000.abc")
	f.Add("thing.=.=2E.=XX")
	f.Fuzz(func(t *testing.T, subject string) {
		table, key, err := parseSubject(subject)
		if err != nil {
			return
		}
		if again := subjectOf("", table, key); token(table) == table {
			if _, back, err := parseSubject(again); err != nil || back != key {
				t.Fatalf("%q gave %+v and then %+v, %v", subject, key, back, err)
			}
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	good, err := seal("s", envelope[thing]{history: history{}.with(keyOf("a"), newStamp(), []Event{eventOf("x")}), Value: thing{Name: "<&>"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"sum":"`))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		if verify("s", data) != nil {
			return
		}
		if verify("other", data) == nil {
			t.Fatal("the checksum does not cover the subject")
		}
		if len(data) > bodyAt {
			bad := slices.Clone(data)
			bad[bodyAt] ^= 1
			if verify("s", bad) == nil {
				t.Fatal("the checksum does not cover the body")
			}
		}
	})
}

func FuzzLedger(f *testing.F) {
	base := appendFrame(nil, ledgerHead, 1, "\x00\x00\x00\x00\x00\x00\x00\x05")
	base = appendFrame(base, ledgerPut, 4, "a.b.c.d")
	f.Add(base)
	f.Add(appendFrame(slices.Clone(base), ledgerGone, 9, "a.b.c.d"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := decodeLedger(bytes.NewReader(data))
		if err != nil {
			return
		}
		// What is appended behind what could be read must be read back, whatever stood there before.
		longer := appendFrame(slices.Clone(data[:first.size]), ledgerPut, first.through+1, "new")
		second, err := decodeLedger(bytes.NewReader(longer))
		if err != nil || second.through != first.through+1 || second.base != first.base {
			t.Fatalf("an appended ledger reads %+v, was %+v, %v", second, first, err)
		}
		first.subjects["new"] = known{revision: first.through + 1}
		for subject, k := range first.subjects {
			if second.subjects[subject] != k {
				t.Fatalf("%q is %+v, was %+v", subject, second.subjects[subject], k)
			}
		}
	})
}

func TestLedgerIsWrittenAnew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	acc := account{through: 7, subjects: map[string]known{"a": {revision: 3}, "b": {revision: 7, gone: true}}}
	l, err := writeLedger(path, acc)
	if err != nil {
		t.Fatal(err)
	}
	l.note(8, "c", false)
	l.note(9, "a", true)
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	_, got, err := readLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.through != 9 || got.subjects["a"] != (known{9, true}) || got.subjects["c"] != (known{8, false}) || len(got.subjects) != 2 {
		t.Fatalf("got %+v", got)
	}
	for _, c := range []struct {
		name         string
		has          map[string]known
		lost, undone int
	}{
		{"as it is", map[string]known{"a": {9, true}, "c": {8, false}}, 0, 0},
		{"newer than the ledger", map[string]known{"a": {12, false}, "c": {11, true}, "d": {10, false}}, 0, 0},
		{"a marker was cleaned up", map[string]known{"c": {8, false}}, 0, 0},
		{"a record is missing", map[string]known{"a": {9, true}}, 1, 0},
		{"an older value", map[string]known{"a": {9, true}, "c": {2, false}}, 1, 0},
		{"a deletion undone", map[string]known{"a": {3, false}, "c": {8, false}}, 0, 1},
		{"an old record is back", map[string]known{"b": {2, false}, "c": {8, false}}, 0, 1},
	} {
		if lost, undone := got.compare(c.has); len(lost) != c.lost || len(undone) != c.undone {
			t.Errorf("%s: lost %v, undone %v", c.name, lost, undone)
		}
	}
}
