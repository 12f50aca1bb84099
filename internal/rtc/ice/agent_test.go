package ice

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

//nolint:gochecknoglobals // constants
var (
	ours   = Credentials{"ours", "our secret password, long"}
	theirs = Credentials{"them", "their secret password, long"}
	first  = Path{Addr: netip.MustParseAddrPort("192.0.2.1:1000")}
	second = Path{Addr: netip.MustParseAddrPort("192.0.2.2:2000")}
	tcp    = Path{Addr: netip.MustParseAddrPort("192.0.2.1:1000"), Stream: 7}
)

// scene is an agent and a peer that speaks to it.
type scene struct {
	t      *testing.T
	agent  *Agent
	now    time.Duration
	count  uint64
	local  Credentials // the peer's
	remote Credentials // the peer's idea of ours
	out    []Packet    // of the last call
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, local: theirs, remote: ours}
	s.agent = NewAgent(0, ours, theirs, func(b []byte) {
		s.count++
		clear(b)
		binary.BigEndian.PutUint64(b[len(b)-8:], s.count)
	})
	return s
}

// check is a request of the peer; nil options are a plain one.
func (s *scene) check(from Path, change func(*request)) bool {
	s.t.Helper()
	s.count++
	r := request{username: s.remote.Ufrag + ":" + s.local.Ufrag, password: s.remote.Password, priority: 100, tiebreaker: 1}
	binary.BigEndian.PutUint64(r.transaction[:], s.count)
	r.controlling = true // which nominates
	if change != nil {
		change(&r)
	}
	return s.give(from, r.bytes())
}

// plain is a request that does not nominate.
func (s *scene) plain(from Path, priority uint32) {
	s.t.Helper()
	s.count++
	b := attribute(start(binding, transaction{byte(s.count >> 8), byte(s.count)}), attrUsername, []byte(s.remote.Ufrag+":"+s.local.Ufrag)...)
	b = attribute(b, attrPriority, binary.BigEndian.AppendUint32(nil, priority)...)
	b = attribute(b, attrControlling, make([]byte, 8)...)
	s.give(from, finish(b, s.remote.Password))
}

func (s *scene) give(from Path, b []byte) bool {
	s.t.Helper()
	var m Message
	if !Parse(b, &m) {
		s.t.Fatal("the test's message is malformed")
	}
	var out Output
	ok := s.agent.Message(s.now, from, &m, &out)
	s.out = out.Packets
	return ok
}

// reply answers the checks of the last call, with the peer's password.
func (s *scene) reply() {
	s.t.Helper()
	for _, p := range s.out {
		var m Message
		if Parse(p.Data, &m) && m.class == binding {
			if !m.authentic(s.local.Password) || string(m.username) != s.local.Ufrag+":"+s.remote.Ufrag {
				s.t.Fatalf("a check that is not for the peer: %q", m.username)
			}
			s.give(p.To, answer(m.transaction, p.To.Addr, s.local.Password))
		}
	}
}

// connect makes a path work.
func (s *scene) connect(at Path) {
	s.t.Helper()
	s.check(at, nil)
	s.reply()
}

// pass lets time go by, in the steps of a timer; the peer answers when it is there. It counts our checks.
func (s *scene) pass(d time.Duration, there bool) (checks int) {
	s.t.Helper()
	for end := s.now + d; s.now < end; {
		s.now += 250 * time.Millisecond
		var out Output
		s.agent.Tick(s.now, &out)
		s.out = out.Packets
		checks += len(s.out)
		if there {
			s.reply()
		}
	}
	return checks
}

func (s *scene) selected(want Path) {
	s.t.Helper()
	if got, _ := s.agent.Selected(); got != want {
		s.t.Errorf("selected %v, want %v", got, want)
	}
}

// classes lists what was sent in the last call.
func (s *scene) classes() (list []uint16) {
	for _, p := range s.out {
		list = append(list, binary.BigEndian.Uint16(p.Data))
	}
	return list
}

