package store

import (
	"context"
	"fmt"
	"sync"
)

// turns lets the writers of one subject in this process go one after another. They would only make each other repeat.
type turns struct {
	mu    sync.Mutex
	queue map[string]*turn
}

type turn struct {
	token chan struct{} // holds a token while a writer is in
	users int           // writers in or waiting
}

// enter waits until no other writer of this process writes the subject. leave must be called.
func (q *turns) enter(ctx context.Context, subject string) (leave func(), err error) {
	t := q.join(subject)
	select {
	case t.token <- struct{}{}:
		return func() {
			<-t.token
			q.quit(subject, t)
		}, nil
	case <-ctx.Done():
		q.quit(subject, t)
		return nil, fmt.Errorf("store: wait for earlier writers: %w", ctx.Err())
	}
}

func (q *turns) join(subject string) *turn {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.queue[subject]
	if t == nil {
		t = &turn{token: make(chan struct{}, 1)}
		if q.queue == nil {
			q.queue = map[string]*turn{}
		}
		q.queue[subject] = t
	}
	t.users++
	return t
}

func (q *turns) quit(subject string, t *turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(q.queue, subject)
	}
}
