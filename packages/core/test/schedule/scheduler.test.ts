import { describe, expect, test } from 'vitest';
import type { Schedule } from '../../src/graph/graph.ts';
import type { ScheduledEnd } from '../../src/schedule/state.ts';
import { World } from './world.ts';

const minute = 60_000;
const hour = 60 * minute;

/** A world at 2026-01-01T00:00Z, whose scheduler is about to begin; runs take `takes`. */
function makeWorld(
  schedule: Partial<Schedule>,
  options: { readonly takes?: number; readonly end?: () => ScheduledEnd } = {},
): World {
  const { takes = minute, end } = options;
  const world = new World({
    schedule: { cron: '0 * * * *', ...schedule },
    startMs: Date.UTC(2026, 0, 1),
    random: () => 0.5,
    durationMs: () => takes,
    ...(end === undefined ? {} : { end }),
  });
  world.run(minute);
  return world;
}

/** The hours of the times whose runs began. */
const hours = (world: World): readonly number[] =>
  world.began.map(({ timeMs }) => (timeMs - Date.UTC(2026, 0, 1)) / hour);

const kinds = (world: World): readonly string[] => world.notices.map(({ kind }) => kind);

test('each time gets its run, at its time', () => {
  const world = makeWorld({});
  world.run(3 * hour);
  expect(world.times).toEqual(['2026-01-01T01:00:00Z', '2026-01-01T02:00:00Z', '2026-01-01T03:00:00Z']);
  const late = world.began.map(({ beganMs = 0, timeMs }) => beganMs - timeMs);
  expect(Math.max(...late)).toBeLessThan(2000);
});

describe('overlap, with runs that take 2.5 times as long as the time between', () => {
  const takes = 150 * minute;

  test('skip leaves out what is due while a run is under way', () => {
    const world = makeWorld({ overlap: 'skip' }, { takes });
    world.run(8 * hour);
    expect(hours(world)).toEqual([1, 4, 7]);
    expect(world.disk?.skipped?.count).toBe(5);
  });

  test('buffer_one keeps the first of what is due', () => {
    const world = makeWorld({ overlap: 'buffer_one' }, { takes });
    world.run(8 * hour);
    expect(hours(world)).toEqual([1, 2, 4]);
  });

  test('buffer_all keeps all of it, in order', () => {
    const world = makeWorld({ overlap: 'buffer_all' }, { takes });
    world.run(9 * hour);
    expect(hours(world)).toEqual([1, 2, 3, 4]);
    expect(world.disk?.waiting.length).toBe(5);
  });

  test('allow_all starts everything', () => {
    const world = makeWorld({ overlap: 'allow_all' }, { takes });
    world.run(4 * hour);
    expect(hours(world)).toEqual([1, 2, 3, 4]);
    expect(world.disk?.active.length).toBe(3);
  });

  test('cancel_other tells the run to end, waits for it, and starts the new one', () => {
    const world = makeWorld({ overlap: 'cancel_other' }, { takes });
    world.run(3.5 * hour);
    expect(hours(world)).toEqual([1, 2, 3]);
    expect(world.disk?.ended.map(({ end }) => end)).toEqual(['cancelled', 'cancelled']);
    const [first, second] = world.began;
    expect(second?.beganMs).toBeGreaterThanOrEqual(first?.endedMs ?? Infinity);
  });

  test('terminate_other kills a run that does not end in time', () => {
    const world = new World({
      schedule: { cron: '0 * * * *', overlap: 'terminate_other' },
      startMs: Date.UTC(2026, 0, 1),
      random: () => 0.99, // A run takes 39 s to end after it was told.
      durationMs: () => takes,
    });
    world.run(2.5 * hour);
    expect(hours(world)).toEqual([1, 2]);
    expect(world.disk?.ended.map(({ end }) => end)).toEqual(['terminated']);
    expect(kinds(world).filter((kind) => kind === 'stopping').length).toBe(2);
  });

  test('a run is told to end once: a second signal would end it without a checkpoint', () => {
    const world = makeWorld({ overlap: 'cancel_other', cron: '* * * * *' }, { takes });
    let signals = 0;
    world.onSignal = () => signals++;
    world.run(4 * minute);
    expect(signals).toBe(world.disk?.ended.length ?? 0);
    expect(signals).toBeGreaterThan(1);
  });
});

