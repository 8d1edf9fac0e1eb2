package sandbox

import (
	"context"
	"slices"
)

// HistoryStep is one instruction of which an image was made.
type HistoryStep struct {
	Command string // the instruction, as the engine repeats it
	Size    int64  // bytes that it added
}

// History lists what an image was made of, the oldest first.
func (e *Engine) History(ctx context.Context, ref string) ([]HistoryStep, error) {
	found, err := e.api.ImageHistory(ctx, ref)
	if err != nil {
		return nil, e.engineError(err, "history of image %q", ref)
	}
	steps := make([]HistoryStep, len(found))
	for i, item := range found {
		steps[i] = HistoryStep{Command: oneLine(item.CreatedBy), Size: item.Size}
	}
	slices.Reverse(steps)
	return steps, nil
}
