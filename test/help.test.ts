/** What a newcomer reads first: the help of every command, and completion in shells. */
import { execFile } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Rig } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

const exec = promisify(execFile);

async function listCommands(rig: Rig): Promise<readonly string[]> {
  const { stdout } = await rig.joyul('--help');
  return [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name);
}

test('every command has a help of the same form, no wider than 120 columns', async () => {
  await using rig = await Rig.create();
  for (const name of await listCommands(rig)) {
    const { stdout, exitCode } = await rig.joyul(name, '--help');
    const [synopsis = '', ...rest] = stdout.split('\n');
    expect([name, exitCode]).toEqual([name, 0]);
    expect(synopsis).toMatch(new RegExp(`^joyul ${name}\\b`));
    // Long flags stand in one column, and what they do in another.
    const flags = rest.filter((line) => /^ {2}(?:-\w, | {4})--/.test(line));
    expect(flags.filter((line) => !/^.{24,} {2}\S|^.{26}\S/.test(line.padEnd(26)))).toEqual([]);
    expect(rest.filter((line) => line.length > 120)).toEqual([]);
  }
});

/** Flags of a help text, by the action that they stand under; those under none have ''. */
function readFlags(help: string): ReadonlyMap<string, readonly string[]> {
  const [synopsis = '', ...lines] = help.split('\n');
  const hasActions = synopsis.includes(' ACTION ');
  const found = new Map<string, string[]>();
  let action = '';
  for (const line of lines) {
    const [, name] = /^ {2}([a-z]+)\b/.exec(line) ?? [];
    if (hasActions && (name !== undefined || line === '')) action = name ?? '';
    const [, flag, value] = /^ {2}(?:-\w, | {4})(--[\w-]+)(?: (\S+))?/.exec(line) ?? [];
    if (flag === undefined) continue;
    const written = value === undefined || value.startsWith('[') ? flag : `${flag}=0`;
    found.set(action, [...(found.get(action) ?? []), written]);
  }
  return found;
}

test('every flag that a help names is known', async () => {
  await using rig = await Rig.create();
  for (const name of await listCommands(rig)) {
    const { stdout } = await rig.joyul(name, '--help');
    for (const [action, flags] of readFlags(stdout)) {
      // The first flag that is not known is told.
      const words = [name, ...(action === '' ? [] : [action]), ...flags, '--no-such-flag'];
      const { stderr } = await rig.joyul(...words);
      expect([words, stderr]).toEqual([words, expect.stringContaining('There is no flag --no-such-flag.')]);
    }
  }
});

const words = `
name: words
steps:
  prepare: { uses: command, with: { run: "true" } }
  train: { uses: command, matrix: { lr: [1, 2] }, with: { run: "true" } }
`;

describe('completion', () => {
  const suggest = async (rig: Rig, ...typed: readonly string[]): Promise<readonly string[]> => {
    const { stdout } = await rig.joyul('completion', 'suggest', '--', ...typed);
    return stdout.split('\n').filter((line) => line !== '');
  };

  test.each([
    [['re'], ['resume', 'retry']],
    [
      ['run', '--force-'],
      ['--force-step', '--force-from'],
    ],
    [
      ['run', '--until', ''],
      ['prepare', 'train'],
    ],
    [['run', '--only', 'prepare,t'], ['prepare,train']],
    [
      ['run', '--cache', 'r'],
      ['rw', 'ro'],
    ],
    [
      ['why', ''],
      ['prepare', 'train'],
    ],
    [
      ['cache', ''],
      ['stats', 'gc', 'verify'],
    ],
    [['runs', 'k'], ['keep']],
    [['run', ''], []],
    [['nope', ''], []],
  ])('of %j is %j', async (typed, found) => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': words });
    expect(await suggest(rig, ...typed)).toEqual(found);
  });

  test('knows runs, and the steps of the last one', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': words });
    await rig.run();
    const [runId = '', ...steps] = await suggest(rig, 'logs', '');
    expect(runId).toMatch(/^\d{8}-/);
    expect(steps).toEqual(['prepare', 'train@lr=1', 'train@lr=2']);
    expect(await suggest(rig, 'resume', '')).toEqual([runId]);
  });

  test('writes nothing, also where the pipeline has errors', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': 'name: broken\nsteps: 3\n' });
    expect(await suggest(rig, 'run', '--until', '')).toEqual([]);
    expect(rig.has('.joyul')).toBe(false);
  });

  test('works in bash', async () => {
    await using rig = await Rig.create();
    const cli = fileURLToPath(import.meta.resolve('@joyul/cli'));
    await rig.write({
      'pipeline.yaml': words,
      'bin/joyul': `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`,
    });
    chmodSync(rig.path('bin/joyul'), 0o755);
    const script =
      'source <(joyul completion bash); COMP_WORDS=(joyul run --until t); COMP_CWORD=3; _joyul; echo "${COMPREPLY[*]}"';
    const env = { ...process.env, PATH: `${rig.path('bin')}${delimiter}${process.env['PATH'] ?? ''}` };
    const { stdout } = await exec('bash', ['-c', script], { cwd: rig.dir, env });
    expect(stdout).toBe('train\n');
  });
});
