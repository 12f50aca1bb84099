package stage

import "github.com/rivus-live/rivus/internal/wsock"

// cause is why the server ends the connections of a participant.
type cause uint8

const (
	shutdown  cause = iota // the server stops
	replaced               // a newer socket of the participant
	kicked                 // DisconnectParticipant
	deleted                // DeleteStage
	slow                   // the client does not read
	badFrame               // the client sends what is no message, or too much
	busy                   // the stage is about to end
	full                   // the stage has as many participants as it may
	defective              // a defect of the server ended it
)

// causes are the close codes (ours are from 4000 on: RFC 6455, section 7.4.2) and names that docs/stage-protocol.md lists.
var causes = [...]struct { //nolint:gochecknoglobals // a constant table
	code int
	name string
}{
	shutdown:  {1001, "SERVER_SHUTDOWN"},
	replaced:  {4001, "REPLACED"},
	kicked:    {4002, "PARTICIPANT_DISCONNECTED"},
	deleted:   {4003, "STAGE_DELETED"},
	slow:      {4005, "TOO_SLOW"},
	badFrame:  {4006, "PROTOCOL_ERROR"},
	busy:      {1013, "TRY_AGAIN"},
	full:      {4429, "STAGE_FULL"},
	defective: {1011, "SERVER_ERROR"},
}

// reason is a cause as the events socket shows it.
type reason struct {
	code int
	name string
	text string // from whoever caused it
}

func because(c cause, text string) reason {
	return reason{code: causes[c].code, name: causes[c].name, text: text}
}

// farewell is what a client is told at the end of its socket.
func (r reason) farewell() wsock.Farewell {
	return wsock.Farewell{
		Code: r.code, Reason: r.name, Message: encode(typeDisconnected, reasonPayload{Reason: r.name, Message: r.text}),
	}
}

// refused is the reason of a token that is no good, by the status that HTTP would give it.
func refused(status int, text string) reason {
	return reason{code: 4000 + status, name: "TOKEN_REFUSED", text: text}
}
