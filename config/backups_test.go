package config

import (
	"slices"
	"testing"
)

func TestBackupsMistakes(t *testing.T) {
	for _, c := range []struct {
		backups Backups
		want    []string
	}{
		{Backups{"backups", "every 24h", 7}, nil},
		{Backups{"/srv/backups", "", 1}, nil},
		{Backups{"", "every 24h", 0}, []string{"backups.folder: missing; it is where backups are kept", "backups.keep: 0 is no number between 1 and 1000"}},
		{Backups{"b", "every 24h", 1001}, []string{"backups.keep: 1001 is no number between 1 and 1000"}},
	} {
		config := Default()
		config.Backups = c.backups
		if got := config.checkBackups(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.backups, got, c.want)
		}
	}
}
