package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/rivus-live/rivus/internal/fault"
)

// requestTimeout is how long a command may take when the caller sets no earlier end.
const requestTimeout = 5 * time.Second

// Headers of commands and answers. headerFault carries the kind of a failed command; its body is then the message for the
// caller. headerVersion is raised when the meaning of a command changes; members that are added do not raise it (see
// store/DESIGN.md, "Versions").
const (
	headerFault    = "Rivus-Fault"
	headerVersion  = "Rivus-Version"
	commandVersion = 1
)

// versionOf returns the version of a message; one without is of the first.
func versionOf(m *nats.Msg) int {
	v, err := strconv.Atoi(m.Header.Get(headerVersion))
	if err != nil {
		return 1
	}
	return v
}

func versioned(subject string, data []byte) *nats.Msg {
	return &nats.Msg{Subject: subject, Data: data, Header: nats.Header{headerVersion: {strconv.Itoa(commandVersion)}}}
}

// Request sends a command and decodes the answer into out, which may be nil. The kind and message of a fault on the
// other side arrive as a fault here; when nobody serves the subject or no answer comes, it is fault.Unavailable.
func (n *Node) Request(ctx context.Context, subject string, in, out any) error {
	data, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("cluster: encode the command %s: %w", subject, err)
	}
	asking, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := n.opt.Conn.NATS().RequestMsgWithContext(asking, versioned(subject, data))
	if ctx.Err() != nil {
		return fmt.Errorf("cluster: command %s: %w", subject, ctx.Err())
	}
	if errors.Is(err, nats.ErrNoResponders) {
		return fault.Wrap(fault.Unavailable, err, "nobody serves this command now")
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "the node that serves this command does not answer")
	}
	if kind := answer.Header.Get(headerFault); kind != "" {
		return faultOf(kind, string(answer.Data))
	}
	if v := versionOf(answer); v > commandVersion {
		return fault.New(fault.Unavailable, "the answer is of version %d, which this node does not understand", v)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Data, out); err != nil {
		return fmt.Errorf("cluster: decode the answer to %s: %w", subject, err)
	}
	return nil
}

// faultOf makes the error of a failed command. A kind that only a later version knows is an internal fault here.
func faultOf(name, text string) error {
	kind, ok := fault.Named(name)
	if !ok {
		return fault.Wrap(fault.Internal, fmt.Errorf("cluster: a fault of the kind %q, which this version does not know", name), "%s", text)
	}
	return fault.New(kind, "%s", text)
}

// Serve answers commands on a subject, each in a goroutine of its own, until stop is called; stop waits for them.
// Only the message of a fault travels; any other error is logged here and is an internal fault there.
func (n *Node) Serve(subject string, h func(ctx context.Context, data []byte) (any, error)) (stop func(), err error) {
	ctx, cancel := context.WithCancel(n.ctx)
	var gate sync.RWMutex // closes before the wait begins: none may start behind it
	var serving sync.WaitGroup
	closed := false
	sub, err := n.opt.Conn.NATS().Subscribe(subject, func(m *nats.Msg) {
		gate.RLock()
		defer gate.RUnlock()
		if closed {
			return
		}
		serving.Go(func() { n.answer(ctx, m, h) })
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("cluster: serve %s: %w", subject, err)
	}
	// The subscription must have reached the engine before anyone is told that the command can be given.
	if err := n.opt.Conn.NATS().FlushTimeout(requestTimeout); err != nil && !errors.Is(err, nats.ErrConnectionReconnecting) {
		n.opt.Logger.Warn("commands may be late", "subject", subject, "error", err)
	}
	end := sync.OnceFunc(func() {
		_ = sub.Unsubscribe()
		gate.Lock()
		closed = true
		gate.Unlock()
		cancel()
		serving.Wait()
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.nextServed
	n.nextServed++
	n.served[at] = end
	return func() {
		end()
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.served, at)
	}, nil
}

// stopServing ends all commands when the node closes.
func (n *Node) stopServing() {
	n.mu.Lock()
	all := slices.Collect(maps.Values(n.served))
	n.mu.Unlock()
	for _, stop := range all {
		stop()
	}
}

func (n *Node) answer(ctx context.Context, m *nats.Msg, h func(context.Context, []byte) (any, error)) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	reply := versioned(m.Reply, nil)
	var result any
	var err error
	if v := versionOf(m); v > commandVersion {
		err = fault.New(fault.Unavailable, "the command is of version %d, which this node does not understand", v)
	} else {
		err = n.contain(func() (err error) {
			result, err = h(ctx, m.Data)
			return err
		})
	}
	if err == nil {
		reply.Data, err = json.Marshal(result)
	}
	if err != nil {
		kind := fault.KindOf(err)
		text := fault.Message(err)
		if kind == fault.Internal {
			n.opt.Logger.Error("command failed", "subject", m.Subject, "error", err)
		}
		reply.Header.Set(headerFault, kind.String())
		reply.Data = []byte(text)
	}
	if err := m.RespondMsg(reply); err != nil && ctx.Err() == nil {
		n.opt.Logger.Warn("the answer to a command was lost", "subject", m.Subject, "error", err)
	}
}
