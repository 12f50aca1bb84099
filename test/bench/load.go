package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sync/errgroup"
)

// job tells a load process what to do. One of the fields is set.
type job struct {
	Publish *publishJob
	View    *viewJob
	Stage   *stageJob
	Bare    *bareJob
	Spin    int // busy threads
}

// load is what a load process does. run lasts until ctx ends; mark does what a command says and returns the answer. To
// most loads the only command is sinceMark.
type load interface {
	run(ctx context.Context) error
	mark(command string) any
}

// sinceMark asks for what happened since the last mark.
const sinceMark = "mark"

// serveLoad is a load process. It reads its job from in, then answers every further JSON string with a mark, and ends
// when in does: a load never outlives the process that started it.
func serveLoad(ctx context.Context, in io.Reader, out io.Writer) error {
	commands, answers := json.NewDecoder(in), json.NewEncoder(out)
	var j job
	if err := commands.Decode(&j); err != nil {
		return fmt.Errorf("load: job: %w", err)
	}
	l, err := j.load()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error { return l.run(ctx) })
	work.Go(func() error {
		defer cancel()
		for {
			var command string
			if err := commands.Decode(&command); err != nil {
				return nil //nolint:nilerr // the other side has gone, which is how a load ends
			}
			if err := answers.Encode(l.mark(command)); err != nil {
				return err
			}
		}
	})
	return work.Wait()
}

func (j job) load() (load, error) {
	switch {
	case j.Publish != nil:
		return newPublishers(*j.Publish)
	case j.View != nil:
		return newViewers(*j.View)
	case j.Stage != nil:
		return newStageLoad(*j.Stage)
	case j.Bare != nil:
		return newBare(*j.Bare)
	case j.Spin > 0:
		return spin(j.Spin), nil
	}
	return nil, errors.New("load: empty job")
}

// loader is a running load process.
type loader struct {
	pid     int
	in      io.WriteCloser
	send    *json.Encoder
	receive *json.Decoder
	done    chan error
}

// startLoad starts a load process with a job. ctx ends it too.
func (b *bench) startLoad(ctx context.Context, j job) (*loader, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, loadCommand)
	cmd.Stderr = b.log
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start load: %w", err)
	}
	l := &loader{pid: cmd.Process.Pid, in: in, send: json.NewEncoder(in), receive: json.NewDecoder(out), done: make(chan error, 1)}
	go func() { l.done <- cmd.Wait() }()
	if err := l.send.Encode(j); err != nil {
		l.stop()
		return nil, fmt.Errorf("start load: %w", err)
	}
	return l, nil
}

// mark asks for what happened since the last mark.
func (l *loader) mark(out any) error { return l.ask(sinceMark, out) }

// ask sends a command and decodes the answer.
func (l *loader) ask(command string, out any) error {
	err := l.send.Encode(command)
	if err == nil {
		err = l.receive.Decode(out)
	}
	if err != nil {
		return fmt.Errorf("load process: %w", err)
	}
	return nil
}

// cpu returns the CPU time that the load process has used.
func (l *loader) cpu() (time.Duration, error) { return cpuTime(l.pid) }

// stop ends the load and waits for it. What it had to say was asked with marks.
func (l *loader) stop() {
	_ = l.in.Close()
	<-l.done
}
