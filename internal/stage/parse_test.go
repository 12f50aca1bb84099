package stage

import (
	"testing"

	"github.com/rivus-live/rivus/internal/resource"
)

func TestClientDetails(t *testing.T) {
	t.Parallel()
	for ua, want := range map[string][4]string{
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36": {"Linux", "", "Google Chrome", "156.0.0.0"},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36 Edg/120.0.1":   {"Windows", "10.0", "Microsoft Edge", "120.0.1"},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) Version/17.2 Mobile/15E148 Safari/604.1":        {"iOS", "17.2", "Safari", "17.2"},
		"OBS-Studio/30.1.2 (windows-x64; Windows NT 10.0)":                                                      {"Windows", "10.0", "OBS Studio", "30.1.2"},
		"curl/8": {},
		"":       {},
	} {
		var p resource.Participant
		client{userAgent: ua}.fill(&p)
		if got := [4]string{p.OSName, p.OSVersion, p.BrowserName, p.BrowserVersion}; got != want {
			t.Errorf("%s: %q", ua, got)
		}
	}
}
