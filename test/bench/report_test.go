package main

import (
	"strings"
	"testing"
	"time"
)

func TestReport(t *testing.T) {
	t.Parallel()
	r := report{machine: "a machine", section: "api"}
	r.hold("a call", 41, 40, "%.0f us")
	r.hold("another", 39, 40, "%.0f us")
	r.add("a|rate", "%d a second", 7)
	r.note("how")
	r.note("how")
	var text, markdown strings.Builder
	r.text(&text)
	r.markdown(&markdown)
	for _, want := range []string{"a machine", "41 us", "<= 40 us  MISSED", "39 us", "ok", "api: how"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
	for _, want := range []string{"| api | a call | 41 us | <= 40 us (missed) |", `| api | a\|rate | 7 a second |  |`, "- api: how"} {
		if strings.Count(markdown.String(), want) != 1 {
			t.Errorf("the Markdown lacks %q:\n%s", want, markdown.String())
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	r := report{section: "stage"}
	r.compare("other", "rate", 10) // nothing to compare with
	r.compare("rivus", "rate", 25)
	r.compare("other", "rate", 10)
	r.compare("other", "rate", 5)
	if len(r.rows) != 2 || r.rows[0].figure != "2.50 x" || r.rows[0].kept || r.rows[1].figure != "5.00 x" || !r.rows[1].kept {
		t.Errorf("%+v", r.rows)
	}
}

func TestMilliseconds(t *testing.T) {
	t.Parallel()
	d := []time.Duration{3 * time.Millisecond, time.Millisecond, 2 * time.Millisecond, 4 * time.Millisecond}
	if got := milliseconds(d, 0.5, 0.99); got != "3.00 / 4.00 ms" {
		t.Errorf("milliseconds = %q", got)
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("quantile of nothing = %v", got)
	}
}

func TestArrivals(t *testing.T) {
	t.Parallel()
	var a arrivals
	p := listedPart{"seg1.0.m4s", 200 * time.Millisecond}
	if !a.claim(p) || a.claim(p) {
		t.Fatal("not exactly one viewer claims a part")
	}
	sent := time.Unix(100, 0)
	a.came(p.uri, sent.Add(10*time.Millisecond))
	if took, _ := a.collect(); len(took) != 0 {
		t.Errorf("%v before the stamp is known", took)
	}
	a.publish(p.uri, sent)
	a.came(p.uri, sent.Add(201*time.Millisecond))
	if took, late := a.collect(); len(took) != 2 || late != 1 {
		t.Errorf("took %v, %d late", took, late)
	}
	if took, late := a.collect(); len(took) != 0 || late != 0 {
		t.Errorf("again %v, %d late", took, late)
	}
}

func TestParseMetrics(t *testing.T) {
	t.Parallel()
	m, err := parseMetrics(strings.NewReader("# HELP x y\nplain 1.5\nlabelled{a=\"b c\",d=\"}\"} 2\nlabelled{a=\"e\"} 3 1700000000\nbad\nworse{a=\"b\" 1\n"))
	if err != nil || len(m) != 2 || m["plain"] != 1.5 || m["labelled"] != 5 {
		t.Errorf("%v, %v", m, err)
	}
}

func TestParseBenchmarks(t *testing.T) {
	t.Parallel()
	got := parseBenchmarks([]byte("goos: linux\npkg: example.com/m/internal/media/mp4\nBenchmarkAppend/full-2   \t 1000\t  123 ns/op\t 8 B/op\t 1 allocs/op\nBenchmarkBroken --- FAIL\nPASS\n"))
	want := result{"media/mp4 Append/full", "123 ns/op, 8 B/op, 1 allocs/op"}
	if len(got) != 1 || got[0] != want {
		t.Errorf("%v", got)
	}
}

func TestFieldOfProc(t *testing.T) {
	t.Parallel()
	file := []byte("Name:\trivus\nVmRSS:\t   1234 kB\nmodel name\t: A CPU: fast\n")
	if got := kilobytes(field(file, "VmRSS")); got != 1234 {
		t.Errorf("VmRSS = %d", got)
	}
	if got := field(file, "model name"); got != "A CPU: fast" {
		t.Errorf("model name = %q", got)
	}
	if got := field(file, "missing") + field(nil, "x"); got != "" {
		t.Errorf("missing = %q", got)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	if all, err := choose(""); err != nil || len(all) != len(sections()) {
		t.Errorf("%d sections, %v", len(all), err)
	}
	if some, err := choose("api,start"); err != nil || len(some) != 2 || some[0].name != "api" {
		t.Errorf("%v, %v", some, err)
	}
	if some, err := choose("stage"); err != nil || len(some) < 2 || some[0].name != "stage-forward" {
		t.Errorf("%v, %v", some, err)
	}
	if _, err := choose("api,nothing"); err == nil {
		t.Error("an unknown section is accepted")
	}
}
