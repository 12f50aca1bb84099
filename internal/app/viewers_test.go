package app_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivs"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/rivus-live/rivus/internal/apptest"
	"github.com/rivus-live/rivus/internal/config"
)

// countries writes a database in which networks are in countries, and returns its path.
func countries(t *testing.T, networks map[string]string) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test-Country", IncludeReservedNetworks: true, RecordSize: 24})
	must(t, err)
	for network, code := range networks {
		_, n, err := net.ParseCIDR(network)
		must(t, err)
		must(t, tree.Insert(n, mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}}))
	}
	var b bytes.Buffer
	_, err = tree.WriteTo(&b)
	must(t, err)
	path := filepath.Join(t.TempDir(), "countries.mmdb")
	must(t, os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

// restrictedTo makes a channel that can be watched in one country, and returns its playback URL.
func restrictedTo(t *testing.T, s *apptest.Server, country string) string {
	t.Helper()
	p, err := s.IVS(t).CreatePlaybackRestrictionPolicy(t.Context(), &ivs.CreatePlaybackRestrictionPolicyInput{AllowedCountries: []string{country}})
	must(t, err)
	ch := s.CreateChannel(t, func(in *ivs.CreateChannelInput) { in.PlaybackRestrictionPolicyArn = p.PlaybackRestrictionPolicy.Arn })
	return *ch.PlaybackUrl
}

// statusOf asks for a URL with header fields in pairs. A channel that is off air answers 404 to who may watch.
func statusOf(t *testing.T, url string, header ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestCountries: where a viewer is, is where its connection comes from, or what a trusted proxy says of it; what a viewer says
// of itself changes nothing.
func TestCountries(t *testing.T) {
	t.Parallel()
	db := countries(t, map[string]string{"127.0.0.0/8": "DE", "203.0.113.0/24": "FR"})
	alone := apptest.Start(t, func(c *config.Config) { c.GeoIPDB = db })
	behind := apptest.Start(t, func(c *config.Config) { c.GeoIPDB, c.TrustedProxies = db, []string{"127.0.0.0/8"} })
	none := apptest.Start(t)
	for _, c := range []struct {
		server  *apptest.Server
		country string
		said    string // X-Forwarded-For
		status  int
	}{
		{alone, "DE", "", 404},
		{alone, "FR", "", 403},
		{alone, "FR", "203.0.113.5", 403},
		{alone, "DE", "203.0.113.5", 404},
		{behind, "FR", "203.0.113.5", 404},
		{behind, "FR", "203.0.113.5, 127.0.0.9", 404},
		{behind, "DE", "203.0.113.5", 403},
		{behind, "FR", "203.0.113.5, 192.0.2.1", 404}, // the proxy says 192.0.2.1, which is nowhere known; the rest is the viewer's word
		{behind, "DE", "127.0.0.1, 203.0.113.5", 403},
		{none, "DE", "", 403},
	} {
		url := restrictedTo(t, c.server, c.country)
		header := []string{}
		if c.said != "" {
			header = []string{"X-Forwarded-For", c.said}
		}
		if got := statusOf(t, url, header...); got != c.status {
			t.Errorf("a channel for %s, X-Forwarded-For %q: %d, want %d", c.country, c.said, got, c.status)
		}
	}
	metrics, err := fetch(t, "http://"+alone.Admin+"/metrics")
	must(t, err)
	if !strings.Contains(metrics, `rivus_playback_refused_total{reason="wrong_country"} 2`) {
		t.Errorf("no refusal is counted in\n%s", grep(metrics, "refused"))
	}
	metrics, err = fetch(t, "http://"+none.Admin+"/metrics")
	must(t, err)
	if !strings.Contains(metrics, `rivus_playback_refused_total{reason="no_country_database"} 1`) {
		t.Errorf("no refusal is counted in\n%s", grep(metrics, "refused"))
	}
}

func grep(text, word string) (found string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			found += line
		}
	}
	return found
}

// TestCountriesAreChecked: a database that is none is known before anything runs.
func TestCountriesAreChecked(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "x.mmdb")
	must(t, os.WriteFile(bad, []byte("no database"), 0o600))
	for _, path := range []string{bad, t.TempDir(), filepath.Join(t.TempDir(), "missing")} {
		cfg := apptest.Config(t)
		cfg.GeoIPDB = path
		if _, err := apptest.TryStart(t, cfg); err == nil || !strings.Contains(err.Error(), "--geoip-db") {
			t.Errorf("%s: %v", path, err)
		}
		if entries, err := os.ReadDir(cfg.DataDir); err != nil || len(entries) > 0 {
			t.Errorf("%s: the data directory has %v %v", path, entries, err)
		}
	}
}

// TestRevocationsOutliveTheServer, as facts do, and so do policies and keys.
func TestRevocationsOutliveTheServer(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	ch := s.CreateChannel(t, func(in *ivs.CreateChannelInput) { in.Authorized = true })
	for i := range 3 {
		_, err := s.IVS(t).StartViewerSessionRevocation(t.Context(), &ivs.StartViewerSessionRevocationInput{
			ChannelArn: ch.Arn, ViewerId: aws.String(fmt.Sprint("viewer ", i)), ViewerSessionVersionsLessThanOrEqualTo: int32(i), //nolint:gosec // small
		})
		must(t, err)
	}
	restrictedTo(t, s, "DE")
	s.Stop()
	n := s.Restart(t)
	list, err := n.IVS(t).ListPlaybackRestrictionPolicies(t.Context(), &ivs.ListPlaybackRestrictionPoliciesInput{})
	must(t, err)
	if len(list.PlaybackRestrictionPolicies) != 1 || list.PlaybackRestrictionPolicies[0].AllowedCountries[0] != "DE" {
		t.Errorf("%+v", list)
	}
}
