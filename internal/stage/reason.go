package stage

// reason is why a connection of a participant ends, as the events socket shows it. The close codes are ours
// (RFC 6455, section 7.4.2); docs/stage-protocol.md lists them.
type reason struct {
	code int
	name string
	text string // from whoever caused it
}

// The reasons.
var ( //nolint:gochecknoglobals // a constant table
	reasonShutdown = reason{code: 1001, name: "SERVER_SHUTDOWN"}
	reasonReplaced = reason{code: 4001, name: "REPLACED"}
	reasonDeleted  = reason{code: 4003, name: "STAGE_DELETED"}
	reasonSlow     = reason{code: 4005, name: "TOO_SLOW"}
	reasonBadFrame = reason{code: 4006, name: "PROTOCOL_ERROR"}
	reasonSilent   = reason{code: 4007, name: "TIMEOUT"}
)

// kicked is the reason of a participant who was disconnected by the API.
func kicked(text string) reason {
	return reason{code: 4002, name: "PARTICIPANT_DISCONNECTED", text: text}
}

// refused is the reason of a token that is no good, by the status that HTTP would give it.
func refused(status int, text string) reason {
	return reason{code: 4000 + status, name: "TOKEN_REFUSED", text: text}
}
