import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Rig } from '@joyul/testing';
import type { Finished, Running } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

function signal(running: Running, name: NodeJS.Signals): void {
  if (running.process.pid !== undefined) process.kill(running.process.pid, name);
}

/** A pipeline of one command. */
const single = (run: string, more = ''): string =>
  `name: p\nsteps:\n  work: { uses: command, with: { run: ${JSON.stringify(run)}, outputs: { text: out.txt } }${more} }\n`;

const failureOf = (finished: Finished): unknown =>
  finished.events.find((event) => event.kind === 'attempt-failed')?.['failure'];

/** How each step ended. */
const endsOf = ({ events }: Finished): Readonly<Record<string, string>> =>
  Object.fromEntries(
    events.flatMap(({ kind, stepId = '', end = '' }) => (kind === 'step-ended' ? [[stepId, end]] : [])),
  );

/** A descendant that has left the group and the session, and ignores SIGTERM. */
const stubborn = `setsid sh -c 'trap "" TERM; touch begun; while :; do echo x >> alive; sleep 0.05; done'`;

describe('ending a step ends all that it started', () => {
  test.each([
    ['beside it', `${stubborn} & sleep 60`],
    ['with its output closed', `${stubborn} > /dev/null 2>&1 & sleep 60`],
    ['by a step that ignores SIGTERM itself', `trap '' TERM; ${stubborn} & while :; do sleep 0.1; done`],
    ['by a step that has ended', `${stubborn} & echo done > out.txt`],
  ])('SIGTERM, then SIGKILL: a descendant that hides %s', async (_, run) => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': single(run) });
    const running = rig.start('run', 'pipeline.yaml', '--json');
    await rig.waitFor('begun');
    signal(running, 'SIGTERM');
    const { exitCode } = await running.finished;
    expect([exitCode, rig.processes()]).toEqual([130, []]);
  });

  test('SIGTERM comes first, and a program that ends by it is given the time it takes', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml': single(
        `trap 'sleep 1; echo clean > cleaned; exit 0' TERM; touch begun; while :; do sleep 0.05; done`,
      ),
    });
    const running = rig.start('run', 'pipeline.yaml', '--json');
    await rig.waitFor('begun');
    signal(running, 'SIGTERM');
    const result = await running.finished;
    expect([result.exitCode, endsOf(result), rig.has('cleaned')]).toEqual([130, { work: 'cancelled' }, true]);
  });

  test('a time limit ends it as well', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': single(`${stubborn} & sleep 60`, ', timeout: 500ms') });
    const result = await rig.run();
    expect(failureOf(result)).toMatchObject({ code: 'TIMEOUT' });
    expect([result.exitCode, rig.processes()]).toEqual([1, []]);
  });

  test('a second Ctrl-C ends everything at once', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml': single(`trap 'touch told' TERM; ${stubborn} & while :; do sleep 0.1; done`),
    });
    const running = rig.start('run', 'pipeline.yaml', '--json');
    await rig.waitFor('begun');
    signal(running, 'SIGINT');
    await rig.waitFor('told');
    signal(running, 'SIGINT');
    const startMs = Date.now();
    const { exitCode } = await running.finished;
    expect(Date.now() - startMs).toBeLessThan(4000);
    expect(exitCode).toBe(130);
    await rig.until('nothing runs', () => rig.processes().length === 0);
  });

  test('a step that fails leaves nothing of its group behind', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': single('sleep 61 & exit 4') });
    expect((await rig.run()).exitCode).toBe(1);
    expect(rig.processes()).toEqual([]);
  });
});

