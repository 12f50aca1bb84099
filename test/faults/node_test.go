package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ivs"
)

// binary builds the command once for all tests.
var binary = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // one build for all tests
	dir, err := os.MkdirTemp("", "rivus-faults-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "rivus")
	out, err := exec.CommandContext(context.Background(), "go", "build", "-o", path, "../../cmd/rivus").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

// node is a rivus process. It keeps its addresses and its data directory over a restart, and with them its name.
type node struct {
	*process
	http, rtmp, admin string
}

const secret = "secret-of-the-test"

func startNode(t *testing.T, name, engine string) *node {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var taken []net.Listener
	n := &node{http: freeAddress(t, &taken), rtmp: freeAddress(t, &taken), admin: freeAddress(t, &taken)}
	release(taken)
	dir := t.TempDir()
	n.process = &process{name: name, make: func() *exec.Cmd {
		return exec.Command(path, "serve", "--data-dir="+dir, "--nats-url="+engine, "--media-addr=127.0.0.1:0", "--rtmps-addr=",
			"--http-addr="+n.http, "--rtmp-addr="+n.rtmp, "--admin-addr="+n.admin, "--access-key-id=AKIATEST", "--secret-access-key="+secret)
	}}
	n.start(t)
	t.Cleanup(n.kill)
	return n
}

func (n *node) api() *ivs.Client {
	return ivs.New(ivs.Options{
		Region: "us-west-2", BaseEndpoint: aws.String("http://" + n.http), RetryMaxAttempts: 1,
		HTTPClient:  &http.Client{Timeout: 10 * time.Second},
		Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", secret, ""),
	})
}

// ready returns nil when the node says that it is.
func (n *node) ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.admin+"/readyz", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", n.name, resp.Status)
	}
	return nil
}
