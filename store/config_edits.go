package store

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
)

// ConfigEdit is a change of OpenClaw's configuration.
type ConfigEdit struct {
	ID int64
	// What is the command, without values that may be secret.
	What   string
	MadeBy string
	MadeAt time.Time
	// Verdict is what the gateway made of it; before that "begun", then "written".
	Verdict string
	// Undoes is the number of the edit that this one takes back; 0 is none.
	Undoes int64
	Undone bool
	Files  []ConfigFile
}

// ConfigFile is what an edit did to one file. Contents are told by their
// SHA-256, in hex: they hold secrets, so they are kept beside the file only.
type ConfigFile struct {
	Path, Before, After string
	// Backup is the file with the content before; "" while the edit has only begun.
	Backup string
}

// BeginConfigEdit records an edit that is about to be written: killed in the
// middle of it, the program still knows what it was doing.
func (s *Store) BeginConfigEdit(ctx context.Context, e ConfigEdit) (id int64, err error) {
	err = s.InTransaction(ctx, func(ctx context.Context) error {
		result, err := s.own.Exec(ctx, "INSERT INTO fraktalia_config_edit (what, made_by, made_at, undoes) VALUES ($1, $2, $3, NULLIF($4, 0))",
			e.What, e.MadeBy, millis(e.MadeAt), e.Undoes)
		if err != nil {
			return err
		}
		if id, err = result.LastInsertId(); err != nil {
			return err
		}
		return s.saveConfigFiles(ctx, id, e.Files)
	})
	if err != nil {
		return 0, fmt.Errorf("record a change of the configuration: %w", err)
	}
	return id, nil
}

func (s *Store) saveConfigFiles(ctx context.Context, id int64, files []ConfigFile) error {
	for _, f := range files {
		if _, err := s.own.Exec(ctx, "INSERT INTO fraktalia_config_file (edit_id, path, before_hash, after_hash, backup) VALUES ($1, $2, $3, $4, $5)",
			id, f.Path, f.Before, f.After, f.Backup); err != nil {
			return err
		}
	}
	return nil
}

// WroteConfigEdit records what was written, and that another edit is taken back
// by it.
func (s *Store) WroteConfigEdit(ctx context.Context, id int64, files []ConfigFile) error {
	return s.InTransaction(ctx, func(ctx context.Context) error {
		for _, query := range []string{
			"DELETE FROM fraktalia_config_file WHERE edit_id=$1",
			"UPDATE fraktalia_config_edit SET verdict='written' WHERE id=$1",
			"UPDATE fraktalia_config_edit SET undone=1 WHERE id=(SELECT undoes FROM fraktalia_config_edit WHERE id=$1)",
		} {
			if _, err := s.own.Exec(ctx, query, id); err != nil {
				return err
			}
		}
		return s.saveConfigFiles(ctx, id, files)
	})
}

// DropConfigEdit forgets an edit that was not written.
func (s *Store) DropConfigEdit(ctx context.Context, id int64) error {
	return s.InTransaction(ctx, func(ctx context.Context) error {
		if _, err := s.own.Exec(ctx, "DELETE FROM fraktalia_config_file WHERE edit_id=$1", id); err != nil {
			return err
		}
		_, err := s.own.Exec(ctx, "DELETE FROM fraktalia_config_edit WHERE id=$1", id)
		return err
	})
}

// JudgeConfigEdit records what became of an edit. Where taking something back
// was rejected, that stays as it was.
func (s *Store) JudgeConfigEdit(ctx context.Context, id int64, verdict string) error {
	return s.InTransaction(ctx, func(ctx context.Context) error {
		if _, err := s.own.Exec(ctx, "UPDATE fraktalia_config_edit SET verdict=$1 WHERE id=$2", verdict, id); err != nil {
			return err
		}
		_, err := s.own.Exec(ctx, `UPDATE fraktalia_config_edit SET undone=0
			WHERE $1='rejected' AND id=(SELECT undoes FROM fraktalia_config_edit WHERE id=$2)`, verdict, id)
		return err
	})
}

const editColumns = "SELECT id, what, made_by, made_at, verdict, COALESCE(undoes, 0), undone FROM fraktalia_config_edit "

var scanEdit = dbutil.ConvertRowFn[ConfigEdit](func(row dbutil.Scannable) (e ConfigEdit, err error) {
	var madeAt int64
	err = row.Scan(&e.ID, &e.What, &e.MadeBy, &madeAt, &e.Verdict, &e.Undoes, &e.Undone)
	e.MadeAt = fromMillis(madeAt)
	return e, err
})

// ConfigEdits lists the newest edits, the newest first, without their files.
func (s *Store) ConfigEdits(ctx context.Context, most int) ([]ConfigEdit, error) {
	return scanEdit.NewRowIter(s.own.Query(ctx, editColumns+"ORDER BY id DESC LIMIT $1", most)).AsList()
}

// ConfigEdit finds an edit with its files; ok is false where there is none.
func (s *Store) ConfigEdit(ctx context.Context, id int64) (e ConfigEdit, ok bool, err error) {
	found, err := scanEdit.NewRowIter(s.own.Query(ctx, editColumns+"WHERE id=$1", id)).AsList()
	if err != nil || len(found) == 0 {
		return ConfigEdit{}, false, err
	}
	e = found[0]
	scan := dbutil.ConvertRowFn[ConfigFile](func(row dbutil.Scannable) (f ConfigFile, err error) {
		return f, row.Scan(&f.Path, &f.Before, &f.After, &f.Backup)
	})
	e.Files, err = scan.NewRowIter(s.own.Query(ctx, "SELECT path, before_hash, after_hash, backup FROM fraktalia_config_file WHERE edit_id=$1 ORDER BY path", id)).AsList()
	return e, err == nil, err
}

// LastUndoable finds the newest command that can be taken back and was not;
// ok is false where there is none.
func (s *Store) LastUndoable(ctx context.Context) (c Command, ok bool, err error) {
	found, err := scanCommand.NewRowIter(s.own.Query(ctx, commandColumns+`AS j WHERE state=$1 AND undo<>'' AND undone=0
		AND NOT EXISTS (SELECT 1 FROM fraktalia_config_edit e WHERE e.undone=1 AND j.undo='config undo ' || e.id)
		ORDER BY id DESC LIMIT 1`, Done)).AsList()
	if err != nil || len(found) == 0 {
		return Command{}, false, err
	}
	return found[0], true, nil
}

// MarkUndone notes that a command was taken back.
func (s *Store) MarkUndone(ctx context.Context, id int64) error {
	_, err := s.own.Exec(ctx, "UPDATE fraktalia_journal SET undone=1 WHERE id=$1", id)
	return err
}
