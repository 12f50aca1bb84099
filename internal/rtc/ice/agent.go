// Package ice answers the connectivity checks of a peer that knows our address (RFC 8445).
//
// An Agent belongs to one peer. It is pure: it does no I/O, starts no goroutine and asks no clock. It is given the
// messages that come and the time, and returns what to send and what has become of the connection. It uses no
// candidates of the peer: it is reached by whoever signs checks with its password, at whatever address that is. An
// address is used for more than answers only when a check of ours was answered from there, so a forged source address
// gets nothing but that check. It is a full agent, because some peers nominate at once when they are checked and wait
// for a fifth of a second otherwise; the peer's checks are the only ones that ours follow.
//
// Imports: nothing of Rivus.
package ice

import (
	"net/netip"
	"time"
)

// Times of a connection.
const (
	// Lifetime is how long a connection lives without a sign of life, which is anything authentic: a check, an answer to
	// one of ours, or media; and how long a peer may take to show up. The service shows a lost participant for up to ten
	// seconds.
	Lifetime = 9 * time.Second
	// keepalive is when the path in use is checked again, insist how soon while nothing is answered.
	keepalive = 2500 * time.Millisecond
	insist    = 500 * time.Millisecond
	// abandoned is how long the path in use may be silent before another one that works takes over unasked.
	abandoned = 3 * time.Second
	// quiet is how long it may be silent before the peer may nominate one with a lower priority.
	quiet = time.Second
	// consent is how long a path may be used after the last answer to a check of ours; another one that has worked is
	// tried then. A peer that does not answer while it sends loses our packets, not its right to send (RFC 7675, section
	// 5.1).
	consent = 5 * time.Second
)

// Bounds of an agent.
const (
	maxPaths    = 8
	maxUnproven = 10 // checks without an answer on a path that never worked
	waiting     = 4  // checks of one path whose answer still counts
)

// priority of our side's peer-reflexive candidates, which is what checks carry (RFC 8445, section 5.1.2.1).
const priority = 110<<24 | 65535<<8 | 255

// Path is a way to the peer: its address and, over TCP, a number that names the connection. UDP has the number 0.
type Path struct {
	Addr   netip.AddrPort
	Stream uint32
}

// Credentials are a user fragment and a password (RFC 8839, section 5.4).
type Credentials struct{ Ufrag, Password string }

// Packet is a message to send.
type Packet struct {
	To   Path
	Data []byte
}

// Output is what an Agent wants done.
type Output struct {
	Packets []Packet // to be sent in this order
	Moved   bool     // Paths or Selected may have changed
}

// Random fills b with bytes that nobody can guess.
type Random func(b []byte)

// path is what the agent knows about one.
type path struct {
	Path
	priority  uint32 // the peer's candidate
	proven    bool   // a check of ours was answered
	nominated bool
	heard     time.Duration
	asked     time.Duration
	answered  time.Duration
	unproven  int // checks sent so far without any answer
	sent      [waiting]transaction
	next      int
}

// generation is one pair of credentials; a restart begins a new one.
type generation struct{ local, remote Credentials }

// Agent is our end of one connection. Not safe for concurrent use.
type Agent struct {
	random      Random
	now, old    generation // old answers until the new one works; zero: there is none
	tiebreaker  uint64
	controlling bool
	paths       []*path
	selected    *path
	heard       time.Duration // the last sign of life on any path
}

// NewAgent returns an agent for a peer that was told local and that has told us remote.
func NewAgent(now time.Duration, local, remote Credentials, random Random) *Agent {
	a := &Agent{random: random, now: generation{local, remote}, heard: now}
	var b [8]byte
	random(b[:])
	for _, v := range b {
		a.tiebreaker = a.tiebreaker<<8 | uint64(v)
	}
	return a
}

// Selected returns the path to send on. False: there is none yet.
func (a *Agent) Selected() (Path, bool) {
	if a.selected == nil {
		return Path{}, false
	}
	return a.selected.Path, true
}

// Knows tells whether the peer has ever sent an authentic check on a path that is remembered.
func (a *Agent) Knows(p Path) bool { return a.find(p) != nil }

// Paths returns those that are remembered.
func (a *Agent) Paths() []Path {
	out := make([]Path, 0, len(a.paths))
	for _, p := range a.paths {
		out = append(out, p.Path)
	}
	return out
}

// Restart begins a new generation (RFC 8445, section 9). Media stays on the path in use until another is proven.
func (a *Agent) Restart(local, remote Credentials) {
	a.old, a.now = a.now, generation{local, remote}
	for _, p := range a.paths {
		p.nominated, p.unproven = false, 0
	}
}

// Alive tells whether the connection is still there.
func (a *Agent) Alive(now time.Duration) bool { return now-a.heard < Lifetime }

// Heard notes that something authentic other than a check has come: the peer uses the path.
func (a *Agent) Heard(now time.Duration, from Path) {
	if p := a.find(from); p != nil {
		p.heard, a.heard = now, now
	}
}

// Lost forgets a path: its TCP connection has ended.
func (a *Agent) Lost(gone Path) {
	for i, p := range a.paths {
		if p.Path == gone {
			a.paths = append(a.paths[:i], a.paths[i+1:]...)
			if a.selected == p {
				a.selected = a.best()
			}
			return
		}
	}
}

// best returns the path to fall back on: of those that work the one heard last.
func (a *Agent) best() *path {
	var best *path
	for _, p := range a.paths {
		if p.proven && (best == nil || p.heard > best.heard) {
			best = p
		}
	}
	return best
}

