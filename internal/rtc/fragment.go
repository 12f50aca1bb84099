package rtc

import (
	"fmt"
	"strings"

	"github.com/pion/sdp/v3"
)

// Bounds of a trickle fragment.
const (
	maxFragment   = 16 << 10
	maxCandidates = 64
)

// Fragment is a piece of SDP as trickle ICE exchanges it over HTTP (RFC 8840, section 9; RFC 9725, section 4.3).
type Fragment struct {
	Ufrag, Password string   // "" when the fragment has none
	Candidates      []string // without "a=candidate:"
	End             bool     // no more candidates follow
	Media           string   // first media line with its MID, as the answer of a restart repeats it
}

// ParseFragment reads a fragment and refuses what is malformed or unbounded. Lines that it does not know it skips.
func ParseFragment(text string) (Fragment, error) {
	var f Fragment
	if len(text) > maxFragment {
		return f, refuse("the fragment is longer than %d bytes", maxFragment)
	}
	useful := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		if len(line) < 2 || line[1] != '=' {
			return Fragment{}, refuse("the fragment is not SDP")
		}
		name, value, _ := strings.Cut(line[2:], ":")
		if line[0] != 'a' {
			continue
		}
		useful = true
		switch name {
		case "ice-ufrag":
			if len(value) < 4 || len(value) > maxToken || f.Ufrag != "" && f.Ufrag != value {
				return Fragment{}, refuse("the fragment has no usable ice-ufrag")
			}
			f.Ufrag = value
		case "ice-pwd":
			if len(value) < 22 || len(value) > maxToken || f.Password != "" && f.Password != value {
				return Fragment{}, refuse("the fragment has no usable ice-pwd")
			}
			f.Password = value
		case "candidate":
			if len(f.Candidates) == maxCandidates {
				return Fragment{}, refuse("the fragment has more than %d candidates", maxCandidates)
			}
			f.Candidates = append(f.Candidates, value)
		case "end-of-candidates":
			f.End = true
		}
	}
	if !useful {
		return Fragment{}, refuse("the fragment is not SDP")
	}
	return f, nil
}

// String returns the fragment as it is sent.
func (f Fragment) String() string {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "a=%s:%s\r\n", name, value) }
	if f.Ufrag != "" {
		line("ice-ufrag", f.Ufrag)
		line("ice-pwd", f.Password)
	}
	b.WriteString(f.Media)
	for _, c := range f.Candidates {
		line("candidate", c)
	}
	if f.End {
		b.WriteString("a=end-of-candidates\r\n")
	}
	return b.String()
}

// fragmentOf takes credentials and candidates out of an answer.
func fragmentOf(answer string) (Fragment, error) {
	d := &sdp.SessionDescription{}
	if err := d.UnmarshalString(answer); err != nil {
		return Fragment{}, fmt.Errorf("rtc: read our answer: %w", err)
	}
	f := Fragment{End: true}
	for _, m := range d.MediaDescriptions {
		if m.MediaName.Port.Value == 0 {
			continue
		}
		f.Ufrag, _ = m.Attribute("ice-ufrag")
		f.Password, _ = m.Attribute("ice-pwd")
		mid, _ := m.Attribute("mid")
		f.Media = fmt.Sprintf("m=%s\r\na=mid:%s\r\n", m.MediaName.String(), mid)
		for _, a := range m.Attributes {
			if a.Key == "candidate" {
				f.Candidates = append(f.Candidates, a.Value)
			}
		}
		return f, nil
	}
	return Fragment{}, refuse("no section was accepted")
}
