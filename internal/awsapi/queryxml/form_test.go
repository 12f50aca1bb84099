package queryxml_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/rivus-live/rivus/internal/awsapi/queryxml"
	"github.com/rivus-live/rivus/internal/awsapi/restjson"
	"github.com/rivus-live/rivus/internal/iam"
	"github.com/rivus-live/rivus/internal/sns"
	"github.com/rivus-live/rivus/internal/sts"
)

// request is a generated input.
type request interface {
	ReadForm(f *queryxml.Form)
	Check(c *restjson.Checks)
}

// read reads a form into an input.
func read(text string, in request) error {
	f, err := queryxml.ParseForm(text)
	if err != nil {
		return err
	}
	return queryxml.Decode(f, in)
}

const role = "RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fr&RoleSessionName=me"

func TestForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		form string
		into request
		want request
	}{
		{
			"Action=CreateUser&Version=2010-05-08&UserName=alice&Path=%2Fteam%2F&Tags.member.1.Key=a&Tags.member.1.Value=b+%3D+c",
			new(iam.CreateUserRequest), nil,
		},
		{
			"UserName=alice&Tags.member.10.Key=c&Tags.member.10.Value=3&Tags.member.2.Key=b&Tags.member.2.Value=2&Tags.member.1000000000.Value=4&Tags.member.1000000000.Key=d",
			new(iam.TagUserRequest), &iam.TagUserRequest{Tags: []iam.Tag{{Key: "b", Value: "2"}, {Key: "c", Value: "3"}, {Key: "d", Value: "4"}}},
		},
		{"Name=t&Tags=&Attributes=", new(sns.CreateTopicInput), &sns.CreateTopicInput{Tags: []sns.Tag{}, Attributes: map[string]string{}}},
		{
			"Name=t&Attributes.entry.2.key=a&Attributes.entry.2.value=&Attributes.entry.1.key=Display.Name&Attributes.entry.1.value=x.y",
			new(sns.CreateTopicInput), &sns.CreateTopicInput{Attributes: map[string]string{"a": "", "Display.Name": "x.y"}},
		},
		{
			"Message=m&MessageAttributes.entry.1.Name=n&MessageAttributes.entry.1.Value.DataType=Binary&MessageAttributes.entry.1.Value.BinaryValue=AAE%3D",
			new(sns.PublishInput), &sns.PublishInput{MessageAttributes: map[string]sns.MessageAttributeValue{"n": {DataType: "Binary", BinaryValue: []byte{0, 1}}}},
		},
		{
			role + "&DurationSeconds=900&PolicyArns.member.1.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2Fx&TransitiveTagKeys.member.1=a&TransitiveTagKeys.member.2=b",
			new(sts.AssumeRoleRequest), &sts.AssumeRoleRequest{
				DurationSeconds: new(int32(900)), PolicyArns: []sts.PolicyDescriptorType{{Arn: new("arn:aws:iam::aws:policy/x")}}, TransitiveTagKeys: []string{"a", "b"},
			},
		},
		{"TopicArn=t&Protocol=http&ReturnSubscriptionArn=True", new(sns.SubscribeInput), &sns.SubscribeInput{ReturnSubscriptionArn: new(true)}},
	} {
		if err := read(c.form, c.into); err != nil {
			t.Errorf("%s: %v", c.form, err)
			continue
		}
		if c.want == nil {
			in := c.into.(*iam.CreateUserRequest)
			if in.UserName != "alice" || *in.Path != "/team/" || in.Tags[0].Key != "a" || in.Tags[0].Value != "b = c" {
				t.Errorf("%+v", in)
			}
			continue
		}
		// What a case does not name is what the required members are.
		got, want := reflect.ValueOf(c.into).Elem(), reflect.ValueOf(c.want).Elem()
		for i := range want.NumField() {
			if f := want.Field(i); f.CanInterface() && !f.IsZero() && plain(f) != plain(got.Field(i)) {
				t.Errorf("%s: %s is %+v", c.form, want.Type().Field(i).Name, got.Field(i))
			}
		}
	}
}

// plain returns a member without the notes of which required ones were read.
func plain(v reflect.Value) string {
	text, _ := json.Marshal(v.Interface())
	return string(text)
}

