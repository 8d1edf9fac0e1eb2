package sandbox

import "context"

// MachineFromInside is what is asked of an engine on another machine.
func (e *Engine) MachineFromInside(ctx context.Context, probe string) (m Machine, err error) {
	m.Memory, m.Disk, err = e.otherMachine(ctx, probe)
	return m, err
}
