package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// auditCmd asks a running server for the records of calls. Patterns have * and ?.
type auditCmd struct {
	AdminAddr string        `name:"admin-addr" env:"RIVUS_ADMIN_ADDR" default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Where the server's operators are served."`
	Last      time.Duration `name:"last" placeholder:"DURATION" help:"Calls of this time until now, for instance 24h."`
	Since     string        `name:"since" placeholder:"TIME" help:"Calls since then, as in 2026-05-05T21:55:38Z."`
	Until     string        `name:"until" placeholder:"TIME" help:"Calls before then."`
	Principal string        `name:"principal" placeholder:"PATTERN" help:"ARN of who called, for instance '*:user/alice'."`
	Action    string        `name:"action" placeholder:"PATTERN" help:"What was called, for instance 'ivs:Delete*'."`
	Resource  string        `name:"resource" placeholder:"PATTERN" help:"ARN of a resource that the call was about."`
}

// Run prints the records, one a line in JSON, oldest first.
func (c *auditCmd) Run(ctx context.Context, e env) error {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	if c.Last > 0 {
		if c.Since != "" {
			return errors.New("--last and --since exclude each other")
		}
		c.Since = time.Now().Add(-c.Last).UTC().Format(time.RFC3339)
	}
	set("since", c.Since)
	set("until", c.Until)
	set("principal", c.Principal)
	set("action", c.Action)
	set("resource", c.Resource)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.AdminAddr+"/audit?"+q.Encode(), nil)
	if err != nil {
		return fmt.Errorf("--admin-addr: %w", err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("is a server running, with this --admin-addr? %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("the server answers: %s", strings.TrimSpace(string(text)))
	}
	if _, err := io.Copy(e.stdout, resp.Body); err != nil {
		return fmt.Errorf("the answer broke off, so this is not all: %w", err)
	}
	return nil
}
