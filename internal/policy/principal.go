package policy

import "strings"

// principals are whom a statement of a trust policy or of a resource's policy is about.
type principals struct {
	not      bool // NotPrincipal: all but those
	everyone bool
	accounts []string // 12 digits
	arns     []string // of users, roles and sessions
}

// naming is how a statement names who asks.
type naming uint8

const (
	unnamed   naming = iota
	asAccount        // it names the account, which decides by its own policies
	asSelf
)

// naming returns how a statement names who asks. One without principals is about whoever has it.
func (s *statement) naming(who *Principal) naming {
	if s.principals == nil {
		return asSelf
	}
	return s.principals.name(who)
}

// name returns how the principals name who asks.
func (p *principals) name(who *Principal) naming {
	n := p.listed(who)
	if !p.not {
		return n
	}
	if n == unnamed {
		return asSelf
	}
	return unnamed
}

func (p *principals) listed(who *Principal) naming {
	if p.everyone {
		return asSelf
	}
	if who == nil {
		return unnamed
	}
	for _, a := range p.arns {
		if a == who.ARN || a == who.Role {
			return asSelf
		}
	}
	for _, a := range p.accounts {
		if a == who.Account {
			return asAccount
		}
	}
	return unnamed
}

// add adds one principal, of a kind such as "AWS", to those that are listed. Services and other identity providers never
// call with an access key of ours, so nobody is one of them.
func (p *principals) add(kind, text string) error {
	switch kind {
	case "AWS":
	case "Service", "Federated", "CanonicalUser":
		return nil
	default:
		return malformed("Syntax errors in policy. There are no principals of the kind %q.", short(kind))
	}
	a := splitARN(text)
	switch {
	case text == "*":
		p.everyone = true
	case isAccount(text):
		p.accounts = append(p.accounts, text)
	case strings.ContainsAny(text, "*?") || !a.ok || !isAccount(a.part[4]):
		return malformed(`Invalid principal in policy: "AWS":"%s"`, short(text))
	case a.part[2] == "iam" && a.part[5] == "root":
		p.accounts = append(p.accounts, a.part[4])
	case a.part[2] == "iam" && (strings.HasPrefix(a.part[5], "user/") || strings.HasPrefix(a.part[5], "role/")),
		a.part[2] == "sts" && (strings.HasPrefix(a.part[5], "assumed-role/") || strings.HasPrefix(a.part[5], "federated-user/")):
		p.arns = append(p.arns, text)
	default:
		return malformed(`Invalid principal in policy: "AWS":"%s"`, short(text))
	}
	return nil
}

// isAccount reports whether a text is the id of an account.
func isAccount(text string) bool {
	if len(text) != 12 {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}
