package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/rivus-live/rivus/internal/audit"
)

// openAudit makes the trail of calls. The bus is open.
func (s *server) openAudit(ctx context.Context) error {
	var err error
	if s.auditRecords, err = audit.OpenQueue(ctx, s.store, s.cfg.AuditKeep, s.cfg.AuditMaxBytes); err != nil {
		return err
	}
	s.audit = audit.New(audit.Options{
		Queue: s.auditRecords, Bus: s.relay, DataCalls: s.cfg.AuditDataCalls, Clock: s.clock, Logger: s.log,
	})
	return nil
}

// readAudit answers an operator who asks for records, one a line, oldest first. An answer that breaks off was not complete.
func (s *server) readAudit(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := audit.Filter{Principal: q.Get("principal"), Action: q.Get("action"), Resource: q.Get("resource")}
	var err error
	for name, at := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if text := q.Get(name); text != "" && err == nil {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				err = fmt.Errorf("%s is no time as in 2026-05-05T21:55:38Z", name)
			}
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	if err := audit.Read(r.Context(), s.auditRecords, f, func(record *audit.Record) error { return out.Encode(record) }); err != nil {
		s.log.Warn("an answer of the audit breaks off", "error", err)
		panic(http.ErrAbortHandler)
	}
}

// collectAudit sends how many calls were recorded.
func (p partFigures) collectAudit(out figures) {
	a := p.audit.Stats()
	const records, how = "rivus_audit_records_total", "Records of calls, by whether they are on the disk or, for want of the state engine, in the log alone."
	out.counter(records, how, a.Written, "result", "written")
	out.counter(records, how, a.Dropped, "result", "dropped")
	out.counter("rivus_calls_unproven_total", "Calls of nobody who has proved to be anybody.", a.Unproven)
	out.counter("rivus_calls_data_total", "Calls that move data: PutEvents, Publish, PutMetadata, CreateParticipantToken.", a.Data)
}
