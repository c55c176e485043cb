import { appendFile, mkdir } from 'node:fs/promises';
import { Rig } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

/** upper → count → train (three instances) → last; a change of source.txt reaches them all. */
const pipeline = `
name: words
params: { word: end, extra: 0 }
steps:
  upper: { uses: command, with: { run: "tr a-z A-Z < source.txt > out/a.txt", reads: [source.txt], outputs: { text: out/a.txt } } }
  count: { uses: command, with: { run: "mkdir -p out/c && wc -c < $JOYUL_INPUT_0/file | sed 's/.*/{\\"length\\": &, \\"more\\": {\\"extra\\": \${{ params.extra }}}}/' > out/c/metrics.json", outputs: { metrics: out/c } }, inputs: { inputs: upper.text } }
  train:
    uses: command
    matrix: { lr: [0.1, 0.2, 0.3] }
    with: { run: "cat $JOYUL_INPUT_0/metrics.json > out/t-\${{ matrix.lr }} && echo trained", outputs: { model: "out/t-\${{ matrix.lr }}" } }
    inputs: { inputs: count.metrics }
  last: { uses: command, with: { run: "echo a long sentence that ends with the word \${{ params.word }}" }, inputs: { inputs: train.model } }
`;

async function createWords(): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': pipeline, 'source.txt': 'one\ntwo\n' });
  return rig;
}

async function tellJson<T>(rig: Rig, ...args: readonly string[]): Promise<T> {
  const { stdout, stderr } = await rig.joyul(...args);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as T; // The command's own format.
}

interface ToldCause {
  readonly stepId: string;
  readonly state: string;
  readonly causes?: readonly ToldCause[];
}

interface ToldWhy {
  readonly roots: readonly {
    readonly stepId: string;
    readonly changes: readonly { readonly field: string }[];
  }[];
  readonly causes: readonly ToldCause[];
  readonly since?: string;
  readonly origin?: { readonly runId: string; readonly reason: string };
}

/** The steps on the way to where a change began. */
const pathOf = (causes: readonly ToldCause[] | undefined): readonly string[] => {
  const [first] = causes ?? [];
  return first === undefined ? [] : [`${first.stepId} ${first.state}`, ...pathOf(first.causes)];
};

describe('why', () => {
  test('follows a pending change down to the file that was changed', async () => {
    await using rig = await createWords();
    await rig.run();
    await rig.write({ 'source.txt': 'four\nfive\nsix\n' });
    const why = await tellJson<ToldWhy>(rig, 'why', 'last', '--json');
    expect(why.roots).toMatchObject([{ stepId: 'upper', changes: [{ field: 'files.source.txt' }] }]);
    expect(pathOf(why.causes)).toEqual(['train@lr=0.1 unknown', 'count unknown', 'upper run']);
  });

  test('says the same of a change that has already run', async () => {
    await using rig = await createWords();
    await rig.run();
    await rig.write({ 'source.txt': 'four\nfive\nsix\n' });
    await rig.run();
    await rig.run();
    const why = await tellJson<ToldWhy>(rig, 'why', 'train@lr=0.2', '--json');
    expect(why.since).toBe('result before');
    expect(why.roots).toMatchObject([{ stepId: 'upper', changes: [{ field: 'files.source.txt' }] }]);
    expect(pathOf(why.causes)).toEqual(['count ran', 'upper ran']);
    const runs = await tellJson<readonly { readonly runId: string }[]>(rig, 'runs', '--json');
    expect(why.origin).toMatchObject({ runId: runs[1]?.runId, reason: 'input inputs has other content' });
  });

  test('shows which words of a long command differ', async () => {
    await using rig = await createWords();
    await rig.run();
    const { stdout } = await rig.joyul('why', 'last', '--set', 'word=fin');
    expect(stdout).toContain('params.run changed: …that ends with the word [-end-]{+fin+}');
  });

  test('tells all instances of a matrix', async () => {
    await using rig = await createWords();
    await rig.run();
    const { stdout } = await rig.joyul('why', 'train', '--set', 'extra=1');
    expect(stdout).toMatch(/train@lr=0\.1 +may run +it depends on what count gives\ntrain@lr=0\.2 +may run/);
    expect(stdout).toMatch(/It comes from:\n {2}count {2}params\.run changed: .*\[-0-\]\{\+1\+\}/);
  });
});

