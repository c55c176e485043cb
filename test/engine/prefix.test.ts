import { execFileSync } from 'node:child_process';
import { chmodSync, globSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Rig } from '@joyul/testing';
import type { Finished } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

/**
 * Runs laps, each decided by the one before, and logs each in the project.
 *
 * With the schedule `total` each depends on how many there are in all. A file `hold` with a number stops it before that
 * lap until the file is gone.
 */
const walkPlugin = `
import { createHash } from 'node:crypto';
import { existsSync, appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const read = (file) => (existsSync(file) ? readFileSync(file, 'utf8').split(',') : []);

export default {
  name: 'walk',
  revision: 1,
  summary: 'Walks.',
  params: {
    type: 'object',
    additionalProperties: false,
    required: ['laps', 'start', 'schedule'],
    properties: { laps: { type: 'integer' }, start: { type: 'string' }, schedule: { type: 'string' } },
  },
  inputs: { from: { type: 'files', optional: true } },
  outputs: { path: { type: 'files' } },
  continues: { unit: 'lap', params: ['laps', 'schedule'] },
  async run({ params, inputs, outputs, scratch, seed, projectDir, takePrefix }) {
    const { laps, start, schedule } = params;
    const isTotal = schedule === 'total';
    const own = read(join(scratch, 'laps'));
    const { earlier, keep } = await takePrefix({
      extent: laps,
      key: { schedule },
      done: own.length,
      ...(isTotal ? { obstacle: 'each lap depends on their number' } : {}),
    });
    const done = earlier === undefined ? own : read(join(earlier.dir, 'laps'));
    const data = inputs.from === undefined ? '' : readFileSync(join(inputs.from, 'file'), 'utf8');
    while (done.length < laps) {
      while (existsSync(join(projectDir, 'hold')) && readFileSync(join(projectDir, 'hold'), 'utf8') === String(done.length)) {
        writeFileSync(join(projectDir, 'held'), '');
        await sleep(20);
      }
      done.push(createHash('sha256').update([done.at(-1), start, data, seed, isTotal ? laps : ''].join()).digest('hex'));
      appendFileSync(join(projectDir, 'log'), laps + ':' + done.length + '\\n');
      writeFileSync(join(scratch, 'laps'), done.join());
    }
    writeFileSync(join(outputs.path, 'path.txt'), done.join('\\n'));
    if (keep !== undefined) writeFileSync(join(keep, 'laps'), done.join());
  },
};
`;

const pipeline = `
name: laps
params: { laps: 3, start: a, schedule: same, word: x }
steps:
  data: { uses: command, with: { run: "echo \${{ params.word }} > data.txt", outputs: { text: data.txt } } }
  walk:
    uses: walk
    with: { laps: "\${{ params.laps }}", start: "\${{ params.start }}", schedule: "\${{ params.schedule }}" }
    inputs: { from: data.text }
`;

async function createWalk(more: Readonly<Record<string, string>> = {}): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({
    'pipeline.yaml': pipeline,
    'node_modules/joyul-step-walk/package.json':
      '{ "name": "joyul-step-walk", "version": "1.0.0", "type": "module", "main": "src/index.js" }',
    'node_modules/joyul-step-walk/src/index.js': walkPlugin,
    ...more,
  });
  return rig;
}

/** Runs so many laps, and gives which of them were run now. */
async function walk(
  rig: Rig,
  laps: number,
  ...args: readonly string[]
): Promise<Finished & { readonly lapsRun: readonly string[] }> {
  await rig.write({ log: '' });
  const run = await rig.run('-s', `laps=${laps}`, ...args);
  expect([run.exitCode, run.stderr]).toEqual([0, '']);
  return { ...run, lapsRun: (await rig.read('log')).split('\n').filter((line) => line !== '') };
}

const endOf = (run: Finished, stepId = 'walk'): Finished['events'][number] | undefined =>
  run.events.find((event) => event.kind === 'step-ended' && event.stepId === stepId);

const digestOf = (run: Finished, stepId = 'walk'): unknown =>
  (endOf(run, stepId)?.['outputs'] as readonly { readonly digest: string }[] | undefined)?.[0]?.digest; // The engine's event.

const runIdOf = (run: Finished): string => String(run.events[0]?.['runId']);

const findingsOf = (run: Finished): readonly string[] =>
  run.events.flatMap((event) => {
    const told = event['event'] as { readonly type: string; readonly text: string } | undefined; // The engine's event.
    return told?.type === 'finding' ? [told.text] : [];
  });

const warningsOf = (run: Finished): readonly unknown[] =>
  run.events.flatMap((event) => (event.kind === 'warning' ? [event['message']] : []));

