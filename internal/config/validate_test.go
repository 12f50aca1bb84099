package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// refusals are command lines that must not start a server, by the flag that the error has to name. The test below fails
// for a flag that is neither here nor in unconditional.
var refusals = map[string][]struct{ args, want string }{ //nolint:gochecknoglobals // a constant table
	"http-addr": {
		{"--http-addr=0.0.0.0:80", "is public and has no TLS"},
		{"--http-addr=localhost", "is not host:port"},
		{"--http-addr=", "is not host:port"},
		{"--http-addr=127.0.0.1:99999", "is not host:port"},
		{"--http-addr=127.0.0.1:-1", "is not host:port"},
		{"--http-addr=http://127.0.0.1:80", "is not host:port"},
	},
	"rtmp-addr": {
		{"--rtmp-addr=off", "is not host:port"},
		{"--rtmp-addr=127.0.0.1:70000", "is not host:port"},
	},
	"rtmps-addr": {
		{"--rtmps-addr=:1936", "needs --tls-cert"},
		{"--rtmps-addr=1936", "is not host:port"},
	},
	"media-addr": {
		{"--media-addr=8189", "is not host:port"},
		{"--media-addr=none", "is not host:port"},
		{"--public-url=https://x.example", "127.0.0.1:8189 is a loopback address"},
		{"--public-url=https://192.0.2.1:8443", "or --media-addr off"},
	},
	"admin-addr": {
		{"--admin-addr=0.0.0.0:8081", "must be a loopback address"},
		{"--admin-addr=x", "is not host:port"},
	},
	"public-url": {
		{"--public-url=https://x.example/a", "not an http or https origin"},
		{"--public-url=https://u:p@x.example", "not an http or https origin"},
		{"--public-url=https://x.example#a", "not an http or https origin"},
		{"--public-url=x.example", "not an http or https origin"},
		{"--public-url=https://x.example:99999", "not an http or https origin"},
		{"--public-url=https://:443", "not an http or https origin"},
	},
	"ingest-endpoint": {
		{"--ingest-endpoint=rtmps://ingest.example/app", "without a scheme or path"},
		{"--ingest-endpoint=ingest.example:x", "without a scheme"},
		{"--ingest-endpoint=ingest.example:443/app", "without a scheme"},
		{"--ingest-endpoint=key@ingest.example", "without a scheme"},
	},
	"aws-endpoint": {
		{"--aws-endpoint=kinesis=http://x", "is not SERVICE=URL"},
		{"--aws-endpoint=sqs=x", "has no http or https URL"},
		{"--aws-endpoint=sqs=http://u:p@x", "has no http or https URL"},
		{"--aws-endpoint=sqs=http://x", "needs --aws-credentials sqs=ID:SECRET"},
		{"--aws-endpoint=sqs=http://x,sqs=http://y", "has two URLs"},
	},
	"aws-credentials": {
		{"--aws-credentials=sqs=ID:SECRET", "there is no --aws-endpoint of sqs"},
		{"--aws-endpoint=sqs=http://x --aws-credentials=sqs=ID", "is not SERVICE=ID:SECRET"},
	},
	"allow-targets": {
		{"--allow-targets=arn:aws:sqs:*", "there is no --aws-endpoint"},
		{"--allow-targets=sqs", "is not the pattern of an ARN"},
	},
	"allow-private-targets": {
		{"--allow-private-targets=10.0.0.0/33", "is not an address or CIDR"},
		{"--allow-private-targets=inside", "is not an address or CIDR"},
	},
	"external-ip": {
		{"--external-ip=media.example", `"media.example" is not an IP address`},
		{"--external-ip=0.0.0.0", "is not an IP address"},
		{"--external-ip=192.0.2.1,x", `"x" is not an IP address`},
		{"--external-ip=fe80::1%eth0", "is not an IP address"},
		{"--external-ip=192.0.2.1:80", "is not an IP address"},
	},
	"codecs": {
		{"--codecs=H265", `"H265" is not one of H264, VP8, VP9, AV1`},
		{"--codecs=H264,Opus", `"Opus" is not one of`},
	},
	"trusted-proxies": {
		{"--trusted-proxies=10.0.0.0/8 --trusted-proxies=nonsense", "not an address or CIDR"},
		{"--trusted-proxies=10.0.0.0/33", "not an address or CIDR"},
	},
	"geoip-db": {
		{"--geoip-db=missing.mmdb", "no such file"},
		{"--geoip-db=/", "is not a file"},
	},
	"data-dir": {{"--data-dir=", "a directory is needed"}},
	"nats-replicas": {
		{"--nats-replicas=2", "2 is not 1, 3 or 5"},
		{"--nats-replicas=-1", "-1 is not 1, 3 or 5"},
		{"--nats-replicas=3", "needs --nats-url"},
	},
	"nats-url": {
		{"--nats-url=http://x.example", "not a URL such as nats://"},
		{"--nats-url=nats://", "not a URL"},
		{"--nats-url=nats://a,nats://b:99999", "not a URL"},
	},
	"account-id": {
		{"--account-id=12", "not 12 digits"},
		{"--account-id=", "not 12 digits"},
	},
	"access-key-id": {
		{"--access-key-id=AKIA", "go together"},
		{"--access-key-id=a/b --secret-access-key=c", "letters, digits"},
	},
	"secret-access-key": {
		{"--secret-access-key=x", "go together"},
		{"--access-key-id=AKIA --secret-access-key=a\u00a0b", "has a blank"},
	},
	"tls-cert": {
		{"--tls-cert=a.pem", "go together"},
		{"--tls-cert=missing.pem --tls-key=missing.pem", "no such file"},
		{"--tls-cert=/dev/null --tls-key=/dev/null", "PEM"},
	},
	"tls-key": {
		{"--tls-key=a.pem", "go together"},
		{"--tls-cert=missing.pem --tls-key=missing.pem", "no such file"},
	},
	"tls-self-signed": {
		{"--tls-self-signed --tls-cert=a.pem --tls-key=b.pem", "exclude each other"},
		{"--tls-self-signed=x", "bool"},
	},
	"allow-insecure-ingest": {
		{"--rtmp-addr=:1935 --allow-insecure-ingest", "in the clear"},
	},
	"quotas": {
		{"--quotas=gcp", `"gcp" is not one of off, aws`},
		{"--quotas=", "is not one of"},
	},
	"max-strangers": {
		{"--max-strangers=0", "is not between"},
		{"--max-strangers=65537", "is not between"},
		{"--max-strangers=x", "int"},
	},
	"sns-cert": {
		{"--sns-cert=a.pem", "go together"},
		{"--sns-cert=missing.pem --sns-key=missing.pem", "no such file"},
		{"--sns-cert=/dev/null --sns-key=/dev/null", "PEM"},
	},
	"sns-key":         {{"--sns-key=a.pem", "go together"}},
	"audit-keep":      {{"--audit-keep=1m", "less than an hour"}, {"--audit-keep=x", "duration"}},
	"audit-max-bytes": {{"--audit-max-bytes=1000", "is less than"}, {"--audit-max-bytes=much", "int"}},
	"drain-delay": {
		{"--drain-delay=-1s", "is not between"},
		{"--drain-delay=2h", "is not between"},
		{"--drain-delay=5", "duration"},
	},
	"stage-history": {
		{"--stage-history=59m", "less than an hour"},
		{"--stage-history=forever", "duration"},
	},
	"log-level":  {{"--log-level=trace", `"trace" is not one of debug, info, warn, error`}},
	"log-format": {{"--log-format=xml", `"xml" is not one of text, json`}},
}