describe('plan', () => {
  test('leaves with 10 only when something would run, and only when asked', async () => {
    await using rig = await createWords();
    expect((await rig.joyul('plan', '--exit-code')).exitCode).toBe(10);
    await rig.run();
    const { exitCode, stdout } = await rig.joyul('plan', '--exit-code');
    expect([exitCode, stdout]).toEqual([0, '✓ All 6 steps would be reused; nothing would run.\n']);
    expect((await rig.joyul('plan', '--set', 'extra=1')).exitCode).toBe(0);
  });

  test('expects the time that steps took, also for instances that are new', async () => {
    await using rig = await createWords();
    await rig.run();
    await rig.write({ 'pipeline.yaml': pipeline.replace('[0.1, 0.2, 0.3]', '[0.1, 0.9]') });
    interface ToldStep {
      readonly stepId: string;
      readonly expectedMs?: number;
    }
    const plan = await tellJson<{ readonly steps: readonly ToldStep[]; readonly expectedMs?: number }>(
      rig,
      'plan',
      '--json',
    );
    const expected = plan.steps.filter((step) => step.expectedMs !== undefined).map((step) => step.stepId);
    expect(expected).toEqual(['train@lr=0.9', 'last']);
    expect(plan.expectedMs).toBeGreaterThan(0);
  });

  test('says what would be put back', async () => {
    await using rig = await createWords();
    await rig.run();
    await rig.write({ 'out/a.txt': 'by hand\n' });
    expect((await rig.joyul('plan')).stdout).toContain('↺ out/a.txt would be put back as upper made it.');
    expect(await rig.read('out/a.txt')).toBe('by hand\n');
  });
});

test('diff joins a field that changed with nested metrics, their share and the time', async () => {
  await using rig = await createWords();
  await rig.run();
  await rig.write({ 'source.txt': 'four\nfive\n' });
  await rig.run('--set', 'extra=3');
  const { stdout } = await rig.joyul('diff');
  expect(stdout).toMatch(/What was changed:\n {2}upper {2}file source\.txt has other content\n {2}count/);
  expect(stdout).toMatch(/count +length +8 +10 +↑ \+2 +\+25 %/);
  expect(stdout).toMatch(/count +more\.extra +0 +3 +↑ \+3/);
});

test('diff says when a step gave other content from the same inputs', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'pipeline.yaml':
      'name: chance\nsteps:\n  draw: { uses: command, with: { run: "mkdir -p out; date +%s%N > out/d", outputs: { number: out/d } } }\n',
  });
  await rig.run();
  await rig.run('--force');
  expect((await rig.joyul('diff')).stdout).toContain('gave other content from the same inputs');
});

describe('logs', () => {
  const flaky = `
name: flaky
steps:
  quiet: { uses: command, with: { run: "true" } }
  talk: { uses: command, with: { run: "echo try; test -e mark || { touch mark; exit 3; }; echo done" }, retry: { attempts: 2, delay: 10ms } }
`;

  test('prints the lines of all attempts of a step', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': flaky });
    await rig.run();
    const { stdout } = await rig.joyul('logs', 'talk');
    const lines = stdout.split('\n').filter((line) => !line.includes('exit'));
    expect(lines.filter((line) => line !== '')).toEqual(['try', '── attempt 2 ──', 'try', 'done']);
    expect((await rig.joyul('logs', '--tail', '1')).stdout).toBe('talk | ── attempt 2 ──\ntalk | done\n');
  });

  test('says when a step wrote nothing', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': flaky });
    await rig.run();
    const { stdout, stderr } = await rig.joyul('logs', 'last', 'quiet');
    expect([stdout, stderr]).toEqual(['', expect.stringContaining('quiet wrote nothing in run ')]);
    expect((await rig.joyul('logs', 'last', 'qiet')).stderr).toContain('Did you mean "quiet"?');
  });

  test('follows a run until it ends', async () => {
    await using rig = await Rig.create();
    const events = '.joyul/runs/20260101-000000000-abcdef/events.ndjson';
    await mkdir(rig.path('.joyul/runs/20260101-000000000-abcdef'), { recursive: true });
    const line = (body: object): string => `${JSON.stringify({ ...body, sequence: 0, timeMs: 1 })}\n`;
    const step = { stepId: 'a', plugin: 'command', needs: [], action: 'run', reason: '' };
    const start = { kind: 'run-started', runId: 'r', pipeline: 'p', file: 'p.yaml', seed: 1, steps: [step] };
    await rig.write({ [events]: line({ ...start, process: `${process.pid}-` }) });
    expect((await rig.joyul('runs')).stdout).toMatch(/ p +running /);
    const following = rig.start('logs', '-f');
    const say = (text: string): Promise<void> =>
      appendFile(rig.path(events), line({ kind: 'step-output', stepId: 'a', stream: 'stdout', text }));
    await say('one');
    await new Promise((resolve) => following.process.stdout?.once('data', resolve));
    await say('two');
    const counts = { succeeded: 1, reused: 0, failed: 0, blocked: 0, cancelled: 0, disabled: 0 };
    await appendFile(rig.path(events), line({ kind: 'run-ended', end: 'succeeded', counts, durationMs: 5 }));
    const { stdout, exitCode } = await following.finished;
    expect([stdout, exitCode]).toEqual(['a | one\na | two\n', 0]);
  });
});

