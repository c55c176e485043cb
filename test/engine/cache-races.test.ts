import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Rig } from '@joyul/testing';
import type { Running } from '@joyul/testing';
import { expect, test } from 'vitest';
import { startWorker } from '../../packages/core/test/store/start-worker.ts';
import type { EndedWorker } from '../../packages/core/test/store/start-worker.ts';

const worker = join(import.meta.dirname, 'cache-worker.ts');

const start = (mode: 'run' | 'gc', dir: string, seconds: number): ReturnType<typeof startWorker> =>
  startWorker(worker, [mode, dir, String(seconds)]);

/** What a process counted. */
const countsOf = ({ stdout }: EndedWorker): Readonly<Record<string, number>> =>
  JSON.parse(stdout) as Readonly<Record<string, number>>; // The worker's format.

/** Nothing in the store is damaged, and no record names what is gone. */
async function expectWhole(rig: Rig): Promise<void> {
  const verified = await rig.joyul('cache', 'verify', '--json');
  const { flaws } = JSON.parse(verified.stdout) as { readonly flaws: readonly { readonly flaw: string }[] }; // The command's format.
  expect(flaws.filter(({ flaw }) => flaw !== 'orphaned')).toEqual([]);
}

/** `use` needs what `make` gave long after it was decided that `make` is reused. */
const pipeline = `
name: race
params: { word: one, now: none }
steps:
  make: { uses: command, with: { run: "echo \${{ params.word }} > made.txt", outputs: { text: made.txt } } }
  slow: { uses: command, with: { run: "sleep 0.4; echo \${{ params.now }} > slow.txt", outputs: { text: slow.txt } } }
  use: { uses: command, with: { run: "cat $JOYUL_INPUT_0/* $JOYUL_INPUT_1/* > used.txt", outputs: { text: used.txt } }, inputs: { inputs: [make.text, slow.text] } }
`;

test('runs that hit and publish while two clean-ups remove all they may never lose what they decided on', async () => {
  await using rig = await Rig.create();
  const running = [
    start('run', rig.dir, 8),
    start('run', rig.dir, 8),
    start('gc', rig.dir, 8),
    start('gc', rig.dir, 8),
  ];
  const ended = await Promise.all(running.map((item) => item.ended));
  expect(ended.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(ended.map(() => [0, '']));
  const sum = (name: string): number => ended.reduce((total, item) => total + (countsOf(item)[name] ?? 0), 0);
  // The test is worth something only if all of it happened, often.
  expect(Math.min(sum('hits'), sum('misses'), sum('removed'))).toBeGreaterThan(50);
  await expectWhole(rig);
});

test('clean-ups and runs that are killed at any instant leave a store that the next ones can use', async () => {
  await using rig = await Rig.create();
  const steady = start('run', rig.dir, 8);
  const endMs = Date.now() + 7000;
  while (Date.now() < endMs) {
    const victims = [start('gc', rig.dir, 60), start('run', rig.dir, 60)];
    await sleep(300 + Math.random() * 700);
    for (const victim of victims) victim.kill();
    await Promise.all(victims.map((victim) => victim.ended));
  }
  const { exitCode, stderr } = await steady.ended;
  expect([exitCode, stderr]).toEqual([0, '']);
  await expectWhole(rig);
  expect((await rig.joyul('cache', 'gc', '--max-size', '0B', '--keep-runs', '1')).exitCode).toBe(0);
  await expectWhole(rig);
  expect(rig.has('.joyul/condemned')).toBe(false);
});

test('a run at work says what it relies on, and a clean-up beside it removes the rest', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'pipeline.yaml': pipeline.replace('sleep 0.4', 'touch begun; while [ ! -e go ]; do sleep 0.05; done'),
  });
  await rig.write({ go: '' });
  const args = (word: string, now: string): readonly string[] => ['-s', `word=${word}`, '-s', `now=${now}`];
  for (const word of ['one', 'two', 'three']) await rig.run(...args(word, 'before'));
  await rig.remove('go');
  await rig.remove('begun');
  const running = rig.start('run', 'pipeline.yaml', '--json', ...args('one', 'now'));
  await rig.waitFor('begun');
  const cleaned = await rig.joyul('cache', 'gc', '--max-size', '0B', '--keep-runs', '1', '--json');
  const told = JSON.parse(cleaned.stdout) as {
    readonly waitsFor: readonly string[];
    readonly removes: { readonly records: readonly unknown[] };
  }; // The command's format.
  expect(told.waitsFor).toEqual([]);
  expect(told.removes.records.length).toBeGreaterThan(0);
  await rig.write({ go: '' });
  const ended = await running.finished;
  expect([ended.exitCode, ended.reused]).toEqual([0, ['make']]);
  expect(await rig.read('used.txt')).toBe('one\nnow\n');
});

test('a command that cleans up beside a running pipeline never takes away what it reuses', async () => {
  await using rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': pipeline });
  const run = (word: string, now: string): Running =>
    rig.start('run', 'pipeline.yaml', '--json', '-s', `word=${word}`, '-s', `now=${now}`);
  let hits = 0;
  for (let at = 0; at < 6; at++) {
    // After the second run nothing protects what the first one stored.
    await run('one', 'before').finished;
    await run('two', 'before').finished;
    const running = run('one', String(at));
    await sleep(Math.random() * 500);
    const cleaning = rig.start('cache', 'gc', '--max-size', '0B', '--keep-runs', '1');
    const [used, cleaned] = await Promise.all([running.finished, cleaning.finished]);
    expect([used.exitCode, cleaned.exitCode, cleaned.stderr]).toEqual([0, 0, '']);
    expect(await rig.read('used.txt')).toBe(`one\n${at}\n`);
    hits += used.reused.length;
  }
  expect(hits).toBeGreaterThan(0);
  await expectWhole(rig);
});
