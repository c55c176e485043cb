import { describe, expect, test } from 'vitest';
import * as fc from 'fast-check';
import { Slots } from '../../src/execute/slots.ts';
import type { Amounts, Grant } from '../../src/execute/slots.ts';

/** All that may run now, in order. */
function takeAll(slots: Slots<string>): readonly { readonly item: string; readonly grant: Grant }[] {
  const taken = [];
  for (let next = slots.next(); next !== undefined; next = slots.next()) taken.push(next);
  return taken;
}

const namesOf = (taken: readonly { readonly item: string }[]): readonly string[] =>
  taken.map(({ item }) => item);

test('what fits runs in the order in which it came', () => {
  const slots = new Slots<string>({ capacity: { cpu: 2 }, devices: {} });
  for (const item of ['a', 'b', 'c']) slots.enqueue(item, { cpu: 1 });
  expect(namesOf(takeAll(slots))).toEqual(['a', 'b']);
});

test('what waits for a busy gpu holds up nobody who does not want one', () => {
  const slots = new Slots<string>({ capacity: { cpu: 8, gpu: 1 }, devices: {} });
  slots.enqueue('first gpu', { cpu: 1, gpu: 1 });
  slots.enqueue('second gpu', { cpu: 1, gpu: 1 });
  slots.enqueue('plain', { cpu: 1 });
  expect(namesOf(takeAll(slots))).toEqual(['first gpu', 'plain']);
});

test('small steps that come later cannot starve a large one', () => {
  const slots = new Slots<string>({ capacity: { cpu: 4 }, devices: {} });
  for (const item of ['1', '2', '3', '4']) slots.enqueue(item, { cpu: 1 });
  const running = [...takeAll(slots)];
  slots.enqueue('large', { cpu: 4 });
  for (let round = 0; round < 4; round++) {
    slots.enqueue(`late ${round}`, { cpu: 1 });
    const [done] = running.splice(0, 1);
    if (done !== undefined) slots.release(done.grant);
    running.push(...takeAll(slots));
  }
  expect(namesOf(running)).toEqual(['large']);
});

test('a step that takes nothing of a pool passes those that wait for it, also when it takes 0', () => {
  const slots = new Slots<string>({ capacity: { cpu: 1, gpu: 1 }, devices: {} });
  slots.enqueue('holds', { gpu: 1 });
  expect(namesOf(takeAll(slots))).toEqual(['holds']);
  slots.enqueue('waits', { gpu: 1 });
  slots.enqueue('none', { cpu: 1, gpu: 0 });
  expect(namesOf(takeAll(slots))).toEqual(['none']);
});

test('fractions come back whole, however they add up', () => {
  const fractions = fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 40 });
  const property = fc.property(fractions, (hundredths) => {
    const slots = new Slots<string>({ capacity: { cpu: 1 }, devices: {} });
    for (const part of hundredths) slots.enqueue('part', { cpu: part / 100 });
    for (let taken = takeAll(slots); taken.length > 0; taken = takeAll(slots))
      for (const { grant } of taken) slots.release(grant);
    slots.enqueue('whole', { cpu: 1 });
    expect(namesOf(takeAll(slots))).toEqual(['whole']);
  });
  fc.assert(property);
});

test('three thirds fit in one', () => {
  const slots = new Slots<string>({ capacity: { cpu: 0.3 }, devices: {} });
  for (const item of ['a', 'b', 'c']) slots.enqueue(item, { cpu: 0.1 });
  expect(namesOf(takeAll(slots))).toEqual(['a', 'b', 'c']);
});

test('clear gives all that wait, in the order in which they came', () => {
  const slots = new Slots<string>({ capacity: { cpu: 1 }, devices: {} });
  slots.enqueue('runs', { cpu: 1 });
  takeAll(slots);
  slots.enqueue('a', { cpu: 1 });
  slots.enqueue('b', {});
  slots.enqueue('c', { cpu: 1 });
  expect(slots.clear()).toEqual(['a', 'b', 'c']);
  expect(takeAll(slots)).toEqual([]);
});

describe('devices', () => {
  const pools = { capacity: { gpu: 3 }, devices: { gpu: ['0', '1', '2'] } };

  test('each that runs has its own, and gives them back', () => {
    const slots = new Slots<string>(pools);
    slots.enqueue('a', { gpu: 1 });
    slots.enqueue('b', { gpu: 2 });
    const taken = takeAll(slots);
    expect(taken.map(({ grant }) => grant.devices['gpu'])).toEqual([['0'], ['1', '2']]);
    for (const { grant } of taken) slots.release(grant);
    slots.enqueue('all', { gpu: 3 });
    expect([...(takeAll(slots)[0]?.grant.devices['gpu'] ?? [])].sort()).toEqual(['0', '1', '2']);
  });

  test('who takes none of a pool of devices is given an empty list', () => {
    const slots = new Slots<string>(pools);
    slots.enqueue('none', { gpu: 0 });
    slots.enqueue('other', { cpu: 0 });
    expect(takeAll(slots).map(({ grant }) => grant.devices)).toEqual([{ gpu: [] }, {}]);
  });
});

test('whatever waits and ends in any order: nothing is taken twice, and all of it comes back', () => {
  const wanted = fc.record({ cpu: fc.nat(4), gpu: fc.nat(2), memory: fc.nat(3) });
  const steps = fc.array(fc.tuple(wanted, fc.nat(1000)), { maxLength: 60 });
  const property = fc.property(steps, (list) => {
    const capacity: Amounts = { cpu: 4, gpu: 2, memory: 3 };
    const slots = new Slots<number>({ capacity, devices: { gpu: ['x', 'y'] } });
    const running: Grant[] = [];
    const seen: number[] = [];
    const admit = (): void => {
      for (let next = slots.next(); next !== undefined; next = slots.next()) {
        seen.push(next.item);
        running.push(next.grant);
      }
      for (const [pool, limit] of Object.entries(capacity)) {
        const taken = running.reduce((sum, { amounts }) => sum + (amounts[pool] ?? 0), 0);
        expect(taken).toBeLessThanOrEqual(limit);
      }
      const lent = running.flatMap(({ devices }) => devices['gpu'] ?? []);
      expect(new Set(lent).size).toBe(lent.length);
    };
    for (const [index, [amounts, choice]] of list.entries()) {
      slots.enqueue(index, amounts);
      admit();
      if (choice % 3 === 0 && running.length > 0)
        for (const grant of running.splice(choice % running.length, 1)) slots.release(grant);
    }
    for (admit(); running.length > 0; admit()) for (const grant of running.splice(0, 1)) slots.release(grant);
    expect([...seen].sort((left, right) => left - right)).toEqual(list.map((_, index) => index));
    slots.enqueue(-1, capacity);
    expect(slots.next()?.grant.devices['gpu']).toHaveLength(2);
  });
  fc.assert(property);
});

test('ten thousand that want the same cost as much as their number', () => {
  const slots = new Slots<number>({ capacity: { cpu: 1 }, devices: {} });
  for (let item = 0; item < 10_000; item++) slots.enqueue(item, { cpu: 1 });
  let looks = 0;
  const startMs = performance.now();
  for (let next = slots.next(); next !== undefined; next = slots.next()) {
    looks++;
    slots.release(next.grant);
  }
  expect(looks).toBe(10_000);
  // Looking at all that wait for each that runs would take minutes.
  expect(performance.now() - startMs).toBeLessThan(2000);
});
