package iam_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

func userNames(users []types.User) []string {
	return names(users, func(u types.User) *string { return u.UserName })
}

func TestUserLife(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	made, err := c.CreateUser(ctx, &sdk.CreateUserInput{
		UserName: aws.String("Alice"), Path: aws.String("/team/live/"), Tags: []types.Tag{{Key: aws.String("Team"), Value: aws.String("live")}},
	})
	check(t, err)
	u := made.User
	if *u.Arn != "arn:aws:iam::111122223333:user/team/live/Alice" || !strings.HasPrefix(*u.UserId, "AIDA") || len(*u.UserId) != 21 ||
		*u.Path != "/team/live/" || u.CreateDate == nil || len(u.Tags) != 1 {
		t.Errorf("%+v", u)
	}
	got, err := c.GetUser(ctx, &sdk.GetUserInput{UserName: aws.String("alice")}) // names are not told apart by case
	check(t, err)
	if *got.User.UserName != "Alice" || *got.User.UserId != *u.UserId || *got.User.Tags[0].Value != "live" || !got.User.CreateDate.Equal(*u.CreateDate) {
		t.Errorf("%+v", got.User)
	}
	_, err = c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("ALICE")})
	wantError(t, err, "EntityAlreadyExists", "User with name ALICE already exists.")

	_, err = c.UpdateUser(ctx, &sdk.UpdateUserInput{UserName: aws.String("Alice"), NewUserName: aws.String("bob"), NewPath: aws.String("/")})
	check(t, err)
	_, err = c.GetUser(ctx, &sdk.GetUserInput{UserName: aws.String("Alice")})
	wantError(t, err, "NoSuchEntity", "The user with name Alice cannot be found.")
	got, err = c.GetUser(ctx, &sdk.GetUserInput{UserName: aws.String("bob")})
	check(t, err)
	if *got.User.UserId != *u.UserId || *got.User.Arn != "arn:aws:iam::111122223333:user/bob" {
		t.Errorf("the renamed user: %+v", got.User)
	}
	e.user(t, "carol")
	_, err = c.UpdateUser(ctx, &sdk.UpdateUserInput{UserName: aws.String("bob"), NewUserName: aws.String("Carol")})
	wantError(t, err, "EntityAlreadyExists", "User with name Carol already exists.")
	_, err = c.UpdateUser(ctx, &sdk.UpdateUserInput{UserName: aws.String("bob"), NewUserName: aws.String("Bob")})
	check(t, err)

	_, err = c.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: aws.String("bob")})
	check(t, err)
	_, err = c.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: aws.String("bob")})
	wantError(t, err, "NoSuchEntity", "The user with name bob cannot be found.")
	if again := e.user(t, "bob"); *again.UserId == *u.UserId || again.Tags != nil {
		t.Errorf("a user who is made again is the old one: %+v", again)
	}
}

func TestUserErrors(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	for name, in := range map[string]*sdk.CreateUserInput{
		"name":      {UserName: aws.String("a/b")},
		"long name": {UserName: aws.String(strings.Repeat("a", 65))},
		"path":      {UserName: aws.String("a"), Path: aws.String("team/")},
		"reserved":  {UserName: aws.String("a"), Tags: []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}},
		"twice": {UserName: aws.String("a"), Tags: []types.Tag{
			{Key: aws.String("Team"), Value: aws.String("")}, {Key: aws.String("team"), Value: aws.String("")},
		}},
	} {
		if _, err := c.CreateUser(ctx, in); err == nil {
			t.Errorf("%s: a user is made", name)
		} else {
			wantCode(t, err, "ValidationError")
		}
	}
	_, err := c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String("a"), PermissionsBoundary: aws.String("arn:aws:iam::111122223333:policy/none")})
	wantError(t, err, "NoSuchEntity", "Policy arn:aws:iam::111122223333:policy/none does not exist or is not attachable.")
	_, err = c.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{})
	wantError(t, err, "ValidationError", "Must specify userName when calling with non-User credentials")
	root, err := c.GetUser(ctx, &sdk.GetUserInput{})
	if err != nil || *root.User.Arn != "arn:aws:iam::111122223333:root" || *root.User.UserId != account {
		t.Errorf("the owner: %+v, %v", root, err)
	}
}

