package policy

import "strings"

// variableIn reads the variable that a text begins with, and returns what follows it: ${key}, ${key, 'default'}, or one of
// the three that stand for a character: ${*}, ${?} and ${$} (spec neighbours.md 3).
func variableIn(text string) (v part, rest string, err error) {
	inside, rest, ok := cutVariable(text[len("${"):])
	if !ok {
		return part{}, "", malformed("Syntax errors in policy. A policy variable has no end: %s", short(text))
	}
	switch inside {
	case "*", "?", "$":
		return part{text: inside}, rest, nil
	}
	name, def, has := strings.Cut(inside, ",")
	name = strings.TrimSpace(name)
	if name == "" {
		return part{}, "", malformed("Syntax errors in policy. A policy variable has no name: %s", short(text))
	}
	v = part{kind: variable, key: KeyOf(name), name: name, bare: !has}
	if has {
		def = strings.TrimSpace(def)
		if len(def) < 2 || def[0] != '\'' || def[len(def)-1] != '\'' {
			return part{}, "", malformed("Syntax errors in policy. The default of a policy variable is not in single quotes: %s", short(text))
		}
		v.text = def[1 : len(def)-1]
	}
	return v, rest, nil
}

// cutVariable splits a text at the brace that ends the variable it begins with, which is not one between quotes.
func cutVariable(text string) (inside, rest string, ok bool) {
	quoted := false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\'':
			quoted = !quoted
		case c == '}' && !quoted:
			return text[:i], text[i+1:], true
		}
	}
	return "", "", false
}

// short returns a text for an error.
func short(text string) string {
	const most = 64
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
