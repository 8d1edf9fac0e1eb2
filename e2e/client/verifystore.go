package client

import (
	"context"
	"sync"

	"maunium.net/go/mautrix/crypto/verificationhelper"
	"maunium.net/go/mautrix/id"
)

// lockedStore lets us note a request of our own while mautrix's helper looks
// transactions up: its own store in memory has no lock.
type lockedStore struct {
	mu    sync.Mutex
	inner verificationhelper.VerificationStore
}

// DeleteVerification forgets a transaction.
func (s *lockedStore) DeleteVerification(ctx context.Context, txn id.VerificationTransactionID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inner.DeleteVerification(ctx, txn)
}

// GetVerificationTransaction finds a transaction by its id.
func (s *lockedStore) GetVerificationTransaction(ctx context.Context, txn id.VerificationTransactionID) (verificationhelper.VerificationTransaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inner.GetVerificationTransaction(ctx, txn)
}

// SaveVerificationTransaction keeps a transaction.
func (s *lockedStore) SaveVerificationTransaction(ctx context.Context, txn verificationhelper.VerificationTransaction) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inner.SaveVerificationTransaction(ctx, txn)
}

// FindVerificationTransactionForUserDevice finds what runs with a device.
func (s *lockedStore) FindVerificationTransactionForUserDevice(ctx context.Context, user id.UserID, device id.DeviceID) (verificationhelper.VerificationTransaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inner.FindVerificationTransactionForUserDevice(ctx, user, device)
}

// GetAllVerificationTransactions lists what runs.
func (s *lockedStore) GetAllVerificationTransactions(ctx context.Context) ([]verificationhelper.VerificationTransaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inner.GetAllVerificationTransactions(ctx)
}
