import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { actionFile } from '../../src/store/action-record.ts';
import { Prefixes, prefixesDir } from '../../src/store/prefixes.ts';
import type { FoundPrefix, PrefixSearch } from '../../src/store/prefixes.ts';
import type { StoreDamage } from '../../src/store/store.ts';
import { Store } from '../../src/store/store.ts';
import { realPlatform } from '../../src/util/platform.ts';

const work = { plugin: 'walk', key: 'k' };
let dir = '';
let store = new Store('.');
let held: string[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'joyul-prefixes-'));
  store = new Store(dir);
  held = [];
});

afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const open = (runId: string): Prefixes =>
  new Prefixes({ store, platform: realPlatform, runId, hold: (fingerprint) => held.push(fingerprint) });

function keep(extent: number, options: { readonly hasState?: boolean; readonly work?: object } = {}): void {
  const folder = store.makeWorkFolder();
  writeFileSync(join(folder, 'state'), `state ${extent}`);
  const state = store.ingest(folder, 'prefix-state', { move: true, mustLast: false });
  const more = options.hasState === false ? {} : { state };
  open(`run-${extent}`).keep({ work, extent, fingerprint: `f${extent}`, durationMs: 1, ...more, ...options });
}

const damages: [number, StoreDamage['reason']][] = [];

const find = (search: Partial<PrefixSearch>): FoundPrefix | undefined =>
  open('now').find({
    work,
    above: 0,
    below: 10,
    needsState: true,
    onDamage: (extent, { reason }) => damages.push([extent, reason]),
    ...search,
  });

test('the longest state within the bounds is found, with the run that left it', () => {
  for (const extent of [10, 2, 9, 4]) keep(extent);
  expect(find({ below: 9 })).toMatchObject({ extent: 4, runId: 'run-4', fingerprint: 'f4' });
  expect(find({ below: 10 })?.extent).toBe(9);
  expect(find({ below: 11 })?.extent).toBe(10);
  expect(find({ above: 2, below: 4 })).toBeUndefined();
  expect(find({ below: 2 })).toBeUndefined();
  expect(readFileSync(join(find({ below: 9 })?.dir ?? '', 'state'), 'utf8')).toBe('state 4');
});

test('other work has other states', () => {
  keep(4);
  expect(find({ work: { ...work, key: 'other' } })).toBeUndefined();
});

test('a note that was put into the folder of other work leads nowhere', () => {
  keep(4);
  keep(3, { work: { ...work, key: 'other' } });
  const [own = '', other = ''] = readdirSync(prefixesDir(store.dir)).map((key) =>
    join(prefixesDir(store.dir), key),
  );
  for (const [from, to] of [
    [own, other],
    [other, own],
  ] as const)
    for (const note of readdirSync(from)) writeFileSync(join(to, note), '');
  expect(find({})?.extent).toBe(4);
  expect(find({ work: { ...work, key: 'other' } })?.extent).toBe(3);
});

test('a run without a state is known, and is nothing to go on from', () => {
  keep(2);
  keep(4, { hasState: false });
  expect(find({})?.extent).toBe(2);
  const known = find({ needsState: false });
  expect([known?.extent, known?.dir]).toEqual([4, undefined]);
});

test('what is gone on from is held for the run, and counts as used', () => {
  keep(4);
  const [shard = ''] = readdirSync(join(store.dir, 'actions'));
  const [name = ''] = readdirSync(join(store.dir, 'actions', shard));
  const file = actionFile(store.dir, name.slice(0, 64));
  utimesSync(file, 1, 1);
  find({});
  expect(held).toEqual([name.slice(0, 64)]);
  expect(statSync(file).mtimeMs).toBeGreaterThan(Date.now() - 60_000);
});

test('a damaged record is told, and then forgotten', () => {
  keep(2);
  keep(4);
  const four = readdirSync(join(store.dir, 'actions'), { recursive: true, encoding: 'utf8' })
    .map((name) => join(store.dir, 'actions', name))
    .find((name) => name.endsWith('.json') && readFileSync(name, 'utf8').includes('"run-4"'));
  writeFileSync(four ?? '', readFileSync(four ?? '', 'utf8').replace('"extent":4', '"extent":3'));
  expect(find({})?.extent).toBe(2);
  expect(find({})?.extent).toBe(2);
  expect(damages.splice(0)).toEqual([[4, 'damaged']]);
});
