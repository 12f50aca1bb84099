package playhttp

import (
	"net/http"
	"sync/atomic"
	"time"
)

// dateCache renders the Date field once a second.
type dateCache struct{ now atomic.Pointer[dateLine] }

type dateLine struct {
	second int64 // Unix time
	text   string
}

// line returns the field for a moment.
func (d *dateCache) line(now time.Time) string {
	l := d.now.Load()
	if l == nil || l.second != now.Unix() {
		l = &dateLine{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		d.now.Store(l)
	}
	return l.text
}
