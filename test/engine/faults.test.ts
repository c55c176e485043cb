import { setTimeout as sleep } from 'node:timers/promises';
import { Rig } from '@joyul/testing';
import type { Running } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

/** One step that tells when it has begun and goes on when it is told to. */
const slow = `
name: slow
steps:
  work:
    uses: command
    with:
      run: "echo x >> count; echo half > out.txt; touch begun; while [ ! -e go ]; do sleep 0.05; done; echo whole > out.txt"
      outputs: { text: out.txt }
  after: { uses: command, with: { run: "cat $JOYUL_INPUT_0/file > after.txt", outputs: { text: after.txt } }, inputs: { inputs: work.text } }
`;

function kill(running: Running, signal: NodeJS.Signals): void {
  const { pid } = running.process;
  if (pid !== undefined) process.kill(pid, signal);
}

/** Lets the slow step go on in a new run; gives the exit code and what the last step wrote. */
async function runAgain(rig: Rig): Promise<readonly [number | null, string]> {
  await rig.write({ go: '' });
  const { exitCode } = await rig.run();
  return [exitCode, await rig.read('after.txt')];
}

test('row: a step fails after a part of its output: it is not a hit', async () => {
  await using rig = await Rig.create();
  const failing = (exit: number): string =>
    `name: p\nsteps:\n  a: { uses: command, with: { run: "echo half > out.txt; exit ${exit}", outputs: { text: out.txt } } }\n`;
  await rig.write({ 'pipeline.yaml': failing(7) });
  const failed = await rig.run();
  expect(failed.exitCode).toBe(1);
  expect(failed.events.find((event) => event.kind === 'attempt-failed')).toMatchObject({
    failure: { code: 'EXIT_7', exitCode: 7 },
  });
  expect((await rig.run()).ran).toEqual(['a']);
});

test('row: kill -9 in the middle: the next run goes on, without unlocking anything by hand', async () => {
  await using rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': slow });
  const running = rig.start('run', 'pipeline.yaml', '--json');
  await rig.waitFor('begun');
  kill(running, 'SIGKILL');
  await running.finished;
  expect(await runAgain(rig)).toEqual([0, 'whole\n']);
});

test('row: a child of a killed run, in a group of its own, goes on writing: the next run ends it', async () => {
  await using rig = await Rig.create();
  // The child leaves the group and writes until it is told to stop.
  const orphan = `
name: orphan
steps:
  work:
    uses: command
    with:
      run: "setsid sh -c 'while [ ! -e stop ]; do echo orphan >> out.txt; sleep 0.02; done' & echo whole > out.txt; touch begun; if [ ! -e go ]; then sleep 60; fi; touch stop; sleep 0.2; echo whole > out.txt"
      outputs: { text: out.txt }
`;
  await rig.write({ 'pipeline.yaml': orphan });
  const running = rig.start('run', 'pipeline.yaml', '--json');
  await rig.waitFor('begun');
  kill(running, 'SIGKILL');
  await running.finished;
  await rig.write({ go: '' });
  expect((await rig.run()).exitCode).toBe(0);
  expect(await rig.read('out.txt')).toBe('whole\n');
  expect(rig.processes()).toEqual([]);
  expect((await rig.run()).reused).toEqual(['work']);
});

test('a child of a killed run is ended by the next run of the project, whatever that one runs', async () => {
  await using rig = await Rig.create();
  const orphan = `name: p\nsteps:\n  a: { uses: command, with: { run: "setsid sh -c 'touch begun; exec sleep 600' & sleep 600", outputs: { text: out.txt } } }\n`;
  await rig.write({ 'pipeline.yaml': orphan });
  const running = rig.start('run', 'pipeline.yaml', '--json');
  await rig.waitFor('begun');
  kill(running, 'SIGKILL');
  await running.finished;
  expect(rig.processes().length).toBeGreaterThan(0);
  await rig.write({ 'other.yaml': 'name: o\nsteps:\n  b: { uses: command, with: { run: "true" } }\n' });
  expect((await rig.joyul('run', 'other.yaml')).exitCode).toBe(0);
  expect(rig.processes()).toEqual([]);
});

test('row: a declared output is never written: an error names it, and nothing is cached', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'pipeline.yaml':
      'name: p\nsteps:\n  a: { uses: command, with: { run: "true", outputs: { text: out/never.txt } } }\n',
  });
  const result = await rig.run();
  expect(result.exitCode).toBe(1);
  expect(result.events.find((event) => event.kind === 'attempt-failed')).toMatchObject({
    failure: { code: 'OUTPUT_MISSING', message: expect.stringContaining('out/never.txt') as string },
  });
  expect((await rig.run()).ran).toEqual(['a']);
});

test('row: two runs at once on one project: the second waits and then reuses', async () => {
  await using rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': slow });
  const first = rig.start('run', 'pipeline.yaml', '--json');
  await rig.waitFor('begun');
  const second = rig.start('run', 'pipeline.yaml', '--json');
  await sleep(1000);
  await rig.write({ go: '' });
  const results = await Promise.all([first.finished, second.finished]);
  expect(results.map((result) => result.exitCode)).toEqual([0, 0]);
  expect(await rig.count('count')).toBe(1);
  expect(results[1]?.events.some((event) => event.kind === 'step-waiting')).toBe(true);
});

