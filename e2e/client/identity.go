package client

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix/id"
)

// Sign publishes a cross-signing identity for the account and signs this
// device with it. Called again it replaces the identity, as a person does who
// "resets" theirs. The recovery key is for SignWith on another device.
func (c *Client) Sign(ctx context.Context) (recoveryKey string, err error) {
	machine := c.crypto.Machine()
	recoveryKey, _, err = machine.GenerateAndUploadCrossSigningKeysWithPassword(ctx, c.password, "")
	if err != nil {
		return "", fmt.Errorf("publish an identity of %s: %w", c.UserID, err)
	}
	if err := machine.SignOwnDevice(ctx, machine.OwnIdentity()); err != nil {
		return "", fmt.Errorf("sign own device: %w", err)
	}
	if err := machine.SignOwnMasterKey(ctx); err != nil {
		return "", fmt.Errorf("sign own master key: %w", err)
	}
	return recoveryKey, nil
}

// SignWith takes the account's identity out of secret storage with the
// recovery key and signs this device with it.
func (c *Client) SignWith(ctx context.Context, recoveryKey string) error {
	if err := c.crypto.Machine().VerifyWithRecoveryKey(ctx, recoveryKey); err != nil {
		return fmt.Errorf("sign %s with the recovery key: %w", c.DeviceID, err)
	}
	return nil
}

// Identity is the master key that user publishes now, empty where there is none.
func (c *Client) Identity(ctx context.Context, user id.UserID) (id.Ed25519, error) {
	machine := c.crypto.Machine()
	if _, err := machine.FetchKeys(ctx, []id.UserID{user}, true); err != nil {
		return "", fmt.Errorf("keys of %s: %w", user, err)
	}
	keys, err := machine.GetCrossSigningPublicKeys(ctx, user)
	if err != nil || keys == nil {
		return "", err
	}
	return keys.MasterKey, nil
}

// Trusts says whether this account has verified user: its user-signing key
// has signed the other's identity.
func (c *Client) Trusts(ctx context.Context, user id.UserID) (bool, error) {
	return c.crypto.Machine().IsUserTrusted(ctx, user)
}
