package config

import (
	"strings"
	"testing"
)

func TestMetricsAreToldToThisMachineAlone(t *testing.T) {
	for listen, want := range map[string]string{
		"":                        "",
		"127.0.0.1:9464":          "",
		"127.1.2.3:9464":          "",
		"[::1]:9464":              "",
		"0.0.0.0:9464":            "other machines",
		"[::]:9464":               "other machines",
		"192.168.1.20:9464":       "write 127.0.0.1:9464",
		"[::ffff:192.0.2.1]:9464": "other machines",
		"127.0.0.1":               "no address and port",
		"127.0.0.1:0":             "no address and port",
		"127.0.0.1:99999":         "no address and port",
		":9464":                   "no address and port",
		"localhost:9464":          "no address and port",
		"127.0.0.1:9005":          "forwards.range",
	} {
		c := Default()
		c.Metrics.Listen = listen
		said := strings.Join(c.checkMetrics(), "\n")
		if (want == "") != (said == "") || !strings.Contains(said, want) {
			t.Errorf("%q: %q, want %q", listen, said, want)
		}
	}
	_, err := parse([]byte("metrics: {listen: \"0.0.0.0:9464\"}\nlog: {level: loud}\n"), "f.yaml", "/x")
	if err == nil || !strings.Contains(err.Error(), "metrics.listen") || !strings.Contains(err.Error(), "log.level") {
		t.Errorf("not all mistakes at once: %v", err)
	}
}
