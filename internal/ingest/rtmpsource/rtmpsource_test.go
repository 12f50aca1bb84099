package rtmpsource

import (
	"net/url"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/ingest"
	"github.com/rivus-live/rivus/internal/rtmp"
)

func TestPublishParameters(t *testing.T) {
	t.Parallel()
	tests := []struct {
		query    string
		priority ingest.Priority
		target   time.Duration
	}{
		{"", ingest.Priority{}, 0},
		{"priority=1", ingest.Priority{Given: true, Value: 1}, 0},
		{"priority=2147483647", ingest.Priority{Given: true, Value: 2147483647}, 0},
		{"priority=2147483648", ingest.Priority{Given: true}, 0},
		{"priority=0", ingest.Priority{Given: true}, 0},
		{"priority=-5", ingest.Priority{Given: true}, 0},
		{"priority=", ingest.Priority{Given: true}, 0},
		{"priority=high", ingest.Priority{Given: true}, 0},
		{"keyframeInterval=2", ingest.Priority{}, 2 * time.Second},
		{"keyframeInterval=6&priority=7", ingest.Priority{Given: true, Value: 7}, 6 * time.Second},
		{"keyframeInterval=1", ingest.Priority{}, 0},
		{"keyframeInterval=7", ingest.Priority{}, 0},
		{"keyframeInterval=2.5", ingest.Priority{}, 0},
		{"clientConfigId=x", ingest.Priority{}, 0},
	}
	for _, tt := range tests {
		q, err := url.ParseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		got := requestOf(&rtmp.Publication{Query: q})
		if got.Priority != tt.priority {
			t.Errorf("%q: priority %+v, want %+v", tt.query, got.Priority, tt.priority)
		}
		if got.Target != tt.target {
			t.Errorf("%q: target %v, want %v", tt.query, got.Target, tt.target)
		}
	}
}
