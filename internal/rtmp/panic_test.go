package rtmp_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/rtmp"
	"github.com/rivus-live/rivus/internal/rtmp/rtmptest"
)

// TestPanicEndsTheConnection: a handler that panics costs the encoder whose packet it was, before and after it was
// accepted, and nobody else.
func TestPanicEndsTheConnection(t *testing.T) {
	t.Parallel()
	h := newRecorder()
	s := start(t, rtmp.Options{Handler: handlerFunc(func(ctx context.Context, p *rtmp.Publication) error {
		switch p.Key {
		case "early":
			panic("injected early")
		case "late":
			if err := p.Accept(); err != nil {
				return err
			}
			if _, err := p.Read(); err != nil {
				return err
			}
			panic("injected late")
		}
		return h.Publish(ctx, p)
	})}, nil)
	other := s.dial(t, "app/"+goodKey, rtmptest.Options{})

	if status := s.refusal(t, "app/early", rtmptest.Options{}); status.Code != rtmp.CodeFailed {
		t.Errorf("before it was accepted: %v", status)
	}
	c := s.dial(t, "app/late", rtmptest.Options{})
	send(t, c.Audio(0, []byte("audio")))
	status, is := errors.AsType[*rtmptest.Status](c.Wait())
	if !is || status.Code != rtmp.CodeFailed {
		t.Errorf("after it was accepted: %v", status)
	}

	send(t, other.Audio(0, []byte("audio")), other.Unpublish())
	if err := other.Wait(); err != nil {
		t.Errorf("the other encoder: %v", err)
	}
	if got := h.wait(t); len(got.messages) != 1 {
		t.Errorf("of the other encoder %d messages came", len(got.messages))
	}
	s.stop()
	if st := s.Stats(); st.Panics != 2 || st.Publishing != 0 || st.Open != 0 {
		t.Errorf("figures %+v", st)
	}
	if log := s.log.String(); !strings.Contains(log, "injected early") || !strings.Contains(log, "injected late") || !strings.Contains(log, "panic_test.go") {
		t.Errorf("the log does not say where it was:\n%s", log)
	}
}
