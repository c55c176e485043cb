/**
 * Real runs that are killed, at any moment, again and again; then one that nothing befalls must end as if nothing ever had.
 *
 * More of it: JOYUL_KILLS=1000. One case again: the line that a failure prints.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Rig } from '@joyul/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../packages/core/test/simulation/random.ts';
import {
  createCampaign,
  findProblems,
  killRun,
  makeReference,
  prepareVictim,
  signalRun,
} from './campaign.ts';
import type { Reference } from './campaign.ts';

const isSlow = process.env['JOYUL_TEST_SLOW'] === '1';
/** How often runs are disturbed, over all campaigns. */
const kills = Number(process.env['JOYUL_KILLS'] ?? (isSlow ? 600 : 36));
const firstSeed = Number(process.env['JOYUL_KILL_SEED'] ?? Math.floor(Math.random() * 1e6));
const perCase = 6;

let reference: Reference;

beforeAll(async () => {
  reference = await makeReference();
});

/** Disturbs runs of new projects so often, and says what is wrong afterwards. */
async function campaign(
  name: string,
  share: number,
  disturb: (rig: Rig, random: Random) => Promise<void>,
): Promise<readonly string[]> {
  const cases =
    process.env['JOYUL_KILL_SEED'] === undefined ? Math.max(1, Math.round((kills * share) / perCase)) : 1;
  const problems: string[] = [];
  let count = 0;
  for (let index = 0; index < cases && problems.length === 0; index++) {
    const seed = firstSeed + index;
    const random = new Random(seed);
    await using rig = await createCampaign();
    for (let at = 0; at < perCase; at++, count++) await disturb(rig, random);
    const again = `JOYUL_KILL_SEED=${seed} npm run exec -- vitest run --config packages/tooling/vitest.config.ts test/engine/kill.test.ts -t '${name}'`;
    problems.push(...(await findProblems(rig, reference)).map((problem) => `${problem}\n${again}`));
  }
  console.log(`${name}: ${count} in ${cases} projects, seeds from ${firstSeed}`);
  return problems;
}

/** A moment of a run, the first and the last included. */
const pickMoment = (random: Random): number => random.next() * reference.durationMs * 1.1;

const timeout = 60_000 + kills * 5000;

describe('kill -9', () => {
  test('of a run, alone, with its group or with all that it started', { timeout }, async () => {
    const problems = await campaign('of a run', 0.5, async (rig, random) => {
      const running = rig.start('run', 'pipeline.yaml', '--json', ...prepareVictim(rig, random));
      await sleep(pickMoment(random));
      killRun(rig, running, random.pick(['engine', 'engine', 'group', 'all']));
      await running.finished;
      // A person, or a script that restarts at once.
      if (random.chance(0.3)) await sleep(random.next() * 300);
    });
    expect(problems).toEqual([]);
  });

  test('of one of two runs at once: the other ends well', { timeout }, async () => {
    const problems = await campaign('of one of two', 0.25, async (rig, random) => {
      const victim = rig.start('run', 'pipeline.yaml', '--json', ...prepareVictim(rig, random));
      await sleep(random.next() * 300);
      const other = rig.start(
        'run',
        'pipeline.yaml',
        '--json',
        ...(random.chance(0.3) ? ['-s', 'word=other'] : []),
      );
      await sleep(pickMoment(random));
      killRun(rig, victim, random.pick(['engine', 'group']));
      await victim.finished;
      const { exitCode, stdout, stderr } = await other.finished;
      expect([exitCode, exitCode === 0 ? '' : stdout, stderr]).toEqual([0, '', '']);
    });
    expect(problems).toEqual([]);
  });
});

test('SIGTERM or Ctrl-C at any moment ends a run and all that it started', { timeout }, async () => {
  const problems = await campaign('SIGTERM or Ctrl-C', 0.25, async (rig, random) => {
    const running = rig.start('run', 'pipeline.yaml', '--json', ...prepareVictim(rig, random));
    const name = random.pick(['SIGTERM', 'SIGTERM', 'SIGINT'] as const);
    await sleep(pickMoment(random));
    signalRun(running, name);
    const { exitCode, signal } = await running.finished;
    // Before anything has begun there is nobody who could say more than the signal does.
    expect(signal === null ? [0, 75, 130] : [name]).toContain(exitCode ?? signal);
    expect(rig.processes()).toEqual([]);
  });
  expect(problems).toEqual([]);
});
