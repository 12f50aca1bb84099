package restjson

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/apigen"
)

// modelPatterns returns every pattern of the models.
func modelPatterns(tb testing.TB) []string {
	tb.Helper()
	models, err := apigen.Load("../../../api")
	if err != nil || len(models) != 7 {
		tb.Fatal(len(models), err)
	}
	found := map[string]bool{}
	for _, m := range models {
		for _, s := range m.Shapes {
			if s.Pattern != "" {
				found[s.Pattern] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// oddPatterns are of forms that a sequence must refuse or get right.
func oddPatterns() []string {
	return []string{
		``, `a`, `^a$`, `a|b`, `ab|cd`, `^$|^a|b$`, `^$|^a\$`, `(?i)ab`, `[a-c]{2}`, `[a-c]{0,2}d`, `[a-c]*b`, `[a-c]*[0-9]*a`,
		`[a-c]+[0-9]*d`, `[a-c]?[a-c]`, `[a-c]?d`, `[a-c]??d`, `[a-c][a-c]`, `([ab])c`, `([ab]+)c`, `(?:[ab]c)*`, `[^a]`, `é`, `\x{FFFD}`,
		`\d+:`, `\w*-`, `.`, `(?s).`, `[[:^ascii:]]`, `\ba`, `a*`, `[ab]+?c`, `x[ab]*`, `\Qa.b\E[c]*`, `(?i)[k]+`,
	}
}

// check compares a pattern with package regexp on one text.
func check(t *testing.T, p *Pattern, exact *regexp.Regexp, text string) {
	t.Helper()
	if got, want := p.Match(text), exact.MatchString(text); got != want {
		t.Errorf("%s: %q: %v, want %v", p.Source, text, got, want)
	}
}

func exactly(source string) *regexp.Regexp { return regexp.MustCompile(`\A(?:` + source + `)\z`) }

// TestSequences holds each pattern against package regexp on texts that lie close to what it matches, and on each of
// those with any one byte taken out, put in or changed.
func TestSequences(t *testing.T) {
	t.Parallel()
	texts := []string{
		"", "a", "abc", "ab12", "d", "abd", "a$", "a.bcc", "AB", "12:", "st-Ab9", "_x-y", "é", "\xff", "\uFFFD", "K", "\u212a", "a\n",
		"arn:aws:lambda:us-west-2:111122223333:function:f", "arn:aws:mediatailor:r:1:playbackConfiguration/x",
	}
	kind := regexp.MustCompile(`arn:aws:(ivs|ivschat):.*:([a-z-]+)/`)
	for _, source := range modelPatterns(t) {
		if m := kind.FindStringSubmatch(source); m != nil {
			texts = append(texts, "arn:aws:"+m[1]+":us-west-2:1:"+m[2]+"/aZ-9")
		}
	}
	near := map[string]bool{}
	for _, text := range texts {
		near[text] = true
		for i := range len(text) + 1 {
			for _, c := range []string{"", "a", "Z", "0", "-", ":", "/", "_", "\n", "\x80", "$", "é"} {
				near[text[:i]+c+text[i:]] = true
				near[text[:i]+c+text[min(i+1, len(text)):]] = true
			}
		}
	}
	for _, source := range append(modelPatterns(t), oddPatterns()...) {
		if _, ok := newSequence(source); !ok {
			continue // it is left to package regexp
		}
		p, exact := NewPattern(source), exactly(source)
		for text := range near {
			check(t, p, exact, text)
		}
	}
}

// TestSequencesUsed makes sure that the patterns on every request's way are no business of package regexp.
func TestSequencesUsed(t *testing.T) {
	t.Parallel()
	for _, source := range modelPatterns(t) {
		if _, ok := newSequence(source); !ok && strings.Contains(source, "arn:aws:ivs") {
			t.Errorf("%s is no sequence", source)
		}
	}
}

// FuzzPattern holds any expression, and all of the models, against package regexp.
func FuzzPattern(f *testing.F) {
	for _, source := range append(modelPatterns(f), oddPatterns()...) {
		f.Add(source, "arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc")
	}
	var patterns []*Pattern
	var exact []*regexp.Regexp
	for _, source := range modelPatterns(f) {
		patterns, exact = append(patterns, NewPattern(source)), append(exact, exactly(source))
	}
	f.Fuzz(func(t *testing.T, source, text string) {
		for i, p := range patterns {
			check(t, p, exact[i], text)
		}
		if _, err := regexp.Compile(source); err == nil { // NewPattern is for valid ones
			check(t, NewPattern(source), exactly(source), text)
		}
	})
}

func BenchmarkPattern(b *testing.B) {
	p := NewPattern(`arn:aws:ivs:[a-z0-9-]+:[0-9]+:channel/[a-zA-Z0-9-]+`)
	b.ReportAllocs()
	for b.Loop() {
		if !p.Match("arn:aws:ivs:us-west-2:111122223333:channel/hT4kPz81QmXc") {
			b.Fatal("no match")
		}
	}
}
