package forward

import "time"

// Bounds of what NACKs are answered with. A receiver that does not see what came on the RTX stream asks for the same packets
// again and again; on a narrow link the answers would crowd out everything else.
const (
	answerTimes  = 4                     // a packet is sent again
	answerPause  = 30 * time.Millisecond // after the first answer, twice as long after each other one
	answerShare  = 2                     // one byte in so many may be sent again, over a while
	answerCredit = 64_000                // bytes that may be at once: a keyframe
	answerAgain  = answerCredit / 2      // of them for other answers than a packet's first
	answerSlots  = 128                   // packets that are remembered
	answerSize   = 1200                  // bytes that an answer counts for
)

// answers bounds the retransmissions of one stream. The zero value has all its credit.
type answers struct {
	spent int // of the credit
	slots [answerSlots]answered
}

type answered struct {
	number uint64
	until  time.Duration // no sooner again
	times  uint8
}

// earn notes that n bytes of media were sent.
func (a *answers) earn(n int) { a.spent = max(0, a.spent-n/answerShare) }

// allows reports whether a packet may be sent again now.
func (a *answers) allows(number uint64, now time.Duration) bool {
	s := &a.slots[number%answerSlots]
	if s.number != number {
		if a.spent >= answerCredit {
			return false
		}
		*s = answered{number: number}
	} else if now < s.until || s.times >= answerTimes || a.spent >= answerAgain {
		return false
	}
	s.until = now + answerPause<<s.times
	s.times++
	a.spent += answerSize
	return true
}
