import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Rig } from '@joyul/testing';
import type { Running } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

/** A line of `joyul schedule start --json`. */
interface Told {
  readonly kind: string;
  readonly number?: number;
  readonly cause?: string;
  readonly scheduledAt?: string;
  readonly startedAt?: string;
  readonly end?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly runId?: string;
}

/** What `joyul schedule show --json` says. */
interface Shown {
  readonly status: string;
  readonly paused?: { readonly reason: string; readonly by: string };
  readonly running: readonly {
    readonly number: number;
    readonly phase: string;
    readonly processId?: number;
  }[];
  readonly waiting: readonly { readonly number: number }[];
  readonly runs: readonly Told[];
  readonly next: readonly { readonly scheduledAt: string }[];
}

const pipeline = (run: string): string => `
name: beat
params: { word: one }
env: [JOYUL_SCHEDULED_AT]
steps:
  say: { uses: command, with: { run: ${JSON.stringify(run)} }, cache: off }
`;

/** Says its time, and that is all. */
const quick = pipeline('echo "${{ env.JOYUL_SCHEDULED_AT }} ${{ params.word }}" >> said.txt');
/** Goes on until a file appears. */
const long = pipeline(
  'echo begun >> said.txt; while [ ! -e go ]; do sleep 0.05; done; echo done >> said.txt',
);

const patienceMs = 30_000;

async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`${what} did not come within ${patienceMs / 1000} s.`);
    await sleep(25);
  }
}

/** A scheduler in the background, and what it tells. */
class Watch implements AsyncDisposable {
  readonly running: Running;
  readonly #rig: Rig;
  #text = '';

  constructor(rig: Rig, ...flags: readonly string[]) {
    this.#rig = rig;
    this.running = rig.start('schedule', 'start', '--json', ...flags);
    this.running.process.stdout?.on('data', (data: Buffer) => {
      this.#text += data.toString();
    });
  }

  get told(): readonly Told[] {
    return this.#text.split('\n').flatMap((line) => {
      if (!line.endsWith('}')) return [];
      return [JSON.parse(line) as Told]; // The command's own format.
    });
  }

  /** Waits until so many things of a kind were told. */
  async wait(kind: string, count = 1): Promise<readonly Told[]> {
    return until(`${count} times "${kind}" in ${this.#text}`, () => {
      const found = this.told.filter((item) => item.kind === kind);
      return found.length >= count ? found : undefined;
    });
  }

  kill(): void {
    this.running.process.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.running.finished;
    // Runs outlive their scheduler, as they should; not this test.
    await this.#rig.write({ go: '' });
    const names = readdirSync(this.#rig.path('schedules')).filter((file) => file.endsWith('.yaml'));
    for (const name of names)
      await until('the end of all runs', async () => {
        const { running } = await show(this.#rig, name.replace('.yaml', ''));
        // One that its killed scheduler had only meant to start never ends.
        return running.every(({ phase }) => phase !== 'running') || undefined;
      });
  }
}

async function show(rig: Rig, name = 'beat'): Promise<Shown> {
  const { stdout } = await rig.joyul('schedule', 'show', name, '--json');
  return JSON.parse(stdout) as Shown; // The command's own format.
}

async function makeBeat(text: string, ...flags: readonly string[]): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipelines/beat.yaml': text });
  const added = await rig.joyul('schedule', 'add', 'pipelines/beat.yaml', '--cron', '* * * * * *', ...flags);
  expect([added.exitCode, added.stderr]).toEqual([0, '']);
  return rig;
}

const said = async (rig: Rig): Promise<readonly string[]> =>
  rig.has('said.txt') ? (await rig.read('said.txt')).trim().split('\n') : [];

test('a schedule starts its pipeline with its params, and tells it its time', async () => {
  await using rig = await makeBeat(quick, '--set', 'word=two words');
  await using watch = new Watch(rig);
  const [first] = await watch.wait('ended');
  expect(first).toMatchObject({ kind: 'ended', number: 1, cause: 'time', end: 'succeeded' });
  expect((await said(rig))[0]).toBe(`${first?.scheduledAt ?? ''} two words`);
  expect(first?.startedAt?.localeCompare(first.scheduledAt ?? '')).toBeGreaterThanOrEqual(0);
  expect((await rig.joyul('runs')).stdout).toContain(first?.runId);
  watch.running.process.kill('SIGINT');
  expect((await watch.running.finished).exitCode).toBe(0);
  expect(watch.told.at(-1)?.kind).toBe('scheduler-ended');
});

