package admission

import (
	"errors"
	"slices"

	"github.com/rivus-live/rivus/internal/token"
)

// Reason says why a viewer was refused, in a few words: those of token, and the following.
type Reason string

// The reasons that no token gives by itself.
const (
	WrongOrigin  Reason = "wrong origin"
	WrongCountry Reason = "wrong country"
	NoCountries  Reason = "no country database"
	NoPolicy     Reason = "no policy"
	NoPass       Reason = "no session"
	WrongPass    Reason = "wrong session"
	UsedBefore   Reason = "used before"
	Revoked      Reason = "revoked"
	TooLarge     Reason = "resolution"
)

// reasons are all that are counted; the first stands for what is not in the list.
var reasons = [...]Reason{ //nolint:gochecknoglobals // a constant table
	"other",
	Reason(token.NoToken), Reason(token.TooLong), Reason(token.Malformed), Reason(token.WrongAlgorithm), Reason(token.WrongChannel),
	Reason(token.UnknownKey), Reason(token.WrongSignature), Reason(token.Expired), Reason(token.LivesTooLong), Reason(token.WrongClaims),
	WrongOrigin, WrongCountry, NoCountries, NoPolicy, NoPass, WrongPass, UsedBefore, Revoked, TooLarge,
}

// count notes a refusal, and passes it on.
func (g *Gate) count(err error) error {
	if r, ok := errors.AsType[*Refusal](err); ok {
		g.refused[max(slices.Index(reasons[:], r.Reason), 0)].Add(1)
	}
	return err
}

// Stats are counts since the Gate was made.
type Stats struct {
	Refused map[Reason]int64 // those that are not 0
}

// Stats returns the present numbers.
func (g *Gate) Stats() Stats {
	s := Stats{Refused: map[Reason]int64{}}
	for i, r := range reasons {
		if n := g.refused[i].Load(); n > 0 {
			s.Refused[r] = n
		}
	}
	return s
}
