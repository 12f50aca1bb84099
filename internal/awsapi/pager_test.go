package awsapi_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
)

// isToken reports whether the models allow s as a page token.
func isToken(s string) bool {
	return len(s) <= 1024 && regexp.MustCompile(`\A[a-zA-Z0-9+/=_-]+\z`).MatchString(s)
}

func TestPager(t *testing.T) {
	t.Parallel()
	p := awsapi.NewPager([]byte("a key of the installation"))
	sc := arn.Scope{Region: "us-west-2", Account: "111122223333"}
	token := p.Encode(sc, "ListChannels", "name=demo", "hT4kPz81QmXc")
	if !isToken(token) || strings.Contains(token, "hT4kPz81QmXc") {
		t.Errorf("token %s", token)
	}
	if after, err := p.Decode(sc, "ListChannels", "name=demo", token); err != nil || after != "hT4kPz81QmXc" {
		t.Errorf("%q %v", after, err)
	}
	for name, decode := range map[string]func() (string, error){
		"other region": func() (string, error) {
			return p.Decode(arn.Scope{Region: "eu-west-1", Account: sc.Account}, "ListChannels", "name=demo", token)
		},
		"other account": func() (string, error) {
			return p.Decode(arn.Scope{Region: sc.Region, Account: "1"}, "ListChannels", "name=demo", token)
		},
		"other operation": func() (string, error) { return p.Decode(sc, "ListStreams", "name=demo", token) },
		"other filter":    func() (string, error) { return p.Decode(sc, "ListChannels", "", token) },
		"shifted fields":  func() (string, error) { return p.Decode(sc, "ListChannelsname=", "demo", token) },
		"other key": func() (string, error) {
			return awsapi.NewPager([]byte("x")).Decode(sc, "ListChannels", "name=demo", token)
		},
		"empty":    func() (string, error) { return p.Decode(sc, "ListChannels", "name=demo", "") },
		"longer":   func() (string, error) { return p.Decode(sc, "ListChannels", "name=demo", token+"AAAA") },
		"padded":   func() (string, error) { return p.Decode(sc, "ListChannels", "name=demo", token+"=") },
		"cut":      func() (string, error) { return p.Decode(sc, "ListChannels", "name=demo", token[:20]) },
		"too long": func() (string, error) { return p.Decode(sc, "ListChannels", "name=demo", strings.Repeat("A", 2000)) },
	} {
		if after, err := decode(); !fault.Is(err, fault.Invalid) || after != "" {
			t.Errorf("%s: %q %v", name, after, err)
		}
	}
	for i := range token { // every character counts, also the bits that base64 leaves over
		for _, c := range "Ab9_" {
			if changed := token[:i] + string(c) + token[i+1:]; changed != token {
				if _, err := p.Decode(sc, "ListChannels", "name=demo", changed); err == nil {
					t.Errorf("%s passed for %s", changed, token)
				}
			}
		}
	}
}

// TestPages checks that a list goes on where it ended, and where no other list does.
func TestPages(t *testing.T) {
	t.Parallel()
	p := awsapi.NewPager([]byte("key"))
	caller := awsapi.Caller{Scope: arn.Scope{Region: "us-west-2", Account: "111122223333"}}
	list := p.Pages(caller, "ListChannels", "name=demo")
	if token := list.Next(false, "x"); token != nil {
		t.Errorf("token %s behind the last page", *token)
	}
	token := list.Next(true, "x")
	empty := ""
	for text, want := range map[*string]string{nil: "", &empty: "", token: "x"} {
		if after, err := list.After(text); err != nil || after != want {
			t.Errorf("%q %v, want %q", after, err, want)
		}
	}
	if after, err := p.Pages(caller, "ListChannels", "name=other").After(token); !fault.Is(err, fault.Invalid) || after != "" {
		t.Errorf("%q %v in another list", after, err)
	}
}

// FuzzPager: a token gives back what it was made of, and no other text is a token.
func FuzzPager(f *testing.F) {
	p := awsapi.NewPager([]byte("key"))
	f.Add("us-west-2", "1", "ListChannels", "", "hT4kPz81QmXc", "AAAA")
	f.Add("", "", "", "\x00", "", p.Encode(arn.Scope{}, "", "", "x"))
	f.Fuzz(func(t *testing.T, region, account, operation, filter, after, other string) {
		sc := arn.Scope{Region: region, Account: account}
		token := p.Encode(sc, operation, filter, after)
		got, err := p.Decode(sc, operation, filter, token)
		if len(after) <= 700 && (err != nil || got != after || !isToken(token)) {
			t.Errorf("%q: %q %v", after, got, err)
		}
		if got, err := p.Decode(sc, operation, filter, other); err == nil && p.Encode(sc, operation, filter, got) != other {
			t.Errorf("%q passed", other)
		}
	})
}
