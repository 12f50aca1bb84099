package delivery

import (
	"encoding/json"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/rivus-live/rivus/internal/event"
)

// TestSubject: whoever shares the state engine hears of every event, whether or not there is a rule about it.
func TestSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish = event.NewPublisher(w.conn).Publish
	got := make(chan *nats.Msg, 10)
	if _, err := w.conn.NATS().ChanSubscribe("rivus.events.*.*", got); err != nil {
		t.Fatal(err)
	}
	if err := w.conn.NATS().Flush(); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.put("a", "r", 5)
	m := <-got
	var e struct {
		ID     string
		Detail struct{ N int }
	}
	if err := json.Unmarshal(m.Data, &e); err != nil || m.Subject != "rivus.events.000000000000.eu-west-1" || e.ID != "a-r-5" || e.Detail.N != 5 {
		t.Errorf("%s %s %v", m.Subject, m.Data, err)
	}
}
