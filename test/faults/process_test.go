package faults

import (
	"bytes"
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// process is a program that may only end when the test kills it.
type process struct {
	name string
	make func() *exec.Cmd
	t    *testing.T // of the whole run

	mu     sync.Mutex
	cmd    *exec.Cmd
	killed bool
	ended  chan struct{}
}

// start runs the program, again if it has run before.
func (p *process) start() {
	p.t.Helper()
	cmd := p.make()
	said := &tail{}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if _, err := cmd.StdinPipe(); err != nil { // stays open as long as the test
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	p.mu.Lock()
	p.cmd, p.killed, p.ended = cmd, false, ended
	p.mu.Unlock()
	go func() {
		defer close(ended)
		err := cmd.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.killed {
			p.t.Errorf("%s ended by itself: %v\n%s", p.name, err, said)
		}
	}()
}

// kill ends the program as a power cut would, and returns when it is gone.
func (p *process) kill() {
	p.mu.Lock()
	cmd, ended := p.cmd, p.ended
	p.killed = true
	p.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Kill()
	<-ended
}

// tail keeps the end of what a program says.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

const tailLength = 16 << 10

func (w *tail) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b.Write(b)
	if over := w.b.Len() - tailLength; over > 0 {
		w.b.Next(over)
	}
	return len(b), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}
