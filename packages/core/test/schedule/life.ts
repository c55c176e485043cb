/** Random lives of one schedule, and what must hold in all of them. */
import { expect } from 'vitest';
import type { Schedule } from '../../src/graph/graph.ts';
import { listTimes } from '../../src/timing/timing.ts';
import { World, makeRandom } from './world.ts';

const minute = 60_000;
export const hour = 60 * minute;
/** When every life begins. */
export const startMs = Date.UTC(2026, 0, 1);

const overlaps = [
  'skip',
  'buffer_one',
  'buffer_all',
  'cancel_other',
  'terminate_other',
  'allow_all',
] as const;
const catchups = ['none', 'last', 'all'] as const;
const crons = ['*/10 * * * *', '0 * * * *', '7,31 * * * *', '*/2 * * * *'] as const;

export interface Life {
  readonly world: World;
  readonly schedule: Schedule;
  /** Nothing but crashes happened: the clock was right and nobody gave commands. */
  readonly isCalm: boolean;
}

/** One life: crashes at any call, sleeps, power failures, clock jumps, commands; then a quiet end. */
export function live(seed: number, options: { readonly isCalm: boolean } & Partial<Schedule>): Life {
  const random = makeRandom(seed);
  const { isCalm, ...fixed } = options;
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const schedule: Schedule = {
    cron: pick(crons),
    timezone: pick(['UTC', 'Europe/Berlin', 'Australia/Lord_Howe']),
    overlap: pick(overlaps),
    catchup: pick(catchups),
    catchup_window: pick(['1h', '6h', '365d']),
    jitter: pick(['0s', '0s', '5m']),
    pause_on_failure: !isCalm && random() < 0.2,
    ...fixed,
  };
  const world = new World({
    schedule,
    startMs,
    random,
    durationMs: () => Math.floor(random() ** 3 * 25 * minute),
    end: () => (random() < 0.05 ? 'failed' : 'succeeded'),
    crashChance: pick([0, 0.02, 0.1, 0.3]),
    bootFailureChance: pick([0, 0.1]),
  });
  world.run(minute);
  for (let act = 0; act < 12; act++) {
    world.run(Math.floor(random() * 40 * minute));
    const chance = random();
    if (chance < 0.25) {
      world.kill();
      world.sleep(Math.floor(random() ** 2 * 5 * hour));
    } else if (chance < 0.35) world.sleep(Math.floor(random() * 3 * hour));
    else if (chance < 0.4) world.powerOff();
    else if (isCalm) continue;
    else if (chance < 0.5) world.skewMs += Math.floor((random() - 0.5) * 4 * hour);
    else if (chance < 0.55) world.skewMs = 0;
    else if (chance < 0.65) world.ask({ kind: 'pause', reason: 'test' });
    else if (chance < 0.8) world.ask({ kind: 'resume' });
    else if (chance < 0.9) world.ask({ kind: 'trigger', overlap: pick(overlaps) });
    else
      world.ask({
        kind: 'backfill',
        times: listTimes(world.rules.timing, { afterMs: startMs - 3 * hour, uptoMs: startMs }, 5),
        overlap: pick(overlaps),
      });
  }
  // A quiet end: nothing goes wrong any more, and all that waits gets its turn.
  world.crashChance = 0;
  world.run(2 * minute);
  return { world, schedule, isCalm };
}

const isRegular = (cause: string): boolean => cause === 'time' || cause === 'catch-up';

/** What holds in every life. */
export function checkAlways({ world, schedule }: Life): void {
  const regular = world.began.filter(({ cause }) => isRegular(cause));
  const times = regular.map(({ timeMs }) => timeMs);
  expect(new Set(times).size, 'no time has two runs').toBe(times.length);
  const claims = world.began.map(({ series, number }) => `${series}-${number}`);
  expect(new Set(claims).size, 'no run has two processes').toBe(claims.length);
  if (times.length === 0) return;
  const span = { afterMs: Math.min(...times) - 1, uptoMs: Math.max(...times) };
  const due = new Set(listTimes(world.rules.timing, span, 1e6));
  expect(
    times.filter((time) => !due.has(time)),
    'only due times run',
  ).toEqual([]);
  if (schedule.overlap === 'allow_all') return;
  const inOrder = [...regular].sort((left, right) => (left.beganMs ?? 0) - (right.beganMs ?? 0));
  const clashes = inOrder.filter(
    ({ beganMs = 0 }, index) => beganMs < (index === 0 ? 0 : (inOrder[index - 1]?.endedMs ?? Infinity)),
  );
  expect(clashes, 'no two runs at once').toEqual([]);
}

/** Every run that began is, in the end, told as ended once, or still under way. */
export function checkAccounts({ world }: Life): void {
  const state = world.disk;
  const told = [...(state?.ended ?? []), ...(state?.active ?? [])].map(({ number }) => number);
  expect(new Set(told).size).toBe(told.length);
  const isWhole = (state?.ended.length ?? 0) < 50;
  for (const { number } of world.began) if (isWhole) expect(told).toContain(number);
}

/** Lives many lives; tells the bad ones by their seeds. */
export function findBadLives(firstSeed: number, count: number): readonly string[] {
  return collect(firstSeed, count, (seed) => {
    const life = live(seed, { isCalm: seed % 2 === 0 });
    checkAlways(life);
    checkAccounts(life);
  });
}

/** Lives with `catchup: all`, after which every due time must have had its run; tells those that lost one. */
export function findLossyLives(firstSeed: number, count: number): readonly string[] {
  const fixed = { cron: '0 * * * *', catchup: 'all', catchup_window: '365d', overlap: 'buffer_all' } as const;
  return collect(firstSeed, count, (seed) => {
    const { world } = live(seed, { isCalm: true, ...fixed });
    // Time enough for all that waits.
    world.run(24 * hour);
    expect(world.disk?.waiting).toEqual([]);
    const due = listTimes(world.rules.timing, { afterMs: startMs, uptoMs: world.now() - hour }, 1e6);
    // Runs whose process came up three times in vain had their chance.
    const failed = world.notices.flatMap((notice) =>
      notice.kind === 'ended' && notice.run.end === 'never started' ? [notice.run] : [],
    );
    const given = new Set([...world.began, ...failed].map(({ timeMs }) => timeMs));
    expect(due.filter((time) => !given.has(time))).toEqual([]);
  });
}

function collect(firstSeed: number, count: number, check: (seed: number) => void): readonly string[] {
  return Array.from({ length: count }, (_, index) => firstSeed + index).flatMap((seed) => {
    try {
      check(seed);
      return [];
    } catch (error) {
      return [`seed ${seed}: ${String(error)}`];
    }
  });
}
