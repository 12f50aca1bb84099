package iam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	sdksts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/rivus-live/rivus/internal/access"
	"github.com/rivus-live/rivus/internal/accesskey"
	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/iam"
	"github.com/rivus-live/rivus/internal/natsd"
	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/store"
	"github.com/rivus-live/rivus/internal/sts"
)

const (
	account    = "111122223333"
	rootID     = "AKIAROOTROOTROOTROOT"
	rootSecret = "the secret of the owner"
	region     = "us-east-1"

	readAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ivs:Get*","Resource":"*"}]}`
	trust   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}]}`
)

// env is IAM and STS over a state engine of its own.
type env struct {
	state *store.Store
	keys  *accesskey.Authority
	opts  iam.Options
	now   atomic.Int64 // the clock of keys and records; that of signatures is the system's
	url   string

	decide atomic.Pointer[func(awsapi.Access) error] // nil: whatever it is, it is allowed
}

// Authorize implements awsapi.Authorizer. Every decision depends on the tags of the record, so that a handler which does not
// ask about its record fails.
func (e *env) Authorize(_ context.Context, a awsapi.Access) error {
	if !a.TagsKnown {
		return awsapi.ErrTagsNeeded
	}
	if decide := e.decide.Load(); decide != nil {
		return (*decide)(a)
	}
	return nil
}

func start(tb testing.TB) *env {
	tb.Helper()
	return startIn(tb, tb.TempDir())
}

// startIn is start with the state of an earlier life, which has ended when its test's cleanup has run.
func startIn(tb testing.TB, dir string) *env {
	tb.Helper()
	conn, err := natsd.Start(context.Background(), natsd.Options{Dir: dir})
	check(tb, err)
	tb.Cleanup(conn.Close)
	e := &env{}
	e.state, err = store.Open(context.Background(), conn, store.Options{})
	check(tb, err)
	tb.Cleanup(e.state.Close)
	e.now.Store(time.Now().UnixNano())
	clock := func() time.Time { return time.Unix(0, e.now.Load()) }
	tables, err := records.OpenIAM(context.Background(), e.state)
	check(tb, err)
	e.opts = iam.Options{
		Records: tables, Decisions: access.New(access.Options{Records: tables, AsOf: e.state.FactsAsOf}), Pager: awsapi.NewPager(bytes.Repeat([]byte{7}, 32)), Clock: clock,
	}
	e.keys, err = accesskey.New(accesskey.Options{
		Records: tables, Key: bytes.Repeat([]byte{8}, 32), Root: accesskey.Root{ID: rootID, Secret: rootSecret, Account: account}, Clock: clock,
	})
	check(tb, err)
	e.opts.Keys = e.keys
	api, err := awsapi.New(awsapi.Options{
		Services: []awsapi.Service{
			iam.New(e.opts), sts.New(sts.Options{Records: tables, Keys: e.keys}),
		},
		Credentials: e.keys, Authorizer: e, Used: e.keys.Used,
	})
	check(tb, err)
	srv := httptest.NewServer(api)
	tb.Cleanup(srv.Close)
	e.url = srv.URL
	return e
}

// root returns a client with the owner's key.
func (e *env) root() *sdk.Client { return e.as(rootID, rootSecret, "") }

// as returns a client with a key.
func (e *env) as(id, secret, token string) *sdk.Client {
	return sdk.New(sdk.Options{
		BaseEndpoint: &e.url, Region: region, Retryer: aws.NopRetryer{}, Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
	})
}

// sts returns a client of the token service with a key.
func (e *env) sts(id, secret, token string) *sdksts.Client {
	return sdksts.New(sdksts.Options{
		BaseEndpoint: &e.url, Region: region, Retryer: aws.NopRetryer{}, Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
	})
}

func (e *env) advance(d time.Duration) { e.now.Add(int64(d)) }

func (e *env) user(tb testing.TB, name string) *types.User {
	tb.Helper()
	out, err := e.root().CreateUser(tb.Context(), &sdk.CreateUserInput{UserName: &name})
	check(tb, err)
	return out.User
}

func (e *env) key(tb testing.TB, user string) *types.AccessKey {
	tb.Helper()
	out, err := e.root().CreateAccessKey(tb.Context(), &sdk.CreateAccessKeyInput{UserName: &user})
	check(tb, err)
	return out.AccessKey
}

func (e *env) group(tb testing.TB, name string) *types.Group {
	tb.Helper()
	out, err := e.root().CreateGroup(tb.Context(), &sdk.CreateGroupInput{GroupName: &name})
	check(tb, err)
	return out.Group
}

func (e *env) role(tb testing.TB, name string) {
	tb.Helper()
	_, err := e.root().CreateRole(tb.Context(), &sdk.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trust)})
	check(tb, err)
}

// policy makes a managed policy and returns its ARN.
func (e *env) policy(tb testing.TB, name string) *string {
	tb.Helper()
	out, err := e.root().CreatePolicy(tb.Context(), &sdk.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(readAll)})
	check(tb, err)
	return out.Policy.Arn
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// wantCode checks the name of an API error.
func wantCode(tb testing.TB, err error, code string) {
	tb.Helper()
	wantError(tb, err, code, "")
}

// wantError checks the name and the text of an API error; "" is any text.
func wantError(tb testing.TB, err error, code, text string) {
	tb.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code || text != "" && api.ErrorMessage() != text {
		tb.Errorf("error %v, want %s: %s", err, code, text)
	}
}

func names[T any](list []T, name func(T) *string) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = *name(v)
	}
	return out
}

// jsonOf returns a record as it is stored.
func jsonOf(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	check(tb, err)
	return string(b)
}
