package whipcheck

// rule is one thing that a document asks of a server.
type rule struct {
	id         string
	level      Verdict // of a breach: Violated or Advised
	whip, whep string  // clauses; "" where the protocol has no such rule. A bare number is of the protocol's own document.
	title      string
}

// rules returns all of them, in the order of a report.
func rules() []rule {
	return append(append(append(endpointRules(), answerRules()...), patchRules()...), mediaRules()...)
}

const (
	must   = Violated
	should = Advised
)

// endpointRules are about requests to the endpoint, and about what comes beside an answer.
func endpointRules() []rule {
	return []rule{
		{"https", must, "5", "5", "the endpoint is reached over HTTPS"},
		{"http.version", should, "RFC 9112, 2.3", "RFC 9112, 2.3", "the server speaks HTTP/1.1 or newer"},
		{"http.keep-alive", should, "RFC 9112, 9.3", "RFC 9112, 9.3", "connections are kept for further requests"},
		{"http.redirect", must, "4.5", "4.6", "a POST is never redirected by 301, 302 or 303"},
		{"http.retry-after", must, "RFC 9110, 10.2.3", "RFC 9110, 10.2.3", "Retry-After is a number of seconds or a date"},
		{"endpoint.get", must, "4.1", "4.1", "GET is answered 2xx without content"},
		{"endpoint.head", should, "RFC 9110, 9.3.2", "RFC 9110, 9.3.2", "HEAD is answered as GET"},
		{"endpoint.methods", must, "RFC 9110, 15.5.6", "RFC 9110, 15.5.6", "other methods are refused, 405 with Allow"},
		{"endpoint.options", must, "4.2", "4.3", "OPTIONS is answered 2xx"},
		{"endpoint.cors", must, "4.2", "4.3", "a preflight without a token allows POST with Content-Type and Authorization to other origins"},
		{"endpoint.accept-post", should, "4.2", "4.3", "OPTIONS names application/sdp in Accept-Post"},
		{"endpoint.preflight-link", should, "4.6", "", "a preflight is answered without STUN/TURN servers"},
		{"auth.missing", must, "4.7.1", "4.8.1", "a request without a token gets 401 and WWW-Authenticate (RFC 9110, 15.5.2)"},
		{"auth.bad", must, "4.7.1", "4.8.1", "a request with a bad token gets 401 and WWW-Authenticate (RFC 6750, 3)"},
		{"post.created", must, "4.2", "4.2.1", "POST with an offer is answered 201"},
		{"post.type", must, "4.2", "4.2.1", "the answer's Content-Type is application/sdp"},
		{"post.location", must, "4.2", "4.2.1", "Location is the URL of the session"},
		{"post.secret", should, "5", "5", "session URLs cannot be guessed"},
		{"post.expose", should, "FETCH, 3.3.3", "FETCH, 3.3.3", "pages of other origins may read Location, ETag and Link"},
		{"post.etag", must, "4.3.1", "4.4.1", "sessions have a strong ETag when ICE can be trickled or restarted"},
		{"post.link", must, "RFC 8288, 3", "RFC 8288, 3", "Link headers are well-formed"},
		{"post.ice-servers", must, "4.6", "4.7", "ice-server links are STUN or TURN URIs, TURN with credentials"},
		{"post.counter-offer", must, "", "4.2.2", "a counter-offer is 406 with an offer, Location and a good valid-until"},
		{"post.content-type", must, "4.2", "4.2.4", "POST of another type than application/sdp gets 4xx"},
		{"post.415", should, "RFC 9110, 15.5.16", "RFC 9110, 15.5.16", "the status for another type is 415"},
		{"post.malformed", must, "4.2", "4.2.4", "POST of malformed SDP gets 4xx"},
		{"post.large", should, "5", "5", "an offer of several megabytes is refused"},
	}
}

// answerRules are about the SDP answer.
func answerRules() []rule {
	return []rule{
		{"answer.sdp", must, "RFC 8866, 5", "RFC 8866, 5", "the answer is SDP"},
		{"answer.sections", must, "RFC 3264, 6", "RFC 3264, 6", "the answer has the offer's media sections in their order"},
		{"answer.mid", must, "RFC 9429, 5.3.1", "RFC 9429, 5.3.1", "sections keep their mid"},
		{"answer.complete", should, "4.4.3", "RFC 9429, 5.3.1", "no section of a plain offer is rejected"},
		{"answer.bundle", must, "4.4.1", "4.5.1", "all accepted sections are bundled"},
		{"answer.rtcp-mux", must, "4.4.1", "4.5.1", "bundled sections have rtcp-mux"},
		// Demanded here, forbidden in answers by RFC 8858: neither can be a violation.
		{"answer.rtcp-mux-only", should, "4.4.1", "4.5.1", "bundled sections have rtcp-mux-only (but see RFC 8858, 4.3)"},
		{"answer.direction", must, "4.2", "4.2.5", "sections are recvonly for WHIP, sendonly for WHEP"},
		{"answer.setup", must, "RFC 8842, 5.3", "RFC 8842, 5.3", "the DTLS role is active or passive"},
		{"answer.fingerprint", must, "RFC 8842, 5.3", "RFC 8842, 5.3", "there is a fingerprint of the certificate"},
		{"answer.ice", must, "RFC 8839, 5.4", "RFC 8839, 5.4", "there are an ICE user fragment and a password"},
		{"answer.candidates", must, "4.3.2", "4.4.2", "the first bundled section has the server's candidates, well-formed"},
		{"answer.codecs", must, "RFC 3264, 6.1", "RFC 3264, 6.1", "every codec was offered"},
		{"answer.payload-types", should, "RFC 3264, 6.1", "RFC 3264, 6.1", "codecs keep their payload types"},
		{"answer.extensions", must, "RFC 8285, 6", "RFC 8285, 6", "every header extension was offered, with the same id"},
		{"answer.msid", must, "", "4.5.2", "all sections are of one MediaStream"},
		{"offer.sendrecv", must, "4.2", "4.2.5", "an offer with sendrecv is answered in one direction"},
		{"offer.active", must, "4.4.4", "RFC 8842, 5.3", "an offer with setup:active is answered passive, or refused"},
		{"offer.two-videos", must, "4.4.2", "", "a second video track is accepted, or the offer refused with 422 or 400"},
		{"offer.partial", should, "4.4.3", "", "an offer with a section that cannot be accepted is refused whole"},
	}
}