// TestCallersOwn: who does not name a user means himself.
func TestCallersOwn(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	e.user(t, "alice")
	k := e.key(t, "alice")
	c := e.as(*k.AccessKeyId, *k.SecretAccessKey, "")
	got, err := c.GetUser(ctx, &sdk.GetUserInput{})
	if err != nil || *got.User.UserName != "alice" {
		t.Fatalf("%+v, %v", got, err)
	}
	second, err := c.CreateAccessKey(ctx, &sdk.CreateAccessKeyInput{})
	check(t, err)
	listed, err := c.ListAccessKeys(ctx, &sdk.ListAccessKeysInput{})
	if err != nil || len(listed.AccessKeyMetadata) != 2 {
		t.Fatalf("%+v, %v", listed, err)
	}
	_, err = c.UpdateAccessKey(ctx, &sdk.UpdateAccessKeyInput{AccessKeyId: second.AccessKey.AccessKeyId, Status: types.StatusTypeInactive})
	check(t, err)
	_, err = c.DeleteAccessKey(ctx, &sdk.DeleteAccessKeyInput{AccessKeyId: second.AccessKey.AccessKeyId})
	check(t, err)
}

func TestUserTags(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	e.user(t, "alice")
	tag := func(pairs ...string) error {
		in := &sdk.TagUserInput{UserName: aws.String("alice")}
		for i := 0; i < len(pairs); i += 2 {
			in.Tags = append(in.Tags, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
		}
		_, err := c.TagUser(ctx, in)
		return err
	}
	check(t, tag("Team", "live", "Cost", "1"))
	check(t, tag("team", "other")) // keys are not told apart by case: the new spelling replaces the old
	out, err := c.ListUserTags(ctx, &sdk.ListUserTagsInput{UserName: aws.String("alice")})
	check(t, err)
	if len(out.Tags) != 2 || *out.Tags[0].Key != "Cost" || *out.Tags[1].Key != "team" || *out.Tags[1].Value != "other" || out.IsTruncated {
		t.Errorf("%+v", out.Tags)
	}
	_, err = c.UntagUser(ctx, &sdk.UntagUserInput{UserName: aws.String("alice"), TagKeys: []string{"TEAM", "none"}})
	check(t, err)
	var more []string
	for i := range 49 {
		more = append(more, fmt.Sprint("k", i), "v")
	}
	check(t, tag(more...))
	wantError(t, tag("one", "too many"), "LimitExceeded", "Cannot exceed quota for TagsPerResource: 50")
	page, err := c.ListUserTags(ctx, &sdk.ListUserTagsInput{UserName: aws.String("alice"), MaxItems: aws.Int32(30)})
	check(t, err)
	rest, err := c.ListUserTags(ctx, &sdk.ListUserTagsInput{UserName: aws.String("alice"), Marker: page.Marker})
	check(t, err)
	if len(page.Tags) != 30 || !page.IsTruncated || len(rest.Tags) != 20 || rest.IsTruncated {
		t.Errorf("pages of %d and %d", len(page.Tags), len(rest.Tags))
	}
}

func TestListUsers(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	for _, name := range []string{"dora", "Bert", "anna", "Carl"} {
		_, err := c.CreateUser(ctx, &sdk.CreateUserInput{UserName: aws.String(name), Path: aws.String("/" + strings.ToLower(name[:1]) + "/")})
		check(t, err)
	}
	var all []string
	pages := sdk.NewListUsersPaginator(c, &sdk.ListUsersInput{MaxItems: aws.Int32(3)})
	count := 0
	for ; pages.HasMorePages(); count++ {
		p, err := pages.NextPage(ctx)
		check(t, err)
		all = append(all, userNames(p.Users)...)
	}
	if !slices.Equal(all, []string{"anna", "Bert", "Carl", "dora"}) || count != 2 {
		t.Errorf("%v on %d pages", all, count)
	}
	some, err := c.ListUsers(ctx, &sdk.ListUsersInput{PathPrefix: aws.String("/b")})
	if err != nil || !slices.Equal(userNames(some.Users), []string{"Bert"}) || some.Marker != nil {
		t.Errorf("%+v, %v", some, err)
	}
	first, err := c.ListUsers(ctx, &sdk.ListUsersInput{MaxItems: aws.Int32(1)})
	check(t, err)
	_, err = c.ListUsers(ctx, &sdk.ListUsersInput{PathPrefix: aws.String("/b"), Marker: first.Marker}) // of another list
	wantError(t, err, "ValidationError", "Invalid Marker.")
	_, err = c.ListGroups(ctx, &sdk.ListGroupsInput{Marker: first.Marker})
	wantError(t, err, "ValidationError", "Invalid Marker.")
}
