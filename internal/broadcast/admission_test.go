package broadcast

import (
	"strconv"
	"testing"

	"github.com/rivus-live/rivus/internal/resource"
)

func TestHoldsKey(t *testing.T) {
	t.Parallel()
	ch := resource.Channel{StreamKeys: []resource.StreamKey{{ID: "Wd9sLr27YbVn", Secret: "k3Jw8ZpQ0sTnXyB5cDfGhL2mRvUe6A"}}}
	tests := []struct {
		name, key, region string
		ch                *resource.Channel
		id                string
		want              bool
	}{
		{"right", "sk_us-west-2_Wd9sLr27YbVn_k3Jw8ZpQ0sTnXyB5cDfGhL2mRvUe6A", "us-west-2", &ch, "Wd9sLr27YbVn", true},
		{"wrong secret", "sk_us-west-2_Wd9sLr27YbVn_k3Jw8ZpQ0sTnXyB5cDfGhL2mRvUe6B", "us-west-2", &ch, "Wd9sLr27YbVn", false},
		{"other region", "sk_eu-west-1_Wd9sLr27YbVn_k3Jw8ZpQ0sTnXyB5cDfGhL2mRvUe6A", "us-west-2", &ch, "Wd9sLr27YbVn", false},
		{"cut short", "sk_us-west-2_Wd9sLr27YbVn_", "us-west-2", &ch, "Wd9sLr27YbVn", false},
		{"longer", "sk_us-west-2_Wd9sLr27YbVn_k3Jw8ZpQ0sTnXyB5cDfGhL2mRvUe6A_", "us-west-2", &ch, "", false},
		{"empty", "", "us-west-2", &ch, "", false},
		{"no channel, empty key", "sk___", "", &resource.Channel{}, "", false},
		{"other form", "live_123", "us-west-2", &ch, "", false},
	}
	for _, tt := range tests {
		if got := keyID(tt.key); got != tt.id {
			t.Errorf("%s: id %q, want %q", tt.name, got, tt.id)
		}
		if got := holdsKey(tt.ch, tt.region, tt.key); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestGuesses(t *testing.T) {
	t.Parallel()
	var g guesses
	now := epoch()
	for i := range guessBurst {
		if !g.allowed(guesser("a", "id"), now) {
			t.Fatalf("refused after %d guesses", i)
		}
		g.failed(guesser("a", "id"), now)
	}
	if g.allowed(guesser("a", "id"), now) {
		t.Error("allowed after the burst")
	}
	if !g.allowed(guesser("b", "id"), now) {
		t.Error("another address is refused too")
	}
	if now = now.Add(guessRefill); !g.allowed(guesser("a", "id"), now) {
		t.Error("refused after the refill")
	}
	g.failed(guesser("a", "id"), now)
	if g.allowed(guesser("a", "id"), now) {
		t.Error("one refill allowed two guesses")
	}
	for i := range 3 * guessEntries {
		g.failed(guesser(strconv.Itoa(i), "id"), now)
	}
	if n := len(g.full); n > guessEntries {
		t.Errorf("%d guessers remembered, bound is %d", n, guessEntries)
	}
}
