package command

import (
	"errors"
	"time"

	"github.com/githabideri/fraktalia/homeserver"
)

// homeserverProblem words why the homeserver did not do something; other errors
// stay.
func homeserverProblem(err error) error {
	var limited homeserver.ErrRateLimited
	var down homeserver.ErrUnreachable
	var cannot homeserver.ErrUnsupported
	var unknown homeserver.ErrUnknownKind
	var away *HomeserverAway
	switch {
	case errors.As(err, &away):
		return Because(err, "The homeserver at %s does not answer. Say it again when it is back; nothing was changed that I know of.", away.Address)
	case errors.As(err, &down):
		return Because(err, "The homeserver at %s does not answer. Say it again when it is back; nothing was changed that I know of.", down.Address)
	case errors.As(err, &limited):
		return Because(err, "The homeserver asks to wait %s. Say it again then.", max(limited.RetryAfter.Round(time.Second), time.Second))
	case errors.As(err, &cannot):
		return Because(err, "%s.", cannot)
	case errors.As(err, &unknown):
		return Because(err, "The homeserver at %s is none that I know (Synapse, Dendrite, Tuwunel, Continuwuity), so I cannot administer it.", unknown.Address)
	}
	return credentialsProblem(err)
}

// credentialsProblem words that the homeserver does not take our word for it.
func credentialsProblem(err error) error {
	var refused homeserver.ErrTokenRefused
	var noAdmin homeserver.ErrNotAdmin
	var wrong homeserver.ErrWrongSecret
	var none homeserver.ErrNoSharedSecret
	var noMAS homeserver.ErrNoMAS
	switch {
	case errors.As(err, &noMAS):
		return Because(err, "The homeserver at %s leaves accounts to a Matrix Authentication Service. Name it in homeserver.mas, with a client that is among its policy.data.admin_clients.", noMAS.Address)
	case errors.As(err, &refused):
		return Because(err, "The homeserver at %s refuses the administrator's access token: it is wrong or has expired. Put a fresh one into the file that homeserver.admin_token_file names; where none is named it is the bot's own, and a restart of the bot gets one.", refused.Address)
	case errors.As(err, &noAdmin):
		return Because(err, "The account that I use is no administrator of the homeserver at %s. Make the bot's account one, or put an administrator's access token into a file and name it in homeserver.admin_token_file.", noAdmin.Address)
	case errors.As(err, &wrong):
		return Because(err, "The homeserver refuses our registration secret. Put its registration_shared_secret into the file that homeserver.registration_secret_file names.")
	case errors.As(err, &none):
		return Because(err, "The homeserver has no registration_shared_secret. Set one in its configuration, and name its file in homeserver.registration_secret_file.")
	}
	return err
}