func TestCheckAndCheckBack(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	if !s.check(first, nil) {
		t.Fatal("refused")
	}
	if c := s.classes(); len(c) != 2 || c[0] != success || c[1] != binding || s.out[0].To != first || s.out[1].To != first {
		t.Fatalf("sent %x", c)
	}
	s.selected(Path{}) // a source address may be forged
	s.reply()
	s.selected(first)
	if len(s.out) != 0 {
		t.Error("an answer is answered")
	}
	s.check(first, nil)
	if c := s.classes(); len(c) != 1 || c[0] != success {
		t.Errorf("a proven path is checked again: %x", c)
	}
}

// TestStrangersGetNothing: what is not signed by the peer is not answered and changes nothing.
func TestStrangersGetNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*request){
		"wrong password":    func(r *request) { r.password = "guessed" },
		"our ufrag alone":   func(r *request) { r.username = "ours:" },
		"another peer":      func(r *request) { r.username = "ours:evil" },
		"another agent":     func(r *request) { r.username = "else:them" },
		"no colon":          func(r *request) { r.username = "ours" },
		"their own secrets": func(r *request) { r.username, r.password = "them:ours", theirs.Password },
	} {
		s := newScene(t)
		s.now = time.Second
		if s.check(first, change) || len(s.out) != 0 || len(s.agent.Paths()) != 0 || s.agent.heard != 0 {
			t.Errorf("%s: sent %x, paths %v", name, s.classes(), s.agent.Paths())
		}
	}
	s := newScene(t)
	s.check(first, nil)
	sent := s.out[1].Data
	var m Message
	Parse(sent, &m)
	for name, try := range map[string]struct {
		from Path
		data []byte
	}{
		"answer with a wrong password": {first, answer(m.transaction, first.Addr, "guessed")},
		"answer with our password":     {first, answer(m.transaction, first.Addr, ours.Password)},
		"answer from elsewhere":        {second, answer(m.transaction, first.Addr, theirs.Password)},
		"answer over TCP":              {tcp, answer(m.transaction, first.Addr, theirs.Password)},
		"answer to no check":           {first, answer(transaction{9}, first.Addr, theirs.Password)},
		"answer to nothing":            {first, answer(transaction{}, first.Addr, theirs.Password)},
		"our own check":                {first, sent},
		"indication":                   {first, finish(attribute(start(indication, m.transaction), attrUsername, []byte("ours:them")...), ours.Password)},
	} {
		if s.give(try.from, try.data) || len(s.out) != 0 {
			t.Errorf("%s is taken", name)
		}
	}
	s.selected(Path{})
	if !s.give(first, answer(m.transaction, first.Addr, theirs.Password)) {
		t.Error("the right answer is refused")
	}
	if s.selected(first); s.give(first, answer(m.transaction, first.Addr, theirs.Password)) {
		t.Error("an answer counts twice")
	}
}

func TestRoleConflict(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.agent.tiebreaker = 5
	s.check(first, func(r *request) { r.controlling, r.tiebreaker = false, 9 })
	if c := s.classes(); len(c) != 1 || c[0] != failure || len(s.agent.Paths()) != 0 {
		t.Errorf("the weaker side: sent %x", c)
	}
	s.check(first, func(r *request) { r.controlling, r.tiebreaker = false, 3 })
	if c := s.classes(); len(c) != 2 || !s.agent.controlling {
		t.Fatalf("the stronger side: sent %x", c)
	}
	var m Message
	if Parse(s.out[1].Data, &m); !m.controlling || !m.use {
		t.Errorf("our check %+v", m)
	}
	s.reply()
	s.selected(first)
	// Both control: the peer wins.
	s.check(first, func(r *request) { r.tiebreaker = 9 })
	if s.agent.controlling {
		t.Error("two agents control")
	}
	// The peer says that we have the wrong role.
	s = newScene(t)
	s.check(first, nil)
	Parse(s.out[1].Data, &m)
	s.give(first, refusal(m.transaction, theirs.Password))
	if Parse(s.out[0].Data, &m); !m.controlling {
		t.Errorf("our second check %+v", m)
	}
}

