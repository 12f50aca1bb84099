// Package quota knows the service's published limits and counts calls against them.
//
// The tables are those of spec ivs.md section 17: resource quotas as constants, call rates as CallRate. Buckets counts
// events by key in bounded memory; Limiter applies it to the calls of an account in a region. Whether a quota is
// enforced at all is for the caller to decide.
//
// Imports: arn.
package quota

import "time"

// Resource quotas of one account in one region (spec ivs.md 17.1).
const (
	Channels                    = 5000
	ConcurrentStreams           = 100
	ConcurrentViews             = 15000
	PlaybackKeyPairs            = 3
	PlaybackRestrictionPolicies = 3
)

// Limits of one resource (spec ivs.md 17.1). They are part of the contract and hold with quotas lifted as well.
const (
	StreamKeysPerChannel = 1
	TagsPerResource      = 50
	MetadataBytes        = 1024 // of UTF-8 in one PutMetadata
	MetadataRate         = 5    // PutMetadata calls a second on one channel
	StreamTakeovers      = 100  // in one stream
	StreamDuration       = 48 * time.Hour
	CountriesPerPolicy   = 200
	OriginsPerPolicy     = 5
)

// CallRate returns how many calls of an operation an account may make in a second in one region (spec ivs.md 17.2),
// 0 for an operation that has no published rate.
func CallRate(operation string) int {
	switch operation {
	case "InsertAdBreak":
		return 1
	case "BatchStartViewerSessionRevocation":
		return 2
	case "CreateAdConfiguration", "DeleteAdConfiguration", "GetAdConfiguration", "ListAdConfigurations",
		"DeletePlaybackKeyPair", "GetPlaybackKeyPair", "ImportPlaybackKeyPair", "ListPlaybackKeyPairs",
		"CreateRecordingConfiguration", "DeleteRecordingConfiguration", "GetRecordingConfiguration",
		"ListRecordingConfigurations":
		return 3
	case "BatchGetChannel", "CreateChannel", "DeleteChannel", "GetChannel", "ListChannels", "UpdateChannel",
		"CreatePlaybackRestrictionPolicy", "DeletePlaybackRestrictionPolicy", "GetPlaybackRestrictionPolicy",
		"ListPlaybackRestrictionPolicies", "UpdatePlaybackRestrictionPolicy",
		"GetStream", "GetStreamSession", "ListStreams", "ListStreamSessions", "StopStream",
		"BatchGetStreamKey", "CreateStreamKey", "DeleteStreamKey", "GetStreamKey", "ListStreamKeys":
		return 5
	case "CreateStage", "GetStage", "ListStages", "UpdateStage", "DeleteStage", "DisconnectParticipant",
		"GetStageSession", "ListStageSessions", "GetParticipant", "ListParticipants", "ListParticipantEvents",
		"CreateStorageConfiguration", "GetStorageConfiguration", "ListStorageConfigurations", "DeleteStorageConfiguration",
		"CreateEncoderConfiguration", "GetEncoderConfiguration", "ListEncoderConfigurations", "DeleteEncoderConfiguration",
		"CreateIngestConfiguration", "GetIngestConfiguration", "ListIngestConfigurations", "UpdateIngestConfiguration",
		"DeleteIngestConfiguration", "StartComposition", "GetComposition", "StopComposition", "ListCompositions",
		"StartParticipantReplication", "StopParticipantReplication", "ListParticipantReplicas":
		return 5 // spec ivs-realtime.md 15.1
	case "ImportPublicKey", "GetPublicKey", "ListPublicKeys", "DeletePublicKey":
		return 3
	case "CreateParticipantToken":
		return 50
	case "StartViewerSessionRevocation", "ListTagsForResource", "TagResource", "UntagResource":
		return 10
	case "PutMetadata":
		return 155
	}
	return 0
}
