import { statSync, utimesSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Rig } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

const pipeline = `
name: words
params: { word: one }
steps:
  say: { uses: command, with: { run: "echo \${{ params.word }} > said.txt", outputs: { text: said.txt } } }
  end: { uses: command, with: { run: "cat $JOYUL_INPUT_0/file > end.txt", outputs: { text: end.txt } }, inputs: { inputs: say.text } }
`;

async function createWords(): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': pipeline });
  return rig;
}

async function readJson(rig: Rig, ...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const { stdout } = await rig.joyul(...args, '--json');
  return JSON.parse(stdout) as Readonly<Record<string, unknown>>; // The command's format.
}

/** Makes everything in the store look as if it was last used some days ago. */
async function age(rig: Rig, days: number): Promise<void> {
  const time = Date.now() / 1000 - days * 86_400;
  for (const folder of ['actions', 'runs'])
    for (const name of await readdir(rig.path(`.joyul/${folder}`), { recursive: true }))
      utimesSync(join(rig.path(`.joyul/${folder}`), name), time, time);
}

test('stats tell what is there, what stays, and how often steps were reused', async () => {
  await using rig = await createWords();
  await rig.run();
  await rig.run();
  const stats = await readJson(rig, 'cache', 'stats');
  expect(stats).toMatchObject({
    blobs: { count: 1, sizeBytes: 4 },
    records: { count: 2 },
    runs: { count: 2 },
    needed: { 'recent run': { count: 2 } },
    unneeded: { count: 0 },
    recent: { runs: 2, reused: 2, ran: 2 },
    wouldRemove: { sizeBytes: 0 },
  });
  const { stdout } = await rig.joyul('cache', 'stats');
  expect(stdout).toContain('Of the 4 steps of the last 2 runs, 2 were reused (50 %).');
});

test('stats and a dry run write nothing', async () => {
  await using rig = await createWords();
  await rig.run();
  const look = async (): Promise<readonly unknown[]> =>
    (await readdir(rig.path('.joyul'), { recursive: true })).map((name) => [
      name,
      statSync(rig.path(`.joyul/${name}`)).ctimeMs,
    ]);
  const before = await look();
  await rig.joyul('cache', 'stats');
  await rig.joyul('cache', 'gc', '--dry-run', '--max-size', '0B');
  expect(await look()).toEqual(before);
});

test('a project without a store is told so, and gets none by looking', async () => {
  await using rig = await Rig.create();
  for (const verb of ['stats', 'gc', 'verify']) {
    const { exitCode, stdout } = await rig.joyul('cache', verb);
    expect([exitCode, stdout]).toEqual([0, 'This project has no cache yet. `joyul run` makes one.\n']);
  }
  expect(rig.has('.joyul')).toBe(false);
});

test('gc removes what nothing needs, and the next run reuses the rest', async () => {
  await using rig = await createWords();
  await rig.run('-s', 'word=old');
  await rig.run('-s', 'word=new');
  const { stdout } = await rig.joyul('cache', 'gc', '--max-size', '0B', '--keep-runs', '1');
  expect(stdout).toMatch(/^Removed .* of .*: 2 stored results, 1 blob, 1 artifact, 1 run\.$/m);
  expect((await rig.run('-s', 'word=new')).reused).toEqual(['say', 'end']);
  const again = await rig.run('-s', 'word=old');
  expect([again.exitCode, again.ran, again.stderr]).toEqual([0, ['say', 'end'], '']);
});

test('gc keeps what a step of a pipeline last gave, even where the last run left it out', async () => {
  await using rig = await createWords();
  await rig.run();
  await rig.run('--only', 'end', '--force');
  await rig.remove('said.txt');
  await rig.joyul('cache', 'gc', '--max-size', '0B', '--keep-runs', '1');
  expect((await rig.run()).reused).toEqual(['say', 'end']);
});

test('a kept run is shown, stays, and can be given back', async () => {
  await using rig = await createWords();
  await rig.run('-s', 'word=old');
  expect((await rig.joyul('runs', 'keep', 'last')).stdout).toContain('is kept: no clean-up removes it');
  await rig.run('-s', 'word=new');
  await rig.joyul('cache', 'gc', '--max-size', '0B', '--keep-runs', '1');
  expect((await rig.joyul('runs')).stdout).toMatch(/words .* kept$/m);
  const [, kept] = JSON.parse((await rig.joyul('runs', '--json')).stdout) as readonly {
    readonly runId: string;
  }[]; // The command's format.
  await rig.joyul('runs', 'unkeep', kept?.runId.slice(-6) ?? '');
  const gone = await readJson(rig, 'cache', 'gc', '--max-size', '0B', '--keep-runs', '1');
  expect(gone).toMatchObject({ removes: { runs: [kept?.runId], records: [{}, {}] } });
});

