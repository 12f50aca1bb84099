// Package iam answers the operations of IAM on users, groups, roles, access keys and policies (spec neighbours.md 3).
//
// A user is one record with keys, inline policies, attachments, memberships and tags, and so is a role, a group, and a
// managed policy with its versions. What concerns one record only is one put. What concerns two (a policy that is attached
// while it is deleted, a user who joins a group that is deleted, a name that two want at once) is written under the guard of
// the account, so that of two writers one sees what the other has done.
//
// Requests name users, roles and groups by name; paths and tags, which policies may be about, are in their records. So
// handlers ask awsapi.Caller.May about the record they have read, and again about the one they change, in the same write.
//
// The quotas of IAM hold always: they bound what the policies of a principal cost to evaluate.
//
// Passwords, MFA, SAML and OpenID Connect are not built. The operations about them that clients call before they delete a
// user answer that there is none.
//
// The wire types, their reading and writing and their constraint checks are generated from api/model/iam.json.
//
// Imports: accesskey, arn, awsapi, awsapi/queryxml, awsapi/restjson, fault, policy, records, resource, store, tagging.
package iam
