package stage

import (
	"cmp"
	"strings"

	"github.com/rivus-live/rivus/internal/resource"
)

// client is what a request tells of the program of a participant. There is no name of its provider: that takes a
// database which the operator would have to bring.
type client struct {
	userAgent string
	protocol  string
}

// fill writes what the client says of itself into a record. User agents are guesswork by nature; what is not
// recognised leaves what was known before.
func (c client) fill(p *resource.Participant) {
	p.Protocol = cmp.Or(c.protocol, p.Protocol)
	if name, version := system(c.userAgent); name != "" {
		p.OSName, p.OSVersion = name, version
	}
	if name, version := browser(c.userAgent); name != "" {
		p.BrowserName, p.BrowserVersion = name, version
	}
}

// hello is what a client says of itself on the events socket, which beats what its User-Agent says.
type hello struct {
	SDKVersion     string `json:"sdkVersion"`
	OSName         string `json:"osName"`
	OSVersion      string `json:"osVersion"`
	BrowserName    string `json:"browserName"`
	BrowserVersion string `json:"browserVersion"`
}

// fill writes what was said into a record, and reports whether that is new.
func (h hello) fill(p *resource.Participant) (changed bool) {
	set := func(to *string, said string) {
		if said = presentable(said); said != "" && said != *to {
			*to, changed = said, true
		}
	}
	set(&p.SDKVersion, h.SDKVersion)
	set(&p.OSName, h.OSName)
	set(&p.OSVersion, h.OSVersion)
	set(&p.BrowserName, h.BrowserName)
	set(&p.BrowserVersion, h.BrowserVersion)
	return changed
}

// maxDetail is the length of what the API shows of a client, in characters.
const maxDetail = 128

// presentable returns those characters of s that the API may show, at most maxDetail.
func presentable(s string) string {
	s = strings.Map(func(r rune) rune {
		if letter(r) || strings.ContainsRune("-_.,:; ", r) {
			return r
		}
		return -1
	}, s)
	return strings.TrimSpace(s[:min(len(s), maxDetail)])
}

func letter(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// browser finds name and version, the more specific products first.
func browser(ua string) (name, version string) {
	for _, b := range [...]struct{ token, name string }{
		{"Edg/", "Microsoft Edge"},
		{"EdgA/", "Microsoft Edge"},
		{"OPR/", "Opera"},
		{"SamsungBrowser/", "Samsung Internet"},
		{"Firefox/", "Mozilla Firefox"},
		{"FxiOS/", "Mozilla Firefox"},
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
		_, rest, ok := strings.Cut(ua, s.token)
		if !ok {
			continue
		}
		if s.name == "ChromeOS" { // the processor comes first
			_, rest, _ = strings.Cut(rest, " ")
		}
		return s.name, strings.ReplaceAll(word(rest), "_", ".")
	}
	return "", ""
}

// word returns the characters of a version at the beginning of s, at most maxDetail and only those that the API may
// show.
func word(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool { return !letter(r) && r != '.' && r != '_' && r != '-' })
	if end >= 0 {
		s = s[:end]
	}
	return s[:min(len(s), maxDetail)]
}
