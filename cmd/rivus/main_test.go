package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/app"
	"github.com/rivus-live/rivus/internal/sigv4"
)

// asRivus makes the test binary behave as the command.
const asRivus = "RIVUS_TEST_IS_RIVUS"

func TestMain(m *testing.M) {
	if os.Getenv(asRivus) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// command prepares rivus with an environment of its own.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append([]string{asRivus + "=1", "PATH=" + os.Getenv("PATH"), "GORACE=" + os.Getenv("GORACE")}, env...)
	return cmd
}

func free(dir string) []string {
	return []string{
		"--data-dir=" + dir, "--http-addr=127.0.0.1:0", "--rtmp-addr=127.0.0.1:0", "--rtmps-addr=", "--media-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0",
	}
}

// TestSecondSignalEndsAtOnce: a person who presses Ctrl-C again does not want to wait for the first one's goodbyes.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	env := []string{"RIVUS_ACCESS_KEY_ID=AKIATEST", "RIVUS_SECRET_ACCESS_KEY=sesame"}
	cmd := command(t, env, append([]string{"serve", "--ready-json"}, free(t.TempDir())...)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ready app.Ready
	if err := json.NewDecoder(stdout).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	defer beginRequest(t, ready)()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	for sc := bufio.NewScanner(stderr); sc.Scan() && !strings.Contains(sc.Text(), "stopping"); {
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	again := time.NewTicker(20 * time.Millisecond) // the first signal's handler may not be out of the way yet
	defer again.Stop()
	for ended := false; !ended; {
		select {
		case <-again.C:
			_ = cmd.Process.Signal(syscall.SIGINT)
		case <-done:
			ended = true
		}
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Errorf("it ended by itself: %v", cmd.ProcessState)
	}
}

// beginRequest sends the head of a request and returns when the server waits for its body. A server that drains waits
// for such a request.
func beginRequest(t *testing.T, to app.Ready) (end func()) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+to.HTTP+"/ListChannels", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	sigv4.Signer{AccessKeyID: to.AccessKeyID, Secret: "sesame", Region: "us-west-2", Service: "ivs"}.Sign(req, sigv4.HashBody(nil), time.Now())
	c, err := net.Dial("tcp", to.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	head := "POST /ListChannels HTTP/1.1\r\nHost: " + to.HTTP + "\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"
	for name := range req.Header {
		head += name + ": " + req.Header.Get(name) + "\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q %v", line, err)
	}
	return func() { _ = c.Close() }
}

// TestRefusedStarts: what went wrong and what to do about it is one line, and nothing is left behind.
func TestRefusedStarts(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	foreign := t.TempDir()
	if err := os.WriteFile(foreign+"/photo.jpg", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"taken port", append(free(dir), "--http-addr="+taken.Addr().String()), "--http-addr: listen tcp " + taken.Addr().String() + ": bind: address already in use"},
		{"and the directory is free again", append(free(dir), "--rtmp-addr="+taken.Addr().String()), "--rtmp-addr: listen tcp"},
		{"foreign directory", free(foreign), "is not empty and not ours: it holds \"photo.jpg\""},
		{"public address", append(free(dir), "--http-addr=0.0.0.0:0"), "or --insecure"},
		{"unknown flag", []string{"--colour"}, "unknown flag --colour"},
		{"no certificate", append(free(dir), "--tls-cert="+dir+"/none.pem", "--tls-key="+dir+"/none.pem"), "--tls-cert, --tls-key: open "},
		{"stages that nobody reaches", append(free(dir), "--public-url=https://live.example.com"), "is a loopback address"},
		{"no NATS server there", append(free(dir), "--nats-url=nats://u:sesame@"+silent(t)), "the NATS server at nats://127.0.0.1:"},
	} {
		out, err := command(t, nil, append([]string{"serve"}, c.args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: %v, want %q in\n%s", c.name, err, c.want, out)
		}
		if strings.Contains(string(out), "goroutine ") || strings.Contains(string(out), "sesame") {
			t.Errorf("%s: a stack trace or a secret:\n%s", c.name, out)
		}
		if said := strings.Count(string(out), "rivus: "); said != 1 || !strings.HasPrefix(lastLine(out), "rivus: ") {
			t.Errorf("%s: %d causes, and the last line is %q", c.name, said, lastLine(out))
		}
	}
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// silent returns an address of this machine on which nothing listens.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return l.Addr().String()
}

// TestVersion: as a command, as other programs have it, and as a flag.
func TestVersion(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"version", "--version"} {
		out, err := command(t, nil, arg).Output()
		if err != nil || !strings.HasPrefix(string(out), "rivus ") || strings.Count(string(out), "\n") != 1 {
			t.Errorf("%s: %v %q", arg, err, out)
		}
	}
}

// TestHelpShowsDefaults: a flag that is left out is no riddle.
func TestHelpShowsDefaults(t *testing.T) {
	t.Parallel()
	out, err := command(t, []string{"COLUMNS=400"}, "serve", "--help").Output()
	help := strings.Join(strings.Fields(string(out)), " ")
	for _, want := range []string{"Default: 127.0.0.1:8080.", "Default: rivus-data.", "Default: off.", "Default: 0s."} {
		if err != nil || !strings.Contains(help, want) {
			t.Errorf("%v: %q is not in %s", err, want, help)
		}
	}
}

// TestHelpShowsNoSecret: flags may come from the environment, and their values must not show.
func TestHelpShowsNoSecret(t *testing.T) {
	t.Parallel()
	env := []string{"RIVUS_ACCESS_KEY_ID=AKIATEST", "RIVUS_SECRET_ACCESS_KEY=sesame", "RIVUS_NATS_URL=nats://u:sesame@localhost"}
	for _, args := range [][]string{{"serve", "--help"}, {"demo", "--help"}, {"serve", "--colour"}, {"serve", "--account-id=1"}} {
		out, err := command(t, env, args...).CombinedOutput()
		if strings.Contains(string(out), "sesame") || strings.Contains(args[1], "help") != strings.Contains(string(out), "RIVUS_SECRET_ACCESS_KEY") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}
