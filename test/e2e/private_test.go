package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ivs"

	"github.com/rivus-live/rivus/internal/apptest"
)

// keyFiles makes a key pair as openssl does, name.pem and name.pub in a directory, and returns the public half.
func keyFiles(t *testing.T, dir, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(t, err)
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	must(t, os.WriteFile(filepath.Join(dir, name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, name+".pub"), text, 0o600))
	return string(text)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// privateChannel makes a private channel on air whose tokens the key in dir/viewers.pem signs.
func privateChannel(t *testing.T, api *ivs.Client, rtmp, dir string) *ivs.CreateChannelOutput {
	t.Helper()
	public := keyFiles(t, dir, "viewers")
	_, err := api.ImportPlaybackKeyPair(t.Context(), &ivs.ImportPlaybackKeyPairInput{PublicKeyMaterial: &public, Name: aws.String("viewers")})
	must(t, err)
	made, err := api.CreateChannel(t.Context(), &ivs.CreateChannelInput{Authorized: true})
	must(t, err)
	apptest.PublishTo(t, "rtmp://"+rtmp+"/app/"+*made.StreamKey.Value, apptest.Picture{Size: "960x540"})
	apptest.Eventually(t, "the channel goes live", func() error {
		_, err := api.GetStream(t.Context(), &ivs.GetStreamInput{ChannelArn: made.Channel.Arn})
		return err
	})
	return made
}

// TestPrivatePlayback goes through every claim and every refusal with tokens that another library has signed. The server logs
// all that it ever says, and no token is in it.
func TestPrivatePlayback(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startProcess(t, t.TempDir(), "--log-level=debug")
	made := privateChannel(t, p.ivs(), p.RTMP, dir)
	keyFiles(t, dir, "stranger")
	keyFiles(t, dir, "second")
	tokens := filepath.Join(dir, "tokens")
	cmd := node(t, "--test", "private.test.mjs")
	cmd.Env = append(cmd.Env, "AWS_ACCESS_KEY_ID="+p.AccessKeyID, "AWS_SECRET_ACCESS_KEY=secret-of-the-test", "AWS_REGION="+apptest.Region,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "RIVUS_URL="+p.PublicURL, "RIVUS_TOKENS="+tokens,
		"RIVUS_CHANNEL="+*made.Channel.Arn, "RIVUS_PLAYBACK="+*made.Channel.PlaybackUrl, "RIVUS_KEYS="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	p.signal(syscall.SIGTERM)
	signed, err := os.ReadFile(tokens)
	must(t, err)
	if n := strings.Count(string(signed), "\n"); n < 40 {
		t.Errorf("%d tokens were signed", n)
	}
	for token := range strings.Lines(string(signed)) {
		claims := strings.Split(token, ".")[1]
		if strings.Contains(p.stderr.String(), claims) {
			t.Errorf("the log has the token %s", token)
		}
	}
}

// privately is what privatewatch.mjs saw.
type privately struct {
	Error            string
	Addresses, Leaks []string
	Unnamed          []string
	Media            int
	Shown, Stopped   bool
	Refusals         struct{ OtherPage, NoToken, Revoked string }
}

// TestPrivateWatchPage plays a private channel with hls.js in Chromium, on a page of another origin that the token allows, until
// the viewer is revoked. The token is in no address, and nobody is told of it but the playlist.
func TestPrivateWatchPage(t *testing.T) {
	dir := t.TempDir()
	s, page := apptest.Start(t), apptest.Start(t)
	made := privateChannel(t, s.IVS(t), s.RTMP, dir)
	cmd := node(t, "-e", `
		const { signer } = await import('./private.mjs');
		const sign = await signer(process.env.KEY, process.env.CHANNEL);
		console.log(await sign({ 'aws:access-control-allow-origin': process.env.PAGE, 'aws:strict-origin-enforcement': true, 'aws:viewer-id': 'zoë',
			'aws:viewer-session-version': 2, exp: Math.floor(Date.now() / 1000) + 590 }));`)
	cmd.Args = append(cmd.Args[:1:1], append([]string{"--input-type=module"}, cmd.Args[1:]...)...)
	cmd.Env = append(cmd.Env, "KEY="+filepath.Join(dir, "viewers.pem"), "CHANNEL="+*made.Channel.Arn, "PAGE="+page.PublicURL)
	out, err := cmd.Output()
	must(t, err)
	token := strings.TrimSpace(string(out))
	var w privately
	runPage(t, &w, func(step string) {
		if step != "playing" {
			return
		}
		_, err := s.IVS(t).StartViewerSessionRevocation(t.Context(), &ivs.StartViewerSessionRevocationInput{
			ChannelArn: made.Channel.Arn, ViewerId: aws.String("zoë"), ViewerSessionVersionsLessThanOrEqualTo: 2,
		})
		if err != nil {
			t.Errorf("StartViewerSessionRevocation: %v", err)
		}
	}, "privatewatch.mjs", page.PublicURL+"/watch", s.PublicURL+"/watch", *made.Channel.PlaybackUrl, token)
	if w.Error != "" {
		t.Fatalf("the page failed: %s", w.Error)
	}
	for _, address := range w.Addresses {
		if strings.Contains(address, "token") {
			t.Errorf("an address has the token: %s", address)
		}
	}
	if len(w.Leaks) > 0 || w.Shown || len(w.Unnamed) > 0 || w.Media < 10 {
		t.Errorf("the token went to %v, is shown %v; %d media requests, %v without a session", w.Leaks, w.Shown, w.Media, w.Unnamed)
	}
	if !strings.Contains(w.Refusals.OtherPage, "does not allow this page: "+s.PublicURL) || !strings.Contains(w.Refusals.NoToken, "private") ||
		!strings.Contains(w.Refusals.Revoked, "revoked") || !w.Stopped {
		t.Errorf("what the page says: %+v; stopped %v", w.Refusals, w.Stopped)
	}
}
