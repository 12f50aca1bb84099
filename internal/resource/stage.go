package resource

import (
	"time"

	"github.com/rivus-live/rivus/internal/arn"
)

// Types of resource of the real-time service, as their ARNs name them.
const (
	KindStage                = "stage"
	KindPublicKey            = "public-key"
	KindStorageConfiguration = "storage-configuration"
)

// StageARN returns the ARN of a stage.
func StageARN(sc arn.Scope, id string) arn.ARN {
	return arn.ARN{Service: "ivs", Scope: sc, Type: KindStage, ID: id}
}

// PublicKeyARN returns the ARN of a public key.
func PublicKeyARN(sc arn.Scope, id string) arn.ARN {
	return arn.ARN{Service: "ivs", Scope: sc, Type: KindPublicKey, ID: id}
}

// StorageConfigurationARN returns the ARN of a storage configuration.
func StorageConfigurationARN(sc arn.Scope, id string) arn.ARN {
	return arn.ARN{Service: "ivs", Scope: sc, Type: KindStorageConfiguration, ID: id}
}

// Stage is the aggregate of a stage: its settings, its tags and the addresses that were given out for it. Who is on it,
// and whether a session is under way, is in records of their own. Defaults are filled in when it is created.
type Stage struct {
	ARN       arn.ARN              `json:"arn"`
	Name      string               `json:"name"`
	Recording ParticipantRecording `json:"recording"`
	Tags      map[string]string    `json:"tags,omitempty"`
	// Endpoints are the addresses that answers and tokens have named, the latest last. A self-signed token repeats
	// those that its signer was told, so they stay good for a while after the server has moved.
	Endpoints []Endpoints `json:"endpoints,omitempty"`
	CreatedAt time.Time   `json:"createdAt"`
}

// Advertised reports whether the stage has given out these two addresses together.
func (s Stage) Advertised(events, whip string) bool {
	for _, e := range s.Endpoints {
		if e.Events == events && e.WHIP == whip {
			return true
		}
	}
	return false
}

// Endpoints are the addresses of a stage that clients dial with a token.
type Endpoints struct {
	Events string    `json:"events"` // "wss://host/rt/events"
	WHIP   string    `json:"whip"`   // "https://host/rt/whip"
	At     time.Time `json:"at"`     // given out last, to the day
}

// Values of ParticipantRecording.MediaType.
const (
	MediaAudioVideo = "AUDIO_VIDEO"
	MediaAudioOnly  = "AUDIO_ONLY"
	MediaNone       = "NONE"
)

// ParticipantRecording says how each participant of a stage is recorded (spec ivs-realtime.md 4.2).
type ParticipantRecording struct {
	StorageConfigurationARN string     `json:"storageConfigurationArn,omitempty"` // "": off
	MediaType               string     `json:"mediaType"`
	Thumbnails              Thumbnails `json:"thumbnails"`
	ReconnectWindow         int        `json:"reconnectWindow,omitempty"` // seconds, 0..300
	SegmentDuration         int        `json:"segmentDuration"`           // seconds, 2..10
	Replicas                bool       `json:"replicas"`                  // replicas are recorded as well
}

// Thumbnails says which thumbnails a recording gets.
type Thumbnails struct {
	Mode     string   `json:"mode"`     // INTERVAL or DISABLED
	Storage  []string `json:"storage"`  // SEQUENTIAL, LATEST or both
	Interval int      `json:"interval"` // seconds
}

