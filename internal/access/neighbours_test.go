package access_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rivus-live/rivus/internal/records"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/sigv4"
)

// model is what a test needs to know of a service with the query protocol.
type model struct {
	APIVersion string
	Operations map[string]struct{ Input string }
	Shapes     map[string]struct {
		Required []string
		Members  map[string]any
	}
}

func modelOf(t *testing.T, service string) (m model) {
	t.Helper()
	text, err := os.ReadFile("../../api/model/" + service + ".json")
	check(t, err)
	check(t, json.Unmarshal(text, &m))
	return m
}

// formOf is a call of an operation with what it has to be given, and the name of whom it is about.
func (m model) formOf(operation, name string) url.Values {
	values := map[string]string{
		"UserName": name, "RoleName": name, "GroupName": name, "PolicyName": "p", "AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "Description": "d",
		"PolicyArn": "arn:aws:iam::aws:policy/IVSReadOnlyAccess", "PolicyDocument": everything, "VersionId": "v1", "Status": "Active",
		"AssumeRolePolicyDocument": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}}`,
		"ActionNames.member.1":     "ivs:GetChannel", "PolicyInputList.member.1": everything, "PolicySourceArn": "arn:aws:iam::" + account + ":user/" + name,
		"TagKeys.member.1": "a", "Tags.member.1.Key": "a", "Tags.member.1.Value": "b",
		"RoleArn": "arn:aws:iam::" + account + ":role/" + name, "RoleSessionName": "me",
	}
	if operation == "UpdateAssumeRolePolicy" {
		values["PolicyDocument"] = values["AssumeRolePolicyDocument"]
	}
	form := url.Values{"Action": {operation}, "Version": {m.APIVersion}}
	shape := m.Shapes[m.Operations[operation].Input]
	for member := range shape.Members {
		if member != "UserName" && !slices.Contains(shape.Required, member) {
			continue
		}
		for key, v := range values {
			if key == member || strings.HasPrefix(key, member+".member.") {
				form.Set(key, v)
			}
		}
	}
	return form
}

// names reports whether an operation is given something.
func (m model) names(operation, member string) bool {
	_, ok := m.Shapes[m.Operations[operation].Input].Members[member]
	return ok
}

// query signs and sends a form.
func (e *env) query(t *testing.T, who, service string, form url.Values) answer {
	t.Helper()
	body := form.Encode()
	r := httptest.NewRequest(http.MethodPost, "http://api.test/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	s := sigv4.Signer{AccessKeyID: who, Secret: secret, Region: "us-east-1", Service: service}
	s.Sign(r, sigv4.HashBody([]byte(body)), time.Now())
	w := httptest.NewRecorder()
	e.api.ServeHTTP(w, r)
	return answer{status: w.Code, text: w.Body.String()}
}

const everything = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`

// TestNoPolicyNoIdentities: without a policy every operation of IAM and STS is refused, whether what it names is there or
// not, in a sentence with its name.
func TestNoPolicyNoIdentities(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.user(t, "carol", "")
	e.user(t, "there", "")
	open := []string{"GetCallerIdentity", "GetSessionToken"} // who has proved who he is may ask
	for _, service := range []string{"iam", "sts"} {
		m := modelOf(t, service)
		for operation := range m.Operations {
			if slices.Contains(open, operation) {
				continue
			}
			for _, name := range []string{"there", "nobody"} {
				a := e.query(t, "carol", service, m.formOf(operation, name))
				if !strings.Contains(a.text, "is not authorized to perform: "+service+":"+operation+" on resource: ") || a.status != http.StatusForbidden {
					t.Errorf("%s of %s: %d %s", operation, name, a.status, a.text)
				}
			}
		}
	}
}

// TestTagsOfIdentities: operations on users and roles by their tags.
func TestTagsOfIdentities(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.user(t, "alice", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/Team":"live"}}}}`)
	m := modelOf(t, "iam")
	for operation := range m.Operations {
		user, role := m.names(operation, "UserName") && !m.names(operation, "GroupName"), m.names(operation, "RoleName")
		if !user && !role || operation == "CreateUser" || operation == "CreateRole" {
			continue
		}
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			for team, may := range map[string]bool{"live": true, "dead": false} {
				name := operation + "." + team
				key, tags := records.IAMKey(account, name), map[string]string{"Team": team}
				if user {
					_, err := e.iam.Users.Create(t.Context(), key, resource.User{Account: account, ID: name, Path: "/team/", Name: name, Tags: tags})
					check(t, err)
				} else {
					_, err := e.iam.Roles.Create(t.Context(), key, resource.Role{Account: account, ID: name, Path: "/team/", Name: name, Tags: tags})
					check(t, err)
				}
				a := e.query(t, "alice", "iam", m.formOf(operation, name))
				if a.refused() == may || a.status >= http.StatusInternalServerError {
					t.Errorf("%s: %d %s", name, a.status, a.text)
				}
				a = e.query(t, "alice", "iam", m.formOf(operation, "nobody."+team))
				if !a.refused() {
					t.Errorf("of nobody: %d %s", a.status, a.text)
				}
			}
		})
	}
}
