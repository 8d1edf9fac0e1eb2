// Lets the Matrix plugin's WebAssembly stand in for its native part, where that
// could not be fetched. The plugin takes two classes from it, for encrypted
// attachments; the encryption of rooms is WebAssembly already. A native part that
// is there is used.
'use strict';
const Module = require('node:module');
const native = '@matrix-org/matrix-sdk-crypto-nodejs';
const load = Module._load;
Module._load = function (request, parent, ...rest) {
  if (request !== native) return load.call(this, request, parent, ...rest);
  try {
    return load.call(this, request, parent, ...rest);
  } catch {
    const { Attachment, EncryptedAttachment } = load.call(this, '@matrix-org/matrix-sdk-crypto-wasm', parent, ...rest);
    return { Attachment, EncryptedAttachment };
  }
};
