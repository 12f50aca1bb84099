package whipcheck

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what a server may answer with.
const (
	maxLines      = 4096
	maxSections   = 16
	maxCandidates = 64
)

// attribute is an "a=" line of SDP, or a parameter of a header.
type attribute struct{ key, value string }

// section is one media section.
type section struct {
	kind, proto string
	port        int
	formats     []string
	attributes  []attribute
}

// description is an SDP description or a fragment of one.
type description struct {
	attributes []attribute
	sections   []section
}

// parseSDP reads a session description (RFC 8866, section 5) as far as its lines go.
func parseSDP(text string) (*description, error) {
	d := &description{}
	var order []byte // types of the session's lines before the first section
	err := eachLine(text, func(kind byte, value string) error {
		if len(d.sections) == 0 && kind != 'm' {
			order = append(order, kind)
			if !strings.ContainsRune("vosiuepcbtrzka", rune(kind)) {
				return fmt.Errorf("line type %q", kind)
			}
		} else if !strings.ContainsRune("micbka", rune(kind)) {
			return fmt.Errorf("line type %q in a media section", kind)
		}
		return d.add(kind, value)
	})
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(string(order), "vos") {
		return nil, errors.New("it does not begin with v=, o= and s=")
	}
	if !slices.Contains(order, 't') {
		return nil, errors.New("it has no t= line")
	}
	if !strings.HasPrefix(text, "v=0\r\n") && !strings.HasPrefix(text, "v=0\n") {
		return nil, errors.New("its version is not 0")
	}
	return d, nil
}

