package whipcheck

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// answerCheck says what is wrong with an answer in one respect; "" when nothing is.
type answerCheck struct {
	rule  string
	check func(o, a *description, play bool) string
}

// answerChecks are made with an answer that has as many sections as the offer.
func answerChecks() []answerCheck {
	return []answerCheck{
		{"answer.mid", checkMIDs},
		{"answer.complete", checkComplete},
		{"answer.bundle", checkBundle},
		{"answer.rtcp-mux", func(_, a *description, _ bool) string { return lacking(a, "rtcp-mux") }},
		{"answer.rtcp-mux-only", func(_, a *description, _ bool) string { return lacking(a, "rtcp-mux-only") }},
		{"answer.direction", checkDirection},
		{"answer.setup", checkSetup},
		{"answer.fingerprint", checkFingerprint},
		{"answer.ice", checkICE},
		{"answer.candidates", checkCandidates},
		{"answer.codecs", checkCodecs},
		{"answer.payload-types", checkPayloadTypes},
		{"answer.extensions", checkExtensions},
		{"answer.msid", checkMSID},
	}
}

// checkAnswer judges an answer to a plain offer and returns it; nil when it cannot be used.
func (c *checker) checkAnswer(o *description, x *answer) *description {
	a, err := parseSDP(x.body)
	c.judge("answer.sdp", err == nil, x, "%v", err)
	if err != nil {
		return nil
	}
	problem := checkSections(o, a)
	c.judge("answer.sections", problem == "", x, "%s", problem)
	if problem != "" {
		return nil
	}
	for _, check := range answerChecks() {
		problem := check.check(o, a, c.play)
		c.judge(check.rule, problem == "", x, "%s", problem)
	}
	return a
}

func checkSections(o, a *description) string {
	if len(a.sections) != len(o.sections) {
		return fmt.Sprintf("%d sections in answer to %d", len(a.sections), len(o.sections))
	}
	for i := range a.sections {
		if s, t := &a.sections[i], &o.sections[i]; s.kind != t.kind || s.proto != t.proto {
			return fmt.Sprintf("section %d is %.20q %.40q in answer to %q %q", i, s.kind, s.proto, t.kind, t.proto)
		}
	}
	return ""
}

func checkMIDs(o, a *description, _ bool) string {
	for i := range a.sections {
		offered, _ := o.sections[i].get("mid")
		mid, ok := a.sections[i].get("mid")
		if mid != offered && (ok || a.sections[i].accepted()) {
			return fmt.Sprintf("section %d has mid %.40q, offered was %q", i, mid, offered)
		}
	}
	return ""
}

func checkComplete(_, a *description, _ bool) string {
	for i := range a.sections {
		if !a.sections[i].accepted() {
			return fmt.Sprintf("the %s section is rejected", a.sections[i].kind)
		}
	}
	return ""
}

func checkBundle(o, a *description, _ bool) string {
	group := a.bundle()
	for i := range a.sections {
		mid, _ := a.sections[i].get("mid")
		if in := slices.Contains(group, mid); in != a.sections[i].accepted() {
			return fmt.Sprintf("the group is %.80q, and section %q is %s", group, mid, acceptedWord(a.sections[i].accepted()))
		}
	}
	for _, mid := range group {
		if !slices.Contains(o.bundle(), mid) {
			return fmt.Sprintf("the group has %.40q, which was not offered", mid)
		}
	}
	return ""
}

func acceptedWord(accepted bool) string {
	if accepted {
		return "accepted"
	}
	return "rejected"
}

// lacking names the first accepted section without an attribute.
func lacking(a *description, key string) string {
	for i := range a.sections {
		if s := &a.sections[i]; s.accepted() && !s.has(key) {
			return fmt.Sprintf("the %s section has no a=%s", s.kind, key)
		}
	}
	return ""
}

func checkDirection(_, a *description, play bool) string {
	want := "recvonly"
	if play {
		want = "sendonly"
	}
	for i := range a.sections {
		if s := &a.sections[i]; s.accepted() && a.direction(s) != want {
			return fmt.Sprintf("the %s section is %s", s.kind, a.direction(s))
		}
	}
	return ""
}

func checkSetup(o, a *description, _ bool) string {
	tagged := a.tagged()
	if tagged == nil {
		return "no section is accepted"
	}
	role, _ := a.get(tagged, "setup")
	offered, _ := o.get(&o.sections[0], "setup")
	switch {
	case offered == "active" && role != "passive":
		return fmt.Sprintf("setup is %.20q in answer to active", role)
	case role != "active" && role != "passive":
		return fmt.Sprintf("setup is %.20q", role)
	}
	for i := range a.sections {
		if r, ok := a.sections[i].get("setup"); ok && a.sections[i].accepted() && r != role {
			return "bundled sections have different roles"
		}
	}
	return ""
}

