package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func ask(t *testing.T, s *Store, event string) Proposal {
	t.Helper()
	ctx := context.Background()
	command, _, err := s.AddCommand(ctx, Command{EventID: event, RoomID: "!chat", Sender: "@mox:x", Line: "!forward 9005 --for 1h"})
	if err != nil {
		t.Fatal(err)
	}
	p := Proposal{CommandID: command, Sender: "@mox:x", RoomID: "!chat", AskedIn: event, Line: "!forward 9005 --for 1h",
		MadeAt: time.UnixMilli(1000), Until: time.UnixMilli(5000)}
	if p.ID, err = s.AddProposal(ctx, p); err != nil {
		t.Fatal(err)
	}
	if again, err := s.AddProposal(ctx, p); err != nil || again != p.ID {
		t.Fatalf("said again it is proposal %d, %v", again, err)
	}
	return p
}

// However many click at once, one approval makes one row of the journal.
func TestAProposalIsApprovedOnce(t *testing.T) {
	ctx, s := context.Background(), open(t, filepath.Join(t.TempDir(), "db"))
	p := ask(t, s, "$1")
	var clicking sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	for i := range 8 {
		clicking.Go(func() {
			_, row, ok, err := s.DecideProposal(ctx, p.ID, Approved, fmt.Sprintf("@o%d:x", i), "", time.UnixMilli(2000))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if ok {
				taken++
				if row.ID == 0 || row.Line != p.Line || row.Answers != "$1" || row.Proposal != p.ID {
					t.Errorf("row %+v", row)
				}
			}
		})
	}
	clicking.Wait()
	if taken != 1 {
		t.Fatalf("%d approvals were taken", taken)
	}
	if list, err := s.Proposals(ctx); err != nil || len(list) != 0 {
		t.Errorf("open: %+v %v", list, err)
	}
}

func TestWhatIsOverCannotBeApproved(t *testing.T) {
	ctx, s := context.Background(), open(t, filepath.Join(t.TempDir(), "db"))
	late, denied := ask(t, s, "$late"), ask(t, s, "$denied")
	if _, _, ok, err := s.DecideProposal(ctx, late.ID, Approved, "@o:x", "", late.Until); ok || err != nil {
		t.Errorf("after its time: %v %v", ok, err)
	}
	if _, _, ok, err := s.DecideProposal(ctx, denied.ID, Denied, "@o:x", "no", time.UnixMilli(1)); !ok || err != nil {
		t.Errorf("deny: %v %v", ok, err)
	}
	if _, _, ok, err := s.DecideProposal(ctx, denied.ID, Approved, "@o:x", "", time.UnixMilli(2000)); ok || err != nil {
		t.Errorf("a denied one: %v %v", ok, err)
	}
	if _, _, ok, err := s.DecideProposal(ctx, 77, Approved, "@o:x", "", time.UnixMilli(2000)); ok || err != nil {
		t.Errorf("none: %v %v", ok, err)
	}
}

func TestPermissionsEnd(t *testing.T) {
	ctx, s := context.Background(), open(t, filepath.Join(t.TempDir(), "db"))
	now := time.UnixMilli(1000)
	twice, err := s.SavePermission(ctx, Permission{UserID: "@mox:x", Capability: "forward", UsesLeft: 2, GivenAt: now})
	must(t, err)
	_, err = s.SavePermission(ctx, Permission{UserID: "@mox:x", Capability: "forward", Until: now.Add(time.Hour), UsesLeft: -1, GivenAt: now})
	must(t, err)
	for i, want := range []bool{true, true, false} {
		if ok, err := s.UsePermission(ctx, twice, now); ok != want || err != nil {
			t.Errorf("use %d: %v %v", i, ok, err)
		}
	}
	if list, err := s.Permissions(ctx, now); err != nil || len(list) != 1 || !list[0].Until.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v %v", list, err)
	}
	if list, err := s.Permissions(ctx, now.Add(time.Hour)); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The audit cannot be changed by a query, and where somebody changes it all the
