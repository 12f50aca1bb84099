package geoip_test

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/rivus-live/rivus/internal/geoip"
)

// record makes the record of a country in the forms that databases have.
func record(form, code string) mmdbtype.DataType {
	switch form {
	case "country_code", "country":
		return mmdbtype.Map{mmdbtype.String(form): mmdbtype.String(code), "as_name": mmdbtype.String("x")}
	case "none":
		return mmdbtype.Map{"city": mmdbtype.String("x")}
	}
	return mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code), "geoname_id": mmdbtype.Uint32(1)}}
}

// database returns a file in which networks are in countries.
func database(t *testing.T, form string, version int, networks map[string]string) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test-Country", IPVersion: version, IncludeReservedNetworks: true, RecordSize: 24})
	check(t, err)
	for network, code := range networks {
		_, n, err := net.ParseCIDR(network)
		check(t, err)
		check(t, tree.Insert(n, record(form, code)))
	}
	var b bytes.Buffer
	_, err = tree.WriteTo(&b)
	check(t, err)
	return b.Bytes()
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	check(t, os.WriteFile(path, data, 0o600))
}

func TestCountry(t *testing.T) {
	t.Parallel()
	networks := map[string]string{"127.0.0.0/8": "DE", "203.0.113.0/24": "FR", "2001:db8::/32": "JP", "198.51.100.0/24": "germany"}
	for _, form := range []string{"MaxMind", "country_code", "country"} {
		path := filepath.Join(t.TempDir(), "x.mmdb")
		write(t, path, database(t, form, 6, networks))
		d, err := geoip.Open(path, nil, nil)
		check(t, err)
		for address, want := range map[string]string{
			"127.0.0.1": "DE", "203.0.113.9": "FR", "::ffff:203.0.113.9": "FR", "2001:db8::1": "JP", "2001:db8::1%eth0": "JP", "192.0.2.1": "", "198.51.100.1": "",
		} {
			if got, err := d.Country(netip.MustParseAddr(address)); got != want || err != nil {
				t.Errorf("%s: %s is in %q, %v; want %q", form, address, got, err, want)
			}
		}
		if got, err := d.Country(netip.Addr{}); got != "" || err != nil {
			t.Errorf("no address: %q %v", got, err)
		}
	}
	path := filepath.Join(t.TempDir(), "4.mmdb")
	write(t, path, database(t, "MaxMind", 4, map[string]string{"127.0.0.0/8": "DE"}))
	d, err := geoip.Open(path, nil, nil)
	check(t, err)
	if got, err := d.Country(netip.MustParseAddr("2001:db8::1")); got != "" || err != nil {
		t.Errorf("IPv6 in a database of IPv4: %q %v", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := database(t, "MaxMind", 6, map[string]string{"127.0.0.0/8": "DE"})
	for name, data := range map[string][]byte{
		"empty": {}, "text": []byte("127.0.0.0/8,DE\n"), "cut": good[:len(good)/2],
		"no countries": database(t, "none", 6, map[string]string{"127.0.0.0/8": ""}),
	} {
		path := filepath.Join(dir, name)
		write(t, path, data)
		if _, err := geoip.Open(path, nil, nil); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "missing")} {
		if _, err := geoip.Open(path, nil, nil); err == nil {
			t.Errorf("%s was opened", path)
		}
	}
}

// TestReplaced: a file that is replaced counts soon after, in whatever way it was, and one that is no good changes nothing.
func TestReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.mmdb")
	write(t, path, database(t, "MaxMind", 6, map[string]string{"127.0.0.0/8": "DE"}))
	var now atomic.Int64
	var lines syncBuffer
	d, err := geoip.Open(path, func() time.Time { return time.Unix(now.Load(), 0) }, slog.New(slog.NewTextHandler(&lines, nil)))
	check(t, err)
	want := func(code string) {
		t.Helper()
		if got, err := d.Country(netip.MustParseAddr("127.0.0.1")); got != code || err != nil {
			t.Errorf("%q %v, want %q", got, err, code)
		}
	}
	want("DE")
	renamed := path + ".new"
	write(t, renamed, database(t, "MaxMind", 6, map[string]string{"127.0.0.0/8": "FR", "10.0.0.0/8": "IT"}))
	check(t, os.Rename(renamed, path))
	want("DE") // it was looked at a moment ago
	now.Add(11)
	want("FR")
	write(t, path, []byte("half a file")) // written over, as cp does
	for range 3 {
		now.Add(11)
		want("FR")
	}
	check(t, os.Remove(path))
	for range 3 {
		now.Add(11)
		want("FR")
	}
	write(t, path, database(t, "MaxMind", 6, map[string]string{"127.0.0.0/8": "JP"}))
	now.Add(11)
	want("JP")
	if text := lines.String(); strings.Count(text, "not renewed") != 2 || strings.Count(text, "countries renewed") != 2 {
		t.Errorf("the log says\n%s", text)
	}
}

// FuzzDatabase: no file makes it panic, and what is told as a country has the form of one.
func FuzzDatabase(f *testing.F) {
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "x", IncludeReservedNetworks: true, RecordSize: 24})
	check(f, err)
	_, n, err := net.ParseCIDR("127.0.0.0/8")
	check(f, err)
	check(f, tree.Insert(n, record("MaxMind", "DE")))
	var b bytes.Buffer
	_, err = tree.WriteTo(&b)
	check(f, err)
	f.Add(b.Bytes())
	f.Add([]byte("\xab\xcd\xefMaxMind.com"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x")
		check(t, os.WriteFile(path, data, 0o600))
		d, err := geoip.Open(path, nil, nil)
		if err != nil {
			return
		}
		for _, a := range []string{"127.0.0.1", "::1"} {
			if code, err := d.Country(netip.MustParseAddr(a)); err == nil && code != "" && len(code) != 2 {
				t.Errorf("%q", code)
			}
		}
	})
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
