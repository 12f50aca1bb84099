package records

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rivus-live/rivus/internal/arn"
	"github.com/rivus-live/rivus/internal/cluster"
	"github.com/rivus-live/rivus/internal/resource"
	"github.com/rivus-live/rivus/internal/store"
)

// The logs of stages, see Stages.
const (
	StageSessionLog     = "stagesessions"     // Log[resource.StageSession]
	ParticipantLog      = "participants"      // Log[resource.Participant]
	ParticipantEventLog = "participantevents" // Log[resource.ParticipantEvent]
)

// Stages is what is known of stages:
//
//	what                      kept in                            key                              written by
//	settings, tags            facts, StageDefinition             stage                            API
//	public keys               facts, PublicKeyDefinition         public key                       API
//	storage configurations    facts, StorageConfiguration…       storage configuration            API
//	disconnected participants facts, DisconnectedDefinition      ParticipantKey, session ""       API
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
//   - A participant that joins is looked up among the disconnected ones again when its presence is written, and their table
//     is watched: the API writes there first and asks the holders to disconnect second.
type Stages struct {
	Stages                *store.Table[resource.Stage]
	PublicKeys            *store.Table[resource.PublicKey]
	StorageConfigurations *store.Table[resource.StorageConfiguration]
	Disconnected          *store.Table[resource.Disconnected]
	Sessions              *store.EventTable[resource.StageSession]
	Owners                *cluster.Claims[resource.StageOwner]
	Participants          *store.Table[resource.Participant]
	SessionHistory        *store.Log[resource.StageSession]
	ParticipantHistory    *store.Log[resource.Participant]
	ParticipantEvents     *store.Log[resource.ParticipantEvent]
}

// OpenStages opens the records of stages for a node. What has ended is kept for the given time.
func OpenStages(ctx context.Context, s *store.Store, node *cluster.Node, kept time.Duration) (Stages, error) {
	var r Stages
	err := errors.Join(
		keep(&r.Stages)(store.OpenTable(ctx, s, StageDefinition())),
		keep(&r.PublicKeys)(store.OpenTable(ctx, s, PublicKeyDefinition())),
		keep(&r.StorageConfigurations)(store.OpenTable(ctx, s, StorageConfigurationDefinition())),
		keep(&r.Disconnected)(store.OpenTable(ctx, s, DisconnectedDefinition())),
		keep(&r.Sessions)(store.OpenEventTable(ctx, s, StageSessionDefinition())),
		keep(&r.Owners)(cluster.OpenClaims(ctx, s, node, StageOwnerDefinition())),
		keep(&r.Participants)(store.OpenTable(ctx, s, ParticipantDefinition())),
		keep(&r.SessionHistory)(store.OpenLogAge[resource.StageSession](ctx, s, StageSessionLog, kept)),
		keep(&r.ParticipantHistory)(store.OpenLogAge[resource.Participant](ctx, s, ParticipantLog, kept)),
		keep(&r.ParticipantEvents)(store.OpenLogAge[resource.ParticipantEvent](ctx, s, ParticipantEventLog, kept)),
	)
	if err != nil {
		return r, fmt.Errorf("records of stages: %w", err)
	}
	return r, nil
}

// SessionKey is the resource of a stage session in ParticipantLog.
func SessionKey(stage arn.ARN, sessionID string) store.Key {
	return store.Key{Scope: stage.Scope, ID: stage.ID + "/" + sessionID}
}

// ParticipantKey is the key of a participant of a session in its table, and its resource in ParticipantEventLog. The
// record that burns it in all sessions has the session "".
func ParticipantKey(stage arn.ARN, sessionID, participantID string) store.Key {
	return store.Key{Scope: stage.Scope, ID: stage.ID + "/" + sessionID + "/" + participantID}
}

// StageDefinition is the table of stages, keyed by stage ID. Its index "storageConfiguration" finds the stages that
// record to one, by its ARN.
func StageDefinition() store.Definition[resource.Stage] {
	return store.Definition[resource.Stage]{Name: "stage", Class: store.Facts, Indexes: []store.Index[resource.Stage]{
		{Name: "storageConfiguration", Values: func(s resource.Stage) []string {
			if s.Recording.StorageConfigurationARN == "" {
				return nil
			}
			return []string{s.Recording.StorageConfigurationARN}
		}},
	}}
}

// PublicKeyDefinition is the table of public keys, keyed by their ID.
func PublicKeyDefinition() store.Definition[resource.PublicKey] {
	return store.Definition[resource.PublicKey]{Name: "publickey", Class: store.Facts, Indexes: []store.Index[resource.PublicKey]{
		{Name: "fingerprint", Values: func(k resource.PublicKey) []string { return []string{k.Fingerprint} }},
	}}
}

// StorageConfigurationDefinition is the table of storage configurations, keyed by their ID.
func StorageConfigurationDefinition() store.Definition[resource.StorageConfiguration] {
	return store.Definition[resource.StorageConfiguration]{Name: "storageconfiguration", Class: store.Facts}
}

// DisconnectedDefinition is the table of participants whose tokens are no good any more, keyed by ParticipantKey with
// the session "". The index "participant" finds one by DisconnectedValue without asking the engine.
func DisconnectedDefinition() store.Definition[resource.Disconnected] {
	return store.Definition[resource.Disconnected]{Name: "disconnected", Class: store.Facts, Indexes: []store.Index[resource.Disconnected]{
		{Name: "participant", Values: func(d resource.Disconnected) []string {
			return []string{DisconnectedValue(d.StageARN, d.ParticipantID)}
		}},
	}}
}

// DisconnectedValue is the value of the index "participant" of DisconnectedDefinition.
func DisconnectedValue(stage arn.ARN, participantID string) string {
	return stage.String() + "/" + participantID
}

// StageSessionDefinition is the table of open stage sessions, keyed by stage ID: a stage has one at most. The index
// "stage" finds it by stage ID without asking the engine.
func StageSessionDefinition() store.Definition[resource.StageSession] {
	return store.Definition[resource.StageSession]{Name: "stagesession", Class: store.Facts, Indexes: []store.Index[resource.StageSession]{
		{Name: "stage", Values: func(s resource.StageSession) []string { return []string{s.StageARN.ID} }},
	}}
}

// StageOwnerDefinition is the table of the claims of stages, keyed by stage ID.
func StageOwnerDefinition() store.Definition[resource.StageOwner] {
	return store.Definition[resource.StageOwner]{Name: "stageowner", Class: store.Presence}
}

// ParticipantDefinition is the table of the participants of open sessions, keyed by ParticipantKey. The values of its
// indexes "session", "user", "published", "state" and "recording" are those of ParticipantValue; the index "holder" finds
// by HolderValue what a life of a node has to give up.
func ParticipantDefinition() store.Definition[resource.Participant] {
	of := func(get func(resource.Participant) string) func(resource.Participant) []string {
		return func(p resource.Participant) []string {
			return []string{ParticipantValue(p.StageARN, p.SessionID, get(p))}
		}
	}
	return store.Definition[resource.Participant]{Name: "participant", Class: store.Presence, Indexes: []store.Index[resource.Participant]{
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