// TestFormsAreRefused: what makes no sense is told so, in the words that clients know, and never half understood.
func TestFormsAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		form string
		into request
		want string
	}{
		{"UserName=%zz", new(iam.TagUserRequest), "could not be read"},
		{"UserName=a;b", new(iam.TagUserRequest), "could not be read"},
		{"UserName=%ff", new(iam.TagUserRequest), "not UTF-8"},
		{"UserName=a&UserName=b", new(iam.TagUserRequest), "more than once: UserName"},
		{strings.Repeat("&a=b", 1) + manyParams(), new(iam.TagUserRequest), "too many parameters"},
		{"Endpoint.EndpointArn=x&TopicArn=t&Protocol=p", new(sns.SubscribeInput), "Start of list found where not expected: Endpoint"},
		{"Tags.1.Key=a", new(iam.TagUserRequest), "Top level element may not be treated as a list: Tags"},
		{"Tags.member.0.Key=a", new(iam.TagUserRequest), "an index that is not valid: Tags.member.0"},
		{"Tags.member.01.Key=a", new(iam.TagUserRequest), "an index that is not valid"},
		{"Tags.member.%2B1.Key=a", new(iam.TagUserRequest), "an index that is not valid"},
		{"Tags.member.99999999999999999999.Key=a", new(iam.TagUserRequest), "an index that is not valid"},
		{"Tags.member=a", new(iam.TagUserRequest), "Unexpected list element termination: Tags.member"},
		{"Tags=a", new(iam.TagUserRequest), "Unexpected list element termination: Tags"},
		{"Tags=&Tags.member.1.Key=a", new(iam.TagUserRequest), "Unexpected list element termination: Tags"},
		{"Tags.member.1=a", new(iam.TagUserRequest), "Start of structure or map expected: Tags.member.1"},
		{"Attributes.entry.1.key=a&Name=t", new(sns.CreateTopicInput), "lacks its key or its value"},
		{"Attributes.entry.1.key=a&Attributes.entry.1.value=b&Attributes.entry.2.key=a&Attributes.entry.2.value=c", new(sns.CreateTopicInput), "a key more than once"},
		{"MaxItems=ten", new(iam.ListUsersRequest), "not an integer in range: MaxItems"},
		{"MaxItems=4294967296", new(iam.ListUsersRequest), "not an integer in range"},
		{"ReturnSubscriptionArn=1", new(sns.SubscribeInput), "not a boolean"},
		{"MessageAttributes.entry.1.Name=n&MessageAttributes.entry.1.Value.BinaryValue=%21", new(sns.PublishInput), "not base64"},
		{"UserName=alice", new(iam.TagUserRequest), "Value null at 'tags' failed to satisfy constraint: Member must not be null"},
		{"MaxItems=0", new(iam.ListUsersRequest), "Value '0' at 'maxItems' failed to satisfy constraint"},
		{"UserName=a&Tags.member.3.Value=x", new(iam.TagUserRequest), "Value null at 'tags.1.member.key'"},
		{
			"Message=m&MessageAttributes.entry.1.Name=n&MessageAttributes.entry.1.Value.StringValue=s", new(sns.PublishInput),
			"Value null at 'messageAttributes.n.member.dataType'",
		},
	} {
		err := read(c.form, c.into)
		_, malformed := errors.AsType[*queryxml.FormError](err)
		_, invalid := errors.AsType[*restjson.ValidationError](err)
		if !malformed && !invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.100s: %v, want %q", c.form, err, c.want)
		}
	}
}

func manyParams() string {
	var b strings.Builder
	for i := range queryxml.MaxParams {
		fmt.Fprintf(&b, "&p%d=", i)
	}
	return b.String()
}

