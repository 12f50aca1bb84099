package awsapi

import "github.com/rivus-live/rivus/internal/awsapi/restjson"

// ID names the operation of a row.
func (op Operation) ID() restjson.Operation { return op.id }

// IsOpen reports whether everybody may call the operation.
func (op Operation) IsOpen() bool { return op.open }