// patchRules are about requests to a session.
func patchRules() []rule {
	return []rule{
		{"session.get", must, "4.1", "4.1", "GET is answered 2xx without content"},
		{"session.methods", must, "RFC 9110, 15.5.6", "RFC 9110, 15.5.6", "other methods are refused, 405 with Allow"},
		{"session.cors", should, "FETCH, 3.3", "FETCH, 3.3", "a preflight allows PATCH and DELETE with If-Match to other origins"},
		{"session.auth", must, "4.7.1", "4.8.1", "PATCH without a token gets 401 and WWW-Authenticate"},
		{"patch.trickle", must, "4.3.2", "4.4.2", "new candidates are answered 204"},
		{"patch.trickle-bare", must, "4.3.2", "4.4.2", "that answer has neither body nor ETag"},
		{"patch.discard", must, "4.3.2", "4.4.2", "candidates that cannot be used are discarded silently"},
		{"patch.overlap", must, "4.3.1", "4.4.1", "overlapping PATCH requests are all served"},
		{"patch.missing", must, "4.3.1", "4.4.1", "PATCH without If-Match gets 428"},
		{"patch.stale", must, "4.3.1", "4.4.1", "PATCH with another entity-tag gets 412"},
		{"patch.content-type", must, "4.3.1", "4.4.1", "PATCH of another type gets 4xx"},
		{"patch.malformed", must, "4.3.1", "4.4.1", "PATCH of a malformed fragment gets 4xx"},
		{"patch.unsupported", must, "4.3.1", "4.4.1", "when only trickle or only restart is supported, the other gets 422"},
		{"restart.status", must, "4.3.3", "4.4.3", "an ICE restart is answered 200 with a fragment"},
		{"restart.credentials", must, "4.3.3", "4.4.3", "the fragment has a new user fragment and password"},
		{"restart.candidates", should, "4.3.3", "4.4.3", "the fragment has candidates"},
		{"restart.attributes", must, "4.3.3", "4.4.3", "the fragment repeats ice-options, ice-pacing and ice-lite of the answer"},
		{"restart.etag", must, "4.3.3", "4.4.3", "the answer has a new strong ETag"},
		// Demanded of the server, but a client that sends such a request breaks a rule itself.
		{"restart.implied", should, "4.3.3", "4.4.3", "new credentials restart ICE with the entity-tag, too"},
		{"restart.stale", must, "4.3.1", "4.4.1", "after a restart the entity-tag of before gets 412, the new one 204"},
		{"delete.status", must, "4.2", "4.3", "DELETE is answered 2xx"},
		{"delete.200", should, "3", "3.1", "the status is 200"},
		{"delete.etag", must, "4.3.1", "4.4.1", "DELETE ignores If-Match"},
		{"delete.gone", must, "4.2", "4.3", "a session that was deleted takes no PATCH"},
		{"delete.again", should, "RFC 9110, 15.5.5", "RFC 9110, 15.5.5", "a second DELETE gets 404 or 410"},
		{"session.unknown", should, "RFC 9110, 15.5.5", "RFC 9110, 15.5.5", "a session that never was gets 404"},
	}
}

// mediaRules are about the connection that the answer leads to.
func mediaRules() []rule {
	return []rule{
		{"media.connect", must, "4.2", "4.2.8", "ICE and DTLS connect"},
		{"media.reports", must, "RFC 3550, 6.4", "", "the server reports on every track that it receives"},
		{"media.flow", must, "", "4.2.8", "RTP arrives on every accepted section"},
		{"media.keyframe", must, "", "RFC 8834, 5.1.2", "a picture loss indication brings a keyframe"},
		{"media.survives", must, "4.3.3", "4.4.3", "a PATCH that was refused does not end the session"},
		{"media.restart", must, "4.3.3", "4.4.3", "after an ICE restart media goes on"},
		{"media.end", must, "4.2", "4.3", "DELETE ends the connection"},
	}
}
