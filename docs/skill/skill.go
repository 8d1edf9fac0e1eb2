// Package skill is the skill that tells an agent what it can ask the bot for,
// as OpenClaw reads skills. It is a document that the binary carries.
package skill

import _ "embed"

// Text is the skill; YOUR-ID stands where the agent's own id belongs.
//
//go:embed SKILL.md
var Text string