// form writes a value as the parameters of a form with a name, in the way of the SDKs.
func form(name string, v reflect.Value) string {
	if name != "" && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.IsNil() {
		return ""
	}
	pair := func(value string) string { return "&" + url.QueryEscape(name) + "=" + url.QueryEscape(value) }
	switch v.Kind() {
	case reflect.Pointer:
		return form(name, v.Elem())
	case reflect.String:
		return pair(v.String())
	case reflect.Bool:
		return pair(strconv.FormatBool(v.Bool()))
	case reflect.Int32:
		return pair(strconv.FormatInt(v.Int(), 10))
	case reflect.Map:
		return formOfMap(name, v)
	case reflect.Slice:
		if b, ok := v.Interface().([]byte); ok {
			return pair(base64.StdEncoding.EncodeToString(b))
		}
		out := ""
		for i := range v.Len() {
			out += form(fmt.Sprintf("%s.member.%d", name, i+1), v.Index(i))
		}
		if out == "" {
			return pair("")
		}
		return out
	case reflect.Struct:
		out := ""
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				out += form(strings.TrimPrefix(name+"."+member(v.Type(), f.Name), "."), v.Field(i))
			}
		}
		if out == "" && name != "" {
			return pair("")
		}
		return out
	default:
		panic(v.Kind())
	}
}

// member returns the name that a field has on the wire: one of the few that begin small.
func member(of reflect.Type, field string) string {
	if of == reflect.TypeFor[sts.PolicyDescriptorType]() {
		return strings.ToLower(field)
	}
	return field
}

func formOfMap(name string, v reflect.Value) string {
	key, value, out := "key", "value", ""
	if v.Type().Elem().Kind() == reflect.Struct {
		key, value = "Name", "Value"
	}
	for i, k := range v.MapKeys() {
		at := fmt.Sprintf("%s.entry.%d.", name, i+1)
		out += form(at+key, k) + form(at+value, v.MapIndex(k))
	}
	if out == "" {
		return "&" + url.QueryEscape(name) + "="
	}
	return out
}

// FuzzForm: no form makes the decoder panic, and an input that was accepted is the same when it is written as a form and
// read again.
func FuzzForm(f *testing.F) {
	makers := []func() request{
		func() request { return new(iam.TagUserRequest) },
		func() request { return new(iam.SimulatePrincipalPolicyRequest) },
		func() request { return new(sns.CreateTopicInput) },
		func() request { return new(sns.PublishInput) },
		func() request { return new(sns.SubscribeInput) },
		func() request { return new(sts.AssumeRoleRequest) },
	}
	for i, text := range []string{
		"UserName=alice&Tags.member.1.Key=a&Tags.member.1.Value=b",
		"PolicySourceArn=arn%3Aaws%3Aiam%3A%3A1%3Auser%2Fa&ActionNames.member.1=ivs%3AGetChannel&ContextEntries.member.1.ContextKeyName=k&" +
			"ContextEntries.member.1.ContextKeyValues.member.1=v&ContextEntries.member.1.ContextKeyType=string",
		"Name=t&Attributes.entry.1.key=a&Attributes.entry.1.value=b&Tags.member.3.Key=k&Tags.member.3.Value=v",
		"Message=m&MessageAttributes.entry.1.Name=n&MessageAttributes.entry.1.Value.DataType=Binary&MessageAttributes.entry.1.Value.BinaryValue=AAE%3D",
		"TopicArn=t&Protocol=https&ReturnSubscriptionArn=true&Attributes=",
		role + "&PolicyArns.member.1.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2Fx&Tags=",
	} {
		f.Add(i, text)
	}
	f.Add(0, "Tags.member.1000000000.Key=a&Tags.member.2=")
	f.Add(2, "Attributes.entry=&.=&..=x&Tags.member.=")
	f.Fuzz(func(t *testing.T, which int, text string) {
		makeIt := makers[uint(which)%uint(len(makers))]
		in := makeIt()
		err := read(text, in)
		if err != nil {
			_, malformed := errors.AsType[*queryxml.FormError](err)
			if _, invalid := errors.AsType[*restjson.ValidationError](err); !malformed && !invalid || err.Error() == "" {
				t.Errorf("%T %v", err, err)
			}
			return
		}
		written, again := form("", reflect.ValueOf(in)), makeIt()
		if err := read(written, again); err != nil {
			t.Fatalf("%s was written as %s: %v", text, written, err)
		}
		if !reflect.DeepEqual(in, again) {
			t.Errorf("%s: %+v became %+v", text, in, again)
		}
	})
}
