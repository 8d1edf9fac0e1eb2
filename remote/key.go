package remote

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"
)

// clientConfig reads the keys anew at each connection: they may have been
// mended since. done is called once the connection stands.
func (o Options) clientConfig() (config *ssh.ClientConfig, done func(), err error) {
	known, err := knownhosts.New(o.KnownHosts)
	if err != nil {
		return nil, nil, &HostKeyError{Host: o.Name, Address: o.Address, File: o.KnownHosts, Err: err}
	}
	auth, done, err := o.auth()
	if err != nil {
		return nil, nil, err
	}
	return &ssh.ClientConfig{User: o.User, Auth: []ssh.AuthMethod{auth}, HostKeyCallback: known,
		HostKeyAlgorithms: algorithms(known, o.Address)}, done, nil
}

// auth proves who we are by the key of the file, or by the agent's.
func (o Options) auth() (method ssh.AuthMethod, done func(), err error) {
	if o.KeyFile == "" {
		return o.agentAuth()
	}
	text, err := os.ReadFile(o.KeyFile)
	if err != nil {
		return nil, nil, &KeyError{Host: o.Name, File: o.KeyFile, Err: err}
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, nil, &KeyError{Host: o.Name, File: o.KeyFile, Err: err}
	}
	return ssh.PublicKeys(signer), func() {}, nil
}

func (o Options) agentAuth() (ssh.AuthMethod, func(), error) {
	if o.Agent == "" {
		return nil, nil, &KeyError{Host: o.Name, Err: errors.New("no ssh agent runs (SSH_AUTH_SOCK is not set)")}
	}
	conn, err := net.Dial("unix", o.Agent)
	if err != nil {
		return nil, nil, &KeyError{Host: o.Name, Err: fmt.Errorf("the ssh agent does not answer: %w", err)}
	}
	return ssh.PublicKeysCallback(agent.NewClient(conn).Signers), func() { conn.Close() }, nil
}

// algorithms are those of the keys in known_hosts: a machine has several keys,
// and must show one that is known.
func algorithms(known ssh.HostKeyCallback, address string) []string {
	var wrong *knownhosts.KeyError
	if !errors.As(known(address, &net.TCPAddr{}, nobody{}), &wrong) {
		return nil
	}
	var list []string
	for _, key := range wrong.Want {
		switch kind := key.Key.Type(); kind {
		case ssh.KeyAlgoRSA:
			list = append(list, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		default:
			list = append(list, kind)
		}
	}
	return list
}

// nobody is a key that no machine has, to ask which ones are known.
type nobody struct{}

func (nobody) Type() string                                 { return "nobody" }
func (nobody) Marshal() []byte                              { return []byte("nobody") }
func (nobody) Verify(data []byte, sig *ssh.Signature) error { return errors.New("nobody") }
