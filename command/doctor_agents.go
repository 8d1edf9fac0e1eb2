package command

import (
	"context"
	"errors"
	"time"
)

// aroundAnswer is what a proof of one agent takes beside its answer.
const aroundAnswer = time.Minute

// proveAgents asks every agent, in a room where it answers. Agents that are not
// configured are none, and what hinders all of them is told once.
func (r *run) proveAgents() []Check {
	config, err := r.Agents.Load()
	if err != nil {
		return nil // the line of the configuration tells
	}
	agents, err := config.Agents()
	if err != nil {
		return nil
	}
	// One after another: each may change the configuration for a while.
	limit := time.Duration(len(agents)) * (r.answerWithin() + aroundAnswer)
	checks := make([]Check, len(agents))
	for i, agent := range agents {
		checks[i] = Check{Part: "agent " + agent.ID, Limit: limit, Look: func(ctx context.Context) Finding { return r.proveAgent(ctx, agent.ID) }}
	}
	return checks
}

// proveAgent sends a message through room, model, agent and sandbox, and reads
// the file that comes of it.
func (r *run) proveAgent(ctx context.Context, agent string) Finding {
	if gateway := r.healthOf(ctx, gatewayPart); gateway.Mark != Well {
		return notKnown(gatewayPart)
	}
	if image := r.healthOf(ctx, imagePart); image.Mark == NotWell && r.worksIn(agent, r.Settings.Image) {
		return notKnown(imagePart)
	}
	var proof Proof
	err := r.shared.lanes.in(ctx, agentsLane, func() (err error) {
		proof, err = r.proveBound(ctx, agent)
		return err
	})
	var problem *Problem
	switch {
	case errors.As(err, &problem):
		return Finding{Mark: Unsure, Fact: "could not be asked", Todo: problem.Sentence}
	case err != nil:
		return Finding{NotWell, "could not be asked", "the log says why"}
	case !proof.Whole():
		return Finding{NotWell, "does not work from end to end", proof.Fault()}
	}
	return Finding{Mark: Well, Fact: proof.facts()}
}

// worksIn says whether an agent's sandbox is made of an image, as its entry says.
func (r *run) worksIn(id, image string) bool {
	config, err := r.Agents.Load()
	if err != nil {
		return false
	}
	agent, err := config.Agent(id)
	return err == nil && agent.Text("sandbox", "docker", "image") == image
}
