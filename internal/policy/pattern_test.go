package policy

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// slowly is a matcher that tries everything.
func slowly(pattern, text []rune) bool {
	if len(pattern) == 0 {
		return len(text) == 0
	}
	switch c := pattern[0]; {
	case c == '*':
		return slowly(pattern[1:], text) || len(text) > 0 && slowly(pattern, text[1:])
	case len(text) == 0:
		return false
	default:
		return (c == '?' || c == text[0]) && slowly(pattern[1:], text[1:])
	}
}

// FuzzGlob: the matcher finds what one finds that tries everything, with and without regard to case.
func FuzzGlob(f *testing.F) {
	for _, c := range [][2]string{
		{"", ""},
		{"*", ""},
		{"?", ""},
		{"a*b", "ab"},
		{"a*b", "axxb"},
		{"*ab*ab", "abaab"},
		{"**?", "é"},
		{"a*?c", "abc"},
		{"*aab", "aaab"},
		{"?*?", "ab"},
		{"*é?", "éé"},
		{"channel/*", "channel/*"},
		{"*a*a*a*b", "aaaaaaaaaa"},
		{"A*b", "aXB"},
	} {
		f.Add(c[0], c[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 12 || len(text) > 16 {
			return // the slow one takes too long
		}
		pattern, text = strings.ToValidUTF8(pattern, "x"), strings.ToValidUTF8(text, "x")
		p, err := compile(pattern, wildcards)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := glob(p.parts, text, false), slowly([]rune(pattern), []rune(text)); got != want {
			t.Errorf("%q matches %q: %v", pattern, text, got)
		}
		ascii := func(s string) bool {
			return strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
		}
		if !ascii(pattern) || !ascii(text) {
			return
		}
		if got, want := glob(p.parts, text, true), slowly([]rune(strings.ToLower(pattern)), []rune(strings.ToLower(text))); got != want {
			t.Errorf("%q matches %q whatever the case: %v", pattern, text, got)
		}
	})
}

// TestGlobIsNotExponential: what takes a matcher that tries everything longer than there is time.
func TestGlobIsNotExponential(t *testing.T) {
	t.Parallel()
	p, err := compile(strings.Repeat("*a?", 200)+"b", wildcards)
	if err != nil {
		t.Fatal(err)
	}
	if glob(p.parts, strings.Repeat("a", 5000), false) {
		t.Error("matches what has no b")
	}
	if glob(p.parts, strings.Repeat("A", 5000), true) {
		t.Error("matches what has no b, whatever the case")
	}
}

// FuzzLike: a pattern matches what the regular expression of the same meaning does.
func FuzzLike(f *testing.F) {
	f.Add("arn:aws:sqs:*:*:ivs-?", "arn:aws:sqs:r:a:ivs-1", false)
	f.Add("*a*b*", "xAxxb", true)
	f.Add("${aws:username}[a-z]\\", "${aws:username}[a-z]\\", false)
	f.Add("", "", true)
	f.Fuzz(func(t *testing.T, pattern, s string, fold bool) {
		if len(pattern) > 40 || len(s) > 200 || strings.ContainsFunc(pattern+s, func(r rune) bool { return r > 126 || r < 32 }) {
			return
		}
		expression := "^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern)) + "$"
		if fold {
			expression = "(?i)" + expression
		}
		if want := regexp.MustCompile(expression).MatchString(s); Like(pattern, s, fold) != want {
			t.Errorf("%q matches %q: %v", pattern, s, !want)
		}
	})
}
