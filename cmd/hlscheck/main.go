// Command hlscheck plays an HLS or Low-Latency HLS URL for a while and prints where the server breaks RFC 8216bis.
//
// Usage: hlscheck [-duration 20s] URL
//
// It exits 0 when every rule was kept, 1 when some were broken and 2 when the check could not be made.
//
// Imports: hlscheck.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/rivus-live/rivus/internal/hlscheck"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run checks the URL in args and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("hlscheck", flag.ContinueOnError)
	flags.SetOutput(stderr)
	duration := flags.Duration("duration", 20*time.Second, "how long to follow a live playlist")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: hlscheck [-duration 20s] URL")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return 2
	}
	report, err := hlscheck.Check(ctx, hlscheck.Options{URL: flags.Arg(0), Duration: *duration})
	if err != nil {
		fmt.Fprintln(stderr, "hlscheck:", err)
		return 2
	}
	if err := report.Print(stdout); err != nil {
		fmt.Fprintln(stderr, "hlscheck:", err)
		return 2
	}
	if !report.OK() {
		return 1
	}
	return 0
}
