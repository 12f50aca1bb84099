package hls

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rivus-live/rivus/internal/fault"
)

// listing is a media playlist as a reader of the text sees it.
type listing struct {
	target     float64
	partTarget float64
	skipUntil  float64
	msn, disc  int64
	skipped    int
	segments   []listedSegment // the last one has no URI while it is growing
	hint       string
	ended      bool
}

type listedSegment struct {
	uri, init     string
	duration      float64
	discontinuity bool
	gap           bool
	date          time.Time
	parts         []listedPart
}

type listedPart struct {
	uri              string
	duration         float64
	independent, gap bool
}

func (s *listedSegment) same(o *listedSegment) bool {
	return s.uri == o.uri && s.init == o.init && s.duration == o.duration && s.discontinuity == o.discontinuity &&
		s.gap == o.gap && s.date.Equal(o.date)
}

// parse reads what render writes, and nothing else. init is the initialization section that applies before it.
func parse(text, init string) (l listing, err error) {
	number := func(s string) float64 {
		f, e := strconv.ParseFloat(s, 64)
		err = errors.Join(err, e)
		return f
	}
	var s listedSegment
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != "#EXTM3U" {
		return l, errors.New("no #EXTM3U")
	}
	for _, line := range lines[1:] {
		tag, value, _ := strings.Cut(line, ":")
		a := attributes(value)
		switch tag {
		case "#EXT-X-VERSION", "#EXT-X-RENDITION-REPORT":
		case "#EXT-X-TARGETDURATION":
			l.target = number(value)
		case "#EXT-X-SERVER-CONTROL":
			if v := a["CAN-SKIP-UNTIL"]; v != "" {
				l.skipUntil = number(v)
			}
		case "#EXT-X-PART-INF":
			l.partTarget = number(a["PART-TARGET"])
		case "#EXT-X-MEDIA-SEQUENCE":
			l.msn = int64(number(value))
		case "#EXT-X-DISCONTINUITY-SEQUENCE":
			l.disc = int64(number(value))
		case "#EXT-X-SKIP":
			l.skipped = int(number(a["SKIPPED-SEGMENTS"]))
		case "#EXT-X-DISCONTINUITY":
			s.discontinuity = true
		case "#EXT-X-GAP":
			s.gap = true
		case "#EXT-X-MAP":
			init = a["URI"]
		case "#EXT-X-PROGRAM-DATE-TIME":
			var e error
			s.date, e = time.Parse(time.RFC3339Nano, value)
			err = errors.Join(err, e)
		case "#EXT-X-PART":
			s.parts = append(s.parts, listedPart{a["URI"], number(a["DURATION"]), a["INDEPENDENT"] == "YES", a["GAP"] == "YES"})
		case "#EXTINF":
			s.duration = number(strings.TrimSuffix(value, ",live"))
		case "#EXT-X-PRELOAD-HINT":
			l.hint = a["URI"]
		case "#EXT-X-ENDLIST":
			l.ended = true
		default:
			if strings.HasPrefix(line, "#") || line == "" {
				return l, fmt.Errorf("line %q", line)
			}
			s.uri, s.init = line, init
			l.segments = append(l.segments, s)
			s = listedSegment{}
		}
	}
	if len(s.parts) > 0 {
		s.init = init
		l.segments = append(l.segments, s)
	}
	return l, err
}

func attributes(list string) map[string]string {
	m := map[string]string{}
	for _, a := range strings.Split(list, ",") { // no value has a comma
		k, v, _ := strings.Cut(a, "=")
		m[k] = strings.Trim(v, `"`)
	}
	return m
}

// checker holds every snapshot of a packager against the rules and against the snapshots before it.
type checker struct {
	p        *Packager
	last     *Snapshot
	previous listing
	text     string
	known    map[string]uint64 // hash of the bytes that a URI has had
	looked   map[string]bool   // segments that were compared with their parts
	rounds   int
	misled   int // hints that were not kept
}

func newChecker(p *Packager) *checker {
	return &checker{p: p, known: map[string]uint64{}, looked: map[string]bool{}}
}

