package awsapi_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/ivs"
	"github.com/rivus-live/rivus/internal/sigv4"
)

// temporary knows temporary keys, each with the token that belongs to it.
type temporary struct{}

const tempKey, tempToken = "ASIATEST", "token/of+ASIATEST=="

func (temporary) Lookup(id string) (secret string, ok bool) {
	return testSecret, strings.HasPrefix(id, "ASIA") || id == testKey
}

func (temporary) Principal(_ context.Context, id, token string) (awsapi.Principal, error) {
	switch {
	case id == "ASIAOVER":
		return awsapi.Principal{}, fault.New(fault.Expired, "The security token included in the request is expired")
	case id == "ASIAUNKNOWABLE":
		return awsapi.Principal{}, fault.New(fault.Unavailable, "keys cannot be read now")
	case (token != "") != strings.HasPrefix(id, "ASIA"), token != "" && token != tempToken:
		return awsapi.Principal{}, fault.New(fault.Denied, "not of this key")
	}
	return awsapi.Principal{
		Account: testAccount, AccessKeyID: id, Kind: awsapi.PrincipalRole, Name: "encoder", ID: "AROAX", Session: "me", Issued: time.Unix(1700000000, 0),
	}, nil
}

// anAPI makes an API with temporary keys over a fake service.
func anAPI(t *testing.T, opts awsapi.Options) (*fake, *awsapi.API) {
	t.Helper()
	f := &fake{}
	opts.Services, opts.Credentials, opts.Authorizer = []awsapi.Service{f, neighbours()}, temporary{}, awsapi.Owner{}
	api, err := awsapi.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return f, api
}

// signedAs makes a call with a key and a token.
func signedAs(c call, key, token string) call {
	service := c.service
	if service == "" {
		service = "ivs"
	}
	c.unsigned = true
	c.change = func(r *http.Request) {
		sigv4.Signer{AccessKeyID: key, Secret: testSecret, SessionToken: token, Region: testRegion, Service: service}.
			Sign(r, sigv4.HashBody([]byte(c.body)), time.Now())
	}
	return c
}

