package iam_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

func groupNames(groups []types.Group) []string {
	return names(groups, func(g types.Group) *string { return g.GroupName })
}

func TestGroupLife(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	g := e.group(t, "Editors")
	for _, name := range []string{"carol", "alice", "Bob"} {
		e.user(t, name)
		_, err := c.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: aws.String("editors"), UserName: aws.String(name)})
		check(t, err)
	}
	_, err := c.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: aws.String("Editors"), UserName: aws.String("alice")}) // once more
	check(t, err)
	first, err := c.GetGroup(ctx, &sdk.GetGroupInput{GroupName: aws.String("Editors"), MaxItems: aws.Int32(2)})
	check(t, err)
	rest, err := c.GetGroup(ctx, &sdk.GetGroupInput{GroupName: aws.String("Editors"), Marker: first.Marker})
	check(t, err)
	if all := userNames(append(first.Users, rest.Users...)); !slices.Equal(all, []string{"alice", "Bob", "carol"}) || !first.IsTruncated || rest.IsTruncated {
		t.Errorf("%v", all)
	}
	if *first.Group.Arn != "arn:aws:iam::111122223333:group/Editors" || *first.Group.GroupId != *g.GroupId {
		t.Errorf("%+v", first.Group)
	}

	_, err = c.UpdateGroup(ctx, &sdk.UpdateGroupInput{GroupName: aws.String("Editors"), NewGroupName: aws.String("writers"), NewPath: aws.String("/x/")})
	check(t, err)
	of, err := c.ListGroupsForUser(ctx, &sdk.ListGroupsForUserInput{UserName: aws.String("alice")})
	if err != nil || !slices.Equal(groupNames(of.Groups), []string{"writers"}) || *of.Groups[0].Path != "/x/" {
		t.Errorf("%+v, %v", of, err)
	}
	listed, err := c.ListGroups(ctx, &sdk.ListGroupsInput{PathPrefix: aws.String("/x/")})
	if err != nil || !slices.Equal(groupNames(listed.Groups), []string{"writers"}) {
		t.Errorf("%+v, %v", listed, err)
	}

	_, err = c.DeleteGroup(ctx, &sdk.DeleteGroupInput{GroupName: aws.String("writers")})
	wantCode(t, err, "DeleteConflict")
	_, err = c.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: aws.String("alice")})
	wantCode(t, err, "DeleteConflict")
	for _, name := range []string{"alice", "Bob", "carol"} {
		_, err := c.RemoveUserFromGroup(ctx, &sdk.RemoveUserFromGroupInput{GroupName: aws.String("writers"), UserName: aws.String(name)})
		check(t, err)
	}
	_, err = c.RemoveUserFromGroup(ctx, &sdk.RemoveUserFromGroupInput{GroupName: aws.String("writers"), UserName: aws.String("alice")})
	wantCode(t, err, "NoSuchEntity")
	_, err = c.DeleteGroup(ctx, &sdk.DeleteGroupInput{GroupName: aws.String("writers")})
	check(t, err)
	_, err = c.GetGroup(ctx, &sdk.GetGroupInput{GroupName: aws.String("writers")})
	wantError(t, err, "NoSuchEntity", "The group with name writers cannot be found.")
}

func TestGroupErrors(t *testing.T) {
	t.Parallel()
	e, ctx := start(t), t.Context()
	c := e.root()
	e.group(t, "editors")
	_, err := c.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: aws.String("EDITORS")})
	wantError(t, err, "EntityAlreadyExists", "Group with name EDITORS already exists.")
	_, err = c.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: aws.String("editors"), UserName: aws.String("nobody")})
	wantError(t, err, "NoSuchEntity", "The user with name nobody cannot be found.")
	e.user(t, "alice")
	_, err = c.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: aws.String("none"), UserName: aws.String("alice")})
	wantError(t, err, "NoSuchEntity", "The group with name none cannot be found.")
	for i := range 11 {
		name := fmt.Sprintf("g%d", i)
		e.group(t, name)
		_, err = c.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: &name, UserName: aws.String("alice")})
		if i < 10 {
			check(t, err)
		}
	}
	wantError(t, err, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10")
}
