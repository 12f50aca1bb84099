package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/apptest"
)

// cli runs the AWS command line with keys.
type cli struct {
	server            *apptest.Server
	id, secret, token string
}

// run returns what a command prints, as JSON into v if that is not nil.
func (c cli) run(t *testing.T, v any, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "aws", append([]string{"--endpoint-url", c.server.PublicURL, "--output", "json"}, args...)...)
	cmd.Env = append(append(os.Environ(), awsEnv(c.server)...), "AWS_ACCESS_KEY_ID="+c.id, "AWS_SECRET_ACCESS_KEY="+c.secret, "AWS_SESSION_TOKEN="+c.token)
	out, err := cmd.CombinedOutput()
	if err == nil && v != nil {
		err = json.Unmarshal(out, v)
	}
	return string(out), err
}

// must is run for a command that succeeds.
func (c cli) must(t *testing.T, v any, args ...string) {
	t.Helper()
	if out, err := c.run(t, v, args...); err != nil {
		t.Fatalf("aws %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// not is run for a command that is refused with a text.
func (c cli) not(t *testing.T, text string, args ...string) {
	t.Helper()
	if out, err := c.run(t, nil, args...); err == nil || !strings.Contains(out, text) {
		t.Errorf("aws %s: %v: %s, want %s", strings.Join(args, " "), err, out, text)
	}
}

// TestAWSCLIIdentity makes a user with a key and a policy about tags, and a role, acts as both, and tears all down again.
func TestAWSCLIIdentity(t *testing.T) {
	t.Parallel()
	if err := exec.CommandContext(t.Context(), "aws", "--version").Run(); err != nil {
		t.Skip("the AWS CLI is not installed here; the Go SDK suites cover the same calls")
	}
	s := apptest.Start(t)
	root := cli{s, s.AccessKeyID, s.SecretAccessKey, ""}
	const own = `{"Version":"2012-10-17","Statement":[` +
		`{"Effect":"Allow","Action":["ivs:CreateChannel","ivs:TagResource"],"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/Team":"live"}}},` +
		`{"Effect":"Allow","Action":["ivs:GetChannel","ivs:DeleteChannel"],"Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"live"}}}]}`
	root.must(t, nil, "iam", "create-user", "--user-name", "alice", "--path", "/team/", "--tags", "Key=Team,Value=live")
	var key struct {
		AccessKey struct{ AccessKeyID, SecretAccessKey string }
	}
	root.must(t, &key, "iam", "create-access-key", "--user-name", "alice")
	root.must(t, nil, "iam", "put-user-policy", "--user-name", "alice", "--policy-name", "own", "--policy-document", own)
	var policy struct{ PolicyDocument map[string]any }
	root.must(t, &policy, "iam", "get-user-policy", "--user-name", "alice", "--policy-name", "own") // which it decodes itself
	if len(policy.PolicyDocument["Statement"].([]any)) != 2 {
		t.Errorf("%v", policy.PolicyDocument)
	}

	alice := cli{s, key.AccessKey.AccessKeyID, key.AccessKey.SecretAccessKey, ""}
	var channel struct{ Channel struct{ Arn string } }
	alice.not(t, "AccessDeniedException", "ivs", "create-channel", "--name", "x")
	alice.must(t, &channel, "ivs", "create-channel", "--name", "x", "--tags", "Team=live")
	alice.must(t, nil, "ivs", "get-channel", "--arn", channel.Channel.Arn)
	alice.not(t, "because no identity-based policy allows the iam:ListUsers action", "iam", "list-users")

	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + s.AccountID + `:user/team/alice"},"Action":"sts:AssumeRole"}]}`
	root.must(t, nil, "iam", "create-role", "--role-name", "reader", "--assume-role-policy-document", trust)
	root.must(t, nil, "iam", "attach-role-policy", "--role-name", "reader", "--policy-arn", "arn:aws:iam::aws:policy/IVSReadOnlyAccess")
	var session struct {
		Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }
	}
	alice.must(t, &session, "sts", "assume-role", "--role-arn", "arn:aws:iam::"+s.AccountID+":role/reader", "--role-session-name", "cli")
	reader := cli{s, session.Credentials.AccessKeyID, session.Credentials.SecretAccessKey, session.Credentials.SessionToken}
	reader.must(t, nil, "ivs", "list-channels")
	reader.not(t, "AccessDeniedException", "ivs", "delete-channel", "--arn", channel.Channel.Arn)

	alice.must(t, nil, "ivs", "delete-channel", "--arn", channel.Channel.Arn)
	root.not(t, "DeleteConflict", "iam", "delete-user", "--user-name", "alice")
	root.must(t, nil, "iam", "delete-access-key", "--user-name", "alice", "--access-key-id", alice.id)
	alice.not(t, "UnrecognizedClientException", "ivs", "list-channels")
	root.must(t, nil, "iam", "delete-user-policy", "--user-name", "alice", "--policy-name", "own")
	root.must(t, nil, "iam", "delete-user", "--user-name", "alice")
	root.must(t, nil, "iam", "detach-role-policy", "--role-name", "reader", "--policy-arn", "arn:aws:iam::aws:policy/IVSReadOnlyAccess")
	root.must(t, nil, "iam", "delete-role", "--role-name", "reader")
	reader.not(t, "UnrecognizedClientException", "ivs", "list-channels")
	var left struct{ Users, Roles []any }
	root.must(t, &left, "iam", "list-users")
	root.must(t, &left, "iam", "list-roles")
	if len(left.Users)+len(left.Roles) != 0 {
		t.Errorf("%d users and %d roles are left", len(left.Users), len(left.Roles))
	}
}