describe('when nothing watched', () => {
  /** Six hours are missed; the clock shows 06:30 then. */
  const missSix = (schedule: Partial<Schedule>, takes = minute): World => {
    const world = makeWorld(schedule, { takes });
    world.kill();
    world.sleep(6.5 * hour);
    world.run(minute);
    return world;
  };

  test('catchup: none starts nothing of what was missed', () => {
    const world = missSix({ catchup: 'none' });
    expect(hours(world)).toEqual([]);
    expect(world.disk?.missed).toEqual({ count: 6, lastMs: Date.UTC(2026, 0, 1, 6) });
    world.run(hour);
    expect(hours(world)).toEqual([7]);
  });

  test('catchup: none still takes a time that is less than a minute late', () => {
    const world = makeWorld({});
    world.kill();
    world.sleep(59 * minute + 40_000);
    world.run(minute);
    expect(hours(world)).toEqual([1]);
  });

  test('catchup: last makes up for the last one', () => {
    const world = missSix({ catchup: 'last' });
    expect(hours(world)).toEqual([6]);
    expect(world.began[0]?.cause).toBe('catch-up');
    expect(world.disk?.missed?.count).toBe(5);
  });

  test('catchup: all makes up for all, one after the other, also with overlap: skip', () => {
    const world = missSix({ catchup: 'all', overlap: 'skip' });
    world.run(20 * minute);
    expect(hours(world)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(world.disk?.missed).toBeUndefined();
  });

  test('catchup_window leaves out what is older', () => {
    const world = missSix({ catchup: 'all', catchup_window: '3h' });
    world.run(20 * minute);
    expect(hours(world)).toEqual([4, 5, 6]);
  });

  test('a sleeping machine is the same: the scheduler lived, and the time is gone', () => {
    const world = makeWorld({ catchup: 'last' });
    world.sleep(6.5 * hour);
    world.run(minute);
    expect(hours(world)).toEqual([6]);
  });

  test('of more than 1000 missed times the newest 1000 are made up for', () => {
    const world = makeWorld({ catchup: 'all', cron: '* * * * *', overlap: 'buffer_all' });
    world.sleep(2000 * minute);
    world.run(1);
    expect((world.disk?.waiting.length ?? 0) + (world.disk?.active.length ?? 0)).toBe(1000);
    expect(world.disk?.missed?.count).toBe(1);
  });

  test('a run that went on while the scheduler was dead is taken up again, not started again', () => {
    const world = makeWorld({ overlap: 'skip' }, { takes: 3 * hour });
    world.run(hour);
    world.kill();
    world.sleep(10 * minute);
    world.run(hour);
    expect(hours(world)).toEqual([1]);
    expect(world.disk?.active.map(({ phase }) => phase)).toEqual(['running']);
  });

  test('a run that a power failure ended is told as killed, and not started again', () => {
    const world = makeWorld({}, { takes: 3 * hour });
    world.run(hour + minute);
    world.powerOff();
    world.run(minute);
    expect(world.disk?.ended.map(({ end }) => end)).toEqual(['killed']);
    expect(hours(world)).toEqual([1]);
  });
});

describe('a clock that is set', () => {
  test('back: times that come again do not get a second run', () => {
    const world = makeWorld({});
    world.run(3 * hour);
    world.skewMs = -2.5 * hour;
    world.run(4 * hour);
    expect(hours(world)).toEqual([1, 2, 3, 4]);
    expect(kinds(world)).toContain('clock-back');
  });

  test('forward by years and back: the schedule goes on', () => {
    const world = makeWorld({ catchup: 'last' });
    world.skewMs = 24 * 365 * 12 * hour;
    world.run(2 * minute);
    world.skewMs = 0;
    world.run(2 * hour);
    const real = hours(world).filter((time) => time < 24);
    expect(real).toEqual([1, 2]);
  });

  test('back behind a pause: it stays paused', () => {
    const world = makeWorld({});
    world.run(3.5 * hour);
    world.ask({ kind: 'pause', reason: '' });
    world.run(minute);
    world.skewMs = -2 * hour;
    world.run(4 * hour);
    expect(hours(world)).toEqual([1, 2, 3]);
  });
});

describe('pause and resume', () => {
  test('nothing starts in a pause, and nothing of it is made up for', () => {
    const world = makeWorld({ catchup: 'all' });
    world.run(1.5 * hour);
    world.ask({ kind: 'pause', reason: 'holiday' });
    world.run(3 * hour);
    expect(hours(world)).toEqual([1]);
    expect(world.disk?.paused?.reason).toBe('holiday');
    world.ask({ kind: 'resume' });
    world.run(hour);
    expect(hours(world)).toEqual([1, 5]);
  });

  test('what was missed before a pause is made up for after it', () => {
    const world = makeWorld({ catchup: 'all' });
    world.kill();
    world.sleep(2.5 * hour);
    world.ask({ kind: 'pause', reason: '' });
    world.sleep(2 * hour);
    world.run(minute);
    expect(hours(world)).toEqual([]);
    world.ask({ kind: 'resume' });
    world.run(20 * minute);
    expect(hours(world)).toEqual([1, 2]);
  });

  test('a second pause does not make due what passed in the first', () => {
    const world = makeWorld({});
    world.ask({ kind: 'pause', reason: 'a' });
    world.run(hour + minute);
    world.ask({ kind: 'pause', reason: 'b' });
    world.run(minute);
    expect(hours(world)).toEqual([]);
    expect(world.disk?.paused?.reason).toBe('b');
  });

  test('pause_on_failure pauses after a failed run, and says which', () => {
    const world = makeWorld({ pause_on_failure: true }, { end: () => 'failed' });
    world.run(4 * hour);
    expect(hours(world)).toEqual([1]);
    expect(world.disk?.paused).toMatchObject({ by: 'failure', reason: 'run no. 1 failed' });
  });

  test('a run that somebody cancelled is no failure', () => {
    const world = makeWorld({ pause_on_failure: true }, { end: () => 'cancelled' });
    world.run(2 * hour);
    expect(hours(world)).toEqual([1, 2]);
  });
});

describe('what people ask for', () => {
  test('a triggered run starts now, beside another one, and in a pause', () => {
    const world = makeWorld({}, { takes: 2 * hour });
    world.run(hour);
    world.ask({ kind: 'pause', reason: '' });
    world.ask({ kind: 'trigger', overlap: 'allow_all' });
    world.run(minute);
    expect(world.began.map(({ cause }) => cause)).toEqual(['time', 'trigger']);
  });

  test('a trigger with skip is skipped while a run is under way', () => {
    const world = makeWorld({}, { takes: 2 * hour });
    world.run(hour);
    world.ask({ kind: 'trigger', overlap: 'skip' });
    world.run(minute);
    expect(world.notices.at(-1)).toMatchObject({ kind: 'skipped', reason: 'no. 1 still runs' });
  });

  test('a backfill runs past times one after the other, behind what is due', () => {
    const world = makeWorld({ overlap: 'buffer_all' }, { takes: 50 * minute });
    const times = [-3, -2, -1].map((shift) => Date.UTC(2026, 0, 1) + shift * hour);
    world.ask({ kind: 'backfill', times, overlap: 'buffer_all' });
    world.run(5 * hour);
    expect(hours(world)).toEqual([-3, -2, 1, 2, 3, 4]);
    expect(world.disk?.waiting.map(({ cause }) => cause)).toEqual(['backfill', 'time']);
  });

  test('a command is taken once, though the scheduler dies before it can remove it', () => {
    const world = makeWorld({});
    world.ask({ kind: 'trigger', overlap: 'allow_all' });
    const [command] = world.inbox;
    world.run(minute);
    if (command !== undefined) world.inbox.push(command);
    world.run(minute);
    expect(world.began.length).toBe(1);
  });
});

describe('a run whose process does not come up', () => {
  test('is tried three times and then given up', () => {
    const world = new World({
      schedule: { cron: '0 * * * *' },
      startMs: Date.UTC(2026, 0, 1),
      random: () => 0.5,
      durationMs: () => minute,
      bootFailureChance: 1,
    });
    world.run(1.5 * hour);
    expect(world.processes.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(world.disk?.ended).toMatchObject([
      { end: 'never started', message: 'its process ended before it could begin' },
    ]);
  });

  test('is tried again as often as its scheduler is killed', () => {
    const world = makeWorld({});
    world.sleep(59 * minute - 10);
    for (let time = 0; time < 6; time++) {
      world.run(500);
      world.kill();
    }
    world.run(5 * minute);
    expect(hours(world)).toEqual([1]);
    expect(world.processes.length).toBeGreaterThan(3);
  });
});

test('changed times begin anew: what was missed under the old ones is not made up for', () => {
  const world = makeWorld({ catchup: 'all' });
  world.kill();
  world.sleep(3 * hour);
  world.change({ cron: '30 * * * *', catchup: 'all' });
  world.run(hour);
  expect(world.times).toEqual(['2026-01-01T03:30:00Z']);
  expect(kinds(world)).toContain('times-changed');
});
