package iam_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/rivus-live/rivus/internal/awsapi"
	"github.com/rivus-live/rivus/internal/fault"
	"github.com/rivus-live/rivus/internal/sigv4"
)

// asked are the requests of all operations about what stock makes, and the resource that policies are asked about.
func asked() map[string][2]string {
	const arn = "arn:aws:iam::111122223333:"
	user, group, role, policy := [2]string{"UserName=Ann", arn + "user/x/Ann"}, [2]string{"GroupName=g", arn + "group/g"},
		[2]string{"RoleName=r", arn + "role/r"}, [2]string{"PolicyArn=" + arn + "policy/p", arn + "policy/p"}
	with := func(of [2]string, form string) [2]string { return [2]string{of[0] + "&" + form, of[1]} }
	document := "PolicyDocument=" + strings.ReplaceAll(readAll, "+", "%2B")
	all := map[string][2]string{
		"CreateUser": {"UserName=new&Path=/y/", arn + "user/y/new"}, "ListUsers": {"", arn + "user/*"},
		"GetUser": user, "UpdateUser": with(user, "NewPath=/"), "DeleteUser": user, "ListUserTags": user, "ListGroupsForUser": user,
		"TagUser": with(user, "Tags.member.1.Key=a&Tags.member.1.Value=b"), "UntagUser": with(user, "TagKeys.member.1=a"),
		"CreateAccessKey": user, "ListAccessKeys": user, "UpdateAccessKey": with(user, "AccessKeyId=AKIAQQQQQQQQQQQQQQQQ&Status=Inactive"),
		"DeleteAccessKey": with(user, "AccessKeyId=AKIAQQQQQQQQQQQQQQQQ"), "GetAccessKeyLastUsed": {"AccessKeyId=AKIAQQQQQQQQQQQQQQQQ", arn + "user/*"},
		"CreateGroup": {"GroupName=new", arn + "group/new"}, "ListGroups": {"", arn + "group/*"}, "GetGroup": group,
		"UpdateGroup": with(group, "NewPath=/"), "DeleteGroup": group, "AddUserToGroup": with(group, "UserName=Ann"), "RemoveUserFromGroup": with(group, "UserName=Ann"),
		"CreateRole": {"RoleName=new&AssumeRolePolicyDocument=" + trust, arn + "role/new"}, "ListRoles": {"", arn + "role/*"}, "GetRole": role,
		"UpdateRole": role, "UpdateRoleDescription": with(role, "Description=d"), "UpdateAssumeRolePolicy": with(role, "PolicyDocument="+trust),
		"DeleteRole": role, "ListRoleTags": role, "TagRole": with(role, "Tags.member.1.Key=a&Tags.member.1.Value=b"), "UntagRole": with(role, "TagKeys.member.1=a"),
		"CreatePolicy": {"PolicyName=new&Path=/y/&" + document, arn + "policy/y/new"}, "ListPolicies": {"", arn + "policy/*"},
		"GetPolicy": policy, "DeletePolicy": policy, "ListEntitiesForPolicy": policy, "ListPolicyTags": policy,
		"TagPolicy": with(policy, "Tags.member.1.Key=a&Tags.member.1.Value=b"), "UntagPolicy": with(policy, "TagKeys.member.1=a"),
		"CreatePolicyVersion": with(policy, document), "GetPolicyVersion": with(policy, "VersionId=v1"), "ListPolicyVersions": policy,
		"DeletePolicyVersion": with(policy, "VersionId=v1"), "SetDefaultPolicyVersion": with(policy, "VersionId=v1"),
		"SimulatePrincipalPolicy": {"PolicySourceArn=" + arn + "user/x/Ann&ActionNames.member.1=ivs:GetChannel", arn + "user/x/Ann"},
		"SimulateCustomPolicy":    {"PolicyInputList.member.1=" + readAll + "&ActionNames.member.1=ivs:GetChannel", "arn:aws:iam::111122223333:*"},
		"ListSSHPublicKeys":       user, "ListMFADevices": user, "ListSigningCertificates": user, "ListServiceSpecificCredentials": user, "DeleteLoginProfile": user,
		"ListVirtualMFADevices": {"", arn + "mfa/*"}, "ListInstanceProfilesForRole": role,
	}
	for kind, of := range map[string][2]string{"User": user, "Group": group, "Role": role} {
		all["Put"+kind+"Policy"] = with(of, "PolicyName=in&"+document)
		all["Get"+kind+"Policy"], all["Delete"+kind+"Policy"] = with(of, "PolicyName=in"), with(of, "PolicyName=in")
		all["List"+kind+"Policies"], all["ListAttached"+kind+"Policies"] = of, of
		all["Attach"+kind+"Policy"], all["Detach"+kind+"Policy"] = with(of, policy[0]), with(of, policy[0])
	}
	return all
}

