package app

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/rivus-live/rivus/internal/broadcast"
	"github.com/rivus-live/rivus/internal/resource"
)

// metrics exposes what the parts report. Each part keeps plain counters and knows nothing of Prometheus; here they are
// read at scrape time. No label carries anything a stranger can choose, or a secret.
type metrics struct {
	registry *prometheus.Registry
	calls    *prometheus.HistogramVec
}

func newMetrics(s *server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "rivus_api_request_seconds", Help: "Time from the request's headers to its answer, by operation and status.",
			Buckets: []float64{.0001, .0003, .001, .003, .01, .03, .1, .3, 1, 3},
		}, []string{"operation", "status"}),
	}
	m.registry.MustRegister(m.calls, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), partFigures{s})
	return m
}

func (m *metrics) observeCall(operation string, status int, d time.Duration) {
	m.calls.WithLabelValues(operation, strconv.Itoa(status)).Observe(d.Seconds())
}

// partFigures reads the figures of every part when they are asked for.
type partFigures struct{ *server }

// Describe sends nothing: the set of samples is not fixed, which makes this an unchecked collector.
func (partFigures) Describe(chan<- *prometheus.Desc) {}

// figures sends samples: a name, what it means, the figure, and pairs of a label and its value.
type figures chan<- prometheus.Metric

func (out figures) send(kind prometheus.ValueType, name, help string, v float64, labels []string) {
	var names, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), kind, v, values...)
}

func (out figures) gauge(name, help string, v float64, labels ...string) {
	out.send(prometheus.GaugeValue, name, help, v, labels)
}

func (out figures) counter(name, help string, v int64, labels ...string) {
	out.send(prometheus.CounterValue, name, help, float64(v), labels)
}

// Collect sends the present figures.
func (p partFigures) Collect(samples chan<- prometheus.Metric) {
	out := figures(samples)
	p.collectDoors(out)
	p.collectPanics(out)
	p.collectStreams(out)
	p.collectStages(out)
	p.collectReaped(out)
	p.collectPlayback(out)
	p.collectDeliveries(out)
	p.collectAccess(out)
	p.collectNotifications(out)
	p.collectAudit(out)
}

// collectDoors sends who came in, and who did not.
func (p partFigures) collectDoors(out figures) {
	r, d := p.rtmp.Stats(), p.doors
	out.gauge("rivus_rtmp_connections", "Open RTMP and RTMPS connections.", float64(r.Open))
	out.gauge("rivus_rtmp_publishing", "Accepted publications now.", float64(r.Publishing))
	out.counter("rivus_rtmp_refused_total", "Publish requests refused.", r.Refused)
	out.counter("rivus_rtmp_turned_away_total", "Connections turned away because a limit was reached.", r.Turned)
	out.counter("rivus_rtmp_received_bytes_total", "Bytes read from encoders.", r.BytesIn)
	out.gauge("rivus_strangers", "Connections that have proved nothing yet, without those of loopback and of trusted proxies.", float64(d.counter.Present()))
	const refused, why = "rivus_strangers_refused_total", "Connections closed as soon as they came: their address had too many that proved nothing, or file descriptors ran out."
	out.counter(refused, why, d.turned.Load(), "reason", "address")
	out.counter(refused, why, d.short.Load(), "reason", "descriptors")
	out.counter("rivus_accept_failures_total", "Failures to accept a connection, mostly for want of file descriptors.", d.failed.Load())
}

// collectPanics sends the panics of all parts.
func (p partFigures) collectPanics(out figures) {
	const panics, about = "rivus_panics_total", "Panics, each of which ended one connection, peer or request. A defect: please report the log line."
	out.counter(panics, about, p.rtmp.Stats().Panics, "part", "rtmp")
	out.counter(panics, about, p.guard.panics.Load(), "part", "http")
	out.counter(panics, about, p.tlsPanics.Load(), "part", "tls")
	out.counter(panics, about, p.origin.Panics(), "part", "playback")
	out.counter(panics, about, p.broadcasts.Stats().Panics, "part", "broadcast")
	out.counter(panics, about, p.node.Panics(), "part", "cluster")
	out.counter(panics, about, int64(p.stages.manager.Totals().Panics), "part", "stage") //nolint:gosec // it takes centuries to overflow
	if p.stages.open() {
		out.counter(panics, about, p.stages.port.Panics(), "part", "media")
	}
}

