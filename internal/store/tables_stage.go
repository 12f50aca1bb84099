package store

import (
	"strconv"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/resource"
)

// What is known of a stage is in these records:
//
//	what                      kept in                            key                              written by
//	settings, tags            facts, StageDefinition             stage                            API
//	public keys               facts, PublicKeyDefinition         public key                       API
//	storage configurations    facts, StorageConfiguration…       storage configuration            API
//	burnt participants        facts, DisconnectedDefinition      ParticipantKey, session ""       API
//	open sessions             facts, StageSessionDefinition      stage                            media
//	ended sessions            history, StageSessionLog           stage; session id                media
//	who may open and end one  presence, StageOwnerDefinition     stage                            media, as claims
//	participants of open …    presence, ParticipantDefinition    ParticipantKey                   media
//	participants of any …     history, ParticipantLog            SessionKey; participant id       media
//	events of participants    history, ParticipantEventLog       ParticipantKey; participant id   media
//
// The API answers from them alone, so the media side keeps to this order:
//
//   - A session opens with the record of the first participant: the open session first, then the participant. Only who has the
//     claim of the stage opens one, takes one over, or ends one, and the record names that claim: a write for a claim that is
//     not the last is refused. Any node may put itself on the holders of an open session and take itself off; the end of a
//     session is written only over a record on which no node that lives is left.
//   - Every change of a participant that the API shows is written to the presence table and appended whole to
//     ParticipantLog; the newest entry counts. A participant without connections keeps its presence record.
//   - A session ends by its entry in StageSessionLog, then the removal of the open session, then the removal of its
//     presence records. So a reader finds the participants of a session in one place or the other.
//   - One node takes those that are gone off the holders of participants and sessions (cluster.Node.Reap), for all.
//   - A participant that joins is looked up among the burnt ones again when its presence is written, and the table of
//     the burnt is watched: the API writes there first and asks the holders to disconnect second.
const (
	StageSessionLog     = "stagesessions"     // Log[resource.StageSession]
	ParticipantLog      = "participants"      // Log[resource.Participant]
	ParticipantEventLog = "participantevents" // Log[resource.ParticipantEvent]
)

// SessionKey is the resource of a stage session in ParticipantLog.
func SessionKey(stage arn.ARN, sessionID string) Key {
	return Key{Scope: stage.Scope, ID: stage.ID + "/" + sessionID}
}

// ParticipantKey is the key of a participant of a session in its table, and its resource in ParticipantEventLog. The
// record that burns it in all sessions has the session "".
func ParticipantKey(stage arn.ARN, sessionID, participantID string) Key {
	return Key{Scope: stage.Scope, ID: stage.ID + "/" + sessionID + "/" + participantID}
}

// StageDefinition is the table of stages, keyed by stage ID. Its index "storageConfiguration" finds the stages that
// record to one, by its ARN.
func StageDefinition() Definition[resource.Stage] {
	return Definition[resource.Stage]{Name: "stage", Class: Facts, Indexes: []Index[resource.Stage]{
		{Name: "storageConfiguration", Values: func(s resource.Stage) []string {
			if s.Recording.StorageConfigurationARN == "" {
				return nil
			}
			return []string{s.Recording.StorageConfigurationARN}
		}},
	}}
}

// PublicKeyDefinition is the table of public keys, keyed by their ID.
func PublicKeyDefinition() Definition[resource.PublicKey] {
	return Definition[resource.PublicKey]{Name: "publickey", Class: Facts, Indexes: []Index[resource.PublicKey]{
		{Name: "fingerprint", Values: func(k resource.PublicKey) []string { return []string{k.Fingerprint} }},
	}}
}

// StorageConfigurationDefinition is the table of storage configurations, keyed by their ID.
func StorageConfigurationDefinition() Definition[resource.StorageConfiguration] {
	return Definition[resource.StorageConfiguration]{Name: "storageconfiguration", Class: Facts}
}

// DisconnectedDefinition is the table of participants whose tokens are no good any more, keyed by ParticipantKey with
// the session "". The index "participant" finds one by BurntValue without asking the engine.
func DisconnectedDefinition() Definition[resource.Disconnected] {
	return Definition[resource.Disconnected]{Name: "disconnected", Class: Facts, Indexes: []Index[resource.Disconnected]{
		{Name: "participant", Values: func(d resource.Disconnected) []string {
			return []string{BurntValue(d.StageARN, d.ParticipantID)}
		}},
	}}
}

// BurntValue is the value of the index "participant" of DisconnectedDefinition.
func BurntValue(stage arn.ARN, participantID string) string {
	return stage.String() + "/" + participantID
}

// StageSessionDefinition is the table of open stage sessions, keyed by stage ID: a stage has one at most. The index
// "stage" finds it by stage ID without asking the engine.
func StageSessionDefinition() Definition[resource.StageSession] {
	return Definition[resource.StageSession]{Name: "stagesession", Class: Facts, Indexes: []Index[resource.StageSession]{
		{Name: "stage", Values: func(s resource.StageSession) []string { return []string{s.StageARN.ID} }},
	}}
}

// StageOwnerDefinition is the table of the claims of stages, keyed by stage ID.
func StageOwnerDefinition() Definition[resource.StageOwner] {
	return Definition[resource.StageOwner]{Name: "stageowner", Class: Presence}
}

// ParticipantDefinition is the table of the participants of open sessions, keyed by ParticipantKey. The values of its
// indexes "session", "user", "published", "state" and "recording" are those of ParticipantValue; the index "holder" finds
// by HolderValue what a life of a node has to give up.
func ParticipantDefinition() Definition[resource.Participant] {
	of := func(get func(resource.Participant) string) func(resource.Participant) []string {
		return func(p resource.Participant) []string {
			return []string{ParticipantValue(p.StageARN, p.SessionID, get(p))}
		}
	}
	return Definition[resource.Participant]{Name: "participant", Class: Presence, Indexes: []Index[resource.Participant]{
		{Name: "session", Values: of(func(resource.Participant) string { return "" })},
		{Name: "user", Values: of(func(p resource.Participant) string { return p.UserID })},
		{Name: "published", Values: of(func(p resource.Participant) string { return strconv.FormatBool(p.Published) })},
		{Name: "state", Values: of(func(p resource.Participant) string { return string(p.State()) })},
		{Name: "recording", Values: of(func(p resource.Participant) string { return string(p.RecordingState) })},
		{Name: "holder", Values: func(p resource.Participant) []string {
			values := make([]string, len(p.Holders))
			for i, h := range p.Holders {
				values[i] = HolderValue(h)
			}
			return values
		}},
	}}
}

// ParticipantValue is a value of an index of ParticipantDefinition: those of one session that have a property. The
// index "session" has no property.
func ParticipantValue(stage arn.ARN, sessionID, property string) string {
	return stage.ID + "/" + sessionID + "/" + property
}

// HolderValue is a value of the index "holder" of ParticipantDefinition.
func HolderValue(h resource.Holder) string { return h.Node + "/" + h.Incarnation }