test('with overlap: skip nothing starts beside a run, and Ctrl-C lets it go on', async () => {
  await using rig = await makeBeat(long);
  {
    await using watch = new Watch(rig);
    await watch.wait('skipped', 2);
    expect(watch.told.filter(({ kind }) => kind === 'started').length).toBe(1);
    watch.running.process.kill('SIGINT');
    expect((await watch.running.finished).exitCode).toBe(0);
    expect((await show(rig)).running.map(({ phase }) => phase)).toEqual(['running']);
    // The next scheduler takes the same run up again, and hears of its end.
    await using second = new Watch(rig);
    await second.wait('skipped');
    await rig.write({ go: '' });
    const [ended] = await second.wait('ended');
    expect(ended).toMatchObject({ number: 1, end: 'succeeded' });
    expect((await said(rig)).slice(0, 2)).toEqual(['begun', 'done']);
  }
});

test('cancel_other ends the run in order before the next one starts', async () => {
  await using rig = await makeBeat(long, '--overlap', 'cancel_other');
  await using watch = new Watch(rig);
  const [ended] = await watch.wait('ended');
  expect(ended).toMatchObject({ number: 1, end: 'cancelled' });
  await watch.wait('started', 2);
  expect(watch.told.findIndex(({ kind }) => kind === 'ended')).toBeLessThan(
    watch.told.findLastIndex(({ kind }) => kind === 'started'),
  );
});

test('pause, resume and trigger reach the scheduler that runs', async () => {
  await using rig = await makeBeat(quick);
  await using watch = new Watch(rig);
  await watch.wait('started');
  const paused = await rig.joyul('schedule', 'pause', 'beat', '--reason', 'holiday');
  expect(paused.stdout).toContain('beat is paused');
  expect((await show(rig)).paused).toMatchObject({ reason: 'holiday', by: 'person' });
  const before = watch.told.filter(({ kind }) => kind === 'started').length;
  await rig.joyul('schedule', 'trigger', 'beat');
  const started = await watch.wait('started', before + 1);
  expect(started.at(-1)?.cause).toBe('trigger');
  await rig.joyul('schedule', 'resume', 'beat');
  await watch.wait('resumed');
  const after = await watch.wait('started', before + 2);
  expect(
    after
      .slice(0, before + 2)
      .map(({ cause }) => cause)
      .at(-1),
  ).toBe('time');
});

test('after kill -9 every missed time is made up for once', async () => {
  await using rig = await makeBeat(quick, '--catchup', 'all', '--overlap', 'buffer_all');
  {
    await using first = new Watch(rig);
    await first.wait('started', 2);
    first.kill();
    await first.running.finished;
  }
  await sleep(2500);
  await using second = new Watch(rig);
  const lines = await until('six runs', async () => {
    const found = await said(rig);
    return found.length >= 6 ? found : undefined;
  });
  const times = lines.map((line) => Date.parse(line.split(' ')[0] ?? '') / 1000);
  expect(new Set(times).size).toBe(times.length);
  const sorted = times.toSorted((left, right) => left - right);
  expect(sorted.map((time) => time - (sorted[0] ?? 0))).toEqual(times.map((_, index) => index));
  expect(second.told.some(({ kind }) => kind === 'trouble')).toBe(false);
});

test('a second scheduler is told who runs; one that waits takes over', async () => {
  await using rig = await makeBeat(quick);
  await using first = new Watch(rig);
  await first.wait('scheduler-started');
  const refused = await rig.joyul('schedule', 'start');
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toMatch(
    new RegExp(`^A scheduler of this project runs already: process ${first.running.process.pid ?? ''} on `),
  );
  expect((await rig.joyul('schedule', 'start', '--if-none')).exitCode).toBe(0);
  await using waiting = new Watch(rig, '--wait');
  await waiting.wait('waiting');
  first.kill();
  await waiting.wait('scheduler-started');
});

test('a removed folder .joyul forgets no schedule, and no time that was run', async () => {
  await using rig = await makeBeat(quick);
  {
    await using watch = new Watch(rig);
    await watch.wait('ended');
  }
  const before = await show(rig);
  await rig.remove('.joyul');
  expect((await show(rig)).runs).toEqual(before.runs);
});

