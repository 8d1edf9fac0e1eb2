package app

import (
	"io"

	"github.com/sirupsen/logrus"
	"gopkg.in/natefinch/lumberjack.v2"
)

// fileLog logs into a file that is rotated at 10 MB, five kept; errors show on
// the terminal too.
func fileLog(path string, terminal io.Writer) (*logrus.Entry, func()) {
	file := &lumberjack.Logger{Filename: path, MaxSize: 10, MaxBackups: 5}
	logger := logrus.New()
	logger.SetOutput(file)
	logger.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true})
	logger.AddHook(&errorHook{terminal})
	return logrus.NewEntry(logger), func() { file.Close() }
}

// streamLog logs to a stream, e.g. for systemd's journal.
func streamLog(out io.Writer) *logrus.Entry {
	logger := logrus.New()
	logger.SetOutput(out)
	return logrus.NewEntry(logger)
}

func setLevel(log *logrus.Entry, name string) {
	if level, err := logrus.ParseLevel(name); err == nil {
		log.Logger.SetLevel(level)
	}
}

// errorHook repeats errors where a person may see them.
type errorHook struct{ out io.Writer }

func (h *errorHook) Levels() []logrus.Level {
	return []logrus.Level{logrus.ErrorLevel, logrus.FatalLevel, logrus.PanicLevel}
}

func (h *errorHook) Fire(entry *logrus.Entry) error {
	text := entry.Message
	if err, ok := entry.Data[logrus.ErrorKey].(error); ok {
		text += ": " + err.Error()
	}
	_, err := io.WriteString(h.out, text+"\n")
	return err
}