// parseFragment reads a trickle ICE fragment (RFC 8840, section 9).
func parseFragment(text string) (*description, error) {
	d := &description{}
	err := eachLine(text, func(kind byte, value string) error {
		if kind != 'a' && kind != 'm' {
			return fmt.Errorf("line type %q", kind)
		}
		return d.add(kind, value)
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// eachLine splits text into lines of the form x=value.
func eachLine(text string, fn func(kind byte, value string) error) error {
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > maxLines {
			return fmt.Errorf("more than %d lines", maxLines)
		}
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if len(line) < 2 || line[1] != '=' || strings.ContainsAny(line, "\x00\r") {
			return fmt.Errorf("line %d is not of the form x=value", n)
		}
		if err := fn(line[0], line[2:]); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if n == 0 {
		return errors.New("it is empty")
	}
	return nil
}

// add takes one line.
func (d *description) add(kind byte, value string) error {
	switch kind {
	case 'm':
		s, err := parseMedia(value)
		if err != nil {
			return err
		}
		if len(d.sections) == maxSections {
			return fmt.Errorf("more than %d media sections", maxSections)
		}
		d.sections = append(d.sections, s)
	case 'a':
		key, v, _ := strings.Cut(value, ":")
		if tokenLength(key) != len(key) || key == "" {
			return fmt.Errorf("attribute name %.40q", key)
		}
		list := &d.attributes
		if n := len(d.sections); n > 0 {
			list = &d.sections[n-1].attributes
		}
		*list = append(*list, attribute{key, v})
	}
	return nil
}

// parseMedia reads the value of an "m=" line.
func parseMedia(value string) (section, error) {
	words := strings.Split(value, " ")
	if len(words) < 4 || slices.Contains(words, "") {
		return section{}, fmt.Errorf("media line %.60q", value)
	}
	port, err := strconv.ParseUint(words[1], 10, 16)
	if err != nil {
		return section{}, fmt.Errorf("port %.20q", words[1])
	}
	return section{kind: words[0], port: int(port), proto: words[2], formats: words[3:]}, nil
}

func find(list []attribute, key string) (string, bool) {
	for _, a := range list {
		if a.key == key {
			return a.value, true
		}
	}
	return "", false
}

func (s *section) get(key string) (string, bool) { return find(s.attributes, key) }

func (s *section) has(key string) bool {
	_, ok := s.get(key)
	return ok
}

// all returns the values of every attribute of one name.
func (s *section) all(key string) (values []string) {
	for _, a := range s.attributes {
		if a.key == key {
			values = append(values, a.value)
		}
	}
	return values
}

// accepted reports whether the section carries media: port 0 rejects, unless the port is that of the bundle.
func (s *section) accepted() bool { return s.port != 0 || s.has("bundle-only") }

// get returns an attribute of a section or, failing that, of the session.
func (d *description) get(s *section, key string) (string, bool) {
	if v, ok := s.get(key); ok {
		return v, true
	}
	return find(d.attributes, key)
}

// bundle returns the mids of the first BUNDLE group.
func (d *description) bundle() []string {
	for _, a := range d.attributes {
		if words := strings.Fields(a.value); a.key == "group" && len(words) > 0 && words[0] == "BUNDLE" {
			return words[1:]
		}
	}
	return nil
}

// tagged returns the section whose transport the bundle uses; nil when there is none.
func (d *description) tagged() *section {
	group := d.bundle()
	for i := range d.sections {
		s := &d.sections[i]
		mid, _ := s.get("mid")
		if s.accepted() && (len(group) == 0 || mid == group[0]) {
			return s
		}
	}
	return nil
}

// candidates returns how many there are.
func (d *description) candidates() int {
	n := 0
	for i := range d.sections {
		n += len(d.sections[i].all("candidate"))
	}
	return n
}

// direction returns the direction of a section.
func (d *description) direction(s *section) string {
	for _, list := range [][]attribute{s.attributes, d.attributes} {
		for _, a := range list {
			switch a.key {
			case "sendonly", "recvonly", "sendrecv", "inactive":
				return a.key
			}
		}
	}
	return "sendrecv"
}

// codecs returns the rtpmap values of a section's formats in lower case, by payload type.
func (s *section) codecs() map[string]string {
	m := make(map[string]string, len(s.formats))
	for _, value := range s.all("rtpmap") {
		if pt, codec, ok := strings.Cut(value, " "); ok && slices.Contains(s.formats, pt) {
			m[pt] = strings.ToLower(trim(codec))
		}
	}
	return m
}

// checkCandidate says what is wrong with the value of a candidate attribute (RFC 8839, section 5.1).
func checkCandidate(value string) string {
	words := strings.Fields(value)
	if len(words) < 8 || words[6] != "typ" {
		return "it lacks fields"
	}
	if len(words[0]) > 32 || !iceChars(words[0]) {
		return "its foundation is malformed"
	}
	if n, err := strconv.ParseUint(words[1], 10, 16); err != nil || n < 1 || n > 256 {
		return "its component is not between 1 and 256"
	}
	if n, err := strconv.ParseUint(words[3], 10, 32); err != nil || n < 1 || n > 1<<31-1 {
		return "its priority is not between 1 and 2^31-1"
	}
	if _, err := netip.ParseAddr(words[4]); err != nil && !hostName(words[4]) {
		return "its address is malformed"
	}
	if _, err := strconv.ParseUint(words[5], 10, 16); err != nil {
		return "its port is malformed"
	}
	if len(words)%2 != 0 {
		return "an extension has no value"
	}
	return ""
}

// iceChars reports whether s has only characters of ICE's ufrag and pwd.
func iceChars(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !isAlphanumeric(r) && r != '+' && r != '/' })
}

func hostName(s string) bool {
	return len(s) <= 253 && !strings.ContainsFunc(s, func(r rune) bool { return !isAlphanumeric(r) && r != '-' && r != '.' && r != '_' })
}

// checkCredentials says what is wrong with ICE credentials (RFC 8839, section 5.4).
func checkCredentials(ufrag, password string) string {
	switch {
	case len(ufrag) < 4 || len(ufrag) > 256 || !iceChars(ufrag):
		return fmt.Sprintf("ice-ufrag %.40q is not of 4 to 256 ICE characters", ufrag)
	case len(password) < 22 || len(password) > 256 || !iceChars(password):
		return fmt.Sprintf("ice-pwd is not of 22 to 256 ICE characters (it has %d)", len(password))
	}
	return ""
}