// TestChoiceOfPath: nomination, priorities, and what happens without nomination.
func TestChoiceOfPath(t *testing.T) {
	t.Parallel()
	prefer := func(priority uint32) func(*request) { return func(r *request) { r.priority = priority } }
	for name, c := range map[string]struct {
		do   func(s *scene)
		want Path
	}{
		"better": {func(s *scene) { s.check(second, prefer(200)); s.reply() }, second},
		"equal":  {func(s *scene) { s.check(second, prefer(100)); s.reply() }, second},
		"worse":  {func(s *scene) { s.check(second, prefer(50)); s.reply() }, first},
		"worse, and the other is silent": {func(s *scene) {
			s.check(second, prefer(50))
			s.reply()
			s.now += 1500 * time.Millisecond
			s.check(second, prefer(50))
		}, second},
		"not nominated": {func(s *scene) { s.plain(second, 200); s.reply(); s.plain(second, 200) }, first},
		"not nominated, but all that is left": {func(s *scene) {
			s.plain(second, 50)
			s.reply()
			s.now += 4 * time.Second
			s.plain(second, 50)
		}, second},
		"not proven":  {func(s *scene) { s.check(second, prefer(200)); s.now += 5 * time.Second; s.check(second, prefer(200)) }, first},
		"TCP is lost": {func(s *scene) { s.connect(tcp); s.agent.Lost(tcp) }, first},
		"UDP and TCP": {func(s *scene) { s.connect(tcp) }, tcp},
		"nominated later": {func(s *scene) {
			s.plain(second, 200)
			s.reply()
			s.check(second, prefer(200))
		}, second},
	} {
		s := newScene(t)
		s.connect(first)
		if c.do(s); true {
			t.Log(name)
			s.selected(c.want)
		}
	}
}

// TestFirstPathNeedsNoNomination: a valid pair may be used before the peer has decided.
func TestFirstPathNeedsNoNomination(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.plain(first, 1)
	s.reply()
	s.selected(first)
	s.check(second, func(r *request) { r.priority = 0 })
	s.reply()
	s.selected(second) // a nominated one is better than one that is not
}

func TestSilence(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	if s.agent.Alive(Lifetime) || !s.agent.Alive(Lifetime-1) {
		t.Error("a peer that never came")
	}
	s.connect(first)
	if n := s.pass(20*time.Second, true); n < 7 || n > 9 {
		t.Errorf("%d checks in 20 s of a healthy connection", n)
	}
	if !s.agent.Alive(s.now) {
		t.Error("a healthy connection is dead")
	}
	gone := s.now
	if n := s.pass(8*time.Second, false); n < 8 || n > 14 {
		t.Errorf("%d checks in 8 s without an answer", n)
	}
	s.pass(3*time.Second, false)
	if s.agent.Alive(gone+10*time.Second) || !s.agent.Alive(gone+6*time.Second) {
		t.Error("a dead peer is gone too late or too early")
	}
	s.agent.Heard(s.now, second)
	if s.agent.Alive(s.now) {
		t.Error("alive by what came from somewhere else")
	}
	s.agent.Heard(s.now, first)
	if !s.agent.Alive(s.now) {
		t.Error("dead while it sends")
	}
}

// TestConsent: whoever does not answer our checks gets nothing more, but is there as long as it sends checks or media, and
// is asked again all the time.
func TestConsent(t *testing.T) {
	t.Parallel()
	for name, sign := range map[string]func(*scene){
		"checks": func(s *scene) { s.check(first, nil) },
		"media":  func(s *scene) { s.agent.Heard(s.now, first) },
	} {
		s := newScene(t)
		s.now = time.Second
		s.connect(first)
		asked := 0
		for range 60 {
			s.pass(time.Second, false)
			sign(s)
			if !s.agent.Alive(s.now) {
				t.Fatalf("%s: gone", name)
			}
		}
		s.selected(Path{})
		for range 5 {
			asked += s.pass(time.Second, false)
			sign(s)
		}
		if name == "media" && (asked < 2 || asked > 4) { // a check of the peer's is answered by one of ours
			t.Errorf("%s: %d checks in five seconds", name, asked)
		}
		s.now += time.Second
		s.connect(first)
		s.selected(first)
		for range 10 {
			s.pass(time.Second, false)
		}
		if s.agent.Alive(s.now) {
			t.Errorf("%s: a silent peer is alive", name)
		}
	}
}