// stock makes what the requests of asked are about.
func stock(tb testing.TB, e *env) {
	tb.Helper()
	_, err := e.root().CreateUser(tb.Context(), &sdk.CreateUserInput{UserName: aws.String("Ann"), Path: aws.String("/x/")})
	check(tb, err)
	e.group(tb, "g")
	e.role(tb, "r")
	e.policy(tb, "p")
}

// operations are the names of all operations of the contract.
func operations(tb testing.TB) map[string]bool {
	tb.Helper()
	all := map[string]bool{}
	var model struct{ Operations map[string]any }
	read(tb, "../../api/model/iam.json", &model)
	var additions []struct {
		Model      string
		Operations map[string]any
	}
	read(tb, "../../api/additions.json", &additions)
	for _, a := range additions {
		if a.Model == "iam" {
			for name := range a.Operations {
				all[name] = true
			}
		}
	}
	for name := range model.Operations {
		all[name] = true
	}
	return all
}

func read(tb testing.TB, name string, v any) {
	tb.Helper()
	b, err := os.ReadFile(name)
	check(tb, err)
	check(tb, json.Unmarshal(b, v))
}

// call makes a request of the owner and returns the status and the answer.
func (e *env) call(tb testing.TB, operation, form string) (int, string) {
	tb.Helper()
	body := "Action=" + operation + "&Version=2010-05-08"
	if form != "" {
		body += "&" + form
	}
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, e.url+"/", strings.NewReader(body))
	check(tb, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	signer := sigv4.Signer{AccessKeyID: rootID, Secret: rootSecret, Region: region, Service: "iam"}
	signer.Sign(r, sigv4.HashBody([]byte(body)), time.Now())
	resp, err := http.DefaultClient.Do(r)
	check(tb, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	check(tb, err)
	return resp.StatusCode, string(answer)
}

// TestEveryOperationIsDecided: every operation of the contract is built, is refused when policies say so, with its action and
// the resource as its record has it, and changes nothing then. Allowed, none of them ends without having asked.
func TestEveryOperationIsDecided(t *testing.T) {
	t.Parallel()
	e := start(t)
	stock(t, e)
	requests := asked()
	for name := range operations(t) {
		if _, ok := requests[name]; !ok {
			t.Errorf("%s is not asked for", name)
		}
	}
	before := everything(t, e)
	refuse := func(awsapi.Access) error { return fault.New(fault.Denied, "because of this test") }
	e.decide.Store(&refuse)
	for name, r := range requests {
		status, answer := e.call(t, name, r[0])
		want := "arn:aws:iam::111122223333:root is not authorized to perform: iam:" + name + " on resource: " + r[1] + " because of this test"
		if status != http.StatusForbidden || !strings.Contains(answer, "<Code>AccessDenied</Code>") || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s, want %s", name, status, answer, want)
		}
	}
	if after := everything(t, e); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	e.decide.Store(nil)
	for name, r := range requests {
		if status, answer := e.call(t, name, r[0]); status >= http.StatusInternalServerError {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}

// TestNobodyLearnsNames: who may not ask about something is told the same whether it exists or not.
func TestNobodyLearnsNames(t *testing.T) {
	t.Parallel()
	e := start(t)
	refuse := func(awsapi.Access) error { return fault.New(fault.Denied, "because of this test") }
	e.decide.Store(&refuse) // and nothing is there
	for name, r := range asked() {
		if status, answer := e.call(t, name, r[0]); status != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
}