/** What five laps give when nothing was there before. */
async function walkStraight(laps = 5, ...args: readonly string[]): Promise<unknown> {
  await using rig = await createWalk();
  return digestOf(await walk(rig, laps, ...args));
}

test('a run that is asked for more goes on from the one with less, says so, and gives the same bytes', async () => {
  await using rig = await createWalk();
  const first = await walk(rig, 3);
  expect(first.lapsRun).toEqual(['3:1', '3:2', '3:3']);
  const more = await walk(rig, 5);
  expect(more.lapsRun).toEqual(['5:4', '5:5']);
  expect(digestOf(more)).toBe(await walkStraight());
  expect(findingsOf(more)).toEqual([
    `Went on from lap 3 of run ${runIdOf(first)}: everything else that decides the result is the same.`,
  ]);
  expect(endOf(more)?.['continuedFrom']).toEqual({
    extent: 3,
    unit: 'lap',
    runId: runIdOf(first),
    fingerprint: endOf(first)?.['fingerprint'],
  });
});

test('why, show, lineage and a run that reuses it tell what a result went on from', async () => {
  await using rig = await createWalk();
  const from = `lap 3 of run ${runIdOf(await walk(rig, 3))}`;
  await walk(rig, 5);
  expect((await rig.joyul('why', 'walk', '-s', 'laps=5')).stdout).toContain(`It went on from ${from}.\n`);
  expect((await rig.joyul('show', '--step', 'walk')).stdout).toContain(`- went on from: ${from} (`);
  expect((await rig.joyul('lineage')).stdout).toContain(`"key":"joyul.continuedFrom","value":"${from}"`);
  const again = await walk(rig, 5);
  expect(again.reused).toEqual(['data', 'walk']);
  expect(endOf(again)).toMatchObject({ continuedFrom: { extent: 3 } });
});

test('the longest state that is short enough is used, and none that is as long or longer', async () => {
  await using rig = await createWalk();
  await walk(rig, 2);
  await walk(rig, 6);
  await walk(rig, 4);
  expect((await walk(rig, 5)).lapsRun).toEqual(['5:5']);
  expect((await walk(rig, 3)).lapsRun).toEqual(['3:3']);
  const least = await walk(rig, 1);
  expect([least.lapsRun, findingsOf(least)]).toEqual([['1:1'], []]);
  expect(digestOf(least)).toBe(await walkStraight(1));
});

describe.each([
  ['a param', ['-s', 'start=b']],
  ['the seed', ['--seed', '7']],
  ['an input', ['-s', 'word=y']],
  ['what the plugin puts into its key', ['-s', 'schedule=other']],
])('%s', (_, args) => {
  test('that differs leaves nothing to go on from', async () => {
    await using rig = await createWalk();
    await walk(rig, 3);
    const other = await walk(rig, 5, ...args);
    expect([other.lapsRun.length, findingsOf(other)]).toEqual([5, []]);
    expect(digestOf(other)).toBe(await walkStraight(5, ...args));
  });
});

test('other code of the plugin leaves nothing to go on from', async () => {
  await using rig = await createWalk();
  await walk(rig, 3);
  await rig.write({ 'node_modules/joyul-step-walk/src/index.js': `${walkPlugin}// Changed.\n` });
  expect((await walk(rig, 5)).lapsRun).toHaveLength(5);
});

test('an obstacle is told where a shorter run could have been used, and nowhere else', async () => {
  await using rig = await createWalk();
  const first = await walk(rig, 3, '-s', 'schedule=total');
  expect(findingsOf(first)).toEqual([]);
  const more = await walk(rig, 5, '-s', 'schedule=total');
  expect(findingsOf(more)).toEqual([
    `Did not go on from lap 3 of run ${runIdOf(first)}: each lap depends on their number.`,
  ]);
  expect([more.lapsRun.length, endOf(more)?.['continuedFrom']]).toEqual([5, undefined]);
});

test('a forced step neither goes on nor loses the state for the next one', async () => {
  await using rig = await createWalk();
  await walk(rig, 3);
  const forced = await walk(rig, 5, '--force');
  expect([forced.lapsRun.length, findingsOf(forced)]).toEqual([5, []]);
  expect((await walk(rig, 4)).lapsRun).toEqual(['4:4']);
});

