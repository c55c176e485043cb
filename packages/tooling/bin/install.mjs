// Installs the workspace when it changed since the last install, one process at a time.
// Plain JavaScript that Node 18 runs: nothing is installed when this starts.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const pnpmVersion = '12.21.0';
const isWindows = process.platform === 'win32';

/** Everything that decides what an install gives. */
function hashManifests(root) {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}-${pnpmVersion}`);
  const files = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', '.pnpmfile.cjs'];
  for (const name of readdirSync(join(root, 'packages')).sort())
    files.push(join('packages', name, 'package.json'));
  for (const file of files) {
    if (existsSync(join(root, file))) hash.update(`${file}\n`).update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
}

const readIfThere = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Runs `work` while no other process does; what a killed process left is taken over. */
function withLock(file, work) {
  mkdirSync(dirname(file), { recursive: true });
  for (let isTold = false; ;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = Number(readIfThere(file));
    // A file without a number is being written at this moment.
    if (owner > 0 && !isAlive(owner)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!isTold) console.error('Another process is installing; waiting for it.');
    isTold = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  try {
    return work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** pnpm itself where the right version is on the PATH, else npx, which fetches it. */
function findPnpm(root) {
  const found = spawnSync('pnpm', ['--version'], { cwd: root, encoding: 'utf8', shell: isWindows });
  return found.stdout?.trim() === pnpmVersion ? ['pnpm'] : ['npx', '--yes', `pnpm@${pnpmVersion}`];
}

/** Installs; a failure ends this process with the installer's own message above. */
function runPnpm(root) {
  const [command, ...args] = findPnpm(root);
  console.error('Installing (only after a change, a minute or so the first time).');
  const { status, error } = spawnSync(command, [...args, 'install', '--frozen-lockfile'], {
    cwd: root,
    shell: isWindows, // npx is npx.cmd there, which only a shell starts.
    stdio: ['inherit', 2, 2], // stdout is for results.
  });
  if (status === 0) return;
  const reason = error === undefined ? `it left with code ${status ?? 'none'}` : error.message;
  console.error(`\nThe install failed: ${[command, ...args].join(' ')} install (${reason}).`);
  console.error(
    'help: check that a package registry can be reached (`npm ping`), then type the command again.',
  );
  process.exit(status ?? 1);
}

/** Brings node_modules up to date; tells whether it had to. */
export function install(root) {
  const stamp = join(root, 'node_modules', '.joyul-install');
  const wanted = hashManifests(root);
  if (readIfThere(stamp) === wanted) return false;
  return withLock(join(root, '.cache', 'install.lock'), () => {
    if (readIfThere(stamp) === wanted) return true; // The process that was waited for did it.
    // An install that is killed half-way must not look like a whole one.
    rmSync(stamp, { force: true });
    runPnpm(root);
    mkdirSync(dirname(stamp), { recursive: true });
    writeFileSync(stamp, wanted);
    return true;
  });
}
