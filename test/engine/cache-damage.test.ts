import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Rig } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

/** A folder with a program in it, what the program says, and a copy in the project. */
const pipeline = `
name: small
params: { end: "!" }
steps:
  make: { uses: command, with: { run: "mkdir -p made; echo word > made/word.txt; printf '#!/bin/sh\\ncat $(dirname $0)/word.txt' > made/tool; chmod +x made/tool", outputs: { made: made } } }
  say: { uses: command, with: { run: "$JOYUL_INPUT_0/tool > said.txt", outputs: { text: said.txt } }, inputs: { inputs: make.made } }
  end: { uses: command, with: { run: "echo \\"$(cat $JOYUL_INPUT_0/file)$($JOYUL_INPUT_1/tool)\${{ params.end }}\\" > end.txt", outputs: { text: end.txt } }, inputs: { inputs: [say.text, make.made] } }
`;

async function createStored(): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': pipeline });
  expect((await rig.run()).exitCode).toBe(0);
  return rig;
}

/** Files of the store, by path in the project. */
function listStored(rig: Rig): readonly string[] {
  return readdirSync(rig.path('.joyul'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== '.gitignore')
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** Restores the project as it was, so that each case begins at the same place. */
function restore(rig: Rig, from: string): void {
  for (const name of readdirSync(rig.dir))
    if (name !== from) rmSync(rig.path(name), { recursive: true, force: true });
  // Links between blobs and artifacts are a part of the state.
  execFileSync('cp', ['-a', `${rig.path(from)}/.`, rig.dir]);
}

const harms: Readonly<Record<string, (file: string) => void>> = {
  'a bit flipped at its beginning': (file) => {
    flip(file, 0);
  },
  'a bit flipped in its middle': (file) => {
    flip(file, Math.floor(statSync(file).size / 2));
  },
  'its last byte changed': (file) => {
    flip(file, statSync(file).size - 1);
  },
  'all of it cut off': (file) => {
    chmodSync(file, 0o644);
    writeFileSync(file, '');
  },
  'it removed': (file) => {
    rmSync(file);
  },
  'a folder in its place': (file) => {
    rmSync(file);
    cpSync(import.meta.dirname, file, { recursive: true, filter: (name) => name === import.meta.dirname });
  },
};

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  if (bytes.length === 0) return;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  const { mode } = statSync(file);
  chmodSync(file, 0o644);
  writeFileSync(file, bytes);
  chmodSync(file, mode);
}

/** Every bit of a record is flipped in a unit test; the rest of these cases is for patient ones. */
const slowHarms = ['a bit flipped at its beginning', 'its last byte changed'];
const isSlow = process.env['JOYUL_TEST_SLOW'] === '1';

describe.each(Object.keys(harms).filter((harm) => isSlow || !slowHarms.includes(harm)))('%s', (harm) => {
  test('of any file of the store: the next run ends with the right outputs', async () => {
    await using rig = await createStored();
    execFileSync(
      'sh',
      ['-c', 'mkdir .before && cp -a .joyul pipeline.yaml package.json *.txt made .before/'],
      { cwd: rig.dir },
    );
    const wrong: unknown[] = [];
    for (const file of listStored(rig)) {
      restore(rig, '.before');
      harms[harm]?.(file);
      // The last step runs anew, so that what is damaged is used and not only counted as a hit.
      const run = await rig.run('-s', 'end=?');
      const text = rig.has('end.txt') ? await rig.read('end.txt') : '';
      if (run.exitCode !== 0 || run.stderr !== '' || text !== 'wordword?\n')
        wrong.push([file, run.exitCode, run.stderr, text]);
    }
    expect(wrong).toEqual([]);
  });
});

test('a damaged record is told, and is made again', async () => {
  await using rig = await createStored();
  for (const name of listStored(rig).filter((file) => file.includes('/actions/'))) flip(name, 40);
  // Whole copies of them would be as good.
  for (const name of listStored(rig).filter((file) => file.endsWith('.actions'))) rmSync(name);
  const run = await rig.run();
  expect(run.ran).toEqual(['make', 'say', 'end']);
  expect(run.events.filter((event) => event.kind === 'warning')[0]).toMatchObject({
    code: 'STORE_DAMAGED',
    message: expect.stringMatching(
      /^The record of make is damaged in the store \([0-9a-f]{12}\); the step runs again\.$/,
    ) as string,
  });
  expect((await rig.run()).reused).toEqual(['make', 'say', 'end']);
});

test('a forced step never takes over a damaged blob', async () => {
  await using rig = await createStored();
  for (const name of listStored(rig).filter((file) => file.includes('/blobs/'))) flip(name, 0);
  const run = await rig.run('--force');
  expect([run.exitCode, await rig.read('end.txt')]).toEqual([0, 'wordword!\n']);
  expect((await rig.joyul('cache', 'verify')).exitCode).toBe(0);
});

test('verify leaves with 1 and names the steps; repair makes the store whole', async () => {
  await using rig = await createStored();
  const [blob = ''] = listStored(rig).filter(
    (file) => file.includes('/blobs/') && readFileSync(file, 'utf8') === 'word\n',
  );
  flip(blob, 0);
  const told = await rig.joyul('cache', 'verify');
  expect(told.exitCode).toBe(1);
  expect(told.stdout).toMatch(
    /✗ blob [0-9a-f]{12} is damaged, 5 B\n {4}(?:say|make) \(pipeline\.yaml\), (?:make|say) \(pipeline\.yaml\) run again when next needed\./,
  );
  expect(told.stdout).toContain(
    'help: `joyul cache verify --repair` removes what is damaged, so that it is made again.',
  );
  expect((await rig.joyul('cache', 'verify', '--repair')).exitCode).toBe(0);
  expect((await rig.joyul('cache', 'verify')).exitCode).toBe(0);
  expect((await rig.run()).exitCode).toBe(0);
  expect((await rig.run()).reused).toEqual(['make', 'say', 'end']);
});

/** Runs the command as a user without rights of its own; undefined where this user may not become another. */
function runAsNobody(
  rig: Rig,
  ...args: readonly string[]
): { readonly exitCode: number | null; readonly output: string } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const cli = fileURLToPath(import.meta.resolve('@joyul/cli'));
  const env = { ...process.env, HOME: rig.dir, XDG_CACHE_HOME: rig.path('.cache'), CI: '1', NO_COLOR: '1' };
  const ended = spawnSync(process.execPath, [cli, ...args], {
    cwd: rig.dir,
    uid: 65_534,
    gid: 65_534,
    env,
    encoding: 'utf8',
  });
  return { exitCode: ended.status, output: ended.stdout + ended.stderr };
}

