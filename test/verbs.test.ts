/** `joyul resume`, `retry` and `cancel`, and the exit codes of runs, on the real command line. */
import { Rig } from '@joyul/testing';
import type { Finished, Running, ToldEvent } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

/**
 * `work` waits until it is told to go on. It begins where its scratch folder says, and writes there how far it is when
 * it is asked to stop.
 */
const pipeline = `
name: words
params: { word: one }
steps:
  first: { uses: command, with: { run: "echo x >> ran-first; echo first > first.txt", outputs: { text: first.txt } } }
  work:
    uses: command
    with:
      run: >-
        trap 'echo half > $JOYUL_SCRATCH/at; exit 75' TERM;
        echo "from $(cat $JOYUL_SCRATCH/at 2>/dev/null || echo nothing)" >> ran-work; touch begun;
        while [ ! -e go ]; do sleep 0.02; done;
        if [ -e fail ]; then echo half > $JOYUL_SCRATCH/at; exit 3; fi;
        echo \${{ params.word }} > work.txt
      outputs: { text: work.txt }
    inputs: { inputs: first.text }
  last: { uses: command, with: { run: "cat $JOYUL_INPUT_0/file > last.txt", outputs: { text: last.txt } }, inputs: { inputs: work.text } }
`;

async function createRig(): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': pipeline });
  return rig;
}

function send({ process: child }: Running, signal: NodeJS.Signals): void {
  if (child.pid !== undefined) process.kill(child.pid, signal);
}

const startOf = ({ events }: Finished): ToldEvent | undefined =>
  events.find((event) => event.kind === 'run-started');

/** A run that is stopped while `work` runs. */
async function stopInWork(rig: Rig, signal: NodeJS.Signals, ...args: readonly string[]): Promise<Finished> {
  const running = rig.start('run', 'pipeline.yaml', '--json', ...args);
  await rig.waitFor('begun');
  send(running, signal);
  return running.finished;
}

/** A run in which `work` fails, after it has written how far it got. */
async function failInWork(rig: Rig, ...args: readonly string[]): Promise<Finished> {
  await rig.write({ go: '', fail: '' });
  const failed = await rig.run(...args);
  await rig.remove('fail');
  return failed;
}