// check looks at the newest snapshot.
func (c *checker) check() error {
	s := c.p.Snapshot()
	if s == c.last {
		return nil
	}
	c.last = s
	if !s.Ready() {
		if len(s.Playlist(false).Plain()) != 0 {
			return errors.New("a playlist that is not ready has text")
		}
		return nil
	}
	l, err := parse(string(s.Playlist(false).Plain()), "")
	if err != nil {
		return err
	}
	err = errors.Join(c.rules(&l), c.history(&l), c.files(&l), c.delta(s, &l), c.held(s), c.hints(s, &l))
	c.previous, c.text = l, string(s.Playlist(false).Plain())
	if err != nil {
		return fmt.Errorf("%w in\n%s", err, s.Playlist(false).Plain())
	}
	return nil
}

// rules looks at one playlist alone.
func (c *checker) rules(l *listing) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	total := 0.0
	for i := range l.segments {
		s := &l.segments[i]
		sum := 0.0
		for j, p := range s.parts {
			sum += p.duration
			if p.duration > l.partTarget {
				bad("part %s lasts %v", p.uri, p.duration)
			}
			free := p.gap || j+1 == len(s.parts) || s.parts[j+1].gap
			if !free && p.duration < 0.85*l.partTarget {
				bad("part %s lasts only %v", p.uri, p.duration)
			}
		}
		if s.date.IsZero() {
			bad("segment %d has no date", i)
		}
		if s.uri == "" {
			continue
		}
		total += s.duration
		if math.Round(s.duration) > l.target || s.duration <= 0 {
			bad("segment %s lasts %v", s.uri, s.duration)
		}
		if len(s.parts) > 0 && math.Abs(sum-s.duration) > 1e-5*float64(len(s.parts)+1) {
			bad("segment %s lasts %v, its parts %v", s.uri, s.duration, sum)
		}
		if i+1 < len(l.segments) && !l.segments[i+1].discontinuity {
			step := l.segments[i+1].date.Sub(s.date).Seconds() - s.duration
			if back := time.Duration(wallclockBack).Seconds(); step > 0.0021+s.duration/wallclockSlew || step < -0.0021-back {
				bad("the date steps by %v after %s", step, s.uri)
			}
		}
	}
	if l.msn > 0 && total < 3*l.target {
		bad("only %v s are listed", total)
	}
	return errors.Join(errs...)
}

// history compares with the playlist before.
func (c *checker) history(l *listing) error {
	was := &c.previous
	if was.target == 0 {
		return nil
	}
	if l.target != was.target || l.partTarget != was.partTarget || l.msn < was.msn || was.ended {
		return fmt.Errorf("the header changed: target %v, was %v; part %v, was %v; msn %d, was %d",
			l.target, was.target, l.partTarget, was.partTarget, l.msn, was.msn)
	}
	gone := min(int(l.msn-was.msn), len(was.segments))
	disc := was.disc
	for _, s := range was.segments[:gone] {
		if s.discontinuity {
			disc++
		}
	}
	if unseen := l.msn > was.msn+int64(gone); l.disc < disc || l.disc > disc && !unseen { // one step can bring and take away a segment
		return fmt.Errorf("the discontinuity sequence is %d, not %d, after\n%s", l.disc, disc, c.text)
	}
	for i, old := range was.segments[gone:] {
		if i >= len(l.segments) {
			return fmt.Errorf("segment %d went away", i)
		}
		now := &l.segments[i]
		if old.uri != "" && !now.same(&old) {
			return fmt.Errorf("segment %s changed: %+v, was %+v", old.uri, *now, old)
		}
		if len(now.parts) > 0 && !slices.Equal(now.parts[:min(len(old.parts), len(now.parts))], old.parts) {
			return fmt.Errorf("parts changed: %+v, were %+v", now.parts, old.parts)
		}
	}
	return nil
}