test('show tells of one step', async () => {
  await using rig = await createWords();
  await rig.run();
  const { stdout } = await rig.joyul('show', '--step', 'count');
  expect(stdout).toMatch(
    /^## count — ran in .*\n\n- why: it has not run here before\n- fingerprint: [0-9a-f]{64}\n/,
  );
  expect((await rig.joyul('show', 'last', '--step', 'train')).stderr).toContain(
    'Its instances are train@lr=0.1, train@lr=0.2, train@lr=0.3.',
  );
});

describe('lock', () => {
  test('is written after a run that succeeded, and only then', async () => {
    await using rig = await createWords();
    expect(await rig.joyul('lock')).toMatchObject({
      exitCode: 1,
      stderr:
        'No run of pipeline.yaml has yet succeeded with all of its steps: `joyul run pipeline.yaml` first.\n',
    });
    await rig.run();
    const { stdout } = await rig.joyul('lock');
    expect(stdout).toMatch(/^Wrote pipeline\.lock\.yaml: 6 steps of run /);
    expect((await rig.joyul('lock')).stdout).toMatch(/^pipeline\.lock\.yaml is up to date with run /);
    const changed = await rig.joyul('lock', '--set', 'word=fin');
    expect(changed.exitCode).toBe(1);
    expect(changed.stderr).toMatch(/^pipeline\.yaml has changed since run /);
  });

  test('has nothing of this machine or of the moment', async () => {
    await using rig = await createWords();
    await rig.write({
      'pipeline.yaml': pipeline
        .replace('params:', 'env: [SOME_PLACE]\nsecrets: [TOKEN]\nparams:')
        .replace(
          'inputs: { inputs: train.model } }',
          'inputs: { inputs: train.model }, environment: { PLACE: "${{ env.SOME_PLACE }}", TOKEN: "${{ secrets.TOKEN }}" } }',
        ),
    });
    const env = rig.withEnv({ SOME_PLACE: '/srv/somewhere', TOKEN: 'hush-hush' });
    const { stderr, exitCode } = await env.run();
    expect([stderr, exitCode]).toEqual(['', 0]);
    await env.joyul('lock');
    const text = await rig.read('pipeline.lock.yaml');
    expect(text).toContain('PLACE: sha256:');
    expect(text).not.toMatch(/hush-hush|\/srv\/somewhere|\d{8}-\d{9}/);
    expect(text).not.toContain(rig.dir);
    expect((await env.joyul('lock', '--check')).exitCode).toBe(0);
  });

  test('is checked field by field, where nothing has ever run', async () => {
    await using rig = await createWords();
    await rig.run();
    await rig.joyul('lock');
    await rig.remove('.joyul');
    expect(await rig.joyul('lock', '--check')).toMatchObject({
      exitCode: 0,
      stdout: 'pipeline.yaml is as pipeline.lock.yaml has it.\n',
    });
    await rig.write({ 'source.txt': 'other\n' });
    const told = await rig.joyul('lock', '--check', '--set', 'word=fin');
    expect(told.exitCode).toBe(1);
    expect(told.stdout).toBe(`upper  file source.txt has other content
last  params.run changed: …that ends with the word [-end-]{+fin+}
Steps after these may differ as well: count, train@lr=0.1, train@lr=0.2, train@lr=0.3.
`);
    expect(rig.has('.joyul')).toBe(false);
  });

  test('tells of steps that came and went, and of files that are missing', async () => {
    await using rig = await createWords();
    await rig.run();
    await rig.joyul('lock');
    await rig.write({ 'pipeline.yaml': pipeline.replace('[0.1, 0.2, 0.3]', '[0.1, 0.2, 0.4]') });
    await rig.remove('source.txt');
    const { stdout } = await rig.joyul('lock', '--check');
    expect(stdout).toContain('upper  "source.txt" does not exist in the project.\n');
    expect(stdout).toContain('train@lr=0.4  is not in the lock\n');
    expect(stdout).toContain('train@lr=0.3  is in the lock only\n');
  });

  test('that is no lock is refused', async () => {
    await using rig = await createWords();
    expect((await rig.joyul('lock', '--check')).stderr).toContain('There is no pipeline.lock.yaml.');
    await rig.write({ 'pipeline.lock.yaml': '<<<<<<< ours\n' });
    const { exitCode, stderr } = await rig.joyul('lock', '--check');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('pipeline.lock.yaml cannot be used: it has no steps');
  });
});

