// Brings a fresh clone to life with nothing but Node 18 or later and npm, then runs one task.
// Everything after the install runs under the Node that the lockfile pins.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { install } from './install.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const [taskName, ...rest] = process.argv.slice(2);

/** The pinned Node's binary, or this Node where none is published for this platform. */
function findNode() {
  const require = createRequire(join(root, 'package.json'));
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of Object.keys(manifest.optionalDependencies ?? {})) {
    try {
      const file = require.resolve(`${name}/package.json`);
      return join(dirname(file), JSON.parse(readFileSync(file, 'utf8')).bin.node);
    } catch {
      // Another platform's Node, which is not installed.
    }
  }
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 24 || (major === 24 && minor >= 2)) return process.execPath;
  console.error(
    `No Node is pinned for ${process.platform}-${process.arch}, and this one is ${process.version}.`,
  );
  console.error('help: install Node 24.2 or later, then type the command again.');
  process.exit(1);
}

/** Runs a command to its end; signals are its business, so that Ctrl-C lets it finish what it must. */
function run(command, args, env) {
  const shell = process.platform === 'win32' && !command.endsWith('.exe');
  const child = spawn(command, args, { cwd: root, env, shell, stdio: 'inherit' });
  // A terminal sends Ctrl-C to the child as well; a SIGTERM comes to this process only.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => {
    console.error(`${command} does not start: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('close', (code, signal) => {
    if (signal === null) {
      process.exitCode = code;
      return;
    }
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/**
 * Sets TensorFlow's C library up when that was not tried since the last install, or when what was set up is gone.
 * A stamp remembers the addon's file, so that this takes no more than a look at it.
 */
function ensureNative(node, env, isForced) {
  const stamp = join(root, 'node_modules', '.joyul-native');
  // Another cache folder or a switched-off library is another answer.
  const { JOYUL_CACHE, XDG_CACHE_HOME, HOME, JOYUL_NATIVE, JOYUL_TENSORFLOW } = env;
  const place = JSON.stringify([JOYUL_CACHE, XDG_CACHE_HOME, HOME, JOYUL_NATIVE, JOYUL_TENSORFLOW]);
  if (!isForced && existsSync(stamp)) {
    const [knownPlace, addon] = readFileSync(stamp, 'utf8').split('\n');
    if (knownPlace === place && (addon === '' || existsSync(addon))) return;
  }
  rmSync(stamp, { force: true });
  const { status, stdout } = spawnSync(node, ['packages/compute/src/native/setup.ts'], {
    cwd: root,
    env,
    encoding: 'utf8',
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  // It says on stdout where the addon is; nothing there means that this machine does without.
  if (status === 0) writeFileSync(stamp, `${place}\n${stdout.trim()}`);
}

const tasks = {
  start: { needsNative: true, command: ['packages/cli/src/main.ts', 'run', 'pipelines/quickstart.yaml'] },
  test: { needsNative: true, command: ['packages/tooling/src/check.ts'] },
  build: { command: ['packages/tooling/src/build.ts'] },
  joyul: { command: ['packages/cli/src/main.ts'] },
  'bench:data': { command: ['bench/data/main.ts'] },
  'bench:engine': { command: ['bench/engine/main.ts'] },
  'bench:memory': { needsNative: true, command: ['bench/memory/main.ts'] },
  'bench:training': { needsNative: true, command: ['bench/training/main.ts'] },
  setup: { needsNative: true },
  exec: {},
};

if (!Object.hasOwn(tasks, taskName ?? '')) {
  console.error(
    `usage: node packages/tooling/bin/bootstrap.mjs ${Object.keys(tasks).join('|')} [ARGUMENT...]`,
  );
  process.exit(2);
}
const isInstalled = install(root);
const node = findNode();
const env = { ...process.env };
// On Windows the variable may be named Path.
const path = Object.keys(env).find((key) => key.toUpperCase() === 'PATH') ?? 'PATH';
env[path] = [join(root, 'node_modules', '.bin'), dirname(node), env[path]].join(delimiter);

const { needsNative = false, command } = tasks[taskName];
if (needsNative) ensureNative(node, env, isInstalled || taskName === 'setup');
if (command !== undefined) run(node, [...command, ...rest], env);
else if (taskName === 'exec' && rest.length > 0) run(rest[0], rest.slice(1), env);