test('a deployed result stays while it is in the project as it was written', async () => {
  await using rig = await createWords();
  await rig.run('-s', 'word=deployed');
  await rig.write({
    'pipeline.yaml': pipeline.replaceAll('said.txt', 'other.txt').replaceAll('end.txt', 'other-end.txt'),
  });
  await rig.run();
  await rig.joyul('cache', 'gc', '--max-size', '0B', '--keep-runs', '1');
  expect(await readJson(rig, 'cache', 'stats')).toMatchObject({ needed: { deployed: { count: 2 } } });
  await rig.remove('said.txt');
  await rig.remove('end.txt');
  await rig.joyul('cache', 'gc', '--max-size', '0B', '--keep-runs', '1');
  expect(await readJson(rig, 'cache', 'stats')).toMatchObject({ records: { count: 2 } });
});

test('scratch of an interrupted step survives a clean-up, and the step goes on from it', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'pipeline.yaml':
      'name: p\nsteps:\n  a: { uses: command, with: { run: "echo x >> $JOYUL_SCRATCH/seen; cp $JOYUL_SCRATCH/seen out.txt; touch begun; while [ ! -e go ]; do sleep 0.05; done", outputs: { text: out.txt } } }\n',
  });
  const running = rig.start('run', 'pipeline.yaml');
  await rig.waitFor('begun');
  rig.killGroup(running);
  await running.finished;
  await rig.joyul('cache', 'gc', '--max-size', '0B');
  await rig.write({ go: '' });
  expect((await rig.run()).exitCode).toBe(0);
  expect(await rig.count('out.txt')).toBe(2);
});

describe('limits on by default', () => {
  test('a run that stored something removes what is older than the limit', async () => {
    await using rig = await createWords();
    for (const word of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k'])
      await rig.run('-s', `word=${word}`);
    await age(rig, 31);
    // What was known of the store is gone too, so that the next run looks.
    await rig.remove('.joyul/clean-up.json');
    const run = await rig.joyul('run', 'pipeline.yaml', '-s', 'word=new');
    expect(run.stderr).toMatch(/The cache was over its limits: .* removed/);
    expect(await readJson(rig, 'cache', 'stats')).toMatchObject({
      runs: { count: 10 },
      unneeded: { count: 0 },
    });
  });

  test('a run that reused everything touches nothing of it', async () => {
    await using rig = await createWords();
    await rig.run();
    const small = rig.withEnv({ JOYUL_CACHE_MAX_SIZE: '0B' });
    const before = await rig.read('.joyul/clean-up.json');
    expect((await small.run()).reused).toEqual(['say', 'end']);
    expect(await rig.read('.joyul/clean-up.json')).toBe(before);
  });

  test('package.json and the environment set them, and a mistake is told at its place', async () => {
    await using rig = await createWords();
    await rig.write({ 'package.json': '{"joyul": {"cache": {"keepRuns": 1, "maxSize": "1MB"}}}' });
    await rig.run();
    expect(await readJson(rig, 'cache', 'stats')).toMatchObject({
      settings: { keepRuns: 1, maxSizeBytes: 1e6 },
    });
    await rig.write({ 'package.json': '{"joyul": {"cache": {"maxSize": "big"}}}' });
    const refused = await rig.joyul('cache', 'gc');
    expect([refused.exitCode, refused.stderr.split('\n')[0]]).toEqual([
      2,
      'package.json:1:33 error CACHE_SETTING  "maxSize" must be a size such as "50GB", or "none", but is "big".',
    ]);
    const run = await rig.joyul('run', 'pipeline.yaml', '-s', 'word=new');
    expect([run.exitCode, run.stderr.includes('package.json:1:33 error CACHE_SETTING')]).toEqual([0, true]);
  });
});

describe('bad usage is told in one line, with what to type', () => {
  test.each([
    [['cache'], 'Name what to do: `joyul cache stats`, `joyul cache gc` or `joyul cache verify`.'],
    [
      ['cache', 'clean'],
      'There is no `joyul cache clean`: name what to do: `joyul cache stats`, `joyul cache gc` or `joyul cache verify`.',
    ],
    [['cache', 'stats', '--repair'], '--repair belongs to `joyul cache verify`.'],
    [['cache', 'gc', '--max-size', '3'], '--max-size must be a size such as 20GB, or none, but is 3.'],
    [['cache', 'gc', '--max-age', 'week'], '--max-age must be an age such as 30d, or none, but is week.'],
    [['cache', 'gc', '--keep-runs', '0'], '--keep-runs must be a whole number of at least 1, but is 0.'],
    [['cache', 'gc', 'now'], '`joyul cache gc` takes no now.'],
    [['runs', 'keep'], 'Name a run: `joyul runs keep RUN`. `joyul runs` lists them.'],
    [['runs', 'keep', 'x'], 'There is no run x. `joyul runs` lists them.'],
    [['runs', 'drop'], '`joyul runs` takes keep or unkeep, not drop.'],
  ])('joyul %j', async (args, message) => {
    await using rig = await Rig.create();
    await rig.write({ '.joyul/.gitignore': '*' });
    const { exitCode, stderr } = await rig.joyul(...args);
    expect([exitCode, stderr]).toEqual([2, `${message}\n`]);
  });
});
