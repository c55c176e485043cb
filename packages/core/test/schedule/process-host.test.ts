import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Diagnostic } from '../../src/diagnostics/diagnostic.ts';
import { writeDefinition } from '../../src/schedule/definition.ts';
import { ProcessHost } from '../../src/schedule/process-host.ts';
import type { ActiveRun, RunFate } from '../../src/schedule/state.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'joyul-host-'));
  writeDefinition(dir, 'beat', { pipeline: 'p.yaml', cron: '@daily', set: ['a=b c', '-x=1'] });
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
});

const claimModule = import.meta.resolve('../../src/schedule/run-claim.ts');

/** A host whose runs are this script; `dir`, `attempt` and `args` are what the host gives. */
async function makeHost(
  script: string,
  onDefinition: (name: string, diagnostics: readonly Diagnostic[]) => void = () => undefined,
): Promise<ProcessHost> {
  const file = join(dir, 'run.ts');
  writeFileSync(
    file,
    `import { claimRun, recordRunEnd } from ${JSON.stringify(claimModule)};
import { writeFileSync } from 'node:fs';
const [dir = '', attempt = '', ...args] = process.argv.slice(2);
${script}`,
  );
  const host = await ProcessHost.create({
    projectDir: dir,
    command: [process.execPath, file],
    onNotice: () => undefined,
    onTrouble: () => undefined,
    onDefinition,
    onChange: () => undefined,
  });
  host.readRules();
  return host;
}

const run: ActiveRun = {
  number: 1,
  cause: 'time',
  timeMs: Date.UTC(2026, 0, 1),
  overlap: 'skip',
  phase: 'starting',
  attempt: 1,
  failures: 0,
  startedMs: 0,
};

/** Waits until a run is no longer as it was. */
async function waitFor(host: ProcessHost, kind: RunFate['kind']): Promise<RunFate> {
  for (let time = 0; time < 400; time++) {
    const fate = host.findFate('beat', 's', run);
    if (fate.kind === kind) return fate;
    await sleep(25);
  }
  throw new Error(`The run never was "${kind}".`);
}

test('a run gets its arguments, its time and its schedule, and tells its end', async () => {
  const host = await makeHost(`
claimRun(dir, Number(attempt));
const { JOYUL_SCHEDULED_AT, JOYUL_SCHEDULE } = process.env;
console.log(JSON.stringify({ runId: 'r1', args, JOYUL_SCHEDULED_AT, JOYUL_SCHEDULE }));
console.error('{"kind":"a log line"}');
recordRunEnd(dir, { exitCode: 3, endedMs: 5 });`);
  host.start('beat', 's', run);
  expect(host.findFate('beat', 's', run)).toEqual({ kind: 'starting' });
  const fate = await waitFor(host, 'ended');
  expect(fate).toEqual({
    kind: 'ended',
    end: 'refused',
    endedMs: 5,
    runId: 'r1',
    message: '{"kind":"a log line"}',
  });
  const output = readFileSync(join(dir, 'schedules/.state/beat/runs/s-1/out.ndjson'), 'utf8');
  expect(JSON.parse(output)).toMatchObject({
    args: ['run', 'p.yaml', '--json', '--set=a=b c', '--set=-x=1'],
    JOYUL_SCHEDULED_AT: '2026-01-01T00:00:00.000Z',
    JOYUL_SCHEDULE: 'beat',
  });
});

test('SIGTERM reaches the run, SIGKILL all that it started', async () => {
  const host = await makeHost(`
import { spawn } from 'node:child_process';
process.on('SIGTERM', () => writeFileSync(dir + '/told', ''));
const child = spawn('sleep', ['60']);
writeFileSync(dir + '/child', String(child.pid));
claimRun(dir, Number(attempt));
setInterval(() => undefined, 1000);`);
  host.start('beat', 's', run);
  await waitFor(host, 'running');
  const runDir = join(dir, 'schedules/.state/beat/runs/s-1');
  host.signal('beat', 's', { run, signal: 'SIGTERM' });
  while (!existsSync(join(runDir, 'told'))) await sleep(25);
  expect(host.findFate('beat', 's', run).kind).toBe('running');
  host.signal('beat', 's', { run, signal: 'SIGKILL' });
  expect(await waitFor(host, 'ended')).toMatchObject({ end: 'killed', message: 'its process was killed' });
  const child = Number(readFileSync(join(runDir, 'child'), 'utf8'));
  const isGone = (): boolean => {
    try {
      // A zombie that nobody has asked for is gone too.
      return readFileSync(`/proc/${child}/stat`, 'utf8').includes(') Z ');
    } catch {
      return true;
    }
  };
  while (!isGone()) await sleep(25);
});

describe('a process that ends before it has claimed its run', () => {
  test('has failed to start it', async () => {
    const host = await makeHost('process.exit(1);');
    host.start('beat', 's', run);
    expect(await waitFor(host, 'never started')).toEqual({ kind: 'never started', isFailed: true });
  });

  test('was never started at all, for a scheduler that did not start it', async () => {
    const host = await makeHost('');
    expect(host.findFate('beat', 's', run)).toEqual({ kind: 'never started', isFailed: false });
  });
});

test('a file that is being edited keeps its last good rules, and its mistakes are told once', async () => {
  const told: (readonly string[])[] = [];
  const host = await makeHost('', (_, diagnostics) => {
    told.push(diagnostics.map(({ message }) => message));
  });
  const before = host.readRules();
  writeFileSync(join(dir, 'schedules/beat.yaml'), 'pipeline: p.yaml\ncron: 0 25 * * *\n');
  expect(host.readRules()).toEqual(before);
  host.readRules();
  expect(told).toEqual([[], ['The cron expression has "25" as its hour, which goes from 0 to 23.']]);
  rmSync(join(dir, 'schedules/beat.yaml'));
  expect(host.readRules()).toEqual([]);
});

test('a state that cannot be read is not taken for none', async () => {
  const host = await makeHost('');
  mkdirSync(join(dir, 'schedules/.state/beat'), { recursive: true });
  writeFileSync(join(dir, 'schedules/.state/beat/state.json'), '{"version":1');
  expect(() => host.readState('beat')).toThrow('cannot be read. Remove it to begin anew');
});