test('a failed run pauses the schedule that asks for it, and says why', async () => {
  await using rig = await makeBeat(pipeline('echo oh >&2; exit 3'), '--pause-on-failure');
  await using watch = new Watch(rig);
  const [paused] = await watch.wait('paused');
  expect(paused?.reason).toMatch(/^run \S+ failed: step say failed: /);
  expect((await show(rig)).status).toBe('paused');
});

test('a pipeline that no longer loads fails its run with the place of the mistake', async () => {
  await using rig = await makeBeat(quick);
  await rig.write({ 'pipelines/beat.yaml': 'name: beat\nsteps:\n  say: { uses: comand }\n' });
  await using watch = new Watch(rig);
  const [ended] = await watch.wait('ended');
  expect(ended).toMatchObject({ end: 'failed' });
  expect(ended?.message).toMatch(/^pipelines\/beat.yaml:3:\d+ /);
});

describe('while no scheduler runs', () => {
  const nobody =
    'No scheduler runs: nothing starts until `joyul schedule start` does, or the service of `joyul schedule install`.\n';

  test('commands work on what is stored, and say that nothing starts', async () => {
    await using rig = await makeBeat(quick);
    expect((await rig.joyul('schedule', 'pause', 'beat')).stdout).toBe(
      `beat is paused; runs that are under way go on.\n${nobody}`,
    );
    expect((await rig.joyul('schedule', 'trigger')).stdout).toBe(`beat is triggered.\n${nobody}`);
    const shown = await show(rig);
    expect([shown.status, shown.waiting.length]).toEqual(['paused', 1]);
    expect(rig.has('said.txt')).toBe(false);
    await using watch = new Watch(rig);
    const [started] = await watch.wait('started');
    expect(started?.cause).toBe('trigger');
  });

  test('a backfill says what it would run, and runs it when there is a scheduler', async () => {
    await using rig = await makeBeat(quick, '--cron', '0 3 * * *', '--timezone', 'Europe/Berlin');
    const flags = ['--from', '2026-03-28', '--to', '2026-03-30'];
    const dry = await rig.joyul('schedule', 'backfill', 'beat', ...flags, '--dry-run');
    expect(dry.stdout).toBe(
      'Sat 2026-03-28 03:00 Europe/Berlin\nSun 2026-03-29 03:00 Europe/Berlin\nMon 2026-03-30 03:00 Europe/Berlin\n',
    );
    expect((await show(rig)).waiting).toEqual([]);
    await rig.joyul('schedule', 'backfill', 'beat', ...flags);
    await using watch = new Watch(rig);
    await watch.wait('ended', 3);
    expect((await said(rig)).map((line) => line.split(' ')[0])).toEqual([
      '2026-03-28T02:00:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T01:00:00.000Z',
    ]);
  });

  test('the schedule of the pipeline is the default of add', async () => {
    await using rig = await Rig.create();
    await rig.write({
      'pipeline.yaml': `${quick}schedule: { cron: "0 3 * * mon", timezone: Asia/Seoul, overlap: buffer_one }\n`,
    });
    const added = await rig.joyul('schedule', 'add', '--name', 'weekly', '--overlap', 'skip');
    expect(added.stdout).toContain('weekly: schedules/weekly.yaml is written. The next time is Mon ');
    expect(await rig.read('schedules/weekly.yaml')).toContain(
      'pipeline: pipeline.yaml\ncron: 0 3 * * mon\ntimezone: Asia/Seoul\noverlap: skip\n',
    );
    expect((await rig.joyul('schedule', 'list')).stdout).toContain('0 3 * * mon');
    expect((await rig.joyul('schedule', 'next', 'weekly', '-n', '2')).stdout).toMatch(
      /^Mon .* 03:00 Asia\/Seoul.*\nMon .* 03:00 Asia\/Seoul.*\n$/,
    );
    expect((await rig.joyul('schedule', 'remove', 'weekly')).stdout).toBe('weekly is removed.\n');
    expect((await rig.joyul('schedule', 'list')).stdout).toContain('No schedules yet.');
    expect(rig.has('schedules/weekly.yaml')).toBe(false);
  });

  test.each([
    [['add', 'pipelines/beat.yaml'], 'There is a schedule "beat" already.'],
    [['add', 'pipelines/beat.yaml', '--name', 'b'], 'Say when: --cron "0 3 * * *"'],
    [['add', '--name', 'a/b', '--cron', '@daily'], '"a/b" is no name for a schedule.'],
    [
      ['add', '--name', 'b', '--cron', '0 25 * * *', '--timezone', 'Mars', '--end', 'x'],
      '--cron: The cron expression has "25" as its hour, which goes from 0 to 23.',
    ],
    [
      ['add', '--name', 'b', '--cron', '@daily', '--overlap', 'skp'],
      '--overlap must be one of skip, buffer_one',
    ],
    [['pause', 'baet'], 'There is no schedule "baet". Did you mean "beat"?'],
    [['puase'], 'There is no `joyul schedule puase`. Did you mean "pause"?'],
    [['backfill', 'beat'], 'Say from when to when'],
    [['backfill', 'beat', '--from', '2026-01-02', '--to', '2026-01-01'], '--from must be before --to.'],
    [['backfill', 'beat', '--from', '2020-01-01', '--to', '2026-01-01'], 'more than 1000 runs'],
    [['next', '--cron', '0 0 30 2 *'], 'a day that never comes'],
    [['install'], 'Say what keeps the scheduler running: --systemd or --crontab.'],
  ])('%j leaves with 2 and says what to type', async (args, message) => {
    await using rig = await makeBeat(quick);
    const { exitCode, stderr } = await rig.joyul('schedule', ...args);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

test('a schedule with mistakes does not stop the others, and its place is told', async () => {
  await using rig = await makeBeat(quick);
  await rig.write({ 'schedules/bad.yaml': 'pipeline: p.yaml\ncron: 0 25 * * *\n' });
  await using watch = new Watch(rig);
  await watch.wait('broken');
  await watch.wait('ended');
  const listed = await rig.joyul('schedule', 'list');
  expect(listed.stderr).toContain('schedules/bad.yaml:2:7 error SCHEDULE_INVALID');
  expect(listed.stdout).toMatch(/bad .* broken\n/);
  expect((await rig.joyul('schedule', 'show', 'bad')).exitCode).toBe(2);
});

describe('install', () => {
  test('prints a unit with absolute paths, and writes it where it is asked to', async () => {
    await using plain = await makeBeat(quick);
    const rig = plain.withEnv({ XDG_CONFIG_HOME: plain.path('config') });
    const printed = await rig.joyul('schedule', 'install', '--systemd');
    expect(printed.stdout).toContain(`WorkingDirectory=${rig.dir}\n`);
    expect(printed.stdout).toContain(`ExecStart=:"${process.execPath}" "/`);
    expect(rig.has('config')).toBe(false);
    const written = await rig.joyul('schedule', 'install', '--systemd', '--write', '--json');
    const { file } = JSON.parse(written.stdout) as { readonly file: string }; // The command's own format.
    expect(await rig.read(file.slice(rig.dir.length + 1))).toBe(printed.stdout);
  });

  test('writes a line into the crontab once, and leaves the others', async () => {
    await using plain = await makeBeat(quick);
    await plain.write({ crontab: 'MAILTO=me\n' });
    await plain.write({
      'bin/crontab': `#!/bin/sh\nif [ "$1" = -l ]; then cat "${plain.path('crontab')}"; else cat > "${plain.path('crontab')}"; fi\n`,
    });
    const rig = plain.withEnv({ PATH: `${plain.path('bin')}:${process.env['PATH'] ?? ''}` });
    await chmodAll(rig.path('bin/crontab'));
    await rig.joyul('schedule', 'install', '--crontab', '--write');
    await rig.joyul('schedule', 'install', '--crontab', '--write');
    expect(await rig.read('crontab')).toMatch(/^MAILTO=me\n\*\/5 \* \* \* \* cd '[^\n]*\n$/);
  });

  test('a crontab that cannot be read is not replaced', async () => {
    await using plain = await makeBeat(quick);
    await plain.write({
      'bin/crontab': `#!/bin/sh\n[ "$1" = -l ] && echo "permission denied" >&2 && exit 1\ntouch wrote\n`,
    });
    await chmodAll(plain.path('bin/crontab'));
    const rig = plain.withEnv({ PATH: `${plain.path('bin')}:${process.env['PATH'] ?? ''}` });
    const { exitCode, stderr } = await rig.joyul('schedule', 'install', '--crontab', '--write');
    expect([exitCode, stderr]).toEqual([
      2,
      '`crontab -l` failed, so nothing was changed: permission denied\n',
    ]);
    expect(rig.has('wrote')).toBe(false);
  });

  const chmodAll = async (file: string): Promise<void> =>
    (await import('node:fs/promises')).chmod(file, 0o755);
});