test.each([
  ['off', 5, ['6:4', '6:5', '6:6']],
  ['wo', 5, ['6:6']],
  ['ro', 2, ['6:4', '6:5', '6:6']],
])('a step with the cache %s: what it reads and what it leaves', async (mode, lapsRun, afterwards) => {
  await using rig = await createWalk();
  await walk(rig, 3);
  await rig.write({ 'pipeline.yaml': `${pipeline}    cache: ${mode}\n` });
  expect((await walk(rig, 5)).lapsRun).toHaveLength(lapsRun);
  await rig.write({ 'pipeline.yaml': pipeline });
  expect((await walk(rig, 6)).lapsRun).toEqual(afterwards);
});

/** Flips one bit. */
function damage(file: string): void {
  const bytes = readFileSync(file);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  const { mode } = statSync(file);
  chmodSync(file, 0o644);
  writeFileSync(file, bytes);
  chmodSync(file, mode);
}

/** The blob of the state with so many laps. */
const stateFile = (rig: Rig, laps: number): string =>
  globSync('.joyul/blobs/*/*', { cwd: rig.dir })
    .map((name) => rig.path(name))
    .find((name) => readFileSync(name, 'utf8').split(',').length === laps) ?? '';

describe.each([
  ['damaged', damage],
  ['missing', rmSync],
])('a %s state', (reason, harm) => {
  test('is told, and the step runs from the longest one that is whole', async () => {
    await using rig = await createWalk();
    await walk(rig, 2);
    await walk(rig, 4);
    harm(stateFile(rig, 4));
    const more = await walk(rig, 5);
    expect([more.lapsRun, warningsOf(more)]).toEqual([
      ['5:3', '5:4', '5:5'],
      [
        expect.stringMatching(
          new RegExp(
            `^The state of walk at lap 4 is ${reason} in the store \\([0-9a-f]{12}\\); the step does not go on from it\\.$`,
          ),
        ),
      ],
    ]);
    expect(digestOf(more)).toBe(await walkStraight());
    // It is told once.
    expect(warningsOf(await walk(rig, 7))).toEqual([]);
    expect((await rig.joyul('cache', 'verify')).exitCode).toBe(0);
  });
});

