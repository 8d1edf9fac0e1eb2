package store

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
)

// A record of 10,000 rows: what !audit reads, and what !audit verify computes.
func BenchmarkAuditOf10000(b *testing.B) {
	ctx := context.Background()
	s, err := Open(ctx, filepath.Join(b.TempDir(), "db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	err = s.InTransaction(ctx, func(ctx context.Context) error {
		for i := range 10_000 {
			id, _, err := s.AddCommand(ctx, Command{EventID: fmt.Sprint("$", i), RoomID: "!a", Sender: "@o:x", Line: fmt.Sprintf("!forward %d", 9000+i%100)})
			if err != nil {
				return err
			}
			if err := s.EndCommand(ctx, id, Done, "Port is open.", "unforward 9000"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			if rows, err := s.Audit(ctx, AuditFilter{Command: "forward"}); err != nil || len(rows) != 10_000 {
				b.Fatal(len(rows), err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if n, _, err := s.VerifyAudit(ctx); err != nil || n != 10_000 {
				b.Fatal(n, err)
			}
		}
	})
}
