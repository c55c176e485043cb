import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { condemn } from '../../src/store/condemned.ts';
import { Store } from '../../src/store/store.ts';

let dir = '';
let store = new Store('.');

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'joyul-store-'));
  store = new Store(dir);
});

afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function ingest(content: string, mode = 0o644): ReturnType<Store['ingest']> {
  const folder = store.makeWorkFolder();
  writeFileSync(join(folder, 'file'), content, { mode });
  return store.ingest(folder, 'folder', { move: true, mustLast: false });
}

function blobs(): readonly string[] {
  const root = join(store.dir, 'blobs');
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((name) => join(root, name))
    .filter((path) => statSync(path).isFile());
}

function overwrite(path: string, content: string): void {
  chmodSync(path, 0o644);
  writeFileSync(path, content);
}

test('a damaged blob is written over when its content is stored again', () => {
  const artifact = ingest('good');
  for (const blob of blobs()) overwrite(blob, 'evil');
  ingest('good');
  expect(blobs().map((blob) => readFileSync(blob, 'utf8'))).toEqual(['good']);
  expect(store.findDamage(artifact)).toBeUndefined();
});

test('storing a content again says that its blob is in use, and what is known of it stays known', async () => {
  ingest('content');
  const [blob = ''] = blobs();
  const before = statSync(blob, { bigint: true }).ctimeNs;
  await expect
    .poll(() => store.statCache.touch(blob) && statSync(blob, { bigint: true }).ctimeNs > before)
    .toBe(true);
  expect(ingest('content')).toEqual(ingest('content'));
});

test('what was stored is counted once', () => {
  ingest('1234');
  ingest('1234');
  expect(store.storedBytes).toBe(4);
});

test('a materialised artifact whose file is changed, gone, unreadable or not executable any more is made anew', () => {
  const artifact = ingest('#!/bin/sh', 0o755);
  const file = join(store.materialize(artifact), 'file');
  const harms = [
    () => {
      overwrite(file, 'evil');
    },
    () => {
      rmSync(file);
    },
    () => {
      chmodSync(file, 0o444);
    },
    () => {
      writeFileSync(join(file, '..', 'other'), '');
    },
  ];
  for (const harm of harms) {
    harm();
    store.materialize(artifact);
    expect([readFileSync(file, 'utf8'), (statSync(file).mode & 0o100) !== 0]).toEqual(['#!/bin/sh', true]);
    expect(readdirSync(join(file, '..'))).toEqual(['file']);
  }
});

test('a blob that may not be looked at is no hit', () => {
  const artifact = ingest('content');
  const [blob = ''] = blobs();
  rmSync(blob);
  // A folder cannot be read as a file, by any user.
  store.restore(ingest('x'), blob);
  expect(store.findDamage(artifact)).toMatchObject({ reason: 'unreadable' });
});

test('a record that may not be read is no hit, and is told apart from none', () => {
  const fingerprint = 'f'.repeat(64);
  expect([store.readAction(fingerprint), store.findRecordDamage(fingerprint)]).toEqual([
    undefined,
    undefined,
  ]);
  store.restore(ingest('x'), join(store.dir, 'actions', 'ff', `${fingerprint}.json`));
  expect([store.readAction(fingerprint), store.findRecordDamage(fingerprint)]).toEqual([
    undefined,
    'unreadable',
  ]);
});

test('storing goes on as before while something is condemned', () => {
  const artifact = ingest('content');
  condemn(store.dir, []);
  expect(ingest('content')).toEqual(artifact);
  expect(store.findDamage(ingest('more'))).toBeUndefined();
  expect(existsSync(join(store.materialize(artifact), 'file'))).toBe(true);
  expect(readdirSync(join(store.dir, 'live'))).toEqual([]);
});
