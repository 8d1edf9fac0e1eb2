package app

import (
	"github.com/githabideri/fraktalia/command"
	"github.com/githabideri/fraktalia/config"
)

// policies are what the configuration lets friends and agents do.
func policies(roles config.Roles) map[command.Role]command.Policy {
	return map[command.Role]command.Policy{command.Agent: command.Policy(roles.Agent), command.Friend: command.Policy(roles.Friend)}
}

// checkPolicies refuses a configuration that gives roles what only owners can have.
func checkPolicies(roles config.Roles) error {
	wrong := append(command.Policy(roles.Agent).Check("agent"), command.Policy(roles.Friend).Check("friend")...)
	if len(wrong) == 0 {
		return nil
	}
	return &config.Mistakes{File: "fraktalia.yaml", List: wrong}
}
