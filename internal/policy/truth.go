package policy

// truth is a value of Kleene's logic. And is min, or is max.
type truth uint8

const (
	no    truth = iota
	maybe       // it depends on what is not known yet
	yes
)

func not(t truth) truth { return yes - t }

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}
