package main

import (
	"context"
	"slices"
	"time"
)

// measureStart takes the time from starting the process to the first answered API call, and what it holds then.
func measureStart(ctx context.Context, b *bench) error {
	var took []time.Duration
	var resident []int64
	for range pick(b, 7, 3) {
		began := time.Now()
		s, err := b.start(ctx)
		if err != nil {
			return err
		}
		var out struct{}
		err = s.call(ctx, "ListChannels", struct{}{}, &out)
		took = append(took, time.Since(began))
		if err == nil {
			var u usage
			u, err = s.usage()
			resident = append(resident, u.resident)
		}
		s.stop()
		if err != nil {
			return err
		}
	}
	slices.Sort(took)
	slices.Sort(resident)
	b.report.hold("process start to first API answer, median", quantile(took, 0.5).Seconds()*1000, 300, "%.0f ms")
	b.report.hold("resident memory then, median", megabytes(float64(resident[len(resident)/2])), 60, "%.0f MB")
	b.report.note("%d starts on empty data directories; the first call is ListChannels", len(took))
	return nil
}

func megabytes(bytes float64) float64 { return bytes / 1e6 }
