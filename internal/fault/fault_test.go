package fault

import "testing"

// TestKindsHaveNames: every kind comes back from its name, and no other name is one.
func TestKindsHaveNames(t *testing.T) {
	t.Parallel()
	for k := Internal; k <= Expired; k++ {
		if got, ok := Named(k.String()); got != k || !ok {
			t.Errorf("%d is called %q, which is %v, %v", k, k.String(), got, ok)
		}
	}
	for _, name := range []string{"", "8", "unheard of", (Expired + 1).String()} {
		if got, ok := Named(name); ok || got != Internal {
			t.Errorf("%q is %v, %v", name, got, ok)
		}
	}
}
