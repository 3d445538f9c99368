#!/usr/bin/env node
// Runs the program of this platform's package, which npm installs as an optional dependency.
'use strict';

const { spawnSync } = require('child_process');

const wanted = `@thebot-lint/${process.platform}-${process.arch}`;
const program = process.platform === 'win32' ? 'thebot-lint.exe' : 'thebot-lint';

let path;
try {
  path = require.resolve(`${wanted}/${program}`);
} catch {
  const known = Object.keys(require('./package.json').optionalDependencies);
  console.error(
    known.includes(wanted)
      ? `thebot-lint: the package ${wanted} is not installed; install again without --no-optional or --omit=optional`
      : `thebot-lint: npm has no program for ${process.platform} ${process.arch}; build it with \`cargo install --locked thebot-lint\``,
  );
  process.exit(2);
}

const { status, signal, error } = spawnSync(path, process.argv.slice(2), { stdio: 'inherit' });
if (error) {
  console.error(`thebot-lint: ${path} cannot be run: ${error.message}`);
  process.exit(2);
}
// A signal ends this process the way it ended the program.
if (signal) process.kill(process.pid, signal);
process.exit(status === null ? 2 : status);