// TestFallback: when the path in use stops working, another one that has worked is used.
func TestFallback(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.connect(tcp)
	s.connect(first)
	s.selected(first)
	for end := s.now + 8*time.Second; s.now < end; {
		s.now += 250 * time.Millisecond
		var out Output
		s.agent.Tick(s.now, &out)
		for _, p := range out.Packets {
			if s.out = []Packet{p}; p.To == tcp {
				s.reply()
			}
		}
	}
	s.selected(tcp)
	if !s.agent.Alive(s.now) {
		t.Error("gone")
	}
}

// TestLossAtTheStart: checks go on until the first answer, but not for ever.
func TestLossAtTheStart(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.plain(first, 1)
	if n := s.pass(20*time.Second, false); n != maxUnproven-1 {
		t.Errorf("%d checks to somebody who does not answer", n)
	}
	s.plain(first, 1) // it is there after all
	s.reply()
	s.selected(first)
}

func TestRestart(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.connect(first)
	fresh, new1 := Credentials{"new1", "our new password, also long"}, Credentials{"thm1", "their new password, also long"}
	s.agent.Restart(fresh, new1)
	s.selected(first) // media goes on
	if !s.check(first, nil) || len(s.out) != 1 {
		t.Error("the old generation is not answered")
	}
	if s.check(second, nil); len(s.agent.Paths()) != 1 {
		t.Error("the old generation makes a path")
	}
	s.local, s.remote = new1, fresh
	s.check(second, func(r *request) { r.priority = 1 })
	s.reply()
	s.selected(second)
	s.remote = ours
	if s.check(first, nil) {
		t.Error("the old generation outlives the new one")
	}
	s.remote = fresh
	s.agent.Restart(Credentials{"new2", "x"}, Credentials{"thm2", "x"})
	s.agent.Restart(Credentials{"new3", "x"}, Credentials{"thm3", "x"})
	if s.check(second, nil) {
		t.Error("two generations ago still counts")
	}
}

func TestPathsAreBounded(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.connect(first)
	for i := range 100 {
		s.now += time.Millisecond
		s.plain(Path{Addr: netip.AddrPortFrom(second.Addr.Addr(), uint16(3000+i))}, 1)
	}
	if n := len(s.agent.Paths()); n != maxPaths {
		t.Errorf("%d paths", n)
	}
	s.selected(first)
}

// FuzzAgent: whoever has no password gets no answer and changes nothing, at any time.
func FuzzAgent(f *testing.F) {
	f.Add([]byte{}, true)
	f.Add((&request{username: "ours:them", password: "guessed"}).bytes(), true)
	f.Add((&request{username: "ours:them", password: "guessed", controlling: true}).bytes(), false)
	f.Add(answer(transaction{}, first.Addr, "guessed"), true)
	f.Add(refusal(transaction{1}, "guessed"), false)
	f.Fuzz(func(t *testing.T, b []byte, connected bool) {
		s := newScene(t)
		if connected {
			s.connect(first)
		} else {
			s.plain(first, 1)
		}
		s.now += time.Second
		var m Message
		if !Parse(b, &m) {
			return
		}
		was, answered := *s.agent.paths[0], s.agent.heard
		for _, from := range []Path{first, second, tcp} {
			var out Output
			if s.agent.Message(s.now, from, &m, &out) || len(out.Packets) != 0 || out.Moved {
				t.Fatalf("taken, and answered with %d packets", len(out.Packets))
			}
		}
		if len(s.agent.paths) != 1 || *s.agent.paths[0] != was || s.agent.heard != answered {
			t.Fatal("something has changed")
		}
	})
}
