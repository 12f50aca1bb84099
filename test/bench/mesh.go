package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rivus-live/rivus/test/bench/peer"
)

// Sizes of the meshes, and how long their layers have to find their place.
const (
	meshStages       = 3
	meshParticipants = 12
	meshSettle       = 30 * time.Second
)

// measureMesh measures stages on which everybody sends three layers and receives everybody else.
func measureMesh(ctx context.Context, b *bench) error {
	err := b.eachServer(ctx, func(c contender) error {
		for _, loss := range pick(b, []float64{0, 0.01}, []float64{0.01}) {
			if err := b.tolerate(ctx, c, fmt.Sprintf("%g %% loss", loss*100), b.measureMeshOf(ctx, c, loss)); err != nil {
				return err
			}
		}
		return nil
	})
	b.report.note("everybody publishes 720p, 360p and 180p at 2.5 Mbit/s, 500 and 150 kbit/s, and Opus, and receives all others of the stage; the rest as in stage-forward, with a load process for each stage")
	return err
}

func (b *bench) measureMeshOf(ctx context.Context, who contender, loss float64) error {
	s, err := who.start(ctx)
	if err != nil {
		return err
	}
	o := &onStage{sfu: s}
	defer o.close()
	stages, people := pick(b, meshStages, 1), pick(b, meshParticipants, 4)
	b.progress("mesh: %s, %d stages of %d, %g %% loss", s.name(), stages, people, loss*100)
	idle, err := b.hold(ctx, s)
	if err != nil {
		return err
	}
	for i := range stages {
		tickets, err := s.open(ctx, people)
		if err != nil {
			return err
		}
		if err := b.bring(ctx, o, meshJob(tickets, i, loss), people, people*(people-1)); err != nil {
			return err
		}
	}
	if err := wait(ctx, pick(b, meshSettle, 0)); err != nil {
		return err
	}
	c, err := b.cross(ctx, o, fmt.Sprintf("mesh-%s-%g", s.name(), loss*100), pick(b, 15*time.Second, 3*time.Second))
	if err != nil {
		return err
	}
	held, err := b.hold(ctx, s)
	if err != nil {
		return err
	}
	links := stages * people * (people - 1)
	what := fmt.Sprintf("%d stages of %d, %g %% loss: ", stages, people, loss*100)
	b.reportCrossing(s, what, c, loss == 0)
	l := c.Received.Layers
	b.report.add(mark(s)+what+"layers that were chosen", "%d of %d videos at 720p, %d at 360p, %d at 180p, %d without; %d changes in %.0f s",
		l[3], links, l[2], l[1], int64(links)-l[1]-l[2]-l[3], c.Received.Switches, c.length().Seconds())
	if loss == 0 {
		b.reportHeld(s, what, links, idle, held)
	}
	return nil
}

// meshJob makes everybody publish and receive everybody else.
func meshJob(tickets []ticket, stage int, loss float64) stageJob {
	j := stageJob{Loss: loss}
	for i, t := range tickets {
		number := stage*len(tickets) + i
		m := member{Ticket: t, Program: &peer.Program{
			ID: uint16(number), Layers: peer.Simulcast(), Phase: time.Duration(number) * 5 * time.Millisecond, // not all in one moment
		}}
		for k, other := range tickets {
			if k != i {
				m.Watch = append(m.Watch, other.ID)
			}
		}
		j.Members = append(j.Members, m)
	}
	return j
}
