// Hides the signs of a container from OpenClaw, where Fraktalia has proven that
// the Docker engine sees the same files as this process. Virtual machines have
// these files too, and OpenClaw then refuses to mount a workspace: it has no
// setting for that. Nothing else is changed.
'use strict';
const fs = require('node:fs');
const hidden = new Set(['/.dockerenv', '/run/.containerenv']);
const absent = (call, path) => Object.assign(new Error(`ENOENT: no such file or directory, ${call} '${path}'`), { errno: -2, code: 'ENOENT', syscall: call, path });

const { existsSync, accessSync, statSync } = fs;
fs.existsSync = (path) => !hidden.has(path) && existsSync(path);
fs.accessSync = (path, ...rest) => {
  if (hidden.has(path)) throw absent('access', path);
  return accessSync(path, ...rest);
};
fs.statSync = (path, options) => {
  if (!hidden.has(path)) return statSync(path, options);
  if (options && options.throwIfNoEntry === false) return undefined;
  throw absent('stat', path);
};
for (const call of ['access', 'stat']) {
  const real = fs.promises[call];
  fs.promises[call] = async (path, ...rest) => {
    if (hidden.has(path)) throw absent(call, path);
    return real(path, ...rest);
  };
}
require('node:module').syncBuiltinESMExports();
