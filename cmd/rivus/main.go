// Command rivus is an Interactive Video Service in one binary.
//
//	rivus serve   runs the server
//	rivus demo    runs the server with a channel that is already live, for a first look
//	rivus audit   prints what callers of a running server have done
//	rivus version prints the version
//
// Every flag is an environment variable too (RIVUS_HTTP_ADDR for --http-addr, and so on); see rivus serve --help.
//
// Imports: app, config, demo.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/rivus-live/rivus/internal/app"
	"github.com/rivus-live/rivus/internal/config"
	"github.com/rivus-live/rivus/internal/demo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "rivus:", err)
		os.Exit(1)
	}
}

// commands is the command line.
type commands struct {
	Serve serveCmd         `cmd:"" help:"Run the server."`
	Demo  demoCmd          `cmd:"" help:"Run the server with a channel that is already live from a test picture (needs ffmpeg)."`
	Audit auditCmd         `cmd:"" help:"Print the calls that a running server has recorded: who, from where, what, on which resources, with which result."`
	Print versionCmd       `cmd:"" name:"version" help:"Print the version."`
	Short kong.VersionFlag `name:"version" help:"Print the version."`
}

// env is what the process gives to a command.
type env struct {
	stdout, stderr io.Writer
	terminal       bool // stdout is a terminal: a person reads it
}

func run(ctx context.Context, args []string, stdout, stderr *os.File) error {
	var cli commands
	parser, err := kong.New(&cli, kong.Name("rivus"), kong.Description("An Interactive Video Service that you run yourself."),
		kong.Vars{"version": version()}, kong.Writers(stdout, stderr), kong.UsageOnError(), kong.ValueFormatter(flagHelp))
	if err != nil {
		return err
	}
	cmd, err := parser.Parse(args)
	if err != nil {
		return err
	}
	st, err := stdout.Stat()
	terminal := err == nil && st.Mode()&os.ModeCharDevice != 0
	var heap sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer heap.Wait()
	defer stop()
	heap.Go(func() { tuneHeap(ctx) })
	cmd.BindTo(ctx, (*context.Context)(nil))
	return cmd.Run(env{stdout: stdout, stderr: stderr, terminal: terminal})
}

// flagHelp is what --help says of a flag: kong's text, which has the environment variable, and the default.
func flagHelp(v *kong.Value) string {
	text := kong.DefaultHelpValueFormatter(v)
	if v.HasDefault && v.Default != "" {
		text += " Default: " + v.Default + "."
	}
	return text
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(e env) error {
	_, err := fmt.Fprintln(e.stdout, version())
	return err
}

type serveCmd struct{ config.Config }

// Run serves until ctx ends.
func (c *serveCmd) Run(ctx context.Context, e env) error {
	return app.Run(ctx, c.Config, app.Options{Logger: logger(c.Config, e.stderr), Ready: func(r app.Ready) { c.announce(e, r) }})
}

func (c *serveCmd) announce(e env, r app.Ready) {
	if c.ReadyJSON {
		_ = json.NewEncoder(e.stdout).Encode(r)
		return
	}
	if !e.terminal {
		return
	}
	_, _ = fmt.Fprintf(e.stdout, "Rivus serves at %s\n  access key  %s\n", r.PublicURL, r.AccessKeyID)
	if r.CredentialsFile != "" {
		_, _ = fmt.Fprintf(e.stdout, "  secret key  %s\n  kept in     %s\n", r.SecretAccessKey, r.CredentialsFile)
	}
}

type demoCmd struct{ config.Config }

// Run serves and keeps a demo channel on air until ctx ends.
func (c *demoCmd) Run(ctx context.Context, e env) error {
	return demo.Run(ctx, c.Config, demo.Options{Logger: logger(c.Config, e.stderr), Stdout: e.stdout, ShowSecret: e.terminal})
}

func logger(c config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // Validate allows nothing else
	opts := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return "rivus " + info.Main.Version
	}
	return "rivus (unknown version)"
}