describe('resume', () => {
  test('goes on from the checkpoint, with the flags of the run, and names it', async () => {
    await using rig = await createRig();
    const stopped = await stopInWork(rig, 'SIGTERM', '--set', 'word=two', '-k', '--jobs=1');
    expect(stopped.exitCode).toBe(75);
    await rig.write({ go: '' });
    const resumed = await rig.joyul('resume', '--json');
    expect([resumed.exitCode, resumed.reused, resumed.ran]).toEqual([0, ['first'], ['work', 'last']]);
    expect(await rig.read('ran-work')).toBe('from nothing\nfrom half\n');
    expect(await rig.read('last.txt')).toBe('two\n');
    const runId = startOf(stopped)?.['runId'];
    expect(startOf(resumed)).toMatchObject({
      resumes: runId,
      flags: ['--keep-going', '--jobs=1', '--set=word=two'],
    });
    expect((await rig.joyul('runs')).stdout).toContain(`← ${String(runId).slice(-6)}`);
    expect((await rig.joyul('show')).stdout).toContain(`It went on with run ${String(runId)}.`);
  });

  test('goes on after kill -9', async () => {
    await using rig = await createRig();
    await stopInWork(rig, 'SIGKILL');
    expect((await rig.joyul('runs')).stdout).toContain('interrupted');
    await rig.write({ go: '' });
    const resumed = await rig.joyul('resume', '--json');
    expect([resumed.exitCode, resumed.reused]).toEqual([0, ['first']]);
    expect(resumed.stderr).toMatch(
      /^Resuming run \S+ of pipeline\.yaml, interrupted .* ago, 1 of 3 steps done\.\n$/,
    );
  });

  test('flags that are added win over those of the run', async () => {
    await using rig = await createRig();
    await failInWork(rig, '--set', 'word=two', '--until', 'work');
    const resumed = await rig.joyul('resume', '--json', '-s', 'word=three', '--until=last');
    expect(resumed.exitCode).toBe(0);
    expect(await rig.read('last.txt')).toBe('three\n');
    expect(startOf(resumed)).toMatchObject({ flags: ['--set=word=three', '--until=last'] });
  });

  test('does not do again what a forced run had done already', async () => {
    await using rig = await createRig();
    await rig.write({ go: '' });
    await rig.run();
    await failInWork(rig, '--force');
    const resumed = await rig.joyul('resume', '--json');
    expect([resumed.exitCode, resumed.reused, resumed.ran]).toEqual([0, ['first'], ['work', 'last']]);
  });

  test('finds a params file from another folder', async () => {
    await using rig = await createRig();
    await rig.write({ 'settings/two.yaml': 'word: two\n' });
    await failInWork(rig, '--params-file', 'settings/two.yaml');
    const resumed = await rig.joyul('resume', '--json');
    expect(startOf(resumed)).toMatchObject({ flags: ['--params-file=settings/two.yaml'] });
    expect(await rig.read('last.txt')).toBe('two\n');
  });

  test('says when the pipeline has changed, and that a comment is no change', async () => {
    await using rig = await createRig();
    await failInWork(rig);
    await rig.write({ 'pipeline.yaml': `# a comment\n${pipeline}` });
    expect((await rig.joyul('resume', '-n', '--set', 'word=two')).stderr).not.toContain('has changed');
    await rig.write({ 'pipeline.yaml': pipeline.replace('word: one', 'word: four') });
    const resumed = await rig.joyul('resume', '--json');
    expect(resumed.stderr).toContain('! pipeline.yaml has changed since; it runs as it is now.\n');
    expect(await rig.read('last.txt')).toBe('four\n');
  });

  test('has nothing to do for a run that succeeded', async () => {
    await using rig = await createRig();
    await rig.write({ go: '' });
    await rig.run();
    const { exitCode, stderr } = await rig.joyul('resume');
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/^Run \S+ succeeded: there is nothing to resume\./);
    expect((await rig.joyul('runs', '--json')).stdout.match(/"runId"/g)).toHaveLength(1);
  });

  test('refuses a run that goes on, and one that is not there', async () => {
    await using rig = await createRig();
    expect((await rig.joyul('resume')).stderr).toBe('There are no runs yet. `joyul run` makes one.\n');
    const running = rig.start('run', '--json');
    await rig.waitFor('begun');
    const refused = await rig.joyul('resume');
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('is still running.')]);
    expect((await rig.joyul('resume', 'nope')).stderr).toContain('There is no run nope.');
    await rig.write({ go: '' });
    await running.finished;
  });

  test('does not take the mask of a secret for its value', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml':
        'name: p\nsecrets: [TOKEN]\nparams: { word: one }\nsteps:\n  a: { uses: command, environment: { TOKEN: "${{ secrets.TOKEN }}" }, with: { run: "echo ${{ params.word }}; exit 3" } }\n',
    });
    const withToken = rig.withEnv({ TOKEN: 'tops3cret' });
    await withToken.run('--set', 'word=tops3cret');
    const refused = await withToken.joyul('resume');
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('--set=word=***. Give it again.');
    expect((await withToken.joyul('resume', '--set', 'word=other')).exitCode).toBe(1);
  });
});

