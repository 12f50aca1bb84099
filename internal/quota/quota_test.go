package quota_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/quota"
)

func TestCallRate(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../api/model/ivs.json")
	if err != nil {
		t.Fatal(err)
	}
	var model struct{ Operations map[string]json.RawMessage }
	if err := json.Unmarshal(data, &model); err != nil {
		t.Fatal(err)
	}
	for name := range model.Operations {
		// The table of the service leaves this one out.
		if got := quota.CallRate(name); (got == 0) != (name == "UpdateAdConfiguration") {
			t.Errorf("CallRate(%q) = %d", name, got)
		}
	}
	for name, want := range map[string]int{
		"GetChannel": 5, "ListStreamKeys": 5, "StopStream": 5, "TagResource": 10, "PutMetadata": 155,
		"CreateStage": 5, "ListParticipants": 5, "ImportPublicKey": 3, "CreateParticipantToken": 50,
		"ImportPlaybackKeyPair": 3, "InsertAdBreak": 1, "getchannel": 0, "": 0,
	} {
		if got := quota.CallRate(name); got != want {
			t.Errorf("CallRate(%q) = %d, want %d", name, got, want)
		}
	}
}

// fakeClock is a clock that moves when it is told to.
type fakeClock struct{ time.Time }

func (c *fakeClock) now() time.Time          { return c.Time }
func (c *fakeClock) advance(d time.Duration) { c.Time = c.Add(d) }

// TestTake holds the buckets against the plain description of a token bucket, at irregular times and for several
// rates at once.
func TestTake(t *testing.T) {
	t.Parallel()
	rates := []int{1, 2, 3, 5, 10, 155}
	tokens := make([]float64, len(rates))
	for i, rate := range rates {
		tokens[i] = float64(rate)
	}
	clock := &fakeClock{time.Unix(0, 0)}
	b := quota.NewBuckets[int](8, clock.now)
	for step := range 20_000 {
		pause := time.Duration(step*step%977) * 97 * time.Microsecond
		if step%500 == 0 {
			pause = 3 * time.Second
		}
		clock.advance(pause)
		for i, rate := range rates {
			tokens[i] = min(float64(rate), tokens[i]+pause.Seconds()*float64(rate))
			got := b.Take(i, rate)
			if clear := tokens[i] > 1.0001 || tokens[i] < 0.9999; clear && got != (tokens[i] >= 1) {
				t.Fatalf("step %d, rate %d, %.5f tokens: Take = %v", step, rate, tokens[i], got)
			}
			if got {
				tokens[i] = max(0, tokens[i]-1)
			}
		}
	}
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	clock := &fakeClock{time.Unix(0, 0)}
	l := quota.NewLimiter(clock.now)
	sc := arn.Scope{Region: "us-west-2", Account: "111122223333"}
	steps := []struct {
		sc        arn.Scope
		operation string
		pause     time.Duration
		want      int // of 1,000 calls at once
	}{
		{sc, "GetChannel", 0, 5},
		{sc, "GetChannel", 0, 0},
		{sc, "ListChannels", 0, 5},
		{arn.Scope{Region: "eu-west-1", Account: sc.Account}, "GetChannel", 0, 5},
		{arn.Scope{Region: sc.Region, Account: "444455556666"}, "GetChannel", 0, 5},
		{sc, "GetChannel", 400 * time.Millisecond, 2},
		{sc, "GetChannel", time.Minute, 5},
		{sc, "PutMetadata", 0, 155},
		{sc, "CreateParticipantToken", 0, 50},
		{sc, "UpdateAdConfiguration", 0, 1000},
	}
	for i, step := range steps {
		clock.advance(step.pause)
		allowed := 0
		for range 1000 {
			if l.Allow(step.sc, step.operation) {
				allowed++
			}
		}
		if allowed != step.want {
			t.Errorf("step %d: %s allowed %d times, want %d", i, step.operation, allowed, step.want)
		}
	}
}

// TestFlood shows that a flood of fresh keys is let through and that memory for them stays bounded: the buckets of a
// flooded set forget, they do not grow.
func TestFlood(t *testing.T) {
	t.Parallel()
	b := quota.NewBuckets[int](4, (&fakeClock{time.Unix(0, 0)}).now)
	for range 5 {
		b.Take(-1, 5)
	}
	if b.Take(-1, 5) {
		t.Fatal("a sixth token in one instant")
	}
	for key := range 8 { // two generations
		if !b.Take(key, 5) {
			t.Fatalf("the fresh key %d was refused", key)
		}
	}
	if !b.Take(-1, 5) {
		t.Fatal("the set remembered more keys than its bound allows")
	}
}

func BenchmarkAllow(b *testing.B) {
	for _, callers := range []int{1, 1000} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			b.ReportAllocs()
			l := quota.NewLimiter(time.Now)
			scopes := make([]arn.Scope, callers)
			for i := range scopes {
				scopes[i] = arn.Scope{Region: "us-west-2", Account: fmt.Sprintf("%012d", i)}
			}
			for i := 0; b.Loop(); i++ {
				l.Allow(scopes[i%callers], "GetChannel")
			}
		})
	}
}
