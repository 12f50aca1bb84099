package ivs

import (
	"github.com/rivus-live/rivus/internal/awsapi"
)

// paging makes and reads the page tokens of one kind of list: the caller's, of one operation, under one filter.
type paging struct {
	pager             *awsapi.Pager
	caller            awsapi.Caller
	operation, filter string
}

func (s *Service) paging(c awsapi.Caller, operation, filter string) paging {
	return paging{s.opts.Pager, c, operation, filter}
}

// after returns the id that the page of a request comes after, "" for the first page. An empty token is no token.
func (p paging) after(token *string) (string, error) {
	if token == nil || *token == "" {
		return "", nil
	}
	return p.pager.Decode(p.caller.Scope, p.operation, p.filter, *token)
}

// next returns the token of the page after id, nil when there is none.
func (p paging) next(more bool, id string) *string {
	if !more {
		return nil
	}
	return ptr(p.pager.Encode(p.caller.Scope, p.operation, p.filter, id))
}

// limit returns the page size of a request, whose range has been checked.
func limit(asked *int32, otherwise int) int {
	if asked == nil {
		return otherwise
	}
	return int(*asked)
}