// same the chain says at which row.
func TestAuditChain(t *testing.T) {
	ctx, s := context.Background(), open(t, filepath.Join(t.TempDir(), "db"))
	for i := range 5 {
		id, _, err := s.AddCommand(ctx, Command{EventID: fmt.Sprint("$", i), RoomID: "!a", Sender: "@o:x", Line: "!forward 900" + fmt.Sprint(i)})
		must(t, err)
		must(t, s.EndCommand(ctx, id, Done, "fine\nmore", "unforward 9000"))
	}
	n, last, err := s.VerifyAudit(ctx)
	if err != nil || n != 5 || len(last) != 64 {
		t.Fatalf("%d %s %v", n, last, err)
	}
	rows, err := s.Audit(ctx, AuditFilter{By: "@o", Command: "forward", Most: 2})
	if err != nil || len(rows) != 2 || rows[0].Line != "!forward 9004" || rows[0].Outcome != "fine" {
		t.Errorf("%+v %v", rows, err)
	}
	if rows, err = s.Audit(ctx, AuditFilter{Command: "for%"}); err != nil || len(rows) != 0 {
		t.Errorf("%+v %v", rows, err)
	}
	for _, attack := range []string{"DELETE FROM fraktalia_audit WHERE seq=3", "UPDATE fraktalia_audit SET sender='@other:x' WHERE seq=3"} {
		if _, err := s.own.Exec(ctx, attack); err == nil {
			t.Errorf("%s is let through", attack)
		}
	}
	for _, drop := range []string{"DROP TRIGGER fraktalia_audit_kept", "DROP TRIGGER fraktalia_audit_fixed"} {
		_, err := s.own.Exec(ctx, drop)
		must(t, err)
	}
	for attack, repair := range map[string]string{
		"UPDATE fraktalia_audit SET outcome='bad' WHERE seq=3": "UPDATE fraktalia_audit SET outcome='fine' WHERE seq=3",
		"UPDATE fraktalia_audit SET seq=9 WHERE seq=3":         "UPDATE fraktalia_audit SET seq=3 WHERE seq=9",
	} {
		_, err := s.own.Exec(ctx, attack)
		must(t, err)
		var broken *AuditBrokenError
		if _, _, err := s.VerifyAudit(ctx); !errors.As(err, &broken) || broken.Seq != 3 {
			t.Errorf("%s: %v", attack, err)
		}
		_, err = s.own.Exec(ctx, repair)
		must(t, err)
	}
	_, err = s.own.Exec(ctx, "DELETE FROM fraktalia_audit WHERE seq=3")
	must(t, err)
	if _, _, err := s.VerifyAudit(ctx); err == nil {
		t.Error("a row was removed and nobody sees it")
	}
}

// A decision is to be told until it has been; those of a database from before
// that was written down have been told, or it is too late.
func TestDecisionsAreToldOnce(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "db")
	s := open(t, path)
	denied, waiting := ask(t, s, "$1"), ask(t, s, "$2")
	deny := func(s *Store, id int64, untold int) {
		t.Helper()
		if _, _, ok, err := s.DecideProposal(ctx, id, Denied, "@o:x", "", time.UnixMilli(2000)); err != nil || !ok {
			t.Fatal(ok, err)
		}
		if list, err := s.ProposalsUntold(ctx); err != nil || len(list) != untold || list[0].ID != id {
			t.Errorf("to be told: %+v, %v", list, err)
		}
	}
	deny(s, denied.ID, 1)
	for _, back := range []string{"ALTER TABLE fraktalia_proposal DROP COLUMN told", "UPDATE fraktalia_version SET version=8, compat=8"} {
		if _, err := s.own.Exec(ctx, back); err != nil {
			t.Fatal(back, err)
		}
	}
	s.Close()
	s = open(t, path)
	if list, err := s.ProposalsUntold(ctx); err != nil || len(list) != 0 {
		t.Errorf("after the upgrade there are to be told: %+v, %v", list, err)
	}
	deny(s, waiting.ID, 1)
	if err := s.ToldProposal(ctx, waiting.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := s.ProposalsUntold(ctx); err != nil || len(list) != 0 {
		t.Errorf("told, and to be told: %+v, %v", list, err)
	}
}
