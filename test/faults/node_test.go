package faults

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ivs"

	"github.com/rivus-live/rivus/internal/apptest"
)

// node is a rivus process. It keeps its addresses and its data directory over a restart, and with them its name.
type node struct {
	*process
	http, rtmp, admin string
}

const secret = "secret-of-the-test"

func startNode(t *testing.T, name, engine string) *node {
	t.Helper()
	path := apptest.Binary(t)
	var taken []net.Listener
	n := &node{http: freeAddress(t, &taken), rtmp: freeAddress(t, &taken), admin: freeAddress(t, &taken)}
	release(taken)
	dir := t.TempDir()
	n.process = &process{t: t, name: name, make: func() *exec.Cmd {
		return exec.Command(path, "serve", "--data-dir="+dir, "--nats-url="+engine, "--media-addr=127.0.0.1:0", "--rtmps-addr=",
			"--http-addr="+n.http, "--rtmp-addr="+n.rtmp, "--admin-addr="+n.admin, "--access-key-id=AKIATEST", "--secret-access-key="+secret)
	}}
	n.start()
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
