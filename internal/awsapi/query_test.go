package awsapi_test

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/awsapi"
)

// queryAnswer is what a client of the query protocol reads of an answer, good or bad.
type queryAnswer struct {
	XMLName   xml.Name
	Account   string `xml:"GetCallerIdentityResult>Account"`
	ARN       string `xml:"GetCallerIdentityResult>Arn"`
	UserID    string `xml:"GetCallerIdentityResult>UserId"`
	Type      string `xml:"Error>Type"`
	Code      string `xml:"Error>Code"`
	Message   string `xml:"Error>Message"`
	RequestID string `xml:"RequestId"`
	Metadata  string `xml:"ResponseMetadata>RequestId"`
}

// askQuery sends a form to the query protocol.
func askQuery(tb testing.TB, api http.Handler, c call) (int, queryAnswer) {
	tb.Helper()
	c.path = "/"
	c.header = http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, c.request())
	var a queryAnswer
	if err := xml.Unmarshal(w.Body.Bytes(), &a); err != nil {
		tb.Fatalf("%q: %v", w.Body, err)
	}
	if kind := w.Header().Get("Content-Type"); kind != "text/xml" {
		tb.Errorf("content type %q", kind)
	}
	return w.Code, a
}

const whoAmI = "Action=GetCallerIdentity&Version=2011-06-15"

func TestCallerIdentity(t *testing.T) {
	t.Parallel()
	api := newAPI(t, awsapi.Options{})
	for _, region := range []string{"us-west-2", "us-east-1"} { // of the endpoint, or the global one
		status, a := askQuery(t, api, call{body: whoAmI, service: "sts", region: region})
		if status != http.StatusOK || a.XMLName.Local != "GetCallerIdentityResponse" || a.XMLName.Space != "https://sts.amazonaws.com/doc/2011-06-15/" {
			t.Fatalf("%d %+v", status, a)
		}
		if a.Account != testAccount || a.UserID != testAccount || a.ARN != "arn:aws:iam::"+testAccount+":root" || a.Metadata == "" {
			t.Errorf("%+v", a)
		}
	}
}

// TestQueryErrors: a client that reads XML gets XML, whatever it did wrong.
func TestQueryErrors(t *testing.T) {
	t.Parallel()
	api := newAPI(t, awsapi.Options{Services: []awsapi.Service{&fake{}}})
	for _, c := range []struct {
		name   string
		call   call
		status int
		code   string
		text   string
	}{
		{"unsigned", call{body: whoAmI, unsigned: true}, 403, "MissingAuthenticationToken", "Missing"},
		{"unknown key", call{body: whoAmI, service: "sts", change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), testKey, "AKIDOTHER", 1))
		}}, 403, "InvalidClientTokenId", "security token"},
		{"wrong secret", call{body: whoAmI, service: "sts", secret: "x"}, 403, "SignatureDoesNotMatch", "does not match"},
		{"half a signature", call{body: whoAmI, unsigned: true, change: func(r *http.Request) {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x")
		}}, 400, "IncompleteSignature", "requires"},
		{"old", call{body: whoAmI, service: "sts", change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/"+r.Header.Get("X-Amz-Date")[:8]+"/", "/20150830/", 1))
			r.Header.Set("X-Amz-Date", "20150830T123600Z")
		}}, 400, "RequestExpired", "expired"},
		{"no action", call{body: "Version=2011-06-15", service: "sts"}, 400, "MissingAction", "Action"},
		{"nothing", call{service: "sts"}, 400, "MissingAction", "Action"},
		{"not built", call{body: "Action=ListUsers&Version=2010-05-08", service: "iam"}, 400, "NotImplemented", "ListUsers is not implemented"},
		{"not built, SNS", call{body: "Action=ListTopics&Version=2010-03-31", service: "sns"}, 400, "NotImplemented", "ListTopics is not implemented"},
		{"not of the subset", call{body: "Action=ListServerCertificates&Version=2010-05-08", service: "iam"}, 400, "InvalidAction", "ListServerCertificates for version 2010-05-08"},
		{"twice", call{body: whoAmI + "&Action=GetSessionToken", service: "sts"}, 400, "MalformedInput", "more than once: Action"},
		{"of another service", call{body: whoAmI, service: "iam"}, 400, "InvalidAction", "GetCallerIdentity"},
		{"other version", call{body: "Action=GetCallerIdentity&Version=2020-01-01", service: "sts"}, 400, "InvalidAction", "2020-01-01"},
		{"markup", call{body: "Action=%3Cb%3E&Version=%26", service: "sts"}, 400, "InvalidAction", "<b> for version &"},
		{"a very long name", call{body: "Action=" + strings.Repeat("x", 5000), service: "sts"}, 400, "InvalidAction", "operation xxx"},
		{"no form", call{body: "Action=%zz", service: "sts"}, 400, "MalformedInput", "form"},
		{"too large", call{body: "Action=" + strings.Repeat("x", 1<<20), service: "sts"}, 413, "RequestEntityTooLarge", "1048576"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			status, a := askQuery(t, api, c.call)
			if status != c.status || a.XMLName.Local != "ErrorResponse" || a.Type != "Sender" || a.Code != c.code ||
				!strings.Contains(a.Message, c.text) || len(a.Message) > 200 || a.RequestID == "" {
				t.Errorf("%d %+v", status, a)
			}
		})
	}
}

// FuzzQuery: whatever the form, the answer is XML and never a failure of the server.
func FuzzQuery(f *testing.F) {
	for _, body := range []string{whoAmI, "", "Action=%00", "Action=%ff&Version=<", "Action=a;b", strings.Repeat("Action=x&", 100)} {
		f.Add(body)
	}
	api := newAPI(f, awsapi.Options{})
	f.Fuzz(func(t *testing.T, body string) {
		if status, a := askQuery(t, api, call{body: body, service: "sts"}); status >= 500 || (status == 200) != (a.Account == testAccount) {
			t.Errorf("%d %+v", status, a)
		}
	})
}