function giveTo(rig: Rig, owner: number): void {
  for (const entry of [
    rig.dir,
    ...readdirSync(rig.dir, { recursive: true, encoding: 'utf8' }).map((name) => rig.path(name)),
  ])
    chownSync(entry, owner, owner);
}

describe('another user', () => {
  test('may not write: every command says so in a line, or does what it can', async (context) => {
    await using rig = await createStored();
    chmodSync(rig.dir, 0o755);
    const run = runAsNobody(rig, 'run', 'pipeline.yaml', '-s', 'end=?');
    if (run === undefined) {
      context.skip('needs the right to become another user');
      return;
    }
    expect(run.exitCode).toBe(1);
    expect(run.output).toMatch(
      /^This user may not write here \(.*\)\. Make the folder writable, then run again\.$/m,
    );
    const gc = runAsNobody(rig, 'cache', 'gc', '--max-size', '0B');
    expect(gc?.output).toMatch(/^This user may not write here /m);
    for (const command of [
      ['cache', 'stats'],
      ['cache', 'gc', '-n'],
      ['cache', 'verify'],
      ['plan', 'pipeline.yaml'],
      ['runs'],
    ])
      expect(runAsNobody(rig, ...command)).toMatchObject({ exitCode: 0 });
  });

  test('may not read some objects: they are misses with a warning, and are made again', async (context) => {
    await using rig = await createStored();
    giveTo(rig, 65_534);
    for (const file of listStored(rig).filter((name) => /\/(?:blobs|actions)\/|stat-cache|last/.test(name)))
      chmodSync(file, 0);
    const verified = runAsNobody(rig, 'cache', 'verify');
    if (verified === undefined) {
      context.skip('needs the right to become another user');
      return;
    }
    expect([verified.exitCode, verified.output.includes('is unreadable')]).toEqual([1, true]);
    const run = runAsNobody(rig, 'run', 'pipeline.yaml', '-s', 'end=?');
    expect(run).toMatchObject({ exitCode: 0 });
    expect(run?.output).toContain('unreadable in the store');
    expect(await rig.read('end.txt')).toBe('wordword?\n');
    expect(runAsNobody(rig, 'cache', 'verify', '--repair')).toMatchObject({ exitCode: 0 });
  });
});
