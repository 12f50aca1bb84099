package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ivsrealtime"
	"github.com/aws/aws-sdk-go-v2/service/ivsrealtime/types"

	"github.com/rivus-live/rivus/internal/apptest"
)

// systemPython is the interpreter that Debian's packages are for. Another one may come before it in PATH.
const systemPython = "/usr/bin/python3"

// TestStageWithAiortc publishes and subscribes with a WebRTC stack that shares no code with the server's. As everywhere
// here that video is encoded and decoded, one case runs after the other.
func TestStageWithAiortc(t *testing.T) {
	srv := apptest.Start(t)
	t.Run("H264", func(t *testing.T) {
		on := newStage(t, srv)
		pub := on.aiortc(t, "publish", on.whip, "H264")
		sub := on.aiortc(t, "subscribe", on.subscribe) // before the only keyframe that this publisher sends for a while
		pub.send(t)
		sub.sawTheTestPicture(t)
		pub.leave(t, http.StatusOK)
	})
	t.Run("VP8", func(t *testing.T) {
		on := newStage(t, srv)
		pub := on.aiortc(t, "publish", on.whip, "VP8")
		early := on.aiortc(t, "subscribe", on.subscribe)
		pub.send(t)
		early.sawTheTestPicture(t)
		on.aiortc(t, "subscribe", on.subscribe).sawTheTestPicture(t) // late: its keyframe comes on request
		on.chromium(t, "play", "whip-whep", on.subscribe).saw(t)
		pub.leave(t, http.StatusOK)
	})
}

// TestStageWithPublishedClients publishes and plays with WHIP and WHEP clients from npm as they are, in Chromium and on a
// page of another origin. Whoever joins comes late, aiortc as well: Chromium's encoder gives keyframes on request.
func TestStageWithPublishedClients(t *testing.T) {
	srv := apptest.Start(t)
	for publisher, deleted := range map[string][]int{
		"whip-whep":                {http.StatusOK, http.StatusNotFound}, // it closes the connection first, which ends the session too
		"@eyevinn/whip-web-client": {http.StatusOK},
	} {
		t.Run(publisher, func(t *testing.T) {
			on := newStage(t, srv)
			pub := on.chromium(t, "publish", publisher, on.whip)
			pub.says(t, &struct{ Joined bool }{})
			on.aiortc(t, "subscribe", on.subscribe).saw(t)
			if d := on.chromium(t, "play", "@eyevinn/webrtc-player", on.subscribe).saw(t); d.Left != http.StatusOK || len(d.Problems) > 0 {
				t.Errorf("the player ended with %d and %q", d.Left, d.Problems)
			}
			d := on.chromium(t, "play", "whip-whep", on.subscribe).saw(t)
			// Its viewer trickles without the ETag of the answer, which RFC 9725 wants refused; media does not need that.
			for _, problem := range d.Problems {
				if !strings.HasSuffix(problem, "Request rejected with status 428") {
					t.Errorf("error in the page of the player: %s", problem)
				}
			}
			pub.leave(t, deleted...)
		})
	}
}

// stage is a stage with a publisher and with subscribers who may come one after the other.
type stage struct {
	whip, subscribe string // URLs
	publisher       string // token
	subscribers     []string
}

func newStage(t *testing.T, srv *apptest.Server) *stage {
	t.Helper()
	tokens := []types.ParticipantTokenConfiguration{{Capabilities: []types.ParticipantTokenCapability{"PUBLISH"}}}
	for range 3 {
		tokens = append(tokens, types.ParticipantTokenConfiguration{Capabilities: []types.ParticipantTokenCapability{"SUBSCRIBE"}})
	}
	made, err := srv.IVSRealTime(t).CreateStage(t.Context(), &sdk.CreateStageInput{ParticipantTokenConfigurations: tokens})
	if err != nil {
		t.Fatal(err)
	}
	on := &stage{whip: *made.Stage.Endpoints.Whip, publisher: *made.ParticipantTokens[0].Token}
	on.subscribe = on.whip + "/subscribe/" + aws.ToString(made.ParticipantTokens[0].ParticipantId)
	for _, s := range made.ParticipantTokens[1:] {
		on.subscribers = append(on.subscribers, *s.Token)
	}
	return on
}

// subscriber returns the token of a subscriber who was not there yet.
func (on *stage) subscriber() string {
	s := on.subscribers[0]
	on.subscribers = on.subscribers[1:]
	return s
}

