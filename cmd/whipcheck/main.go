// Command whipcheck holds a WHIP or WHEP endpoint against RFC 9725 or draft-ietf-wish-whep-03, with real media, and
// prints the verdict on each rule.
//
// Usage: whipcheck [-whep] [-token T | -token-file F] [-insecure] [-wait 10s] [-json] URL
//
// Without -token and -token-file the token is that of the environment variable WHIPCHECK_TOKEN, if there is one. It exits 0
// when nothing was violated, 1 when something was and 2 when the check could not be made.
//
// Imports: whipcheck.
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
	"time"

	"github.com/rivus-live/rivus/internal/whipcheck"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run checks the URL in args and returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	o, asJSON, err := parse(args, getenv, stderr)
	if err != nil {
		if !errors.Is(err, errUsage) {
			fmt.Fprintln(stderr, "whipcheck:", err)
		}
		return 2
	}
	report, err := whipcheck.Check(ctx, o)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	print := report.Print
	if asJSON {
		print = report.PrintJSON
	}
	if err := print(stdout); err != nil {
		fmt.Fprintln(stderr, "whipcheck:", err)
		return 2
	}
	if !report.OK() {
		return 1
	}
	return 0
}

// errUsage is an error that was printed already.
var errUsage = errors.New("usage")

// parse reads the command line and the environment.
func parse(args []string, getenv func(string) string, stderr io.Writer) (o whipcheck.Options, asJSON bool, err error) {
	flags := flag.NewFlagSet("whipcheck", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&o.Play, "whep", false, "the endpoint is one to play from (WHEP); its stream must be live")
	flags.StringVar(&o.Token, "token", "", "bearer token; other users of this machine may see it")
	file := flags.String("token-file", "", "file with the bearer token")
	flags.BoolVar(&o.Insecure, "insecure", false, "accept any TLS certificate")
	flags.DurationVar(&o.Wait, "wait", 10*time.Second, "how long to wait for each answer, and for each thing that media has to do")
	flags.BoolVar(&asJSON, "json", false, "print one JSON object")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: whipcheck [-whep] [-token T | -token-file F] [-insecure] [-wait 10s] [-json] URL")
		flags.PrintDefaults()
	}
	if flags.Parse(args) != nil {
		return o, false, errUsage
	}
	if flags.NArg() != 1 || o.Token != "" && *file != "" {
		flags.Usage()
		return o, false, errUsage
	}
	o.URL = flags.Arg(0)
	switch {
	case *file != "":
		o.Token, err = readToken(*file)
	case o.Token == "":
		o.Token = strings.TrimSpace(getenv("WHIPCHECK_TOKEN"))
	}
	return o, asJSON, err
}

// maxToken bounds a token file; a larger one is something else.
const maxToken = 64 << 10

func readToken(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(b))
	if len(b) > maxToken || token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("%s holds no token", name)
	}
	return token, nil
}