describe('retry', () => {
  test('begins the failed step anew, where resume goes on from its checkpoint', async () => {
    await using rig = await createRig();
    await failInWork(rig);
    await rig.write({ fail: '' });
    expect((await rig.joyul('resume', '--json')).exitCode).toBe(1);
    await rig.remove('fail');
    const retried = await rig.joyul('retry', '--json');
    expect([retried.exitCode, retried.reused, retried.ran]).toEqual([0, ['first'], ['work', 'last']]);
    expect(await rig.read('ran-work')).toBe('from nothing\nfrom half\nfrom nothing\n');
  });

  test('runs a step and what needs it again, also where all had succeeded', async () => {
    await using rig = await createRig();
    await rig.write({ go: '' });
    await rig.run();
    const retried = await rig.joyul('retry', '--from', 'work', '--json');
    expect([retried.exitCode, retried.reused, retried.ran]).toEqual([0, ['first'], ['work', 'last']]);
    const nothing = await rig.joyul('retry');
    expect([nothing.exitCode, nothing.stderr]).toEqual([0, expect.stringContaining('nothing to retry')]);
  });

  test('measures again what a gate refused', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml': `
name: p
steps:
  a:
    uses: command
    with: { run: "mkdir -p out; echo x >> count; echo \\"{\\\\\\"tries\\\\\\": $(wc -l < count)}\\" > out/metrics.json", outputs: { m: out } }
    gates: [{ check: 'metrics.tries > 1' }]
`,
    });
    expect((await rig.run()).exitCode).toBe(3);
    expect((await rig.joyul('resume', '--json')).exitCode).toBe(3);
    expect(await rig.count('count')).toBe(1);
    expect((await rig.joyul('retry', '--json')).exitCode).toBe(0);
  });

  test('a dry run forgets no checkpoint', async () => {
    await using rig = await createRig();
    await failInWork(rig);
    expect((await rig.joyul('retry', '-n')).exitCode).toBe(0);
    await rig.joyul('resume', '--json');
    expect(await rig.read('ran-work')).toBe('from nothing\nfrom half\n');
  });

  test('does not take a checkpoint from under another run', async () => {
    await using rig = await createRig();
    await failInWork(rig);
    await rig.remove('go');
    await rig.remove('begun');
    const [failed = ''] = (await rig.joyul('runs', '--json')).stdout.match(/\d{8}-\d{9}-[0-9a-f]{6}/) ?? [];
    const running = rig.start('run', '--json');
    await rig.waitFor('begun');
    const refused = await rig.joyul('retry', failed);
    expect([refused.exitCode, refused.stderr]).toEqual([
      2,
      expect.stringContaining('Another run is at work now.'),
    ]);
    await rig.write({ go: '' });
    expect((await running.finished).exitCode).toBe(0);
  });
});

describe('cancel', () => {
  test('ends the run of another process and waits for its checkpoint', async () => {
    await using rig = await createRig();
    const running = rig.start('run', '--json');
    await rig.waitFor('begun');
    const cancelled = await rig.joyul('cancel');
    expect(cancelled.exitCode).toBe(0);
    expect(cancelled.stderr).toMatch(
      /^Cancelling run (\S+) of pipeline\.yaml, for .*\.\n {2}work: cancelled, it stopped at a checkpoint; .*\nRun \1 stopped at a checkpoint\. `joyul resume \1` goes on with it\.\n$/,
    );
    expect((await running.finished).exitCode).toBe(75);
    expect((await rig.joyul('cancel')).stderr).toBe('No run of this project is running.\n');
  });

  test('asks for a name when several runs go on, and ends the one that is named', async () => {
    await using rig = await createRig();
    const first = rig.start('run', '--json');
    await rig.waitFor('begun');
    // It waits for the first, which is at the same step.
    const second = rig.start('run', '--json');
    while ((await rig.joyul('runs')).stdout.split('running').length < 3);
    const refused = await rig.joyul('cancel');
    expect(refused.exitCode).toBe(2);
    const ids = [...refused.stderr.matchAll(/^ {2}(\S+) of pipeline\.yaml, for /gm)].map(
      ([, id]) => id ?? '',
    );
    expect(ids).toHaveLength(2);
    expect((await rig.joyul('cancel', ids[1] ?? '')).stderr).toContain('was cancelled.');
    expect((await second.finished).exitCode).toBe(130);
    await rig.write({ go: '' });
    expect((await first.finished).exitCode).toBe(0);
  });

  test('kills what does not end in time, and all that it started', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml':
        'name: p\nsteps:\n  a: { uses: command, with: { run: "trap \'touch asked\' TERM; touch begun; while true; do sleep 0.05; touch alive; done" } }\n',
    });
    const running = rig.start('run', '--json');
    await rig.waitFor('begun');
    const cancelled = await rig.joyul('cancel', '--force', '--grace', '1');
    expect((await running.finished).signal).toBe('SIGKILL');
    expect(rig.has('asked')).toBe(true);
    expect(cancelled.stderr).toContain('It has not ended within 1.0 s, and is killed.\n');
    expect(cancelled.stderr).toMatch(/was interrupted\. `joyul resume \S+` goes on with it\.\n$/);
    await rig.remove('alive');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(rig.has('alive')).toBe(false);
  });

  test('says how a run ended that is over, and signals nobody', async () => {
    await using rig = await createRig();
    await failInWork(rig);
    const { exitCode, stderr } = await rig.joyul('cancel', 'last');
    expect([exitCode, stderr]).toEqual([0, 'No run of this project is running.\n']);
    const [runId = ''] = (await rig.joyul('runs', '--json')).stdout.match(/\d{8}-\d{9}-[0-9a-f]{6}/) ?? [];
    expect((await rig.joyul('cancel', runId)).stderr).toBe(`Run ${runId} is not running: it failed.\n`);
  });

  test('never signals another process that has the same id', async () => {
    await using rig = await createRig();
    const running = rig.start('run', '--json');
    await rig.waitFor('begun');
    const [runId = ''] = (await rig.joyul('runs', '--json')).stdout.match(/\d{8}-\d{9}-[0-9a-f]{6}/) ?? [];
    send(running, 'SIGKILL');
    await running.finished;
    // As if the id had come again: this process has it, and began at another time.
    const file = `.joyul/runs/${runId}/events.ndjson`;
    const events = await rig.read(file);
    await rig.write({ [file]: events.replace(/"process":"\d+-(\d+)"/, `"process":"${process.pid}-$1"`) });
    expect((await rig.joyul('cancel', runId)).stderr).toBe(
      `Run ${runId} is not running: it was interrupted.\n`,
    );
  });
});

describe('a run that is asked to end', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'by %s stops at its checkpoint and leaves with 75',
    async (signal) => {
      await using rig = await createRig();
      const { exitCode, events } = await stopInWork(rig, signal);
      expect([exitCode, events.at(-1)]).toMatchObject([75, { kind: 'run-ended', end: 'checkpointed' }]);
    },
  );

  /** It does not end when it is asked to. */
  const stubborn =
    'name: p\nsteps:\n  a: { uses: command, with: { run: "trap \'touch asked\' TERM; touch begun; while true; do sleep 0.05; touch alive; done" } }\n';

  test('by a second Ctrl-C ends at once with 130, with all that it started', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': stubborn });
    const running = rig.start('run', '--json');
    await rig.waitFor('begun');
    send(running, 'SIGINT');
    await rig.waitFor('asked');
    send(running, 'SIGINT');
    expect((await running.finished).exitCode).toBe(130);
    await rig.remove('alive');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(rig.has('alive')).toBe(false);
  });

  test('by a second SIGTERM still waits for the checkpoint', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml':
        'name: p\nsteps:\n  a: { uses: command, with: { run: "trap \'touch asked; while [ ! -e go ]; do sleep 0.02; done; exit 75\' TERM; touch begun; while true; do sleep 0.02; done" } }\n',
    });
    const running = rig.start('run', '--json');
    await rig.waitFor('begun');
    send(running, 'SIGTERM');
    await rig.waitFor('asked');
    send(running, 'SIGTERM');
    await rig.write({ go: '' });
    expect((await running.finished).exitCode).toBe(75);
  });
});

test('a reader that goes away neither ends a run nor changes its exit code', async () => {
  await using rig = await createRig();
  const running = rig.start('run', '--json');
  await rig.waitFor('begun');
  running.process.stdout?.destroy();
  running.process.stderr?.destroy();
  await rig.write({ fail: '' });
  await rig.write({ go: '' });
  expect((await running.finished).exitCode).toBe(1);
  expect((await rig.joyul('runs')).stdout).toContain('failed');
});