// TestSessionTokens: temporary keys are good with their own token, signed, until they are over; every protocol tells it in
// its own names.
func TestSessionTokens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, key, token        string
		rest, query, targeted   string // error names, "" when it is allowed
		restStatus, queryStatus int
	}{
		{"good", tempKey, tempToken, "", "", "", 200, 200},
		{"missing", tempKey, "", "UnrecognizedClientException", "InvalidClientTokenId", "UnrecognizedClientException", 403, 403},
		{"foreign", tempKey, "other", "UnrecognizedClientException", "InvalidClientTokenId", "UnrecognizedClientException", 403, 403},
		{"beside a permanent key", testKey, tempToken, "UnrecognizedClientException", "InvalidClientTokenId", "UnrecognizedClientException", 403, 403},
		{"over", "ASIAOVER", tempToken, "ExpiredTokenException", "ExpiredToken", "ExpiredTokenException", 403, 403},
		{"unknowable", "ASIAUNKNOWABLE", tempToken, "InternalServerException", "InternalFailure", "InternalException", 500, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, api := anAPI(t, awsapi.Options{})
			a := do(t, api, signedAs(call{path: "/GetChannel", body: getBody(channelARN)}, c.key, c.token))
			if a.status != c.restStatus || a.header.Get("X-Amzn-Errortype") != c.rest {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
			p := f.seen.Principal
			if c.rest == "" && (p.ARN() != "arn:aws:sts::111122223333:assumed-role/encoder/me" || p.UserID() != "AROAX:me" || f.seen.Account != testAccount) {
				t.Errorf("%+v", f.seen)
			}
			status, q := askQuery(t, api, signedAs(call{body: "Action=GetTopicAttributes&Version=2010-03-31&TopicArn=arn:aws:sns:us-west-2:111122223333:t", service: "sns"}, c.key, c.token))
			if status != c.queryStatus || q.Code != c.query {
				t.Errorf("%d %+v", status, q)
			}
			if a := askTarget(t, api, "AWSEvents.DeleteRule", signedAs(call{body: `{"Name":"r"}`, service: "events"}, c.key, c.token)); a.header.Get("X-Amzn-Errortype") != c.targeted ||
				a.status != 200 && a.status != 400 && a.status != 500 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// TestSessionTokenIsSigned: a token that is not part of what is signed could be anybody's; in a presigned URL it always is.
func TestSessionTokenIsSigned(t *testing.T) {
	t.Parallel()
	_, api := anAPI(t, awsapi.Options{})
	c := signedAs(call{path: "/GetChannel", body: getBody(channelARN)}, tempKey, "")
	sign := c.change
	c.change = func(r *http.Request) {
		sign(r)
		r.Header.Set("X-Amz-Security-Token", tempToken)
	}
	wantError(t, do(t, api, c), 403, "IncompleteSignatureException")
	c.change = func(r *http.Request) {
		s := sigv4.Signer{AccessKeyID: tempKey, Secret: testSecret, SessionToken: tempToken, Region: testRegion, Service: "ivs"}
		s.Presign(r, sigv4.HashBody([]byte(c.body)), time.Now(), time.Minute)
	}
	if a := do(t, api, c); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestRequestContext: conditions are about the client, and a client cannot say that it is another one.
func TestRequestContext(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest requests come from 192.0.2.1
	for _, c := range []struct {
		name    string
		proxies []netip.Prefix
		header  http.Header
		tls     bool
		want    awsapi.Request
	}{
		{"a peer", nil, nil, false, awsapi.Request{Address: netip.MustParseAddr("192.0.2.1")}},
		{"TLS", nil, http.Header{"User-Agent": {"Boto3/1"}}, true, awsapi.Request{Address: netip.MustParseAddr("192.0.2.1"), Secure: true, UserAgent: "Boto3/1"}},
		{"a forged header", nil, http.Header{"X-Forwarded-For": {"203.0.113.5"}, "X-Forwarded-Proto": {"https"}}, false, awsapi.Request{Address: netip.MustParseAddr("192.0.2.1")}},
		{
			"a proxy", proxies,
			http.Header{"X-Forwarded-For": {"10.9.9.9, 203.0.113.5"}, "X-Forwarded-Proto": {"https"}},
			false,
			awsapi.Request{Address: netip.MustParseAddr("203.0.113.5"), Secure: true},
		},
		{"two proxies", proxies, http.Header{"X-Forwarded-For": {"203.0.113.5", "192.0.2.9"}}, false, awsapi.Request{Address: netip.MustParseAddr("203.0.113.5")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, api := anAPI(t, awsapi.Options{TrustedProxies: c.proxies})
			signed := signedAs(call{path: "/GetChannel", body: getBody(channelARN), header: c.header}, tempKey, tempToken)
			sign := signed.change
			signed.change = func(r *http.Request) {
				sign(r)
				if c.tls {
					r.TLS = &tls.ConnectionState{}
				}
			}
			if a := do(t, api, signed); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			got := f.seen.Request
			if time.Since(got.Time) > time.Hour {
				t.Errorf("time %v", got.Time)
			}
			got.Time = time.Time{}
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestPrincipals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p             awsapi.Principal
		arn, id, kind string
	}{
		{awsapi.Principal{Account: "1"}, "arn:aws:iam::1:root", "1", "Account"},
		{awsapi.Principal{Account: "1", Kind: awsapi.PrincipalUser, Name: "a", ID: "AIDAX"}, "arn:aws:iam::1:user/a", "AIDAX", "User"},
		{awsapi.Principal{Account: "1", Kind: awsapi.PrincipalUser, Name: "a", Path: "/b/c/", ID: "AIDAX"}, "arn:aws:iam::1:user/b/c/a", "AIDAX", "User"},
		{awsapi.Principal{Account: "1", Kind: awsapi.PrincipalRole, Name: "r", Path: "/b/", ID: "AROAX", Session: "s"}, "arn:aws:sts::1:assumed-role/r/s", "AROAX:s", "AssumedRole"},
		{awsapi.Principal{Kind: awsapi.PrincipalAnonymous}, "anonymous", "anonymous", "Anonymous"},
	} {
		if c.p.ARN() != c.arn || c.p.UserID() != c.id || c.p.Kind.String() != c.kind {
			t.Errorf("%s %s %s, want %+v", c.p.ARN(), c.p.UserID(), c.p.Kind, c)
		}
	}
}

// byTags is an Authorizer whose decisions depend on the tags of the resource alone.
type byTags struct{ asked *[]map[string]string }

func (b byTags) Authorize(_ context.Context, a awsapi.Access) error {
	switch {
	case !a.TagsKnown:
		return awsapi.ErrTagsNeeded
	case b.asked != nil:
		*b.asked = append(*b.asked, a.Tags)
	}
	if a.Tags["team"] == "video" {
		return nil
	}
	return fault.New(fault.Denied, "because no identity-based policy allows the %s action", a.Caller.Action)
}

// TestTagsDecide: what depends on tags is decided by the handler on the record, and nothing gets past that.
func TestTagsDecide(t *testing.T) {
	t.Parallel()
	video := map[string]string{"team": "video"}
	get := func(c *awsapi.Caller, in *ivs.GetChannelRequest, tags map[string]string) error {
		a, err := c.Own(in.Arn)
		if err == nil {
			err = c.May(a, tags)
		}
		return err
	}
	const denied = "is not authorized to perform: ivs:GetChannel on resource: " + channelARN + " because no identity-based policy allows the ivs:GetChannel action"
	for _, c := range []struct {
		name    string
		handler func(c *awsapi.Caller, in *ivs.GetChannelRequest) error
		status  int
		text    string
	}{
		{"allowed", func(c *awsapi.Caller, in *ivs.GetChannelRequest) error { return get(c, in, video) }, 200, ""},
		{"denied", func(c *awsapi.Caller, in *ivs.GetChannelRequest) error { return get(c, in, nil) }, 403, denied},
		{"changed meanwhile", func(c *awsapi.Caller, in *ivs.GetChannelRequest) error {
			if err := get(c, in, video); err != nil {
				return err
			}
			return get(c, in, map[string]string{"team": "audio"})
		}, 403, denied},
		{"forgotten", func(*awsapi.Caller, *ivs.GetChannelRequest) error { return nil }, 500, "log"},
		{"another resource", func(c *awsapi.Caller, _ *ivs.GetChannelRequest) error {
			other, err := c.Own(channelARN)
			other.ID = "other"
			if err == nil {
				err = c.May(other, video)
			}
			return err
		}, 500, "log"},
		{"not there", func(_ *awsapi.Caller, in *ivs.GetChannelRequest) error { return awsapi.NotFound(in.Arn) }, 403, denied},
		{"not there, told early", func(c *awsapi.Caller, in *ivs.GetChannelRequest) error {
			a, _ := c.Own(in.Arn)
			return c.Missing(a, awsapi.NotFound(in.Arn))
		}, 403, denied},
		{"invalid before", func(*awsapi.Caller, *ivs.GetChannelRequest) error { return fault.New(fault.Invalid, "bad") }, 400, "bad"},
		{"not there after", func(c *awsapi.Caller, in *ivs.GetChannelRequest) error {
			if err := get(c, in, video); err != nil {
				return err
			}
			return awsapi.NotFound(in.Arn)
		}, 404, "not found"},
		{"another action", func(c *awsapi.Caller, in *ivs.GetChannelRequest) error {
			err := get(c, in, video)
			if err == nil {
				a, _ := c.Own(in.Arn)
				as := c.Doing("sns:Publish")
				err = as.May(a, nil)
			}
			return err
		}, 403, "is not authorized to perform: SNS:Publish on resource: " + channelARN},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			log, logged := logBuffer()
			f := &fake{getChannel: func(_ context.Context, caller awsapi.Caller, in *ivs.GetChannelRequest) (*ivs.GetChannelResponse, error) {
				return nil, c.handler(&caller, in)
			}}
			api := newAPI(t, awsapi.Options{Services: []awsapi.Service{f}, Authorizer: byTags{}, Logger: log})
			a := do(t, api, call{path: "/GetChannel", body: getBody(channelARN)})
			text, _ := a.fields["message"].(string)
			if a.status != c.status || !strings.Contains(text, c.text) {
				t.Errorf("%d %s", a.status, a.body)
			}
			if c.status == 500 && !strings.Contains(logged(), "has not decided about "+channelARN) {
				t.Errorf("log %s", logged())
			}
		})
	}
}

// TestNamesAreJudged: what IAM's requests name lacks its path, so every decision is the record's.
func TestNamesAreJudged(t *testing.T) {
	t.Parallel()
	var asked []map[string]string
	api := newBare(t, awsapi.Options{Services: []awsapi.Service{neighbours()}, Authorizer: byTags{&asked}})
	ask := func(name string) (int, queryAnswer) {
		return askQuery(t, api, call{body: "Action=GetUser&Version=2010-05-08&UserName=" + name, service: "iam"})
	}
	if status, a := ask("alice"); status != 200 || len(asked) != 1 {
		t.Errorf("%d %+v, asked %v", status, a, asked)
	}
	if status, a := ask("mallory"); status != 403 || !strings.Contains(a.Message, "iam:GetUser on resource: arn:aws:iam::111122223333:user/team/mallory because") {
		t.Errorf("%d %+v", status, a)
	}
	if status, a := ask("nobody"); status != 403 || !strings.Contains(a.Message, "arn:aws:iam::111122223333:user/nobody because") {
		t.Errorf("who may not read may not learn who is there: %d %+v", status, a)
	}
	if status, a := ask("forgotten"); status != 500 {
		t.Errorf("%d %+v", status, a)
	}
}

// TestMayCostsNothing: where the Authorizer has allowed a target outright, a record is not worth a question.
func TestMayCostsNothing(t *testing.T) {
	var cost float64
	f := &fake{getChannel: func(_ context.Context, c awsapi.Caller, in *ivs.GetChannelRequest) (*ivs.GetChannelResponse, error) {
		a, err := c.Own(in.Arn)
		cost = testing.AllocsPerRun(100, func() {
			if err := c.May(a, nil); err != nil {
				t.Error(err)
			}
		})
		return nil, err
	}}
	j := &judge{answer: func(string) error { return nil }}
	api := newAPI(t, awsapi.Options{Services: []awsapi.Service{f}, Authorizer: j})
	if a := do(t, api, call{path: "/GetChannel", body: getBody(channelARN)}); a.status != 200 || cost != 0 || len(j.asked) != 1 {
		t.Errorf("%d, %v allocations, asked %d times", a.status, cost, len(j.asked))
	}
}