describe('a step in a worker', () => {
  const plugin = (body: string): Readonly<Record<string, string>> => ({
    'node_modules/joyul-step-odd/package.json':
      '{"name": "joyul-step-odd", "version": "1.0.0", "type": "module", "main": "index.js"}',
    'node_modules/joyul-step-odd/index.js': `
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
export default {
  name: 'odd',
  revision: 1,
  summary: 'Does odd things.',
  params: { type: 'object', properties: {} },
  inputs: {},
  outputs: { text: { type: 'files' } },
  async run({ outputs, scratch, projectDir, env, signal }) {
    ${body}
    writeFileSync(join(outputs.text, 'file'), 'done');
  },
};
`,
  });

  test('whose process dies is tried again in a new one', async () => {
    await using rig = await Rig.create();
    await rig.write({
      ...plugin(
        `const mark = join(scratch, 'tried'); if (!existsSync(mark)) { writeFileSync(mark, ''); process.kill(process.pid, 'SIGKILL'); }`,
      ),
      'pipeline.yaml':
        'name: p\nsteps:\n  a: { uses: odd, retry: { attempts: 2, delay: 1ms, on: [WORKER_DIED] } }\n',
    });
    const result = await rig.run();
    expect([result.exitCode, failureOf(result)]).toMatchObject([0, { code: 'WORKER_DIED' }]);
    expect((await rig.run()).reused).toEqual(['a']);
  });

  test('that heeds the signal ends at once, and a child that does not ends with it', async () => {
    await using rig = await Rig.create();
    await rig.write({
      ...plugin(
        `spawn('sh', ['-c', ${JSON.stringify(stubborn)}], { cwd: projectDir, env: { ...process.env, ...env }, detached: true });
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));`,
      ),
      'pipeline.yaml': 'name: p\nsteps:\n  a: { uses: odd }\n',
    });
    const running = rig.start('run', 'pipeline.yaml', '--json');
    await rig.waitFor('begun');
    signal(running, 'SIGTERM');
    const startMs = Date.now();
    const { exitCode } = await running.finished;
    expect([exitCode, Date.now() - startMs < 4000, rig.processes()]).toEqual([130, true, []]);
  });

  test.runIf(process.env['JOYUL_TEST_SLOW'] === '1')(
    'that heeds nothing is ended after its grace',
    async () => {
      await using rig = await Rig.create();
      await rig.write({
        ...plugin(`writeFileSync(join(projectDir, 'begun'), ''); for (;;);`),
        'pipeline.yaml': 'name: p\nsteps:\n  a: { uses: odd }\n',
      });
      const running = rig.start('run', 'pipeline.yaml', '--json');
      await rig.waitFor('begun');
      signal(running, 'SIGTERM');
      const { exitCode } = await running.finished;
      expect([exitCode, rig.processes()]).toEqual([130, []]);
    },
  );

  test('of a run that is killed ends with it', async () => {
    await using rig = await Rig.create();
    await rig.write({
      ...plugin(
        `writeFileSync(join(projectDir, 'begun'), ''); await new Promise((done) => setTimeout(done, 60000));`,
      ),
      'pipeline.yaml': 'name: p\nsteps:\n  a: { uses: odd }\n',
    });
    const running = rig.start('run', 'pipeline.yaml', '--json');
    await rig.waitFor('begun');
    signal(running, 'SIGKILL');
    await running.finished;
    await expect.poll(() => rig.processes(), { timeout: 30_000 }).toEqual([]);
  });
});

test('a time limit of more than 25 days is one', async () => {
  await using rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': single('sleep 0.3; echo x > out.txt', ', timeout: 30d') });
  const result = await rig.run();
  expect([failureOf(result), result.exitCode]).toEqual([undefined, 0]);
});

