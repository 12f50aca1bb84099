package config

import "testing"

func TestDefaultsAreValidAndPrivate(t *testing.T) {
	t.Parallel()
	c, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{c.HTTPAddr, c.RTMPAddr, c.RTMPSAddr, c.AdminAddr} {
		if !Loopback(a) {
			t.Errorf("default address %s is not loopback", a)
		}
	}
	if !c.InsecureIngestAllowed() || c.TLS() {
		t.Error("on loopback plain RTMP is accepted and HTTP has no TLS")
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		":80": "127.0.0.1:80", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80",
		"[::1]:80": "[::1]:80", "192.0.2.1:80": "192.0.2.1:80", "live.example:80": "live.example:80", "": "",
	} {
		if got := Reachable(addr); got != want {
			t.Errorf("Reachable(%q) = %q, want %q", addr, got, want)
		}
	}
}
