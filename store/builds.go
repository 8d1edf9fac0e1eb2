package store

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
)

// Outcome is how a build ended.
type Outcome string

// A build is building until it ended. Interrupted says that the program ended
// in its middle.
const (
	BuildRunning     Outcome = "running"
	BuildDone        Outcome = "done"
	BuildFailed      Outcome = "failed"
	BuildStopped     Outcome = "stopped"
	BuildInterrupted Outcome = "interrupted"
)

// Build is the making of a sandbox image.
type Build struct {
	ID        int64
	Tag       string
	ImageID   string // of the candidate, once there is one
	Size      int64  // of the image, in bytes
	StartedAt time.Time
	Duration  time.Duration // with base and tests; 0 while it runs
	StartedBy string
	Outcome   Outcome
	Why       string // why it failed, in a sentence; "" else
	Builder   string // "buildkit" or "classic"
	BaseID    string // the image it was made from
	Profile   string // of the catalogue; "" for an owner's own Dockerfile
	Engine    string // the engine's address, "" for the configured one
	Memory    int64  // bytes that it took at most of its machine's; 0 is not known
	Layers    []BuildLayer
}

// BuildLayer is one step of a build that has ended, in the image's order.
type BuildLayer struct {
	Name     string // the group, the late package, or what the step is for
	Step     string // the instruction itself: the same text on the same steps is the same cached layer
	Cached   bool
	Duration time.Duration
	Size     int64 // bytes that it adds to the image
}

// BeginBuild records a build before it begins: killed in the middle of it, the
// program still knows what it was doing.
func (s *Store) BeginBuild(ctx context.Context, b Build) (id int64, err error) {
	result, err := s.own.Exec(ctx, `INSERT INTO fraktalia_build (tag, image_id, size, started_at, duration, started_by, outcome, base_id, profile, engine)
		VALUES ($1, '', 0, $2, 0, $3, $4, $5, $6, $7)`, b.Tag, millis(b.StartedAt), b.StartedBy, BuildRunning, b.BaseID, b.Profile, b.Engine)
	if err != nil {
		return 0, fmt.Errorf("record a build: %w", err)
	}
	return result.LastInsertId()
}

// CandidateBuild records the image that a build is about to make the live one.
func (s *Store) CandidateBuild(ctx context.Context, id int64, imageID string) error {
	_, err := s.own.Exec(ctx, "UPDATE fraktalia_build SET image_id=$1 WHERE id=$2", imageID, id)
	return err
}

// EndBuild records how the build b.ID ended, with its layers.
func (s *Store) EndBuild(ctx context.Context, b Build) error {
	return s.InTransaction(ctx, func(ctx context.Context) error {
		if _, err := s.own.Exec(ctx, `UPDATE fraktalia_build SET image_id=$1, size=$2, duration=$3, outcome=$4, why=$5, builder=$6, base_id=$7, profile=$8, memory=$9
			WHERE id=$10`, b.ImageID, b.Size, b.Duration.Milliseconds(), b.Outcome, b.Why, b.Builder, b.BaseID, b.Profile, b.Memory, b.ID); err != nil {
			return err
		}
		for i, l := range b.Layers {
			if _, err := s.own.Exec(ctx, `INSERT INTO fraktalia_build_layer (build_id, position, name, step, cached, duration, size)
				VALUES ($1, $2, $3, $4, $5, $6, $7)`, b.ID, i, l.Name, l.Step, l.Cached, l.Duration.Milliseconds(), l.Size); err != nil {
				return err
			}
		}
		return nil
	})
}

const buildColumns = `SELECT id, tag, image_id, size, started_at, duration, started_by, outcome, why, builder, base_id, profile, engine, memory FROM fraktalia_build `

var scanBuild = dbutil.ConvertRowFn[Build](func(row dbutil.Scannable) (b Build, err error) {
	var startedAt, duration int64
	err = row.Scan(&b.ID, &b.Tag, &b.ImageID, &b.Size, &startedAt, &duration, &b.StartedBy, &b.Outcome, &b.Why, &b.Builder, &b.BaseID, &b.Profile, &b.Engine, &b.Memory)
	b.StartedAt, b.Duration = fromMillis(startedAt), time.Duration(duration)*time.Millisecond
	return b, err
})

// Builds lists the last builds of a tag with their layers, the newest first.
func (s *Store) Builds(ctx context.Context, tag string, most int) ([]Build, error) {
	builds, err := scanBuild.NewRowIter(s.own.Query(ctx, buildColumns+"WHERE tag=$1 ORDER BY id DESC LIMIT $2", tag, most)).AsList()
	if err != nil {
		return nil, fmt.Errorf("list the builds: %w", err)
	}
	for i := range builds {
		if builds[i].Layers, err = s.buildLayers(ctx, builds[i].ID); err != nil {
			return nil, fmt.Errorf("list a build's layers: %w", err)
		}
	}
	return builds, nil
}

// OpenBuilds lists the builds that have not ended: those of a program that was
// killed, where none runs.
func (s *Store) OpenBuilds(ctx context.Context) ([]Build, error) {
	return scanBuild.NewRowIter(s.own.Query(ctx, buildColumns+"WHERE outcome=$1 ORDER BY id", BuildRunning)).AsList()
}

func (s *Store) buildLayers(ctx context.Context, id int64) ([]BuildLayer, error) {
	scan := dbutil.ConvertRowFn[BuildLayer](func(row dbutil.Scannable) (l BuildLayer, err error) {
		var duration int64
		err = row.Scan(&l.Name, &l.Step, &l.Cached, &duration, &l.Size)
		l.Duration = time.Duration(duration) * time.Millisecond
		return l, err
	})
	return scan.NewRowIter(s.own.Query(ctx,
		"SELECT name, step, cached, duration, size FROM fraktalia_build_layer WHERE build_id=$1 ORDER BY position", id)).AsList()
}