func checkFingerprint(_, a *description, _ bool) string {
	tagged := a.tagged()
	if tagged == nil {
		return "no section is accepted"
	}
	value, ok := a.get(tagged, "fingerprint")
	if !ok {
		return "there is none"
	}
	name, digits, _ := strings.Cut(value, " ")
	sizes := map[string]int{"sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64}
	size := sizes[strings.ToLower(name)]
	sum, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if size == 0 || err != nil || len(sum) != size || len(digits) != 3*size-1 {
		return fmt.Sprintf("%.80q is malformed, or of a hash that may not be used", value)
	}
	return ""
}

func checkICE(_, a *description, _ bool) string {
	tagged := a.tagged()
	if tagged == nil {
		return "no section is accepted"
	}
	ufrag, _ := a.get(tagged, "ice-ufrag")
	password, _ := a.get(tagged, "ice-pwd")
	return checkCredentials(ufrag, password)
}

func checkCandidates(_, a *description, _ bool) string {
	tagged := a.tagged()
	if tagged == nil || !tagged.has("candidate") {
		return "there are none"
	}
	for i := range a.sections {
		for _, value := range a.sections[i].all("candidate") {
			if problem := checkCandidate(value); problem != "" {
				return fmt.Sprintf("candidate %.80q: %s", value, problem)
			}
		}
	}
	return ""
}

func checkCodecs(o, a *description, _ bool) string {
	for i := range a.sections {
		s := &a.sections[i]
		if !s.accepted() {
			continue
		}
		offered := o.sections[i].codecs()
		codecs := s.codecs()
		if len(codecs) != len(s.formats) {
			return fmt.Sprintf("the %s section has formats without rtpmap", s.kind)
		}
		for _, codec := range codecs {
			if !containsValue(offered, codec) {
				return fmt.Sprintf("the %s section has %.60q, which was not offered", s.kind, codec)
			}
		}
	}
	return ""
}

func containsValue(m map[string]string, want string) bool {
	for _, v := range m {
		if v == want {
			return true
		}
	}
	return false
}

func checkPayloadTypes(o, a *description, _ bool) string {
	for i := range a.sections {
		offered := o.sections[i].codecs()
		for pt, codec := range a.sections[i].codecs() {
			if containsValue(offered, codec) && offered[pt] != codec {
				return fmt.Sprintf("%.60q has payload type %.20q, offered was another", codec, pt)
			}
		}
	}
	return ""
}

func checkExtensions(o, a *description, _ bool) string {
	for i := range a.sections {
		offered := map[string]string{} // URI to id
		for _, value := range o.sections[i].all("extmap") {
			id, uri := extension(value)
			offered[uri] = id
		}
		for _, value := range a.sections[i].all("extmap") {
			if id, uri := extension(value); offered[uri] != id {
				return fmt.Sprintf("extension %.80q was not offered with id %.20q", uri, id)
			}
		}
	}
	return ""
}

// extension splits the value of an extmap.
func extension(value string) (id, uri string) {
	id, rest, _ := strings.Cut(value, " ")
	id, _, _ = strings.Cut(id, "/")
	uri, _, _ = strings.Cut(rest, " ")
	return id, uri
}

func checkMSID(_, a *description, play bool) string {
	if !play {
		return ""
	}
	stream := ""
	for i := range a.sections {
		s := &a.sections[i]
		if !s.accepted() {
			continue
		}
		msid, ok := s.get("msid")
		id, _, _ := strings.Cut(msid, " ")
		if !ok || id == "" {
			return fmt.Sprintf("the %s section has no msid", s.kind)
		}
		if stream != "" && id != stream {
			return fmt.Sprintf("sections are of the streams %.40q and %.40q", stream, id)
		}
		stream = id
	}
	return ""
}

// note tells what the server chose in its answer.
func (c *checker) note(a *description) {
	tagged := a.tagged()
	if tagged == nil {
		return
	}
	role, _ := a.get(tagged, "setup")
	mode := "full"
	if _, lite := find(a.attributes, "ice-lite"); lite {
		mode = "lite"
	}
	var chosen []string
	for i := range a.sections {
		if s := &a.sections[i]; s.accepted() && len(s.formats) > 0 {
			chosen = append(chosen, fmt.Sprintf("%s %.40q", s.kind, s.codecs()[s.formats[0]]))
		}
	}
	c.fact("answer: %s; DTLS role %.20q, ICE %s, %d candidates", strings.Join(chosen, ", "), role, mode, len(tagged.all("candidate")))
}