// unconditional are the flags that cannot be wrong, each with the reason.
var unconditional = map[string]string{ //nolint:gochecknoglobals // a constant table
	"accept-data-loss": "a switch; nothing happens where there is no damage",
	"insecure":         "a switch that only lifts refusals",
	"accept-unbuilt":   "a switch that only lifts refusals",
	"ready-json":       "a switch of the output",
	"audit-data-calls": "a switch that only records more",
}

// parse reads a command line as the program does.
func parse(t *testing.T, args string) (*Config, error) {
	t.Helper()
	var cfg Config
	p, err := kong.New(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Parse(strings.Split(args, " ")) // kong calls Validate
	return &cfg, err
}

// TestEveryFlagIsJudged: a flag that cannot work stops the start with its name.
func TestEveryFlagIsJudged(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for f := range reflect.TypeFor[Config]().Fields() {
		name := f.Tag.Get("name")
		known[name] = true
		cases, reason := refusals[name], unconditional[name]
		if (len(cases) == 0) == (reason == "") {
			t.Errorf("--%s needs a case that is refused, or else a reason why no value is", name)
		}
		for _, c := range cases {
			_, err := parse(t, c.args)
			if err == nil || !strings.Contains(err.Error(), "--"+name) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want --%s and %q", c.args, err, name, c.want)
			}
		}
	}
	for name := range refusals {
		if !known[name] {
			t.Errorf("--%s is no flag", name)
		}
	}
}

// TestFlagsThatWork: what has a use is not refused.
func TestFlagsThatWork(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"--http-addr=0.0.0.0:80 --insecure", "--http-addr=:443 --tls-self-signed", "--http-addr=[::1]:0",
		"--rtmp-addr=:1935", "--rtmp-addr= --rtmps-addr=", "--admin-addr=",
		"--public-url=https://x.example --media-addr=:8189", "--public-url=https://x.example/ --media-addr=:8189",
		"--public-url=http://localhost:8080", "--public-url=http://[::1]:8080",
		"--public-url=https://x.example --media-addr=10.0.0.1:8189 --external-ip=192.0.2.1,2001:db8::1",
		"--ingest-endpoint=ingest.example:443", "--ingest-endpoint=ingest.example", "--ingest-endpoint=192.0.2.1", "--ingest-endpoint=[2001:db8::1]:1936",
		"--trusted-proxies=10.0.0.0/8,192.0.2.1", "--media-addr=off", "--media-addr=OFF", "--drain-delay=15s", "--max-strangers=1",
		"--nats-url=nats://user:secret@nats.example:4222,tls://b.example", "--nats-url=localhost:4222",
		"--access-key-id=AKIA --secret-access-key=a/b+c=",
	} {
		if _, err := parse(t, args); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// TestNamesInAnyCase: names mean the same however they are written, and the rest of the program sees one spelling.
func TestNamesInAnyCase(t *testing.T) {
	t.Parallel()
	c, err := parse(t, "--codecs=h264,Av1 --quotas=AWS --log-level=WARN --log-format=Json --media-addr=Off")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Codecs, []string{"H264", "AV1"}) || c.Quotas != "aws" || c.LogLevel != "warn" || c.LogFormat != "json" || c.MediaAddr != Off {
		t.Errorf("read as %+v", c)
	}
}

// TestNoSecretInRefusals: an error ends up in a log.
func TestNoSecretInRefusals(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{
		"--nats-url=nats://u:hunter2@x:99999", "--nats-url=http://u:hunter2@x", "--public-url=https://u:hunter2@x.example",
		"--secret-access-key=hunter2", "--access-key-id=A --secret-access-key=hunter2\u2003", "--tls-cert=" + path + " --tls-key=" + path,
	} {
		if _, err := parse(t, args); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", args, err)
		}
	}
}