// files fetches what is listed: it is there, it does not change, and a segment is the sum of its parts. Most rounds look
// only at what is new.
func (c *checker) files(l *listing) error {
	c.rounds++
	for i := range l.segments {
		s := &l.segments[i]
		if c.looked[s.uri] && c.rounds%50 != 0 {
			continue
		}
		c.looked[s.uri] = s.uri != ""
		sum := fnv.New64a()
		for _, p := range s.parts {
			data, err := c.fetch(p.uri, p.gap)
			if err != nil {
				return err
			}
			_, _ = sum.Write(data)
		}
		if s.init != "" {
			if _, err := c.fetch(s.init, false); err != nil {
				return err
			}
		}
		if s.uri == "" {
			continue
		}
		if _, err := c.fetch(s.uri, s.gap); err != nil {
			return err
		}
		if len(s.parts) > 0 && !s.gap && sum.Sum64() != c.known[s.uri] {
			return fmt.Errorf("%s is not the sum of its parts", s.uri)
		}
	}
	return nil
}

func (c *checker) fetch(uri string, gap bool) ([]byte, error) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // what is listed is there at once
	r, err := c.p.Resource(ctx, uri)
	if gap {
		if !fault.Is(err, fault.NotFound) {
			return nil, fmt.Errorf("the gap %s: %w", uri, err)
		}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", uri, err)
	}
	data := slices.Concat(r.Data...)
	if int64(len(data)) != r.Size || r.Size == 0 || r.ContentType == "" {
		return nil, fmt.Errorf("%s: %d bytes, size %d, type %q", uri, len(data), r.Size, r.ContentType)
	}
	hash := fnv.New64a()
	_, _ = hash.Write(data)
	if old, ok := c.known[uri]; ok && old != hash.Sum64() {
		return nil, fmt.Errorf("%s changed", uri)
	}
	c.known[uri] = hash.Sum64()
	return data, nil
}

// delta puts a delta update on top of the full playlist before it.
func (c *checker) delta(s *Snapshot, l *listing) error {
	if s.skippable() == 0 {
		if s.Playlist(true) != s.Playlist(false) {
			return errors.New("a delta update that skips nothing")
		}
		return nil
	}
	skipped := s.skippable()
	d, err := parse(string(s.Playlist(true).Plain()), l.segments[skipped-1].init)
	if err != nil {
		return err
	}
	kept, rest := 0.0, l.segments[d.skipped:]
	for i := range d.segments {
		if kept += d.segments[i].duration; i >= len(rest) || !d.segments[i].same(&rest[i]) || !slices.Equal(d.segments[i].parts, rest[i].parts) {
			return fmt.Errorf("segment %d of the delta update differs", i)
		}
	}
	if d.msn != l.msn || len(d.segments) != len(rest) || d.skipUntil < 6*d.target || kept < d.skipUntil-1e-3 || d.hint != l.hint {
		return fmt.Errorf("the delta update skips %d and keeps %v s", d.skipped, kept)
	}
	return nil
}

// held compares the byte count with what can be reached, and that with what the rules make us keep.
func (c *checker) held(s *Snapshot) error {
	var reach, ticks int64
	inits := map[*InitSection]bool{s.open.Map: true}
	for _, g := range s.segments {
		reach += g.Size
		ticks += g.Ticks
		inits[g.Map] = true
	}
	if !s.ended {
		for i := range s.parts {
			reach += int64(len(s.parts[i].Data))
		}
	}
	for i := range inits {
		if i != nil {
			reach += int64(len(i.Data))
		}
	}
	// An init section can be replaced before any segment uses it; it is counted until the next one goes.
	if got := c.p.Stats().Bytes; s.stream.lowLatency && (got < reach || got > reach+4096) {
		return fmt.Errorf("%d bytes are counted, %d can be reached", got, reach)
	}
	window := int64(c.p.Cutter.opts.Window) * s.stream.target
	if most := 2*(window+3*s.stream.target) + 3*s.stream.target; ticks > most {
		return fmt.Errorf("%v s are kept, at most %v are needed", ticks/second, most/second)
	}
	return nil
}

// hints: the hinted part can be waited for, and the one that was hinted before has come or still will.
func (c *checker) hints(s *Snapshot, l *listing) error {
	if !s.stream.lowLatency || l.ended {
		if l.hint != "" {
			return errors.New("a hint")
		}
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.p.Resource(ctx, l.hint); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("the hint %s: %w", l.hint, err)
	}
	if was := c.previous.hint; was != "" && was != l.hint {
		if _, err := c.p.Resource(ctx, was); err != nil {
			c.misled++
		}
	}
	return nil
}
