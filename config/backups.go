package config

import "fmt"

// Backups is where copies of what would be missed are kept.
type Backups struct {
	Folder string   `yaml:"folder"`
	Every  Schedule `yaml:"every"`
	Keep   int      `yaml:"keep"`
}

// mostBackups bounds what is kept: each is as large as the databases.
const mostBackups = 1000

func (c *Config) checkBackups() []string {
	var list []string
	if c.Backups.Folder == "" {
		list = append(list, "backups.folder: missing; it is where backups are kept")
	}
	if c.Backups.Keep < 1 || c.Backups.Keep > mostBackups {
		list = append(list, fmt.Sprintf("backups.keep: %d is no number between 1 and %d", c.Backups.Keep, mostBackups))
	}
	return list
}
