package policy

import "strings"

// arnParts are the six parts of an ARN, "arn" first: the sixth may contain colons.
type arnParts struct {
	part [6]string
	ok   bool // it is an ARN
}

// splitARN takes an ARN apart.
func splitARN(text string) arnParts {
	var a arnParts
	rest := text
	for i := range len(a.part) - 1 {
		before, after, found := strings.Cut(rest, ":")
		if !found {
			return a
		}
		a.part[i], rest = before, after
	}
	a.part[5], a.ok = rest, a.part[0] == "arn"
	return a
}

// arnPattern matches ARNs. Each of the six parts is matched by itself, so that a * within one of the first five ends at its
// colon (spec errata.md A3).
type arnPattern struct {
	all  bool // a lone *: whatever it is, also what is no ARN
	part [5]pattern
	rest pattern // the sixth part, where variables are
	free pattern // of a condition, when a variable stands before the fifth colon: the whole
}

// resourcePattern compiles an element of Resource or NotResource. Of an ARN with fewer than six parts the missing ones are
// wildcards.
func resourcePattern(text string, what syntax) (arnPattern, error) {
	if text == "*" {
		return arnPattern{all: true}, nil
	}
	parts := strings.SplitN(text, ":", 6)
	if parts[0] != "arn" || len(parts) < 2 {
		return arnPattern{}, malformed(`Resource %s must be in ARN format or "*".`, short(text))
	}
	for len(parts) < 6 {
		parts = append(parts, "*")
	}
	if strings.ContainsAny(parts[2], "*?") || parts[2] == "" {
		return arnPattern{}, malformed("Resource vendor must be fully qualified and cannot contain regexes.")
	}
	return arnPatternOf([6]string(parts), what)
}

// arnValue compiles a value of ArnEquals and its kin.
func arnValue(text string, what syntax) (arnPattern, error) {
	parts := strings.SplitN(text, ":", 6)
	switch at := strings.Index(text, "${"); {
	case text == "*":
		return arnPattern{all: true}, nil
	case what&variables != 0 && at >= 0 && strings.Count(text[:at], ":") < 5:
		free, err := compile(text, what|wildcards)
		return arnPattern{free: free}, err
	case len(parts) < 6 || parts[0] != "arn":
		return arnPattern{}, malformed("Syntax errors in policy. %s is not in ARN format.", short(text))
	}
	return arnPatternOf([6]string(parts), what)
}

func arnPatternOf(parts [6]string, what syntax) (p arnPattern, err error) {
	for i := range p.part {
		if p.part[i], err = compile(parts[i], wildcards); err != nil {
			return arnPattern{}, err
		}
	}
	p.rest, err = compile(parts[5], what|wildcards)
	return p, err
}

// match compares an ARN with the pattern.
func (p *arnPattern) match(a *arnParts, c Context) truth {
	switch {
	case p.all:
		return yes
	case !a.ok:
		return no
	case p.free.parts != nil:
		return p.free.matchParts(a, c)
	}
	for i := range p.part {
		if !glob(p.part[i].parts, a.part[i], false) {
			return no
		}
	}
	return p.rest.match(a.part[5], c)
}

// matchParts matches an ARN with a pattern that is an ARN only when its variables have values. It allocates.
func (p *pattern) matchParts(a *arnParts, c Context) truth {
	resolved, t := p.resolve(nil, c)
	if t != yes {
		return t
	}
	var sixth [6][]part
	at := 0
	for _, next := range resolved {
		for next.kind == literal && at < 5 {
			before, rest, colon := strings.Cut(next.text, ":")
			if !colon {
				break
			}
			sixth[at] = append(sixth[at], part{text: before})
			at, next.text = at+1, rest
		}
		sixth[at] = append(sixth[at], next)
	}
	if at < 5 {
		return no
	}
	for i := range sixth {
		if !glob(sixth[i], a.part[i], false) {
			return no
		}
	}
	return yes
}
