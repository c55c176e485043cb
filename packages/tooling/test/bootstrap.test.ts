import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const bin = join(import.meta.dirname, '..', 'bin');

/** A small workspace with a fake pnpm that counts its installs. */
describe.skipIf(process.platform === 'win32')('bootstrap', () => {
  let root = '';
  const at = (...parts: readonly string[]): string => join(root, ...parts);
  const installs = (): number =>
    existsSync(at('installs')) ? readFileSync(at('installs'), 'utf8').trim().split('\n').length : 0;
  const env = (): NodeJS.ProcessEnv => ({
    ...process.env,
    PATH: [at('fake'), process.env['PATH'] ?? ''].join(delimiter),
  });
  const args = (...rest: readonly string[]): readonly string[] => [
    at('packages', 'tooling', 'bin', 'bootstrap.mjs'),
    ...rest,
  ];
  const bootstrap = (...rest: readonly string[]): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, args(...rest), { env: env(), encoding: 'utf8' });

  /** Makes the fake pnpm leave with a code after it noted the install. */
  const writePnpm = (code: number): void => {
    const script = `#!/bin/sh
if [ "$1" = --version ]; then echo 12.21.0; exit 0; fi
echo install >> '${at('installs')}'
sleep 0.3
mkdir -p '${at('node_modules')}'
exit ${code}
`;
    writeFileSync(at('fake', 'pnpm'), script);
    chmodSync(at('fake', 'pnpm'), 0o755);
  };

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'joyul-bootstrap-'));
    mkdirSync(at('fake'));
    mkdirSync(at('packages', 'tooling', 'bin'), { recursive: true });
    for (const name of ['bootstrap.mjs', 'install.mjs'])
      copyFileSync(join(bin, name), at('packages', 'tooling', 'bin', name));
    writeFileSync(at('package.json'), '{}');
    writePnpm(0);
  });
  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  test('installs once, then only when a manifest changed', () => {
    bootstrap('exec', 'true');
    bootstrap('exec', 'true');
    expect(installs()).toBe(1);
    writeFileSync(at('packages', 'tooling', 'package.json'), '{"name":"changed"}');
    bootstrap('exec', 'true');
    expect(installs()).toBe(2);
  });

  test('says nothing when there is nothing to install', () => {
    bootstrap('exec', 'true');
    const { stdout, stderr } = bootstrap('exec', 'echo', 'hello');
    expect({ stdout, stderr }).toEqual({ stdout: 'hello\n', stderr: '' });
  });

  test('a failed install is told, passed on and tried again', () => {
    writePnpm(7);
    const { status, stderr } = bootstrap('exec', 'true');
    expect(status).toBe(7);
    expect(stderr).toContain('The install failed: pnpm install (it left with code 7).');
    expect(stderr).toContain('help: check that a package registry can be reached');
    writePnpm(0);
    expect(bootstrap('exec', 'true').status).toBe(0);
    expect(installs()).toBe(2);
  });

  test('two at once install once', async () => {
    const start = (): Promise<number | null> =>
      new Promise((resolve) => {
        spawn(process.execPath, args('exec', 'true'), { env: env() }).on('close', resolve);
      });
    expect(await Promise.all([start(), start()])).toEqual([0, 0]);
    expect(installs()).toBe(1);
  });

  test('the lock of a killed process is taken over', () => {
    mkdirSync(at('.cache'));
    const dead = spawnSync(process.execPath, ['-e', '0']).pid;
    writeFileSync(at('.cache', 'install.lock'), String(dead));
    expect(bootstrap('exec', 'true').status).toBe(0);
    expect(existsSync(at('.cache', 'install.lock'))).toBe(false);
  });

  test("passes the command's exit code on", () => {
    expect(bootstrap('exec', 'sh', '-c', 'exit 3').status).toBe(3);
  });

  test('an unknown task is refused with the known ones', () => {
    const { status, stderr } = bootstrap('strat');
    expect(status).toBe(2);
    expect(stderr).toContain(
      'start|test|build|joyul|bench:data|bench:engine|bench:memory|bench:serve|bench:training|setup|exec',
    );
  });

  test('an interrupt reaches the task, whose exit code counts', async () => {
    bootstrap('exec', 'true');
    const script =
      'process.on("SIGTERM", () => process.exit(75)); console.log("up"); setInterval(() => {}, 1000)';
    const child = spawn(process.execPath, args('exec', process.execPath, '-e', script), { env: env() });
    const ended = new Promise((resolve) => child.on('close', resolve));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(75);
  });
});