test('row: two runs at once with other params that write the same path: each gets its own', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'pipeline.yaml': `
name: p
params: { word: one }
steps:
  write: { uses: command, with: { run: "touch begun-\${{ params.word }}; sleep 0.4; echo \${{ params.word }} > out.txt; sleep 0.4; cat out.txt > seen-\${{ params.word }}.txt", outputs: { text: out.txt } } }
  use: { uses: command, with: { run: "cat $JOYUL_INPUT_0/file > used-\${{ params.word }}.txt", outputs: { text: "used-\${{ params.word }}.txt" } }, inputs: { inputs: write.text } }
`,
  });
  const first = rig.start('run', 'pipeline.yaml', '--json');
  await rig.waitFor('begun-one');
  const second = rig.start('run', 'pipeline.yaml', '--json', '-s', 'word=two');
  const [one, two] = await Promise.all([first.finished, second.finished]);
  expect([one.exitCode, two.exitCode]).toEqual([0, 0]);
  expect(two.events.some(({ kind }) => kind === 'step-waiting')).toBe(true);
  for (const name of ['seen', 'used'])
    expect([await rig.read(`${name}-one.txt`), await rig.read(`${name}-two.txt`)]).toEqual([
      'one\n',
      'two\n',
    ]);
  const again = await rig.run();
  expect([again.ran, await rig.read('out.txt')]).toEqual([[], 'one\n']);
});

test('row: an input is changed while a step reads it: the step fails, and nothing is cached', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'pipeline.yaml':
      'name: p\nsteps:\n  a: { uses: command, with: { run: "cat source.txt > out.txt; touch begun; while [ ! -e go ]; do sleep 0.05; done", reads: [source.txt], outputs: { text: out.txt } } }\n',
    'source.txt': 'before\n',
  });
  const running = rig.start('run', 'pipeline.yaml', '--json');
  await rig.waitFor('begun');
  await rig.write({ 'source.txt': 'after!\n', go: '' });
  const result = await running.finished;
  expect(result.events.find((event) => event.kind === 'attempt-failed')).toMatchObject({
    failure: { code: 'INPUT_CHANGED' },
  });
  expect((await rig.run()).ran).toEqual(['a']);
  expect(await rig.read('out.txt')).toBe('after!\n');
});

describe.each(['SIGINT', 'SIGTERM'] as const)('%s', (signal) => {
  test('ends the step and its children, leaves with 130, and loses nothing', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': slow });
    const running = rig.start('run', 'pipeline.yaml', '--json');
    await rig.waitFor('begun');
    kill(running, signal);
    const result = await running.finished;
    expect(result.exitCode).toBe(130);
    expect(result.events.at(-1)).toMatchObject({ kind: 'run-ended', end: 'cancelled' });
    expect(await runAgain(rig)).toEqual([0, 'whole\n']);
  });
});

test('an input file that an earlier step took away is told before anything reads it', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'gone.txt': 'soon\n',
    'pipeline.yaml': `
name: p
steps:
  first: { uses: command, with: { run: "rm gone.txt; echo > first.txt", outputs: { text: first.txt } } }
  a: { uses: command, with: { run: "cat gone.txt > out.txt", reads: [gone.txt], outputs: { text: out.txt } }, inputs: { inputs: first.text } }
`,
  });
  const result = await rig.run();
  expect(result.exitCode).toBe(1);
  expect(result.events.find((event) => event.kind === 'attempt-failed')).toMatchObject({
    failure: { code: 'FILE_MISSING', message: '"gone.txt" does not exist in the project.' },
  });
});

test('a failed step is tried again as its retry says, and only for the codes it names', async () => {
  await using rig = await Rig.create();
  const retry = (on: string): string =>
    `name: p\nsteps:\n  a: { uses: command, with: { run: "echo x >> count; exit 9", outputs: {} }, retry: { attempts: 3, delay: 10ms, on: [${on}] } }\n`;
  await rig.write({ 'pipeline.yaml': retry('9') });
  await rig.run();
  expect(await rig.count('count')).toBe(3);
  await rig.write({ 'pipeline.yaml': retry('8') });
  await rig.run();
  expect(await rig.count('count')).toBe(4);
});

test('a step that takes too long is ended', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'pipeline.yaml': 'name: p\nsteps:\n  a: { uses: command, with: { run: "sleep 60" }, timeout: 300ms }\n',
  });
  const result = await rig.run();
  expect(result.events.find((event) => event.kind === 'attempt-failed')).toMatchObject({
    failure: { code: 'TIMEOUT' },
  });
});

test('a failure blocks what needs it; --keep-going runs the rest', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'pipeline.yaml': `
name: p
steps:
  bad: { uses: command, with: { run: "exit 1", outputs: { text: bad.txt } } }
  needy: { uses: command, with: { run: "true" }, inputs: { inputs: bad.text } }
  first: { uses: command, with: { run: "sleep 0.3; echo x > first.txt", outputs: { text: first.txt } } }
  free: { uses: command, with: { run: "true" }, inputs: { inputs: first.text } }
`,
  });
  const ends = async (...args: readonly string[]): Promise<Record<string, string>> => {
    const { events } = await rig.run(...args);
    return Object.fromEntries(
      events.flatMap((event) => (event.kind === 'step-ended' ? [[event.stepId, event.end]] : [])) as [
        string,
        string,
      ][],
    );
  };
  expect(await ends()).toMatchObject({ bad: 'failed', needy: 'blocked', free: 'blocked' });
  expect(await ends('--keep-going')).toMatchObject({ bad: 'failed', needy: 'blocked', free: 'succeeded' });
});