// aiortc starts py/peer.py and waits until it is connected.
func (on *stage) aiortc(t *testing.T, args ...string) *peer {
	t.Helper()
	needAiortc(t)
	token := on.publisher
	if args[0] == "subscribe" {
		token = on.subscriber()
	}
	cmd := exec.CommandContext(t.Context(), systemPython, append([]string{"py/peer.py"}, args...)...)
	cmd.Env = append(os.Environ(), "RIVUS_TOKEN="+token, "PYTHONDONTWRITEBYTECODE=1")
	p := startPeer(t, cmd)
	p.says(t, &struct{ Joined bool }{})
	return p
}

// chromium starts js/interop.mjs.
func (on *stage) chromium(t *testing.T, args ...string) *peer {
	t.Helper()
	token := on.publisher
	if args[0] == "play" {
		token = on.subscriber()
	}
	cmd := node(t, append([]string{"interop.mjs"}, args...)...)
	cmd.Env = append(cmd.Env, "RIVUS_TOKEN="+token, "CHROMIUM="+chromium(t))
	return startPeer(t, cmd)
}

// needAiortc is apptest.Need for a package of the system's Python.
func needAiortc(t *testing.T) {
	t.Helper()
	err := exec.CommandContext(t.Context(), systemPython, "-c", "import aiortc").Run()
	switch {
	case err == nil:
	case os.Getenv("RIVUS_TEST") == "all":
		t.Fatalf("python3-aiortc is missing: %v", err)
	default:
		t.Skip("python3-aiortc is missing; make test installs it")
	}
}

// peerPatience is how long a peer may hang: its own waits are shorter, however busy the machine is, and say more.
func peerPatience(t *testing.T) time.Duration {
	t.Helper()
	if end, ok := t.Deadline(); ok {
		return time.Until(end) - time.Minute
	}
	return 20 * time.Minute
}

// lastWords is how long a peer has to end once it has said what went wrong.
const lastWords = 10 * time.Second

// peer is a process that takes part in a stage and prints lines of JSON.
type peer struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	stderr bytes.Buffer // written until wait has returned
	wait   func() error
}

func startPeer(t *testing.T, cmd *exec.Cmd) *peer {
	t.Helper()
	p := &peer{cmd: cmd, wait: sync.OnceValue(cmd.Wait)}
	cmd.Stderr, cmd.WaitDelay = &p.stderr, lastWords
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	p.in, p.out = in, bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(peerPatience(t), func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		defer hung.Stop()
		_ = in.Close()
		_ = p.wait() // a peer says itself what went wrong
	})
	return p
}

// complaint ends a peer that has failed and returns all that it wrote to its standard error.
func (p *peer) complaint() string {
	_ = p.in.Close()
	late := time.AfterFunc(lastWords, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	_ = p.wait()
	return p.stderr.String()
}

// says reads the next line that the peer prints.
func (p *peer) says(t *testing.T, v any) {
	t.Helper()
	p.out.Scan()
	var failed struct{ Error string }
	if err := errors.Join(json.Unmarshal(p.out.Bytes(), &failed), json.Unmarshal(p.out.Bytes(), v)); err != nil || failed.Error != "" {
		t.Fatalf("a peer said %q: %v: %s", p.out.Text(), err, p.complaint())
	}
	t.Logf("a peer said %s", p.out.Text())
}

// send lets a publisher begin.
func (p *peer) send(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		t.Fatal(err)
	}
}

// leave lets a publisher end, which must be answered with one of the statuses, and without an error in its page.
func (p *peer) leave(t *testing.T, deleted ...int) {
	t.Helper()
	_ = p.in.Close()
	var last decoded
	if p.says(t, &last); !slices.Contains(deleted, last.Left) || len(last.Problems) > 0 {
		t.Errorf("the publisher ended with %d and %q", last.Left, last.Problems)
	}
}

// decoded is what a subscriber has decoded.
type decoded struct {
	Frames, Width int
	Right         int      // of the frames, those with the test picture
	Sound         int      // frames or packets
	Level         float64  // 1 is full scale
	Left          int      // status of its DELETE
	Problems      []string // errors in the page that nobody caught
}

// saw waits for what a subscriber has decoded, which must be enough to speak of seeing and hearing.
func (p *peer) saw(t *testing.T) decoded {
	t.Helper()
	var d decoded
	p.says(t, &d)
	if d.Frames < 60 || d.Width == 0 || d.Sound < 50 || d.Level < 0.01 {
		t.Errorf("decoded too little, or silence: %+v", d)
	}
	return d
}

// sawTheTestPicture is saw of what the publisher in py/peer.py sends.
func (p *peer) sawTheTestPicture(t *testing.T) {
	t.Helper()
	if d := p.saw(t); d.Width != 320 || d.Right < d.Frames*9/10 || d.Level < 0.1 {
		t.Errorf("the picture or the tone is not what was sent: %+v", d)
	}
}
