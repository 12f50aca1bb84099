package config

import (
	"crypto/rsa"
	"crypto/tls"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
)

// AWSEndpoint is where a service is that rules can have targets of, and the key for it.
type AWSEndpoint struct{ URL, AccessKeyID, Secret string }

// awsServices are the services that --aws-endpoint knows.
var awsServices = []string{"sqs", "sns", "events", "lambda", "logs"} //nolint:gochecknoglobals // a constant table

// Endpoints returns --aws-endpoint with --aws-credentials, by service.
func (c *Config) Endpoints() (map[string]AWSEndpoint, error) {
	out := map[string]AWSEndpoint{}
	for _, s := range c.AWSEndpoints {
		service, text, _ := strings.Cut(s, "=")
		u, err := url.Parse(text)
		if !slices.Contains(awsServices, service) {
			return nil, fmt.Errorf("--aws-endpoint: %q is not SERVICE=URL with one of %s", s, strings.Join(awsServices, ", "))
		}
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("--aws-endpoint: %s has no http or https URL", service)
		}
		if _, ok := out[service]; ok {
			return nil, fmt.Errorf("--aws-endpoint: %s has two URLs", service)
		}
		out[service] = AWSEndpoint{URL: text}
	}
	for _, s := range c.AWSCredentials {
		service, key, _ := strings.Cut(s, "=")
		id, secret, _ := strings.Cut(key, ":")
		e, ok := out[service]
		if id == "" || secret == "" {
			return nil, fmt.Errorf("--aws-credentials: the value is not SERVICE=ID:SECRET")
		}
		if !ok {
			return nil, fmt.Errorf("--aws-credentials: there is no --aws-endpoint of %s", service)
		}
		e.AccessKeyID, e.Secret = id, secret
		out[service] = e
	}
	for _, service := range awsServices {
		if e, ok := out[service]; ok && e.AccessKeyID == "" {
			return nil, fmt.Errorf("--aws-endpoint: %s needs --aws-credentials %s=ID:SECRET", service, service)
		}
	}
	return out, nil
}

// PrivateTargets returns --allow-private-targets; a bare address is a prefix of its full length.
func (c *Config) PrivateTargets() ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(c.AllowPrivateTargets))
	for _, s := range c.AllowPrivateTargets {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("--allow-private-targets: %q is not an address or CIDR", s)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// LoopbackOnly reports whether nobody but this machine can reach the server.
func (c *Config) LoopbackOnly() bool {
	for _, addr := range []string{c.HTTPAddr, c.RTMPAddr, c.RTMPSAddr, c.MediaAddr} {
		if addr != "" && addr != Off && !Loopback(addr) {
			return false
		}
	}
	return true
}

// checkTargets judges where rules may lead.
func (c *Config) checkTargets(p *problems) {
	endpoints, err := c.Endpoints()
	if err != nil {
		p.add("%w", err)
	}
	if _, err := c.PrivateTargets(); err != nil {
		p.add("%w", err)
	}
	for _, pattern := range c.AllowTargets {
		if pattern != "*" && !strings.HasPrefix(pattern, "arn:") {
			p.add("--allow-targets: %q is not the pattern of an ARN", pattern)
		}
	}
	c.checkSigning(p)
	if err == nil && len(c.AllowTargets) > 0 && len(endpoints) == 0 {
		p.add("--allow-targets: there is no --aws-endpoint at which targets could be")
	}
}

// checkSigning reads the pair that signs what topics send: one that does not fit is known before anything runs.
func (c *Config) checkSigning(p *problems) {
	if (c.SNSCert == "") != (c.SNSKey == "") {
		p.add("--sns-cert and --sns-key go together")
		return
	}
	if c.SNSCert == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(c.SNSCert, c.SNSKey)
	if err != nil {
		p.add("--sns-cert, --sns-key: %w", err)
	} else if _, ok := pair.PrivateKey.(*rsa.PrivateKey); !ok {
		p.add("--sns-key: the key is not an RSA key")
	}
}

// SigningPair reads the files of --sns-cert and --sns-key; nil without them.
func (c *Config) SigningPair() (certificate, key []byte, err error) {
	if c.SNSCert == "" {
		return nil, nil, nil
	}
	if certificate, err = os.ReadFile(c.SNSCert); err != nil {
		return nil, nil, fmt.Errorf("--sns-cert: %w", err)
	}
	if key, err = os.ReadFile(c.SNSKey); err != nil {
		return nil, nil, fmt.Errorf("--sns-key: %w", err)
	}
	return certificate, key, nil
}