test('whatever file of the store is harmed, the result is that of a straight run', async () => {
  await using rig = await createWalk();
  await walk(rig, 3);
  const straight = await walkStraight();
  execFileSync('sh', ['-c', 'mkdir ../before && cp -a . ../before'], {
    cwd: rig.path('.joyul'),
    env: process.env,
  });
  execFileSync('mv', [rig.path('before'), rig.path('.before')]);
  const files = readdirSync(rig.path('.joyul'), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const wrong: unknown[] = [];
  const ways = new Set<number>();
  for (const entry of files) {
    const file = join(entry.parentPath, entry.name);
    for (const harm of [damage, rmSync]) {
      rmSync(rig.path('.joyul'), { recursive: true });
      execFileSync('cp', ['-a', rig.path('.before'), rig.path('.joyul')]);
      if (harm === damage && statSync(file).size === 0) continue;
      harm(file);
      const run = await walk(rig, 5);
      ways.add(run.lapsRun.length);
      if (digestOf(run) !== straight) wrong.push(file);
    }
  }
  expect(wrong).toEqual([]);
  // Some harms cost the state, others do not.
  expect(ways).toEqual(new Set([2, 5]));
});

test('a state that cannot be kept is told, and costs nothing else', async () => {
  await using rig = await createWalk({ '.joyul/prefixes': 'a file in the place of the folder' });
  const first = await walk(rig, 3);
  expect(warningsOf(first)).toEqual([
    expect.stringMatching(/^The state of walk could not be kept for longer runs: /),
  ]);
  expect((await walk(rig, 5)).lapsRun).toHaveLength(5);
  expect((await walk(rig, 5)).reused).toEqual(['data', 'walk']);
});

test('killed in the middle of what it goes on with, it ends with the same bytes and still says where it came from', async () => {
  await using rig = await createWalk();
  const first = await walk(rig, 3);
  await rig.write({ hold: '4', log: '' });
  const running = rig.start('run', 'pipeline.yaml', '--json', '-s', 'laps=5');
  await rig.waitFor('held');
  rig.killGroup(running);
  await running.finished;
  expect(await rig.read('log')).toBe('5:4\n');
  await rig.remove('hold');
  const again = await walk(rig, 5);
  expect(again.lapsRun).toEqual(['5:5']);
  expect(digestOf(again)).toBe(await walkStraight());
  expect(endOf(again)).toMatchObject({ continuedFrom: { extent: 3, runId: runIdOf(first) } });
});

test('checkpoints of its own that have come further than any shorter run are gone on from, and nothing else is claimed', async () => {
  await using rig = await createWalk();
  await rig.write({ hold: '4', log: '' });
  const running = rig.start('run', 'pipeline.yaml', '--json', '-s', 'laps=5');
  await rig.waitFor('held');
  rig.killGroup(running);
  await running.finished;
  await rig.remove('hold');
  await walk(rig, 3);
  const more = await walk(rig, 5);
  expect([more.lapsRun, findingsOf(more), endOf(more)?.['continuedFrom']]).toEqual([['5:5'], [], undefined]);
});

test('two runs at once go on from one state, and each gives its own result', async () => {
  await using rig = await createWalk();
  await walk(rig, 3);
  await rig.write({ log: '' });
  const extents = [5, 5, 6, 7];
  const runs = await Promise.all(extents.map(async (laps) => rig.run('-s', `laps=${laps}`)));
  expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
  const straight = new Map(
    await Promise.all([5, 6, 7].map(async (laps) => [laps, await walkStraight(laps)] as const)),
  );
  expect(runs.map((run) => digestOf(run))).toEqual(extents.map((laps) => straight.get(laps)));
  // Nobody ran a lap that the state has, or one twice.
  const log = (await rig.read('log')).split('\n').filter((line) => line !== '');
  expect(log.filter((line) => Number(line.split(':')[1]) <= 3)).toEqual([]);
  expect(new Set(log).size).toBe(log.length);
});

test('a clean-up takes states that nothing needs, and the next run begins anew', async () => {
  await using rig = await createWalk();
  await walk(rig, 3);
  expect((await rig.joyul('cache', 'verify')).exitCode).toBe(0);
  expect((await rig.joyul('cache', 'gc', '--max-size', '1B')).exitCode).toBe(0);
  const again = await walk(rig, 5);
  expect([again.lapsRun.length, warningsOf(again)]).toEqual([5, []]);
  expect((await rig.run('-s', 'laps=3')).reused).toEqual(['data', 'walk']);
});

test('a clean-up leaves the state that a run at work goes on from', async () => {
  await using rig = await createWalk();
  await walk(rig, 3);
  await rig.write({ hold: '3', log: '' });
  const running = rig.start('run', 'pipeline.yaml', '--json', '-s', 'laps=5');
  await rig.waitFor('held');
  expect((await rig.joyul('cache', 'gc', '--max-size', '1B')).exitCode).toBe(0);
  await rig.remove('hold');
  expect((await running.finished).exitCode).toBe(0);
  expect((await walk(rig, 4)).lapsRun).toEqual(['4:4']);
});

const commandPipeline = `
name: sums
params: { laps: 2 }
steps:
  sum:
    uses: command
    with:
      run: >-
        at=0; sum=0;
        if [ -n "$JOYUL_PREFIX" ]; then at=$JOYUL_PREFIX_EXTENT; sum=$(cat "$JOYUL_PREFIX/sum"); fi;
        while [ $at -lt $JOYUL_EXTENT ]; do at=$((at + 1)); sum=$((sum * 3 + at)); echo $at >> log; done;
        echo $sum > sum.txt; echo $sum > "$JOYUL_KEEP/sum"
      outputs: { sum: sum.txt }
      extent: \${{ params.laps }}
`;

test('a program goes on from what it left in JOYUL_KEEP when `extent` grows', async () => {
  await using rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': commandPipeline });
  const first = await rig.run();
  expect([first.exitCode, await rig.read('log')]).toEqual([0, '1\n2\n']);
  const more = await rig.run('-s', 'laps=4');
  expect([more.exitCode, await rig.read('log'), await rig.read('sum.txt')]).toEqual([
    0,
    '1\n2\n3\n4\n',
    '58\n',
  ]);
  expect(findingsOf(more)).toEqual([
    `Went on from extent 2 of run ${runIdOf(first)}: everything else that decides the result is the same.`,
  ]);
});

test.each([
  ['does not declare', walkPlugin.replace(/ {2}continues: .*\n/, ''), 'but does not declare `continues`'],
  [
    'asks twice',
    walkPlugin.replace('const done =', 'await takePrefix({ extent: 1 });\n    const done ='),
    'twice',
  ],
  [
    'gives no whole number',
    walkPlugin.replace('extent: laps', 'extent: 0.5'),
    'must be a whole number from 1',
  ],
])('a plugin that %s is refused', async (_, code, message) => {
  await using rig = await createWalk({ 'node_modules/joyul-step-walk/src/index.js': code });
  const run = await rig.run();
  expect(run.exitCode).toBe(1);
  expect(run.events.find((event) => event.kind === 'attempt-failed')).toMatchObject({
    stepId: 'walk',
    failure: { message: expect.stringContaining(message) as string },
  });
});