// collectStreams sends what encoders send.
func (p partFigures) collectStreams(out figures) {
	b := p.broadcasts.Stats()
	for _, state := range []resource.StreamState{resource.Starting, resource.Live, resource.Stalled} {
		out.gauge("rivus_streams", "Streams of this node, by state.", float64(b.Streams[state]), "state", strings.ToLower(string(state)))
	}
	out.counter("rivus_sessions_total", "Stream sessions begun.", b.Sessions)
	out.counter("rivus_takeovers_total", "Streams taken over by a publisher of higher priority.", b.Takeovers)
	out.counter("rivus_ingest_bytes_total", "Bytes of media messages.", b.Bytes)
	out.counter("rivus_ingest_frames_total", "Frames packaged.", b.Frames)
	out.counter("rivus_ingest_dropped_total", "Media messages that were damaged or did not fit.", b.Drops)
	const foreign, of = "rivus_ingest_foreign_total", "Media messages dropped because their codec is not carried."
	out.counter(foreign, of, b.ForeignVideo, "media", "video")
	out.counter(foreign, of, b.ForeignAudio, "media", "audio")
	out.counter("rivus_ingest_refused_total", "Publishers ended for what they sent.", b.Unfit)
	out.counter("rivus_ingest_rebases_total", "Timestamp jumps taken out.", b.Rebases)
	out.counter("rivus_ingest_date_steps_total", "Dates of playlists put right at a discontinuity.", b.DateSteps)
	sendPartLatency(out, b.PartLatency)
}

// collectStages sends who is on stages, and what they send and get.
func (p partFigures) collectStages(out figures) {
	if !p.stages.open() {
		return
	}
	st := p.stages.manager.Stats()
	out.gauge("rivus_stages", "Stages with somebody on them.", float64(st.Stages))
	out.gauge("rivus_stage_participants", "Participants connected to this node.", float64(st.Participants))
	out.gauge("rivus_stage_publications", "Publications that this node forwards.", float64(st.Publications))
	out.gauge("rivus_stage_subscriptions", "Subscriptions that this node serves.", float64(st.Subscriptions))
	p.stages.totals(out.counter)
}

// collectReaped sends what this node has ended for others.
func (p partFigures) collectReaped(out figures) {
	const reaped, of = "rivus_reaped_total", "Ended by this node because the node that had them was gone."
	b := p.broadcasts.Stats()
	out.counter(reaped, of, b.Reaped, "kind", "stream_session")
	out.counter(reaped, of, b.ReapedClaims, "kind", "claim")
	st := p.stages.manager.Stats()
	out.counter(reaped, of, st.ReapedSessions, "kind", "stage_session")
	out.counter(reaped, of, st.ReapedParticipants, "kind", "participant")
}

// collectPlayback sends what viewers get.
func (p partFigures) collectPlayback(out figures) {
	o := p.origin.Stats()
	for _, c := range o.Requests {
		out.counter("rivus_playback_requests_total", "Playback requests, by kind and status.", c.Count,
			"kind", c.Kind.String(), "status", strconv.Itoa(c.Status))
	}
	for kind, n := range o.Bytes {
		out.counter("rivus_playback_sent_bytes_total", "Bytes of playback bodies, by kind.", n, "kind", kind.String())
	}
	out.gauge("rivus_playback_waits", "Requests that wait for a playlist or a part.", float64(o.Waits))
	out.gauge("rivus_playback_viewers", "Playback sessions now.", float64(o.Viewers))
	for reason, n := range p.gate.Stats().Refused {
		out.counter("rivus_playback_refused_total", "Requests of viewers who may not watch, by reason.", n, "reason", strings.ReplaceAll(string(reason), " ", "_"))
	}
	out.counter("rivus_playback_late_parts_total", "Parts that were sent later than their own duration after they were made.", o.LateParts)
}

func sendPartLatency(out chan<- prometheus.Metric, l broadcast.Latency) {
	buckets := map[float64]uint64{}
	var sum uint64
	for i, n := range l.Counts {
		sum += uint64(n)
		if i < len(l.Bounds) {
			buckets[l.Bounds[i].Seconds()] = sum
		}
	}
	desc := prometheus.NewDesc("rivus_part_latency_seconds",
		"From the arrival of the frame that completes a part to the playlist that lists it.", nil, nil)
	out <- prometheus.MustNewConstHistogram(desc, sum, l.Sum.Seconds(), buckets)
}
