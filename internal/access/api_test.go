package access_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/access"
	"github.com/rivus-live/rivus/internal/accesskey"
	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/iam"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/ivsrealtime"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/sigv4"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/sts"
	"github.com/rivus-live/rivus/internal/token"
)

const (
	region  = "us-west-2"
	account = "111122223333"
	secret  = "the same of everybody"
)

// media stands for the nodes that run broadcasts and stages: there is nothing on.
type media struct{}

func notLive() error { return fault.New(fault.NotLive, "not live") }

func (media) Stop(context.Context, arn.ARN) error                       { return notLive() }
func (media) PutMetadata(context.Context, arn.ARN, string) error        { return notLive() }
func (media) Disconnect(context.Context, arn.ARN, string, string) error { return notLive() }
func (media) Close(context.Context, arn.ARN) error                      { return notLive() }

// keyring knows the key of the owner, and of each user one that is called as he is.
type keyring struct{ users *store.Table[resource.User] }

func (keyring) Lookup(string) (string, bool) { return secret, true }

func (k keyring) Principal(ctx context.Context, id, _ string) (awsapi.Principal, error) {
	p := awsapi.Principal{Account: account, AccessKeyID: id}
	if id == "root" {
		return p, nil
	}
	u, err := k.users.Get(ctx, records.IAMKey(account, id))
	if err != nil {
		return p, fault.Wrap(fault.Denied, err, "no such key")
	}
	p.Kind, p.Name, p.Path, p.ID, p.Tags = awsapi.PrincipalUser, u.Value.Name, u.Value.Path, u.Value.ID, u.Value.Tags
	return p, nil
}

// env is the channel and the stage service, over records of their own.
type env struct {
	iam      records.IAM
	channels records.Channels
	api      *awsapi.API
	access   *access.Authorizer
	away     atomic.Int64 // how long the engine has been silent
}

