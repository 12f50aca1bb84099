// Command bench measures a whole rivus process under load and prints every figure beside its budget.
//
// Usage: bench [-short] [-markdown] [-only start,api,ingest,latency,delivery,stage,micro] [-profiles DIR] [-alone] [-server BINARY]
//
// It builds the server, starts it on free loopback ports with a data directory of its own, and puts load on it from
// other processes of this command: RTMP publishers that send a real clip in real time, viewers that play LL-HLS over
// keep-alive connections, and WebRTC participants that do what browsers do to a server (package peer). Stages are
// measured beside LiveKit, which is built from its module once and kept in the user's cache; -alone leaves it out. What
// it reports are ratios and CPU seconds of the server process, which other load on the machine distorts less than wall
// times; latencies are taken on one clock, because publishers put the time into the picture data itself. Every part of
// the run is bounded in time, and nothing is left behind.
//
// With -profiles the server's CPU and heap profiles under the heavier loads are kept, at a small cost to the figures.
//
// Imports: media/flv, rtmp/rtmptest, sigv4, test/bench/peer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// loadCommand is the first argument of the processes that this command starts to put load on the server.
const loadCommand = "load"

// timeLimit bounds the whole run, should a part of it hang.
const timeLimit = 40 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2) //nolint:forbidigo // the end of main
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:forbidigo // the end of main
	}
}

// section is one group of figures.
type section struct {
	name    string
	measure func(context.Context, *bench) error
}

func sections() []section {
	return []section{
		{"start", measureStart},
		{"api", measureAPI},
		{"ingest", measureIngest},
		{"latency", measureLatency},
		{"delivery", measureDelivery},
		{"stage-forward", measureForward},
		{"stage-mesh", measureMesh},
		{"stage-join", measureJoin},
		{"stage-busy", measureBusy},
		{"stage-churn", measureChurn},
		{"micro", measureMicro},
	}
}

// settings are the command's flags.
type settings struct {
	short    bool
	markdown bool
	only     string
	profiles string // directory, "" for none
	alone    bool
	server   string // path of a binary, "" to build one
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) == 1 && args[0] == loadCommand {
		return serveLoad(ctx, stdin, stdout)
	}
	var set settings
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&set.short, "short", false, "measure for seconds only, with less load: shows that it works, not how well")
	flags.BoolVar(&set.markdown, "markdown", false, "print a Markdown table")
	flags.StringVar(&set.only, "only", "", "measure only these `sections`, separated by commas: "+sectionNames())
	flags.StringVar(&set.profiles, "profiles", "", "write the server's profiles under load to this `directory`")
	flags.StringVar(&set.server, "server", "", "measure this `binary` instead of building one")
	flags.BoolVar(&set.alone, "alone", false, "measure no other server for comparison")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(set.only)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	return measure(ctx, set, chosen, stdout, stderr)
}

// measure runs the sections in order and prints what they found, also when one of them fails.
func measure(ctx context.Context, set settings, chosen []section, stdout, stderr io.Writer) error {
	b, err := newBench(ctx, set, stderr)
	if err != nil {
		return err
	}
	defer b.close()
	b.report.machine = describeMachine()
	var failed []error
	for _, s := range chosen {
		b.progress("%s", s.name)
		b.report.section = s.name
		if err := s.measure(ctx, b); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
			if ctx.Err() != nil {
				break
			}
			b.progress("%s: %v", s.name, err)
		}
	}
	if set.markdown {
		b.report.markdown(stdout)
	} else {
		b.report.text(stdout)
	}
	return errors.Join(failed...)
}

// choose returns the sections that are named, all when none is.
func choose(only string) ([]section, error) {
	all := sections()
	if only == "" {
		return all, nil
	}
	var chosen []section
	for name := range strings.SplitSeq(only, ",") {
		found := false
		for _, s := range all {
			if s.name == name || strings.HasPrefix(s.name, name+"-") {
				chosen, found = append(chosen, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("-only: %q is none of %s", name, sectionNames())
		}
	}
	return chosen, nil
}

func sectionNames() string {
	var names []string
	for _, s := range sections() {
		names = append(names, s.name)
	}
	return strings.Join(names, ",")
}
