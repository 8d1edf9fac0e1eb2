package bot

import (
	"bytes"
	"encoding/json"

	"github.com/rs/zerolog"
	"github.com/sirupsen/logrus"
)

// zerologTo lets the Matrix library, which logs with zerolog, write into ours.
func zerologTo(log *logrus.Entry) zerolog.Logger {
	level := zerolog.InfoLevel
	if log.Logger.IsLevelEnabled(logrus.DebugLevel) {
		level = zerolog.DebugLevel
	}
	return zerolog.New(logBridge{log}).Level(level)
}

// expectedWarning is given at each start because our syncer keeps the library
// from decrypting by itself, on purpose.
const expectedWarning = "does not implement DispatchableSyncer"

type logBridge struct{ log *logrus.Entry }

func (l logBridge) Write(line []byte) (int, error) { return l.WriteLevel(zerolog.DebugLevel, line) }

// WriteLevel passes a line on. The library's "info" tells of every request,
// which is for our "debug".
func (l logBridge) WriteLevel(level zerolog.Level, line []byte) (int, error) {
	to := logrus.DebugLevel
	if level >= zerolog.WarnLevel && !bytes.Contains(line, []byte(expectedWarning)) {
		to = logrus.WarnLevel
	}
	if !l.log.Logger.IsLevelEnabled(to) {
		return len(line), nil
	}
	fields := logrus.Fields{}
	if err := json.Unmarshal(line, &fields); err != nil {
		fields["line"] = string(line)
	}
	message, _ := fields["message"].(string)
	delete(fields, "message")
	delete(fields, "level")
	l.log.WithFields(fields).Log(to, message)
	return len(line), nil
}
