// Package whipcheck holds a WHIP or WHEP server against the specification, as a client of it with real media.
//
// It knows nothing of who serves: it speaks HTTP, reads what comes back with its own strict parsers and judges it by
// RFC 9725 (WHIP) or draft-ietf-wish-whep-03 (WHEP), and by the RFCs that these build on where they leave no choice. Each
// rule is judged once: kept, broken, advised against, or of no concern to this server. Sessions are made one after the
// other and ended again, so that a server that allows one for each token is not disturbed by the check itself.
//
// Every wait, body and count is bounded: a server can neither hang nor fill the checker. No token is in a report.
//
// Imports: nothing of Rivus; pion/webrtc (the client's transport), pion/rtp and pion/rtcp (its packets).
package whipcheck

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Options says what to check. URL is required.
type Options struct {
	// URL is a WHIP or WHEP endpoint, http or https.
	URL string
	// Token is the bearer token of all requests; "" means that none is sent.
	Token string
	// Play checks a WHEP endpoint, whose stream must be live; false checks a WHIP endpoint.
	Play bool
	// Insecure accepts any TLS certificate.
	Insecure bool
	// Wait bounds each wait: for the answer to a request, for the connection, for media; 0 means 10 s.
	Wait time.Duration

	without string // step that a test leaves out
}

// Verdict is what became of a rule.
type Verdict string

// The verdicts.
const (
	Passed        Verdict = "passed"
	Violated      Verdict = "violated" // the specification demands it
	Advised       Verdict = "advised"  // the specification recommends it
	NotApplicable Verdict = "not applicable"
)

// Result is the verdict on one rule. Requests and answers are short descriptions on one line.
type Result struct {
	Rule    string  `json:"rule"`   // name of the rule, as "patch.stale"
	Clause  string  `json:"clause"` // where it stands, as "RFC 9725, 4.3.1"
	Title   string  `json:"title"`  // what it demands
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail,omitempty"` // what is wrong, or why the rule is of no concern
	Sent    string  `json:"sent,omitempty"`   // request of the first breach, or of the last judgement
	Got     string  `json:"got,omitempty"`    // answer to it
}

// Report is what a check found, one result a rule in the order of the rules.
type Report struct {
	Protocol string   `json:"protocol"` // the document that was held against the server
	URL      string   `json:"url"`      // endpoint after redirects, without its query
	Facts    []string `json:"facts"`    // what the server chose where it is free
	Results  []Result `json:"results"`
}

// Count returns how many rules have a verdict.
func (r *Report) Count(v Verdict) int {
	n := 0
	for i := range r.Results {
		if r.Results[i].Verdict == v {
			n++
		}
	}
	return n
}

// OK reports whether nothing was broken that is demanded.
func (r *Report) OK() bool { return r.Count(Violated) == 0 }

// Print writes the report as text for a person.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s\n", r.URL, r.Protocol)
	for _, f := range r.Facts {
		fmt.Fprintf(&b, "  %s\n", f)
	}
	for _, v := range r.Results {
		words := map[Verdict]string{Violated: "VIOLATION", Advised: "advised", NotApplicable: "n/a"}
		fmt.Fprintf(&b, "%-9s %s: %s [%s]\n", cmp.Or(words[v.Verdict], string(v.Verdict)), v.Clause, v.Title, v.Rule)
		for _, line := range []string{v.Detail, v.Sent, v.Got} {
			if line != "" && v.Verdict != Passed && (v.Verdict != NotApplicable || line == v.Detail) {
				fmt.Fprintf(&b, "          %s\n", line)
			}
		}
	}
	fmt.Fprintf(&b, "%d passed, %d violations, %d advised, %d not applicable\n",
		r.Count(Passed), r.Count(Violated), r.Count(Advised), r.Count(NotApplicable))
	_, err := io.WriteString(w, b.String())
	return err
}

// PrintJSON writes the report as one JSON object.
func (r *Report) PrintJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// newClient returns a client of its own, without cookies, that follows no redirect by itself, and what ends it.
func newClient(insecure bool) (*http.Client, func()) {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: insecure, MinVersion: tls.VersionTLS12}, // asked for
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: stay}, transport.CloseIdleConnections
}
