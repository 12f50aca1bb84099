package audit

import (
	"net/netip"
	"testing"
	"time"
)

// TestFilter goes through what selects records.
func TestFilter(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 5, 21, 0, 0, 0, time.UTC)
	r := Record{
		Time: at, Principal: "arn:aws:iam::111122223333:user/team/alice", Action: "ivs:DeleteChannel",
		Resources: []string{"arn:aws:ivs:us-west-2:111122223333:channel/abc", "arn:aws:ivs:us-west-2:111122223333:stream-key/def"},
	}
	for _, c := range []struct {
		f    Filter
		want bool
	}{
		{Filter{}, true},
		{Filter{Since: at}, true},
		{Filter{Since: at.Add(1)}, false},
		{Filter{Until: at}, false},
		{Filter{Until: at.Add(1)}, true},
		{Filter{Principal: "*alice"}, true},
		{Filter{Principal: "*:user/*/alice"}, true},
		{Filter{Principal: "alice"}, false},
		{Filter{Action: "ivs:delete*"}, true},
		{Filter{Action: "ivs:???eteChannel"}, true},
		{Filter{Action: "ivs:Get*"}, false},
		{Filter{Resource: "*:stream-key/def"}, true},
		{Filter{Resource: "*/xyz"}, false},
		{Filter{Principal: "*alice", Action: "*", Resource: "*channel*", Since: at}, true},
		{Filter{Principal: "*alice", Action: "sns:*"}, false},
	} {
		if got := c.f.admits(&r); got != c.want {
			t.Errorf("%+v: %v", c.f, got)
		}
	}
	if (&Filter{Resource: "*"}).admits(&Record{}) {
		t.Error("a call about nothing has a resource")
	}
}

// TestSample: an address has one record a minute, and a flood of addresses takes no more room than there is.
func TestSample(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 5, 21, 0, 0, 0, time.UTC)
	trail := New(Options{Clock: func() time.Time { return now }})
	one := netip.MustParseAddr("192.0.2.1")
	if !trail.sample(one) || trail.sample(one) {
		t.Error("the first of two is taken, and no other")
	}
	now = now.Add(sampleEvery)
	if !trail.sample(one) {
		t.Error("a minute later there is another")
	}
	a := netip.MustParseAddr("2001:db8::")
	for range 3 * maxSampled {
		a = a.Next()
		trail.sample(a)
	}
	if len(trail.sampled) > maxSampled {
		t.Errorf("%d addresses are remembered", len(trail.sampled))
	}
}