describe('a step that stops at a checkpoint', () => {
  /** Counts up to 40, one each 50 ms, and goes on from where it was stopped. */
  const counting = `
at=$(cat $JOYUL_SCRATCH/at 2> /dev/null || echo 0); echo "from $at" >> log
trap 'echo $at > $JOYUL_SCRATCH/at; exit 75' TERM
while [ $at -lt 40 ]; do at=$((at + 1)); [ $at = 3 ] && touch begun; sleep 0.05; done
echo $at > out.txt`;

  test('joyul leaves with 75, and the next run gives it its scratch folder as it left it', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': single(counting) });
    const running = rig.start('run', 'pipeline.yaml', '--json');
    await rig.waitFor('begun');
    signal(running, 'SIGTERM');
    const stopped = await running.finished;
    expect([stopped.exitCode, endsOf(stopped)]).toEqual([75, { work: 'cancelled' }]);
    expect(stopped.events.at(-1)).toMatchObject({ kind: 'run-ended', end: 'checkpointed' });
    const { exitCode } = await rig.run();
    const log = await rig.read('log');
    expect([exitCode, await rig.read('out.txt')]).toEqual([0, '40\n']);
    expect(log).toMatch(/^from 0\nfrom [1-9]\d*\n$/);
    // What it needed until its result was safe is gone.
    expect(readdirSync(rig.path('.joyul/scratch'))).toEqual([]);
  });

  test('by itself: what needs it does not run, and it is not tried again', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml': `
name: p
steps:
  work: { uses: command, with: { run: "echo x >> count; echo half > $JOYUL_SCRATCH/half; exit 75", outputs: { text: out.txt } }, retry: { attempts: 3, delay: 1ms } }
  after: { uses: command, with: { run: "true" }, inputs: { inputs: work.text } }
`,
    });
    const result = await rig.run();
    expect(endsOf(result)).toEqual({ work: 'cancelled', after: 'cancelled' });
    expect([result.exitCode, await rig.count('count')]).toEqual([75, 1]);
  });
});

describe('retries', () => {
  const retried = (on: string): string =>
    single(
      'echo x >> count; [ $(wc -l < count) = 3 ] && echo ok > out.txt || exit 9',
      `, retry: { attempts: 4, delay: 1ms, on: [${on}] }`,
    );

  test.each([
    ['9', 3, 0],
    ['EXIT_9', 3, 0],
    ['8, TIMEOUT', 1, 1],
  ])('on %s', async (on, attempts, exitCode) => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': retried(on) });
    const result = await rig.run();
    expect([await rig.count('count'), result.exitCode]).toEqual([attempts, exitCode]);
  });

  test('what a failed attempt left running does not write under the next one', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml': single(
        `if [ ! -e tried ]; then touch tried; setsid sh -c 'while :; do echo old >> out.txt; sleep 0.01; done' > /dev/null 2>&1 & sleep 0.1; exit 9; fi; echo new > out.txt; sleep 0.3`,
        ', retry: { attempts: 2, delay: 1ms }',
      ),
    });
    expect((await rig.run()).exitCode).toBe(0);
    expect([await rig.read('out.txt'), rig.processes()]).toEqual(['new\n', []]);
  });

  test('each failed attempt is told, with when the next one comes', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml': single('exit 9', ', retry: { attempts: 3, delay: 20ms, factor: 2, jitter: 0 }'),
    });
    const { events } = await rig.run();
    expect(
      events.flatMap((event) =>
        event.kind === 'attempt-failed' ? [[event['attempt'], event['retryInMs']]] : [],
      ),
    ).toEqual([
      [1, 20],
      [2, 40],
      [3, undefined],
    ]);
  });
});

describe('resources', () => {
  /** Each instance notes its devices, and how many run beside it. */
  const fits = (count: number): string => `
name: p
pools: { gpu: ["0", "1"] }
steps:
  fit:
    uses: command
    matrix: { seed: [${Array.from({ length: count }, (_, index) => index + 1).join(', ')}] }
    with: { run: "mkdir -p on; touch on/\${{ matrix.seed }}; echo \${{ matrix.seed }} $CUDA_VISIBLE_DEVICES $JOYUL_GPU $(ls on | wc -l) >> seen; [ \${{ matrix.seed }} -gt 2 ] || while [ $(wc -l < seen) -lt 2 ]; do sleep 0.02; done; sleep 0.1; rm on/\${{ matrix.seed }}" }
    resources: { gpu: 1, cpu: 0 }
`;

  test('two steps see different devices at the same time, and a third waits for one of them', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': fits(5) });
    expect((await rig.run('-j', '8')).exitCode).toBe(0);
    const seen = (await rig.read('seen'))
      .trim()
      .split('\n')
      .map((line) => line.split(' '));
    const devices = new Map(seen.map(([seed = '', cuda, own]) => [seed, [cuda, own]]));
    expect(new Set([devices.get('1')?.join(), devices.get('2')?.join()])).toEqual(new Set(['0,0', '1,1']));
    expect(seen).toHaveLength(5);
    expect(seen.every(([, , , count]) => Number(count) <= 2)).toBe(true);
  });

  test('fractions of a core: what takes the whole still gets it', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml': `
name: p
pools: { cpu: 1 }
steps:
  part: { uses: command, matrix: { cpu: [0.29, 0.08, 0.01] }, with: { run: "true" }, resources: { cpu: "\${{ matrix.cpu }}" } }
  whole: { uses: command, with: { run: "true" }, inputs: { inputs: last.text }, resources: { cpu: 1 } }
  last: { uses: command, with: { run: "sleep 0.3; echo > out.txt", outputs: { text: out.txt } }, resources: { cpu: 0 } }
`,
    });
    expect((await rig.run('-j', '8')).exitCode).toBe(0);
  });

  test.each([
    ['1', 1],
    ['3', 3],
  ])('-j %s runs so many at once', async (jobs, most) => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml': `
name: p
steps:
  a:
    uses: command
    matrix: { n: [1, 2, 3, 4] }
    with: { run: "mkdir -p on; touch on/\${{ matrix.n }}; ls on | wc -l >> seen; sleep 0.3; rm on/\${{ matrix.n }}" }
    resources: { cpu: 0 }
`,
    });
    expect((await rig.run('-j', jobs)).exitCode).toBe(0);
    const counts = (await rig.read('seen')).trim().split('\n').map(Number);
    expect(Math.max(...counts)).toBe(most);
  });
});

describe('gates', () => {
  const gated = `
name: p
params: { floor: 0.9 }
steps:
  measure:
    uses: command
    with: { run: "echo x >> count; mkdir -p m; echo '{\\"accuracy\\": 0.8}' > m/metrics.json", outputs: { metrics: m } }
    gates: ["metrics.accuracy >= params.floor"]
    retry: { attempts: 3, delay: 1ms }
  ship: { uses: command, with: { run: "touch shipped" }, inputs: { inputs: measure.metrics } }
`;

  test('a refusal is exit code 3, is judged again without running, and a lower gate lets it pass', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': gated });
    const refused = await rig.run();
    expect([refused.exitCode, endsOf(refused)]).toEqual([3, { measure: 'failed', ship: 'blocked' }]);
    expect(failureOf(refused)).toMatchObject({ code: 'GATE' });
    const again = await rig.run();
    expect([again.exitCode, await rig.count('count'), rig.has('shipped')]).toEqual([3, 1, false]);
    const passed = await rig.run('-s', 'floor=0.7');
    expect([passed.exitCode, endsOf(passed)]).toEqual([0, { measure: 'reused', ship: 'succeeded' }]);
    expect(await rig.count('count')).toBe(1);
  });
});

describe('secrets', () => {
  const value = 'pa"ss\\wörd\tand/more';
  /** What nobody may ever see: the value, each form in which programs print it, and a part that no form can hide. */
  const traces = ['pa"ss', 'pa\\"ss', 'pa\\\\\\"ss', 'and/more', 'wörd', 'w\\u00f6rd', 'w%C3%B6rd'];

  const secret = `
name: p
secrets: [TOKEN]
params: { word: one }
steps:
  by-env:
    uses: command
    with: { run: "sh show.sh; echo \${{ params.word }}; printf %s \\"$GIVEN\\" | wc -c > by-env.txt", outputs: { text: by-env.txt } }
    environment: { GIVEN: "\${{ secrets.TOKEN }}" }
  by-param:
    uses: command
    with: { run: ["sh", "-c", "printf %s \\"$0\\" | wc -c > by-param.txt; echo \\"$0\\"; exit \${{ params.word == 'one' ? 0 : 7 }}", "\${{ secrets.TOKEN }}"], outputs: { text: by-param.txt } }
`;
  const show = `
printf '%s\\n' "$GIVEN" "text $GIVEN text" >&2
node -e 'const v = process.env.GIVEN; console.log(JSON.stringify({ v })); console.log(JSON.stringify(JSON.stringify({ v }))); console.log(encodeURIComponent(v)); console.log(JSON.stringify(v).replace(/[^ -~]/g, (c) => "\\\\u" + c.charCodeAt(0).toString(16).padStart(4, "0")))'
`;

  /** Files under .joyul that hold a trace, and the trace. */
  function findTraces(rig: Rig): readonly string[] {
    return readdirSync(rig.path('.joyul'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .flatMap((entry) => {
        const file = join(entry.parentPath, entry.name);
        const text = readFileSync(file, 'utf8');
        return traces.filter((trace) => text.includes(trace)).map((trace) => `${trace} in ${file}`);
      });
  }

  test('reach the step, and are in no file of .joyul and no output of any command', async () => {
    await using plain = await Rig.create();
    const rig = plain.withEnv({ TOKEN: value });
    await rig.write({ 'pipeline.yaml': secret, 'show.sh': show });
    const told: Finished[] = [await rig.run('-k')];
    expect(told[0]?.exitCode).toBe(0);
    const bytes = String(Buffer.byteLength(value));
    expect([(await rig.read('by-env.txt')).trim(), (await rig.read('by-param.txt')).trim()]).toEqual([
      bytes,
      bytes,
    ]);
    expect(JSON.stringify(told[0]?.events)).toContain('***');
    expect(findTraces(rig)).toEqual([]);
    await rig.remove('by-env.txt');
    told.push(await rig.joyul('run', 'pipeline.yaml', '-s', 'word=two', '-k'));
    expect(told[1]?.exitCode).toBe(1);
    const commands = [
      ['runs'],
      ['show'],
      ['show', '--json'],
      ['logs', 'by-env'],
      ['logs', 'by-param'],
      ['why', 'by-param', 'pipeline.yaml', '-s', 'word=three'],
      ['plan', 'pipeline.yaml', '--json', '-s', 'word=three'],
      ['diff', '--json'],
      ['diff'],
      ['graph', 'pipeline.yaml'],
      ['lineage', 'by-env.txt'],
      ['validate', 'pipeline.yaml', '--json'],
    ];
    for (const command of commands) told.push(await rig.joyul(...command));
    const leaks = told.flatMap(({ stdout, stderr }, index) =>
      traces.filter((trace) => `${stdout}${stderr}`.includes(trace)).map((trace) => [index, trace]),
    );
    expect([leaks, findTraces(rig)]).toEqual([[], []]);
  });

  test('of several lines are masked line by line', async () => {
    await using plain = await Rig.create();
    const rig = plain.withEnv({ TOKEN: 'first line\nsecond line\n' });
    await rig.write({ 'pipeline.yaml': secret, 'show.sh': 'echo "$GIVEN"\n' });
    const { stdout } = await rig.run();
    expect(stdout).toContain('***');
    expect(stdout).not.toMatch(/first line|second line/);
  });

  test.each(['kind', 'step-ended', 'by-env', '1234', 'true', 'null', '{"a"', 'out.txt', '0000'])(
    'that look like a part of events, such as %s, leave them whole',
    async (odd) => {
      await using plain = await Rig.create();
      const rig = plain.withEnv({ TOKEN: odd });
      await rig.write({ 'pipeline.yaml': secret, 'show.sh': 'echo "<$GIVEN>"\n' });
      const { events, exitCode } = await rig.run('--seed', '1234');
      expect([exitCode, endsOf({ events } as Finished)]).toEqual([
        0,
        { 'by-env': 'succeeded', 'by-param': 'succeeded' },
      ]);
      expect(events.flatMap((event) => (event.kind === 'step-event' ? [event['event']] : []))).toContainEqual(
        {
          type: 'log',
          level: 'info',
          message: '<***>',
        },
      );
    },
  );

  test('that have no value are told before anything runs, with exit code 2', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': secret, 'show.sh': 'touch ran\n' });
    const { exitCode, stderr } = await rig.run();
    expect([exitCode, stderr.trim()]).toEqual([
      2,
      'No value is known for the secret TOKEN. Give each as an environment variable: `TOKEN=... joyul run`.',
    ]);
    expect([rig.has('ran'), rig.has('.joyul/runs')]).toEqual([false, false]);
  });

  test('another value does not make a step stale', async () => {
    await using plain = await Rig.create();
    await plain.write({ 'pipeline.yaml': secret, 'show.sh': 'true\n' });
    await plain.withEnv({ TOKEN: 'one value' }).run();
    expect((await plain.withEnv({ TOKEN: 'another' }).run()).ran).toEqual([]);
  });
});

describe('flags of run', () => {
  /** a → b → c, and d alone; each notes that it ran. */
  const four = `
name: p
params: { word: one }
steps:
  a: { uses: command, with: { run: "echo \${{ params.word }} > a.txt", outputs: { text: a.txt } } }
  b: { uses: command, with: { run: "cat $JOYUL_INPUT_0/file > b.txt", outputs: { text: b.txt } }, inputs: { inputs: a.text } }
  c: { uses: command, with: { run: "cat $JOYUL_INPUT_0/file > c.txt", outputs: { text: c.txt } }, inputs: { inputs: b.text } }
  d: { uses: command, with: { run: "echo d > d.txt", outputs: { text: d.txt } } }
`;

  test.each([
    [
      ['--from', 'b'],
      ['b', 'c'],
    ],
    [
      ['--until', 'b'],
      ['a', 'b'],
    ],
    [['--only', 'b'], ['b']],
    [
      ['--only', 'b', '--downstream'],
      ['b', 'c'],
    ],
    [
      ['--only', 'a,d'],
      ['a', 'd'],
    ],
    [['--from', 'b', '--until', 'b'], ['b']],
    [[], ['a', 'b', 'c', 'd']],
  ])('%j with --force runs %j', async (flags, ran) => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': four });
    await rig.run();
    const result = await rig.run(...flags, '--force');
    expect([result.exitCode, [...result.ran].sort()]).toEqual([0, ran]);
  });

  test('--only with an input that was never made fails and says what to type', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': four });
    const result = await rig.run('--only', 'b');
    expect([result.exitCode, failureOf(result)]).toMatchObject([
      1,
      {
        code: 'INPUT_UNKNOWN',
        message: 'b needs a, which is not part of this run and has no stored result.',
        help: 'Run without --only or --from once.',
      },
    ]);
  });

  test('-n says what would run and changes nothing', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': four });
    await rig.run();
    await rig.remove('d.txt');
    const { exitCode, stdout } = await rig.run('-n', '-s', 'word=two');
    const plan = JSON.parse(stdout) as {
      readonly steps: readonly { readonly stepId: string; readonly action: string }[];
    }; // The command's format.
    expect(exitCode).toBe(0);
    expect(Object.fromEntries(plan.steps.map(({ stepId, action }) => [stepId, action]))).toEqual({
      a: 'run',
      b: 'unknown',
      c: 'unknown',
      d: 'reuse',
    });
    expect([rig.has('d.txt'), await rig.read('a.txt')]).toEqual([false, 'one\n']);
  });

  test('-k goes on with what does not need the failed step, and the run fails all the same', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': four.replace('cat $JOYUL_INPUT_0/file > b.txt', 'exit 1') });
    const result = await rig.run('-k', '-j', '1');
    expect([result.exitCode, endsOf(result)]).toEqual([
      1,
      { a: 'succeeded', b: 'failed', c: 'blocked', d: 'succeeded' },
    ]);
  });

  test.each([
    // Of a first and a second run with a mode, and a third without: how many steps ran.
    ['rw', [4, 0, 0]],
    ['ro', [4, 4, 4]],
    ['wo', [4, 4, 0]],
    ['off', [4, 4, 4]],
  ])('--cache %s', async (mode, counts) => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': four });
    const runs = [await rig.run('--cache', mode), await rig.run('--cache', mode), await rig.run()];
    expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    expect(runs.map(({ ran }) => ran.length)).toEqual(counts);
  });

  test('--cache ro reuses what is there', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': four });
    await rig.run();
    expect((await rig.run('--cache', 'ro')).reused).toHaveLength(4);
  });

  test('--only never gives a step what is damaged in the store', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': four });
    await rig.run();
    const { chmodSync, globSync, writeFileSync } = await import('node:fs');
    for (const name of globSync('.joyul/blobs/*/*', { cwd: rig.dir })) {
      if (readFileSync(rig.path(name), 'utf8') !== 'one\n') continue;
      chmodSync(rig.path(name), 0o644);
      writeFileSync(rig.path(name), 'bad\n');
    }
    const result = await rig.run('--only', 'b', '--force');
    expect(failureOf(result)).toMatchObject({ code: 'INPUT_UNKNOWN' });
    expect(await rig.read('b.txt')).toBe('one\n');
  });
});