// Message takes a message that came on a path. It reports whether it was the peer's: one that is not signed with the
// right password changes nothing and is not answered.
func (a *Agent) Message(now time.Duration, from Path, m *Message, out *Output) bool {
	switch m.class {
	case binding:
		return a.request(now, from, m, out)
	case success, failure:
		return a.response(now, from, m, out)
	}
	return false // an indication proves nothing
}

// request answers a check and, if its path is not proven, checks it in return.
func (a *Agent) request(now time.Duration, from Path, m *Message, out *Output) bool {
	g := &a.now
	switch ufrag := m.Ufrag(); {
	case string(ufrag) == a.now.local.Ufrag:
	case a.old.local.Ufrag != "" && string(ufrag) == a.old.local.Ufrag:
		g = &a.old
	default:
		return false
	}
	if string(m.username[len(g.local.Ufrag)+1:]) != g.remote.Ufrag || !m.authentic(g.local.Password) {
		return false
	}
	a.heard = now
	if !a.agree(m) {
		out.send(from, refusal(m.transaction, g.local.Password))
		return true
	}
	out.send(from, answer(m.transaction, from.Addr, g.local.Password))
	p := a.find(from)
	if g == &a.old {
		if p != nil {
			p.heard = now
		}
		return true
	}
	if p == nil {
		p = a.add(from, out)
	}
	p.heard, p.priority = now, m.priority
	if m.use && !a.controlling {
		p.nominated = true
	}
	if !p.proven {
		if p.unproven < maxUnproven || now-p.asked >= insist {
			a.check(now, p, out)
		}
		return true
	}
	a.consider(now, p, m.use, out)
	return true
}

// agree settles who controls (RFC 8445, section 7.3.1.1). False: the peer has to change its role.
func (a *Agent) agree(m *Message) bool {
	switch {
	case m.controlled && !a.controlling:
		if a.tiebreaker < m.tiebreaker {
			return false
		}
		a.controlling = true
	case m.controlling && a.controlling:
		if a.tiebreaker >= m.tiebreaker {
			return false
		}
		a.controlling = false
	}
	return true
}

// response takes the answer to one of our checks.
func (a *Agent) response(now time.Duration, from Path, m *Message, out *Output) bool {
	p := a.find(from)
	if p == nil || !p.awaits(m.transaction) || !m.authentic(a.now.remote.Password) {
		return false
	}
	p.forget(m.transaction)
	a.heard, p.heard, p.answered = now, now, now
	if m.class == failure {
		if m.code == roleConflict {
			a.controlling = !a.controlling
			a.check(now, p, out)
		}
		return true
	}
	p.proven, p.unproven = true, 0
	if a.controlling {
		p.nominated = true
	}
	a.old = generation{}
	a.consider(now, p, p.nominated, out)
	return true
}

// consider makes p the path in use if it is better.
func (a *Agent) consider(now time.Duration, p *path, nominated bool, out *Output) {
	s := a.selected
	switch {
	case s == p:
		return
	case s == nil:
	case nominated && (!s.nominated || p.priority >= s.priority || now-s.heard > quiet):
	case now-s.heard > abandoned:
	default:
		return
	}
	a.selected, out.Moved = p, true
}

// Tick sends the checks that are due: those that keep the path in use alive, and those that prove new ones.
func (a *Agent) Tick(now time.Duration, out *Output) {
	for _, p := range a.paths {
		if p.proven && now-p.answered > consent {
			p.proven, p.nominated = false, false
			if a.selected == p {
				a.selected, out.Moved = a.best(), true
			}
		}
		after := keepalive
		switch {
		case p != a.selected && p.proven:
			continue
		case p != a.selected && p.unproven >= maxUnproven:
			if p.answered == 0 || now-p.heard > abandoned {
				continue
			}
			// It has worked, and is in use by the peer: perhaps it answers again.
		case !p.proven || now-p.answered > keepalive+insist:
			after = insist
		}
		if now-p.asked >= after {
			a.check(now, p, out)
		}
	}
}

// check sends a check of ours.
func (a *Agent) check(now time.Duration, p *path, out *Output) {
	if !p.proven && p.unproven < maxUnproven {
		p.unproven++
	}
	r := request{
		username: a.now.remote.Ufrag + ":" + a.now.local.Ufrag, password: a.now.remote.Password,
		priority: priority, controlling: a.controlling, tiebreaker: a.tiebreaker,
	}
	a.random(r.transaction[:])
	p.sent[p.next%waiting] = r.transaction
	p.next++
	p.asked = now
	out.send(p.Path, r.bytes())
}

func (a *Agent) find(p Path) *path {
	for _, known := range a.paths {
		if known.Path == p {
			return known
		}
	}
	return nil
}

// add remembers a path. When there are too many, the one that was heard longest ago goes.
func (a *Agent) add(at Path, out *Output) *path {
	if len(a.paths) == maxPaths {
		oldest := -1
		for i, p := range a.paths {
			if p != a.selected && (oldest < 0 || p.heard < a.paths[oldest].heard) {
				oldest = i
			}
		}
		a.paths = append(a.paths[:oldest], a.paths[oldest+1:]...)
	}
	p := &path{Path: at}
	a.paths = append(a.paths, p)
	out.Moved = true
	return p
}

func (p *path) awaits(t transaction) bool {
	for _, s := range p.sent {
		if s == t && t != (transaction{}) {
			return true
		}
	}
	return false
}

func (p *path) forget(t transaction) {
	for i := range p.sent {
		if p.sent[i] == t {
			p.sent[i] = transaction{}
		}
	}
}

func (o *Output) send(to Path, data []byte) {
	o.Packets = append(o.Packets, Packet{To: to, Data: data})
}
