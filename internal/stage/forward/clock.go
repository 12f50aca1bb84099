package forward

import "time"

// SourceClock estimates the distance between a publisher's wall clock and ours from the arrival of its sender reports.
// All tracks of a publisher share one, so that the reports we write keep lips and voice together. The zero value is
// ready; one goroutine at a time.
type SourceClock struct {
	offset time.Duration
	set    bool
}

// Observe takes a sender report of any track or layer of the publisher.
func (c *SourceClock) Observe(r SenderReport) {}