// PublicKey is a key that an account signs participant tokens with: its public half.
type PublicKey struct {
	ARN         arn.ARN           `json:"arn"`
	Name        string            `json:"name"`
	Material    string            `json:"material"`    // the text that was imported
	SPKI        []byte            `json:"spki"`        // DER of the SubjectPublicKeyInfo (RFC 5280 4.1) in it
	Fingerprint string            `json:"fingerprint"` // 16 bytes of SHA-256 of SPKI, hexadecimal with colons
	Tags        map[string]string `json:"tags,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
}

// StorageConfiguration names a bucket that recordings go to.
type StorageConfiguration struct {
	ARN       arn.ARN           `json:"arn"`
	Name      string            `json:"name"`
	Bucket    string            `json:"bucket"`
	Tags      map[string]string `json:"tags,omitempty"`
	CreatedAt time.Time         `json:"createdAt"`
}

// Disconnected burns a participant of a stage: no token with its id is good any more.
type Disconnected struct {
	StageARN      arn.ARN   `json:"stageArn"`
	ParticipantID string    `json:"participantId"`
	Reason        string    `json:"reason,omitempty"` // what the caller said, for the participant
	At            time.Time `json:"at"`
	Until         time.Time `json:"until"` // from then on every token that could be meant has expired
}

// StageSession is a time in which participants were on a stage: a fact while it is open, history once it has ended.
type StageSession struct {
	StageARN  arn.ARN   `json:"stageArn"`
	SessionID string    `json:"sessionId"` // "st-" and 13 characters of [A-Za-z0-9]
	StartTime time.Time `json:"startTime"` // the first participant joined
	EndTime   time.Time `json:"endTime,omitzero"`

	// Holders are the nodes on which the stage is open, with somebody on it or within the grace time. Only a session
	// without any ends.
	Holders []Holder `json:"holders,omitempty"`

	// Owner is the life of a node that had the stage's claim, under Epoch, when it last opened, took over or ended the
	// session.
	Owner Holder `json:"owner,omitzero"`
	Epoch uint64 `json:"epoch,omitempty"`
}

// StageOwner is the value of the claim of a stage: who has it may open and end sessions of the stage.
type StageOwner struct {
	StageARN arn.ARN `json:"stageArn"`
}

// Values of Participant.Protocol.
const (
	ProtocolUnknown = "UNKNOWN"
	ProtocolWHIP    = "WHIP"
	ProtocolRTMP    = "RTMP"
	ProtocolRTMPS   = "RTMPS"
)

// RecordingState is where the recording of a participant is in its life. The empty one stands for RecordingDisabled.
type RecordingState string

// The values of RecordingState (spec ivs-realtime.md 4.4).
const (
	RecordingStarting RecordingState = "STARTING"
	RecordingActive   RecordingState = "ACTIVE"
	RecordingStopping RecordingState = "STOPPING"
	RecordingStopped  RecordingState = "STOPPED"
	RecordingFailed   RecordingState = "FAILED"
	RecordingDisabled RecordingState = "DISABLED"
)

// Participant is somebody in a session of a stage, connected now or earlier. A rejoin in the same session goes on with
// the same record.
type Participant struct {
	StageARN      arn.ARN           `json:"stageArn"`
	SessionID     string            `json:"sessionId"`
	ParticipantID string            `json:"participantId"`
	UserID        string            `json:"userId,omitempty"`
	Attributes    map[string]string `json:"attributes,omitempty"`
	FirstJoinTime time.Time         `json:"firstJoinTime"`
	Published     bool              `json:"published,omitempty"` // ever in this session
	Holders       []Holder          `json:"holders,omitempty"`   // nodes that have a connection of it; none: disconnected

	// What the client said of itself, each up to 128 characters of [A-Za-z0-9-_.,:; ].
	ISPName        string `json:"ispName,omitempty"`
	OSName         string `json:"osName,omitempty"`
	OSVersion      string `json:"osVersion,omitempty"`
	BrowserName    string `json:"browserName,omitempty"`
	BrowserVersion string `json:"browserVersion,omitempty"`
	SDKVersion     string `json:"sdkVersion,omitempty"`
	Protocol       string `json:"protocol,omitempty"` // "" stands for ProtocolUnknown

	RecordingState  RecordingState `json:"recordingState,omitempty"`
	RecordingBucket string         `json:"recordingBucket,omitempty"`
	RecordingPrefix string         `json:"recordingPrefix,omitempty"`

	ReplicationType  string  `json:"replicationType,omitempty"`  // SOURCE or REPLICA; "" stands for NONE
	ReplicationState string  `json:"replicationState,omitempty"` // ACTIVE or STOPPED
	SourceStageARN   arn.ARN `json:"sourceStageArn,omitzero"`    // of a replica
	SourceSessionID  string  `json:"sourceSessionId,omitempty"`  // of a replica

	IngestConfigurationARN arn.ARN `json:"ingestConfigurationArn,omitzero"` // of one that publishes by RTMP
	RedundantIngest        bool    `json:"redundantIngest,omitempty"`
}

// Holder is a node, in one life of it, that has a connection of a participant, a stage's session open, or runs a stream.
type Holder struct {
	Node        string `json:"node"`
	Incarnation string `json:"incarnation"`
}

// ParticipantState is where a participant is in its life, as the API shows it.
type ParticipantState string

// The states of a participant.
const (
	ParticipantConnected    ParticipantState = "CONNECTED"
	ParticipantDisconnected ParticipantState = "DISCONNECTED"
)

// State returns the state of a participant of an open session. Nobody is connected to one that has ended.
func (p Participant) State() ParticipantState {
	if len(p.Holders) > 0 {
		return ParticipantConnected
	}
	return ParticipantDisconnected
}

// Values of ParticipantEvent.Name.
const (
	EventJoined             = "JOINED"
	EventLeft               = "LEFT"
	EventPublishStarted     = "PUBLISH_STARTED"
	EventPublishStopped     = "PUBLISH_STOPPED"
	EventSubscribeStarted   = "SUBSCRIBE_STARTED"
	EventSubscribeStopped   = "SUBSCRIBE_STOPPED"
	EventPublishError       = "PUBLISH_ERROR"
	EventSubscribeError     = "SUBSCRIBE_ERROR"
	EventJoinError          = "JOIN_ERROR"
	EventReplicationStarted = "REPLICATION_STARTED"
	EventReplicationStopped = "REPLICATION_STOPPED"
	EventTokenExchanged     = "TOKEN_EXCHANGED"
)

// Values of ParticipantEvent.ErrorCode.
const (
	ErrorInsufficientCapabilities = "INSUFFICIENT_CAPABILITIES"
	ErrorQuotaExceeded            = "QUOTA_EXCEEDED"
	ErrorPublisherNotFound        = "PUBLISHER_NOT_FOUND"
	ErrorBitrateExceeded          = "BITRATE_EXCEEDED"
	ErrorResolutionExceeded       = "RESOLUTION_EXCEEDED"
	ErrorStreamDurationExceeded   = "STREAM_DURATION_EXCEEDED"
	ErrorInvalidAudioCodec        = "INVALID_AUDIO_CODEC"
	ErrorInvalidVideoCodec        = "INVALID_VIDEO_CODEC"
	ErrorInvalidProtocol          = "INVALID_PROTOCOL"
	ErrorInvalidStreamKey         = "INVALID_STREAM_KEY"
	ErrorReuseOfStreamKey         = "REUSE_OF_STREAM_KEY"
	ErrorBFramePresent            = "B_FRAME_PRESENT"
	ErrorInvalidInput             = "INVALID_INPUT"
	ErrorInternal                 = "INTERNAL_SERVER_EXCEPTION"
)

// ParticipantEvent is something that happened to a participant in a session (spec ivs-realtime.md 10.3).
type ParticipantEvent struct {
	Name                 string          `json:"name"`
	Time                 time.Time       `json:"time"`
	ParticipantID        string          `json:"participantId"`
	RemoteParticipantID  string          `json:"remoteParticipantId,omitempty"` // the publisher, on subscribe events
	ErrorCode            string          `json:"errorCode,omitempty"`           // on errors
	DestinationStageARN  arn.ARN         `json:"destinationStageArn,omitzero"`  // on replication events
	DestinationSessionID string          `json:"destinationSessionId,omitempty"`
	Replica              bool            `json:"replica,omitempty"`
	PreviousToken        *ExchangedToken `json:"previousToken,omitempty"` // on EventTokenExchanged
	NewToken             *ExchangedToken `json:"newToken,omitempty"`
}

// ExchangedToken is what an event shows of a token that was exchanged.
type ExchangedToken struct {
	Publish    bool              `json:"publish,omitempty"`
	Subscribe  bool              `json:"subscribe,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	UserID     string            `json:"userId,omitempty"`
	Expires    time.Time         `json:"expires"`
}