func start(t *testing.T) *env {
	t.Helper()
	ctx, e := context.Background(), &env{}
	conn, err := natsd.Start(ctx, natsd.Options{Dir: t.TempDir()})
	check(t, err)
	t.Cleanup(conn.Close)
	state, err := store.Open(ctx, conn, store.Options{})
	check(t, err)
	t.Cleanup(state.Close)
	node, err := cluster.Join(ctx, cluster.Options{Store: state, Conn: conn, NodeID: "one"})
	check(t, err)
	t.Cleanup(node.Close)
	all, err := records.Open(ctx, state, node, records.Options{StageHistory: store.DefaultLogAge})
	check(t, err)
	seed, err := state.Secret(ctx, "participant-token", 32)
	check(t, err)
	authority, err := token.NewAuthority(token.Options{Seed: seed, Records: token.Tables{Stages: all.Stages}})
	check(t, err)
	keys, err := accesskey.New(accesskey.Options{
		Records: all.IAM, Key: bytes.Repeat([]byte{8}, accesskey.KeySize), Root: accesskey.Root{ID: "root", Secret: secret, Account: account},
	})
	check(t, err)
	pager := awsapi.NewPager(bytes.Repeat([]byte{7}, 32))
	e.iam, e.channels = all.IAM, all.Channels
	services := []awsapi.Service{
		ivs.New(ivs.Options{
			Channels: all.Channels.Channels, Streams: all.Channels.Streams, Broadcasts: media{}, Pager: pager, Viewers: all.Viewers,
			IngestEndpoint: func(awsapi.Caller) string { return "" },
		}),
		iam.New(iam.Options{Records: all.IAM, Keys: keys, Pager: pager}),
		sts.New(sts.Options{Records: all.IAM, Keys: keys}),
		ivsrealtime.New(ivsrealtime.Options{Records: all.Stages, Media: media{}, Tokens: authority, Pager: pager}),
	}
	e.access = access.New(access.Options{
		Records: all.IAM, AsOf: func() time.Time { return time.Now().Add(-time.Duration(e.away.Load())) },
	})
	e.api, err = awsapi.New(awsapi.Options{Services: services, Credentials: keyring{all.IAM.Users}, Authorizer: e.access})
	check(t, err)
	return e
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// user makes a user with a policy; "" is none.
func (e *env) user(t *testing.T, name, document string) {
	t.Helper()
	u := resource.User{Account: account, ID: name, Path: "/", Name: name}
	if document != "" {
		u.Inline = map[string]string{"own": document}
	}
	_, err := e.iam.Users.Create(t.Context(), records.IAMKey(account, name), u)
	check(t, err)
}

// answer is what came back.
type answer struct {
	status int
	fields map[string]any
	text   string
}

// refused reports whether the caller may not do it, as a call or for the one ARN of a batch.
func (a answer) refused() bool {
	return a.status == http.StatusForbidden || a.status == http.StatusOK && strings.Contains(a.text, `"code":"403"`)
}

// call signs and sends a request of an operation: tag operations name a resource in their path.
func (e *env) call(t *testing.T, who, operation, body string) answer {
	t.Helper()
	method, path := http.MethodPost, "/"+operation
	if name, rest, ok := strings.Cut(operation, " "); ok {
		path = "/tags/" + url.PathEscape(rest)
		switch name {
		case "UntagResource":
			method, path = http.MethodDelete, path+"?tagKeys="+url.QueryEscape(body)
			body = ""
		case "ListTagsForResource":
			method = http.MethodGet
		}
	}
	r := httptest.NewRequest(method, "http://api.test"+path, strings.NewReader(body))
	s := sigv4.Signer{AccessKeyID: who, Secret: secret, Region: region, Service: "ivs"}
	s.Sign(r, sigv4.HashBody([]byte(body)), time.Now())
	w := httptest.NewRecorder()
	e.api.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	check(t, err)
	a := answer{status: w.Code, text: string(text)}
	if len(text) > 0 {
		check(t, json.Unmarshal(text, &a.fields))
	}
	return a
}

// made calls as the owner, who may do everything, and returns the ARN of a member of the answer.
func (e *env) made(t *testing.T, operation, body, member string) string {
	t.Helper()
	a := e.call(t, "root", operation, body)
	of, _ := a.fields[member].(map[string]any)
	text, _ := of["arn"].(string)
	if a.status != http.StatusOK || text == "" {
		t.Fatalf("%s: %d %s", operation, a.status, a.text)
	}
	return text
}

// want checks whether somebody may do something.
func (e *env) want(t *testing.T, may bool, who, operation, body string) {
	t.Helper()
	a := e.call(t, who, operation, body)
	if a.refused() == may || a.status >= http.StatusInternalServerError {
		t.Errorf("%s of %s: %d %s", operation, who, a.status, a.text)
	}
}

// teamPolicy is the example of ivs.md 18.2, for a team.
const teamPolicy = `{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":["ivs:GetChannel","ivs:UpdateChannel","ivs:DeleteChannel","ivs:ListTagsForResource","ivs:UntagResource"],"Resource":"arn:aws:ivs:*:*:channel/*",
  "Condition":{"StringEquals":{"aws:ResourceTag/Owner":"${aws:username}"}}},
 {"Effect":"Allow","Action":["ivs:CreateChannel","ivs:TagResource"],"Resource":"*",
  "Condition":{"StringEquals":{"aws:RequestTag/Team":"live"},"ForAllValues:StringEquals":{"aws:TagKeys":["Team","Owner"]}}},
 {"Effect":"Deny","Action":["ivs:TagResource","ivs:UntagResource"],"Resource":"*",
  "Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":"Owner"}}}]}`

// TestThreeUsers: what the tag policies of ivs.md 18.2 let alice, bob and carol do, who has no policy.
func TestThreeUsers(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.user(t, "alice", teamPolicy)
	e.user(t, "bob", teamPolicy)
	e.user(t, "carol", "")
	hers := e.made(t, "CreateChannel", `{"tags":{"Owner":"alice","Team":"live"}}`, "channel")
	his := e.made(t, "CreateChannel", `{"tags":{"owner":"bob"}}`, "channel")
	nobodys := e.made(t, "CreateChannel", `{}`, "channel")
	get := func(channel string) string { return `{"arn":"` + channel + `"}` }
	for channel, owner := range map[string]string{hers: "alice", his: "bob", nobodys: ""} {
		for _, who := range []string{"alice", "bob", "carol"} {
			e.want(t, who == owner, who, "GetChannel", get(channel))
			e.want(t, who == owner, who, "UpdateChannel", `{"arn":"`+channel+`","name":"x"}`)
			e.want(t, who == owner, who, "ListTagsForResource "+channel, "")
			e.want(t, false, who, "GetStream", `{"channelArn":"`+channel+`"}`)
			e.want(t, false, who, "UntagResource "+channel, "Owner")
			e.want(t, false, who, "TagResource "+channel, `{"tags":{"Owner":"mallory","Team":"live"}}`)
			e.want(t, false, who, "TagResource "+channel, `{"tags":{"Cost":"7","Team":"live"}}`)
		}
	}
	for body, may := range map[string]bool{
		`{"tags":{"Team":"live"}}`: true, `{"tags":{"Team":"live","Owner":"alice"}}`: true, `{}`: false, `{"tags":{"Team":"Live"}}`: false,
		`{"tags":{"team":"live"}}`: false, `{"tags":{"Team":"live","Cost":"7"}}`: false, `{"tags":{"Owner":"alice"}}`: false,
	} {
		e.want(t, may, "alice", "CreateChannel", body)
		e.want(t, false, "carol", "CreateChannel", body)
	}
	e.want(t, true, "bob", "TagResource "+nobodys, `{"tags":{"Team":"live"}}`)
	e.want(t, false, "alice", "ListChannels", `{}`)
	e.want(t, false, "alice", "DeleteChannel", get(his))
	e.want(t, true, "bob", "DeleteChannel", get(his))
	e.want(t, false, "bob", "GetChannel", get(his)) // what is not there has no tags
	e.want(t, true, "root", "GetChannel", get(hers))
}

// TestRefusal: the sentence that somebody reads who may not.
func TestRefusal(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.user(t, "alice", teamPolicy)
	channel := e.made(t, "CreateChannel", `{"tags":{"Owner":"bob"}}`, "channel")
	const who = "User: arn:aws:iam::" + account + ":user/alice is not authorized to perform: "
	for _, c := range []struct{ operation, body, want string }{
		{"GetChannel", `{"arn":"` + channel + `"}`, "ivs:GetChannel on resource: " + channel + " because no identity-based policy allows the ivs:GetChannel action"},
		{"ListChannels", `{}`, "ivs:ListChannels on resource: arn:aws:ivs:us-west-2:" + account + ":channel/* because no identity-based policy allows the ivs:ListChannels action"},
		{"TagResource " + channel, `{"tags":{"Owner":"alice"}}`, "ivs:TagResource on resource: " + channel + " with an explicit deny in an identity-based policy"},
	} {
		a := e.call(t, "alice", c.operation, c.body)
		if got := a.fields["message"]; a.status != http.StatusForbidden || got != who+c.want {
			t.Errorf("%s: %d %v", c.operation, a.status, got)
		}
	}
}

// TestEngineAway: what is known holds for ten seconds, then everybody is refused but the owner.
func TestEngineAway(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.user(t, "alice", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	channel := `{"arn":"` + e.made(t, "CreateChannel", `{}`, "channel") + `"}`
	for _, c := range []struct {
		away time.Duration
		may  bool
	}{{0, true}, {9 * time.Second, true}, {11 * time.Second, false}, {time.Hour, false}, {time.Second, true}} {
		e.away.Store(int64(c.away))
		e.want(t, c.may, "alice", "GetChannel", channel)
		e.want(t, true, "root", "GetChannel", channel)
	}
	if s := e.access.Stats(); s.Stale != 2 {
		t.Errorf("%+v", s)
	}
}

// TestRetagWhileActing: whoever changes a tag and whoever acts by it, meet at the record. A channel that is bob's by its tags
// is never changed by alice, however the two writes fall.
func TestRetagWhileActing(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.user(t, "alice", teamPolicy)
	channel := e.made(t, "CreateChannel", `{"name":"start","tags":{"Owner":"alice"}}`, "channel")
	a, err := arn.Parse(channel)
	check(t, err)
	stop, done := make(chan struct{}), make(chan struct{})
	var allowed, refused int
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if e.call(t, "alice", "UpdateChannel", `{"arn":"`+channel+`","name":"hers"}`).refused() {
				refused++
			} else {
				allowed++
			}
		}
	}()
	for i := range 60 {
		owner := []string{"bob", "alice"}[i%2]
		_, err := e.channels.Channels.Update(t.Context(), store.Key{Scope: a.Scope, ID: a.ID}, func(ch resource.Channel) (resource.Channel, error) {
			if ch.Tags["Owner"] == "bob" && ch.Name != "his" {
				return ch, fmt.Errorf("bob's channel is called %q", ch.Name)
			}
			ch.Tags, ch.Name = map[string]string{"Owner": owner}, "start"
			if owner == "bob" {
				ch.Name = "his"
			}
			return ch, nil
		})
		check(t, err)
	}
	close(stop)
	<-done
	t.Logf("%d changes of alice, %d refusals", allowed, refused)
}
