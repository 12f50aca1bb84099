package policy

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Parse compiles a document. Errors are fault.Malformed, in the words of IAM where it has some.
func Parse(text string, kind Kind) (*Document, error) {
	switch {
	case len(text) > maxText:
		return nil, malformed("A policy document has at most %d bytes.", maxText)
	case !utf8.ValidString(text) || !json.Valid([]byte(text)):
		return nil, malformed("This policy contains invalid Json")
	}
	r := newReader(text)
	open := r.token()
	version, err := r.version(open)
	if err != nil {
		return nil, err
	}
	p := parser{reader: newReader(text), document: &Document{kind: kind}, sids: make(map[string]bool)}
	if version == "2012-10-17" {
		p.what = variables
	}
	if err := p.policy(); err != nil {
		return nil, err
	}
	return p.document, nil
}

// version finds the version of the language, which decides how everything else is read.
func (r *reader) version(open json.Token) (version string, err error) {
	version = "2008-10-17"
	err = r.object(open, "The policy", func(name string) (err error) {
		if name == "Version" {
			version, err = r.text("Version")
			return err
		}
		return r.skip()
	})
	if err == nil && version != "2008-10-17" && version != "2012-10-17" {
		err = malformed("Syntax errors in policy. There is no version %q of the policy language.", short(version))
	}
	return version, err
}

// parser makes a document of what a reader reads.
type parser struct {
	*reader
	document *Document
	what     syntax // variables, in the version of the language that has them
	sids     map[string]bool
}

func (p *parser) policy() error {
	found := false
	err := p.object(p.token(), "The policy", func(name string) error {
		switch name {
		case "Version", "Id":
			_, err := p.text(name)
			return err
		case "Statement":
			found = true
			return p.list(p.statement)
		}
		return malformed("Syntax errors in policy. A policy has no element %q.", short(name))
	})
	if err == nil && !found {
		return malformed("Syntax errors in policy. It has no Statement.")
	}
	return err
}

// draft is a statement as it is written.
type draft struct {
	statement
	effectName string
	has        map[string]bool
	lists      map[string][]string
}

func (p *parser) statement(open json.Token) error {
	d := draft{has: make(map[string]bool), lists: make(map[string][]string)}
	d.start = p.position()
	err := p.object(open, "A Statement", func(name string) error {
		d.has[name] = true
		return p.element(&d, name)
	})
	if err != nil {
		return err
	}
	d.end = p.position()
	for _, check := range [...]func(*draft) error{p.complete, p.identify, p.actions, p.resources} {
		if err := check(&d); err != nil {
			return err
		}
	}
	p.document.statements = append(p.document.statements, d.statement)
	return nil
}

// element reads one element of a statement.
func (p *parser) element(d *draft, name string) (err error) {
	switch name {
	case "Sid":
		d.sid, err = p.text(name)
	case "Effect":
		d.effectName, err = p.text(name)
	case "Action", "NotAction", "Resource", "NotResource":
		d.lists[name], err = p.texts(name, false)
	case "Principal", "NotPrincipal":
		d.principals, err = p.principals(name)
	case "Condition":
		d.conditions, err = p.conditions()
	default:
		err = malformed("Syntax errors in policy. A Statement has no element %q.", short(name))
	}
	return err
}

// complete checks that a statement has what one of its kind has to have, and nothing else.
func (p *parser) complete(d *draft) error {
	kind := p.document.kind
	principal, resource := d.has["Principal"] || d.has["NotPrincipal"], d.has["Resource"] || d.has["NotResource"]
	switch {
	case d.has["Principal"] && d.has["NotPrincipal"], d.has["Action"] && d.has["NotAction"], d.has["Resource"] && d.has["NotResource"]:
		return malformed("Syntax errors in policy. An element and its opposite exclude each other.")
	case principal && kind == Identity:
		return malformed("Policy document should not specify a principal.")
	case !principal && kind != Identity:
		return malformed("Missing required field Principal")
	case resource && kind == Trust:
		return malformed("Has prohibited field Resource")
	case len(d.lists["Action"])+len(d.lists["NotAction"]) == 0:
		return malformed("Policy statement must contain actions.")
	case len(d.lists["Resource"])+len(d.lists["NotResource"]) == 0 && (kind == Identity || resource):
		return malformed("Policy statement must contain resources.")
	}
	return nil
}

// identify checks the Effect and the Sid.
func (p *parser) identify(d *draft) error {
	switch d.effectName {
	case "Allow":
		d.effect = Allow
	case "Deny":
		d.effect = Deny
	default:
		return malformed("Syntax errors in policy. An Effect is Allow or Deny.")
	}
	if d.sid == "" {
		return nil
	}
	if p.document.kind != Resource && strings.ContainsFunc(d.sid, func(r rune) bool { return !isAlphanumeric(r) }) {
		return malformed("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")
	}
	if p.sids[d.sid] {
		return malformed("Statement IDs (SID) in a single policy must be unique.")
	}
	p.sids[d.sid] = true
	return nil
}

func isAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z'
}

// actions compiles Action or NotAction.
func (p *parser) actions(d *draft) error {
	d.notAction = d.has["NotAction"]
	for _, text := range append(d.lists["Action"], d.lists["NotAction"]...) {
		if err := p.action(text); err != nil {
			return err
		}
		pattern, err := compile(text, wildcards)
		if err != nil {
			return err
		}
		d.statement.actions = append(d.statement.actions, pattern)
	}
	return nil
}

// action checks the form of an action: the name of a service, which is spelled out, and a pattern of its operations.
func (p *parser) action(text string) error {
	vendor, operation, ok := strings.Cut(text, ":")
	switch {
	case text == "*", text == "*:*":
	case !ok:
		return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
	case vendor == "", strings.ContainsFunc(vendor, func(r rune) bool { return !isAlphanumeric(r) && r != '-' }):
		return malformed("Vendor %s is not valid", short(vendor))
	case strings.Contains(operation, ":"):
		return malformed("Actions/Condition can contain only one colon.")
	}
	if p.document.kind == Trust && !strings.EqualFold(vendor, "sts") {
		return malformed("AssumeRole policy may only specify STS AssumeRole actions.")
	}
	return nil
}

// resources compiles Resource or NotResource.
func (p *parser) resources(d *draft) error {
	d.notResource = d.has["NotResource"]
	for _, text := range append(d.lists["Resource"], d.lists["NotResource"]...) {
		pattern, err := resourcePattern(text, p.what)
		if err != nil {
			return err
		}
		p.notes(&pattern.rest)
		d.statement.resources = append(d.statement.resources, pattern)
	}
	return nil
}

// principals reads Principal or NotPrincipal: "*", or lists by kind.
func (p *parser) principals(name string) (*principals, error) {
	who := &principals{not: name == "NotPrincipal"}
	open := p.token()
	if s, ok := open.(string); ok {
		if s != "*" {
			return nil, malformed(`Invalid principal in policy: "%s"`, short(s))
		}
		return who, who.add("AWS", s)
	}
	return who, p.object(open, name, func(kind string) error {
		listed, err := p.texts(kind, false)
		if err == nil && len(listed) == 0 {
			err = malformed("Invalid principal in policy: %q names nobody", short(kind))
		}
		for _, text := range listed {
			if err == nil {
				err = who.add(kind, text)
			}
		}
		return err
	})
}

// conditions reads Condition: {operator: {key: value or list of values}}.
func (p *parser) conditions() (all []condition, err error) {
	err = p.object(p.token(), "Condition", func(name string) error {
		base, op, err := conditionNamed(name)
		if err != nil {
			return err
		}
		return p.object(p.token(), name, func(key string) error {
			if !strings.Contains(key, ":") {
				return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
			}
			texts, err := p.texts(key, true)
			if err != nil {
				return err
			}
			c := base
			c.key = KeyOf(key)
			p.note(key)
			if err := p.values(&c, op, texts); err != nil {
				return err
			}
			all = append(all, c)
			return nil
		})
	})
	return all, err
}

// values compiles the values of a condition.
func (p *parser) values(c *condition, op operator, texts []string) error {
	what := p.what
	if !op.expands {
		what = 0
	}
	for _, s := range texts {
		if c.null {
			if !isBool(s) {
				return malformed("Syntax errors in policy. %s is neither true nor false.", short(s))
			}
			c.missing = append(c.missing, strings.EqualFold(s, "true"))
			continue
		}
		v, err := op.compile(s, what)
		if err != nil {
			return err
		}
		switch v := v.(type) {
		case *text:
			p.notes(&v.pattern)
			c.any = c.any || v.everything()
		case *folded:
			p.notes(&v.pattern)
		case *boolean:
			p.notes(&v.pattern)
		case *resource:
			p.notes(&v.rest)
			p.notes(&v.free)
		}
		c.values = append(c.values, v)
	}
	return nil
}

// notes writes down the keys that a pattern asks for.
func (p *parser) notes(from *pattern) {
	for i := range from.parts {
		if from.parts[i].kind == variable {
			p.note(from.parts[i].name)
		}
	}
}

// note writes down a key that the document asks for, once.
func (p *parser) note(key string) {
	for _, known := range p.document.keys {
		if strings.EqualFold(known, key) {
			return
		}
	}
	p.document.keys = append(p.document.keys, key)
}
