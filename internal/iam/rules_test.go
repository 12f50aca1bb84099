package iam

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
)

// FuzzEncoded: a document comes back as it was for clients that unescape it as a path and for those that take it for a form,
// and is made of nothing that XML or either of them would touch.
func FuzzEncoded(f *testing.F) {
	for _, s := range []string{"", "a+b c%20%2B", "{\"a\":[\"*\"]}\r\n\t", "ü\u2028\x00", "~-._", "&=?#/;:@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := encoded(s)
		path, err1 := url.PathUnescape(e)
		form, err2 := url.QueryUnescape(e)
		if err1 != nil || err2 != nil || path != s || form != s {
			t.Errorf("%q became %q: %q, %v; %q, %v", s, e, path, err1, form, err2)
		}
		if strings.ContainsFunc(e, func(r rune) bool { return r > '~' || !unreserved(byte(r)) && r != '%' }) {
			t.Errorf("%q has characters that are reserved", e)
		}
	})
}

// FuzzPolicyARN: what is read of an ARN makes the same ARN, and names neither an empty account nor an empty name.
func FuzzPolicyARN(f *testing.F) {
	for _, s := range []string{
		"arn:aws:iam::111122223333:policy/p", "arn:aws:iam::aws:policy/x/y/p", "arn:aws:iam::1:policy/", "arn:aws:iam::1:user/p",
		"arn:aws:iam:us-east-1:1:policy/p", "arn:aws:iam::1:policy//p", "policy/p", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		account, path, name, err := parsePolicyARN(s)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if account == "" || name == "" || strings.Contains(name, "/") || !strings.HasPrefix(path, "/") || !strings.HasSuffix(path, "/") {
			t.Errorf("%q: %q, %q, %q", s, account, path, name)
		}
		if back := "arn:aws:iam::" + account + ":policy" + path + name; back != s {
			t.Errorf("%q became %q", s, back)
		}
	})
}

// FuzzPages: page by page, a list comes whole, in order and each of it once, whatever the sizes of the pages; and with what
// comes and goes meanwhile, nothing that stays is left out.
func FuzzPages(f *testing.F) {
	f.Add(uint8(0), uint8(1), uint8(0))
	f.Add(uint8(10), uint8(3), uint8(4))
	f.Add(uint8(100), uint8(7), uint8(255))
	pager := awsapi.NewPager([]byte("key"))
	f.Fuzz(func(t *testing.T, n, size, gone uint8) {
		pages := pager.Pages(awsapi.Caller{Scope: arn.Scope{Account: "1"}}, "ListUsers", "")
		items := int32(size%50) + 1
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("%03d", i))
		}
		want := slices.Clone(all)
		var got []string
		q := request{items: &items}
		for rounds := 0; ; rounds++ {
			p, err := page(pages, q, all, func(s string) string { return s })
			if err != nil || rounds > len(want) {
				t.Fatalf("round %d: %v", rounds, err)
			}
			if got = append(got, p.items...); p.next == nil {
				break
			}
			if i := int(gone) % len(all); rounds == 0 && all[i] > got[len(got)-1] {
				want = slices.DeleteFunc(want, func(s string) bool { return s == all[i] })
				all = slices.Delete(all, i, i+1)
			}
			q.marker = p.next
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

func TestSizeOf(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]int{"": 0, " \t\r\n": 0, `{"a": "b"}`: 9, "ü ü": 2} {
		if got := sizeOf(document); got != want {
			t.Errorf("%q has the size %d, want %d", document, got, want)
		}
	}
}
