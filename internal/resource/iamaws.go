package resource

import "time"

// AWSManagedPolicies returns the policies that every account can attach: those of AWS's own that users of IVS know (spec
// neighbours.md 3). They stand in no table and cannot be changed.
func AWSManagedPolicies() []ManagedPolicy {
	return []ManagedPolicy{
		awsManaged("AdministratorAccess", "ANPAIWMBCKSKIEE64ZLYK", "Everything, on everything.",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`),
		awsManaged("ReadOnlyAccess", "ANPAILL3HVNFSB6DCOWYQ", "Reading whatever can be read, in all services.", readOnlyAccess),
		awsManaged("IVSFullAccess", "ANPAZKAPJZG4IVSFULLAC", "Everything in IVS: channels, stages and chat.",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ivs:*","ivschat:*"],"Resource":"*"}]}`),
		awsManaged("IVSReadOnlyAccess", "ANPAZKAPJZG4IVSREADON", "Reading in IVS, but for the secrets of stream keys.", ivsReadOnlyAccess),
	}
}

// AWSManagedPolicy returns the built-in policy of an ARN.
func AWSManagedPolicy(arn string) (ManagedPolicy, bool) {
	for _, p := range AWSManagedPolicies() {
		if p.ARN().String() == arn {
			return p, true
		}
	}
	return ManagedPolicy{}, false
}

func awsManaged(name, id, description, document string) ManagedPolicy {
	made := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	return ManagedPolicy{
		Account: AWSAccount, ID: id, Path: "/", Name: name, Description: description,
		Versions: []PolicyVersion{{Number: 1, Document: document, CreatedAt: made}}, Default: 1, Next: 2,
		CreatedAt: made, UpdatedAt: made,
	}
}

const readOnlyAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` +
	`"ivs:BatchGet*","ivs:Get*","ivs:List*",` +
	`"ivschat:Get*","ivschat:List*",` +
	`"events:Describe*","events:List*","events:TestEventPattern",` +
	`"sns:Check*","sns:Get*","sns:List*",` +
	`"iam:Get*","iam:List*","iam:Simulate*","sts:GetCallerIdentity"` +
	`],"Resource":"*"}]}`

const ivsReadOnlyAccess = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[` +
	`"ivs:BatchGetChannel","ivs:GetChannel","ivs:GetComposition","ivs:GetEncoderConfiguration","ivs:GetIngestConfiguration",` +
	`"ivs:GetParticipant","ivs:GetPlaybackKeyPair","ivs:GetPlaybackRestrictionPolicy","ivs:GetPublicKey",` +
	`"ivs:GetRecordingConfiguration","ivs:GetStage","ivs:GetStageSession","ivs:GetStorageConfiguration",` +
	`"ivs:GetStream","ivs:GetStreamSession","ivs:List*",` +
	`"ivschat:GetLoggingConfiguration","ivschat:GetRoom","ivschat:List*"` +
	`],"Resource":"*"}]}`