test('lineage has one start and one end for the run and each step, joined by digests', async () => {
  await using rig = await createWords();
  await rig.run();
  interface Lineage {
    readonly eventType: string;
    readonly run: {
      readonly runId: string;
      readonly facets: { readonly parent?: { readonly run: unknown } };
    };
    readonly job: { readonly name: string };
    readonly inputs: readonly { readonly name: string; readonly facets: unknown }[];
    readonly outputs: readonly { readonly name: string; readonly facets: unknown }[];
  }
  const { stdout } = await rig.joyul('lineage');
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Lineage); // The command's own format.
  const whole = events.filter((event) => event.job.name === 'words');
  expect(whole.map((event) => event.eventType)).toEqual(['START', 'COMPLETE']);
  expect([events[0], events.at(-1)]).toEqual(whole);
  for (const [, own] of Map.groupBy(events, (event) => event.run.runId)) {
    expect(own.map((event) => event.eventType)).toEqual(['START', 'COMPLETE']);
    expect(own[0]?.run.runId).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  }
  const end = (name: string): Lineage | undefined =>
    events.find((event) => event.job.name === name && event.eventType === 'COMPLETE');
  expect(end('words.upper')?.inputs.map((input) => input.name)).toEqual(['source.txt']);
  expect(end('words.count')?.inputs).toEqual([
    { namespace: 'joyul', name: 'words/upper/text', facets: end('words.upper')?.outputs[0]?.facets },
  ]);
  expect(end('words.count')?.run.facets.parent?.run).toEqual({ runId: whole[0]?.run.runId });
  expect((await rig.joyul('lineage')).stdout).toBe(stdout);
});

describe('graph', () => {
  test('is written as SVG, with the last run on it', async () => {
    await using rig = await createWords();
    await rig.run();
    const { stdout, exitCode } = await rig.joyul('graph', '-o', 'steps.svg', '--run');
    expect([stdout, exitCode]).toEqual(['', 0]);
    const svg = await rig.read('steps.svg');
    expect(svg).toContain('train@lr=0.1: succeeded in ');
    expect(svg).toMatch(/6 steps · run \d{8}-\d{9}-[0-9a-f]{6} of .*, succeeded in /);
  });

  test.each([
    [['--format', 'png'], '--format must be one of mermaid, dot, svg, but is png.'],
    [['--format', 'dot', '--run'], '--run goes with --format svg.'],
    [['--run', 'nope'], 'There is no run nope.'],
  ])('%j is refused', async (args, message) => {
    await using rig = await createWords();
    const { exitCode, stderr } = await rig.joyul('graph', ...args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });

  test('Mermaid shows the signs that it would read as its own', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml':
        'name: signs\nsteps:\n  "a#35;`b": { uses: command, with: { run: "true" }, matrix: { v: [x y] } }\n',
    });
    expect((await rig.joyul('graph')).stdout).toContain('s0["a#35;35;#96;b@v=&quot;x y&quot;<br/>');
  });
});
