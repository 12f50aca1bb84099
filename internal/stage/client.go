package stage

import (
	"strings"

	"github.com/rivus-live/rivus/internal/resource"
)

// client is what is known of the program of a participant.
type client struct {
	userAgent string
	protocol  string
}

// fill writes what the client says of itself into a record. User agents are guesswork by nature; what is not
// recognised stays empty.
func (c client) fill(p *resource.Participant) {
	if c.protocol != "" {
		p.Protocol = c.protocol
	}
	p.OSName, p.OSVersion = system(c.userAgent)
	p.BrowserName, p.BrowserVersion = browser(c.userAgent)
}

// browser finds name and version, the more specific products first.
func browser(ua string) (name, version string) {
	for _, b := range [...]struct{ token, name string }{
		{"Edg/", "Microsoft Edge"},
		{"OPR/", "Opera"},
		{"Firefox/", "Mozilla Firefox"},
		{"CriOS/", "Google Chrome"},
		{"Chrome/", "Google Chrome"},
		{"Version/", "Safari"},
		{"OBS-Studio/", "OBS Studio"},
		{"obs-studio/", "OBS Studio"},
		{"GStreamer/", "GStreamer"},
		{"Lavf/", "FFmpeg"},
	} {
		if _, rest, ok := strings.Cut(ua, b.token); ok {
			return b.name, word(rest)
		}
	}
	return "", ""
}

// system finds the operating system.
func system(ua string) (name, version string) {
	for _, s := range [...]struct{ token, name string }{
		{"Windows NT ", "Windows"},
		{"Android ", "Android"},
		{"iPhone OS ", "iOS"},
		{"CPU OS ", "iPadOS"},
		{"Mac OS X ", "macOS"},
		{"CrOS ", "ChromeOS"},
		{"Linux", "Linux"},
	} {
		if _, rest, ok := strings.Cut(ua, s.token); ok {
			return s.name, strings.ReplaceAll(word(rest), "_", ".")
		}
	}
	return "", ""
}

// word returns the characters of a version at the beginning of s, at most 128 and only those that the API may show.
func word(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool {
		return r != '.' && r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if end >= 0 {
		s = s[:end]
	}
	return s[:min(len(s), 128)]
}
