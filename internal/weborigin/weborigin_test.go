package weborigin_test

import (
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/weborigin"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"*": "*", "https://example.com": "https://example.com", " HTTPS://Example.COM/ ": "https://example.com",
		"https://*.example.com": "https://*.example.com", "http://localhost:8000": "http://localhost:8000",
		"https://a.test:443": "https://a.test", "http://a.test:80": "http://a.test", "https://a.test:80": "https://a.test:80",
		"http://[::1]:8080": "http://[::1]:8080", "http://[::1]": "http://[::1]", "capacitor://localhost": "capacitor://localhost",
		"https://*.a.test:8443": "https://*.a.test:8443",
	} {
		if got, err := weborigin.Parse(in); got != want || err != nil {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "example.com", "https://", "https://*", "https://*.", "https://*example.com", "https://a.*.test", "*.example.com",
		"https://a.test/path", "https://a.test?x", "https://user@a.test", "https://a.test:", "https://a.test:0", "https://a.test:99999",
		"https://a.test:+1", "://a.test", "1https://a.test", "https://a b.test", "https://a..test", "https://.a.test", "https://a.test.",
		"https://ä.test", "https://[::1", "https://[]", "https://a.test,https://b.test", "null", "https://" + strings.Repeat("a", 300),
	} {
		if got, err := weborigin.Parse(in); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %q %v", in, got, err)
		}
	}
	if _, err := weborigin.ParseList([]string{"https://a.test", "x"}); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		list   string
		yes    string
		no     string
		silent bool // also those that tell no origin
	}{
		{"", "https://a.test null x", "", true},
		{"*", "https://a.test null", "", true},
		{"https://a.test *", "https://b.test", "", true},
		{"https://a.test", "https://a.test", "http://a.test https://b.a.test https://a.test:8443 https://a.test.evil null https://A.test", false},
		{"http://localhost:8000", "http://localhost:8000", "http://localhost http://localhost:80001", false},
		{
			"https://*.a.test", "https://b.a.test https://c.b.a.test",
			"https://a.test https://.a.test https://xa.test http://b.a.test https://evil.test/.a.test https://evil.test?.a.test " +
				"https://evil.test#.a.test https://u@b.a.test https://b.a.test:8443 https://b:1.a.test https://\r\nx.a.test", false,
		},
		{"https://*.a.test:8443", "https://b.a.test:8443", "https://b.a.test", false},
		{"https://b.test https://a.test", "https://a.test https://b.test", "https://c.test", false},
	} {
		list, err := weborigin.ParseList(strings.Fields(c.list))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range strings.Split(c.yes, " ") {
			if !weborigin.Allows(list, o) {
				t.Errorf("%q does not allow %q", c.list, o)
			}
		}
		for _, o := range strings.Split(c.no, " ") {
			if o != "" && weborigin.Allows(list, o) {
				t.Errorf("%q allows %q", c.list, o)
			}
		}
		if weborigin.Allows(list, "") != c.silent {
			t.Errorf("%q: silent pages", c.list)
		}
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ origin, referer, want string }{
		{"https://a.test", "https://b.test/", "https://a.test"},
		{"null", "https://b.test/", "null"},
		{"", "https://b.test/watch?x=1#y", "https://b.test"},
		{"", "https://b.test", "https://b.test"},
		{"", "https://b.test:8443?x", "https://b.test:8443"},
		{"", "https://a.test@evil.test/", ""},
		{"", "https:///x", ""},
		{"", "x", ""},
		{"", "", ""},
	} {
		if got := weborigin.Of(c.origin, c.referer); got != c.want {
			t.Errorf("%q %q: %q, want %q", c.origin, c.referer, got, c.want)
		}
	}
}

func TestAllowsAllocatesNothing(t *testing.T) {
	list := []string{"https://a.test", "https://*.b.test"}
	if n := testing.AllocsPerRun(100, func() { weborigin.Allows(list, weborigin.Of("", "https://c.b.test/watch")) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse: what parses, parses to itself, and allows itself and nothing that could end a header line.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"*", "https://a.test", "https://*.A.test:443/", "http://[::1]:80", "https://a.test:", "x://*.", "\r\n://a"} {
		f.Add(s, "https://b.a.test")
	}
	f.Fuzz(func(t *testing.T, entry, origin string) {
		parsed, err := weborigin.Parse(entry)
		if err != nil {
			return
		}
		if again, err := weborigin.Parse(parsed); again != parsed || err != nil {
			t.Fatalf("%q becomes %q, and that %q: %v", entry, parsed, again, err)
		}
		list := []string{parsed}
		if !strings.Contains(parsed, "*") && !weborigin.Allows(list, parsed) {
			t.Fatalf("%q does not allow itself", parsed)
		}
		rest := strings.Replace(origin, "://", "", 1)
		if parsed != weborigin.Any && weborigin.Allows(list, origin) && strings.ContainsAny(rest, "\r\n \"<>/\\?#@,") {
			t.Fatalf("%q allows %q", parsed, origin)
		}
	})
}
