package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report collects the figures of a run.
type report struct {
	machine string
	section string // of the figures that are added now
	rows    []row
	notes   []string
	figures map[comparison]float64
}

// comparison names a figure of which several servers have one.
type comparison struct{ server, section, what string }

// row is one figure beside its budget.
type row struct {
	section string
	what    string
	figure  string
	budget  string // "" when DESIGN.md sets none
	kept    bool   // whether the figure is within the budget
}

// add adds a figure that has no budget.
func (r *report) add(what, format string, args ...any) {
	r.rows = append(r.rows, row{section: r.section, what: what, figure: fmt.Sprintf(format, args...)})
}

// hold adds a figure that must not be above limit. format has one verb, for both.
func (r *report) hold(what string, figure, limit float64, format string) {
	r.rows = append(r.rows, row{
		section: r.section, what: what, kept: figure <= limit,
		figure: fmt.Sprintf(format, figure), budget: "<= " + fmt.Sprintf(format, limit),
	})
}

// timesGoal is how many times as much our server shall do as another.
const timesGoal = 3

// compare adds a figure of a server, the more of it the better, and its ratio to another server's once both are known.
func (r *report) compare(server, what string, figure float64) {
	if r.figures == nil {
		r.figures = map[comparison]float64{}
	}
	r.figures[comparison{server, r.section, what}] = figure
	ours, known := r.figures[comparison{"rivus", r.section, what}]
	if server == "rivus" || !known || figure == 0 {
		return
	}
	ratio := ours / figure
	r.rows = append(r.rows, row{
		section: r.section, what: what + ", ours to " + server + "'s", kept: ratio >= timesGoal,
		figure: fmt.Sprintf("%.2f x", ratio), budget: fmt.Sprintf(">= %d x", timesGoal),
	})
}

// note adds a line on how the section's figures were measured, once.
func (r *report) note(format string, args ...any) {
	n := r.section + ": " + fmt.Sprintf(format, args...)
	if !slices.Contains(r.notes, n) {
		r.notes = append(r.notes, n)
	}
}

// verdict is one word on a figure that has a budget.
func (r row) verdict() string {
	switch {
	case r.budget == "":
		return ""
	case r.kept:
		return "ok"
	}
	return "MISSED"
}

// text prints the report for a terminal.
func (r *report) text(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n", r.machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "section\twhat\tmeasured\tbudget\t")
	for _, x := range r.rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", x.section, x.what, x.figure, x.budget, x.verdict())
	}
	_ = t.Flush() // like fmt.Fprintf: a broken terminal is not our subject
	fmt.Fprintln(w)
	for _, n := range r.notes {
		fmt.Fprintln(w, n)
	}
}

// markdown prints the report for a document.
func (r *report) markdown(w io.Writer) {
	fmt.Fprintf(w, "Measured on %s.\n\n| section | what | measured | budget |\n|---|---|---|---|\n", r.machine)
	for _, x := range r.rows {
		budget := x.budget
		if x.verdict() == "MISSED" {
			budget += " (missed)"
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s |\n", x.section, escape(x.what), escape(x.figure), escape(budget))
	}
	fmt.Fprintln(w)
	for _, n := range r.notes {
		fmt.Fprintf(w, "- %s\n", n)
	}
}

func escape(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// quantile returns the q-quantile of sorted durations, 0 of none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// sorted sorts durations in place and returns them.
func sorted(d []time.Duration) []time.Duration {
	slices.Sort(d)
	return d
}

// milliseconds formats quantiles of durations, which need not be sorted, as "0.12 / 0.95 ms".
func milliseconds(d []time.Duration, quantiles ...float64) string {
	slices.Sort(d)
	var out []string
	for _, q := range quantiles {
		out = append(out, fmt.Sprintf("%.2f", quantile(d, q).Seconds()*1000))
	}
	return strings.Join(out, " / ") + " ms"
}
