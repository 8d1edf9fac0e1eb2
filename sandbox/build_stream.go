package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// buildMessage is one JSON object of the engine's answer to a long request: a
// build, a pull, an import.
type buildMessage struct {
	ID     string          `json:"id"`
	Stream string          `json:"stream"`
	Status string          `json:"status"`
	Aux    json.RawMessage `json:"aux"`
	Error  string          `json:"error"`
	Detail struct {
		Code int `json:"code"`
	} `json:"errorDetail"`
}

// failure is the error that the message carries; nil for any other message.
func (m buildMessage) failure() error {
	if m.Error == "" {
		return nil
	}
	return errors.New(m.Error)
}

// eachMessage hands over the engine's messages one by one until the answer's
// end: nothing is kept, however long it is. It stops at the first error of
// each.
func eachMessage(body io.Reader, each func(buildMessage) error) error {
	decoder := json.NewDecoder(body)
	for {
		var message buildMessage
		err := decoder.Decode(&message)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the engine's answer: %w", err)
		}
		if err := each(message); err != nil {
			return err
		}
	}
}
