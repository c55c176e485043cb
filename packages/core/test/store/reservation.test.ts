import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Reservations } from '../../src/store/reservation.ts';
import { realPlatform } from '../../src/util/platform.ts';
import type { Platform } from '../../src/util/platform.ts';
import { startWorker } from './start-worker.ts';

function makeFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'joyul-reserve-'));
  onTestFinished(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  return dir;
}

/** This machine as another process sees it: of the living ones, those named. */
const makePlatform = (own: string, alive: readonly string[]): Platform => ({
  ...realPlatform,
  processes: { own, isAlive: (name) => alive.includes(name), endOrphans: () => undefined },
});

const ticketsIn = (dir: string): readonly string[] => readdirSync(join(dir, 'reservations'));

describe('of two processes', () => {
  test('one holds a key, and the other gets it when it is released', () => {
    const dir = makeFolder();
    const alive = ['1-1', '2-2'];
    const first = new Reservations(dir, makePlatform('1-1', alive));
    const second = new Reservations(dir, makePlatform('2-2', alive));
    const held = first.try(['a', 'b']);
    expect([second.try(['b']), second.try(['c', 'a'])]).toEqual([undefined, undefined]);
    expect(second.try(['c'])).toBeDefined();
    held?.release();
    expect(second.try(['b', 'a'])).toBeDefined();
  });

  test('a dead one holds nothing, and what it started is ended before its ticket goes', () => {
    const dir = makeFolder();
    new Reservations(dir, makePlatform('1-1', ['1-1'])).try(['a']);
    const ended: string[] = [];
    const platform = makePlatform('2-2', ['2-2']);
    const endOrphans = (name: string): void => {
      expect(ticketsIn(dir)).toHaveLength(1);
      ended.push(name);
    };
    const second = new Reservations(dir, { ...platform, processes: { ...platform.processes, endOrphans } });
    expect(second.try(['a'])).toBeDefined();
    expect(ended).toEqual(['1-1']);
    expect(ticketsIn(dir)).toHaveLength(1);
  });
});

test('a process does not get a key twice, since two of its steps may want the same', () => {
  const reservations = new Reservations(makeFolder(), realPlatform);
  const held = reservations.try(['a']);
  expect(reservations.try(['a'])).toBeUndefined();
  held?.release();
  expect(reservations.try(['a'])).toBeDefined();
});

test('a wait that is given up leaves no ticket', async () => {
  const dir = makeFolder();
  const reservations = new Reservations(dir, realPlatform);
  reservations.try(['a']);
  const controller = new AbortController();
  const waiting = reservations.wait(['a', 'b'], controller.signal);
  controller.abort();
  expect(await waiting).toBeUndefined();
  expect(ticketsIn(dir).filter((name) => /^[^.]*\bb\b/.test(name))).toEqual([]);
});

test('keys that are too many for one name of a file are held by several tickets', () => {
  const dir = makeFolder();
  const keys = Array.from({ length: 40 }, (_, index) => `path-${String(index).padStart(24, '0')}`);
  const alive = ['1-1', '2-2'];
  const held = new Reservations(dir, makePlatform('1-1', alive)).try(keys);
  const other = new Reservations(dir, makePlatform('2-2', alive));
  expect(keys.filter((key) => other.try([key]) !== undefined)).toEqual([]);
  held?.release();
  expect(keys.filter((key) => other.try([key]) === undefined)).toEqual([]);
});

test('a run that begins ends what dead ones started, once for each, whatever it is going to reserve', () => {
  const dir = makeFolder();
  const dead = new Reservations(dir, makePlatform('1-1', ['1-1', '3-3']));
  for (const key of ['a', 'b', 'c']) dead.try([key]);
  new Reservations(dir, makePlatform('3-3', ['1-1', '3-3'])).try(['d']);
  const ended: string[] = [];
  const platform = makePlatform('2-2', ['2-2', '3-3']);
  const endOrphans = (name: string): void => void ended.push(name);
  new Reservations(dir, { ...platform, processes: { ...platform.processes, endOrphans } }).clearDead();
  expect(ended).toEqual(['1-1']);
  expect(ticketsIn(dir).map((name) => name.split('.')[0])).toEqual(['d']);
});

test('close removes what was released', () => {
  const dir = makeFolder();
  const reservations = new Reservations(dir, realPlatform);
  reservations.try(['a'])?.release();
  reservations.close();
  expect(ticketsIn(dir)).toEqual([]);
});

/** A process that reserves over and over. */
const start = (dir: string, seconds: number): ReturnType<typeof startWorker> =>
  startWorker(join(import.meta.dirname, 'reservation-worker.ts'), [dir, String(seconds)]);

const isSlow = process.env['JOYUL_TEST_SLOW'] === '1';

test('six processes that take several keys in any order never hold one together, whoever is killed', async () => {
  const dir = makeFolder();
  const seconds = isSlow ? 60 : 6;
  const steady = [1, 2, 3, 4].map(() => start(dir, seconds));
  const endMs = Date.now() + seconds * 1000 - 500;
  let kills = 0;
  while (Date.now() < endMs) {
    const victims = [start(dir, 600), start(dir, 600)];
    await sleep(150 + Math.random() * 500);
    for (const victim of victims) victim.kill();
    kills += victims.length;
    for (const { exitCode, stderr } of await Promise.all(victims.map((victim) => victim.ended)))
      expect([exitCode, stderr]).toEqual([null, '']);
  }
  const ended = await Promise.all(steady.map((worker) => worker.ended));
  expect(ended.map(({ exitCode, stderr }) => [exitCode, stderr])).toEqual(ended.map(() => [0, '']));
  const counts = ended.map(({ stdout }) => JSON.parse(stdout) as Readonly<Record<string, number>>); // The worker's format.
  const sum = (name: string): number => counts.reduce((total, count) => total + (count[name] ?? 0), 0);
  // The test is worth something only if all of it happened, often.
  expect([sum('held') > 300, sum('several') > 100, sum('waited') > 100, kills > 5]).toEqual([
    true,
    true,
    true,
    true,
  ]);
  // Nobody waits behind what the dead left, and the next one clears it away.
  const reservations = new Reservations(dir, realPlatform);
  const held = reservations.try(['a', 'b', 'c', 'd']);
  expect(held).toBeDefined();
  held?.release();
  reservations.close();
  expect(ticketsIn(dir)).toEqual([]);
});
