// Brings a fresh clone to life with nothing but Node 18 or later and npm, then runs one task.
// Everything after the install runs under the Node that the lockfile pins.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const pnpmVersion = '12.21.0';
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const require = createRequire(join(root, 'package.json'));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Runs a command to its end and leaves with its exit code where that is not 0. */
function run(command, args, env = process.env) {
  // npx is npx.cmd on Windows, which only a shell starts.
  const shell = process.platform === 'win32' && !command.endsWith('.exe');
  const { status, signal, error } = spawnSync(command, args, { cwd: root, env, shell, stdio: 'inherit' });
  if (error) throw error;
  if (signal) process.kill(process.pid, signal);
  if (status !== 0) process.exit(status ?? 1);
}

/** Installs when the lockfile or a manifest changed since the last install; tells whether it did. */
function install() {
  const stamp = join(root, 'node_modules', '.joyul-install');
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}`);
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'];
  for (const name of readdirSync(join(root, 'packages')).sort()) files.push(join('packages', name, 'package.json'));
  for (const file of files) if (existsSync(join(root, file))) hash.update(readFileSync(join(root, file)));
  const now = hash.digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return false;
  run('npx', ['--yes', `pnpm@${pnpmVersion}`, 'install', '--frozen-lockfile']);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, now);
  return true;
}

/** The pinned Node's binary, or this Node where none is published for this platform. */
function pinnedNode() {
  for (const name of Object.keys(manifest.optionalDependencies)) {
    let file;
    try {
      file = require.resolve(`${name}/package.json`);
    } catch {
      continue;
    }
    return join(dirname(file), JSON.parse(readFileSync(file, 'utf8')).bin.node);
  }
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 24 || (major === 24 && minor >= 2)) return process.execPath;
  console.error(`No Node is pinned for ${process.platform}-${process.arch}: please install Node 24.2 or later.`);
  process.exit(1);
}

const installed = install();
const node = pinnedNode();
const env = { ...process.env };
const path = Object.keys(env).find((key) => key.toUpperCase() === 'PATH') ?? 'PATH';
env[path] = [join(root, 'node_modules', '.bin'), dirname(node), env[path]].join(delimiter);

const rest = process.argv.slice(3);
const joyul = (...args) => run(node, ['packages/cli/src/main.ts', ...args], env);
const native = () => run(node, ['packages/compute/src/native/setup.ts'], env);
const tasks = {
  setup: native,
  joyul: () => joyul(...rest),
  exec: () => run(rest[0], rest.slice(1), env),
  start() {
    if (installed) native();
    joyul('run', 'pipelines/quickstart.yaml', ...rest);
  },
  test() {
    if (installed) native();
    run(node, ['packages/tooling/src/check.ts', ...rest], env);
  },
};
const task = tasks[process.argv[2]];
if (task === undefined) {
  console.error(`usage: node packages/tooling/bin/bootstrap.mjs ${Object.keys(tasks).join('|')}`);
  process.exit(2);
}
task();
