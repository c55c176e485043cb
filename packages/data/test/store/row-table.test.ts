import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { DigestIndex, RowTable, kindOf, textLengthOf } from '../../src/index.ts';
import type { RawRow } from '../../src/index.ts';

async function withTable(work: (table: RowTable, file: string) => void): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'joyul-rows-'));
  const file = join(dir, 'deep/rows');
  const table = new RowTable(file);
  try {
    work(table, file);
  } finally {
    table.dispose();
    await rm(dir, { recursive: true });
  }
}

const copyOf = ({ text, messages, tools, tokens, id, group, label, split, place }: RawRow): object => ({
  text, messages, tools, tokens, id, group, label, split, place }); // prettier-ignore

test('rows come back as they were added, whatever they say and however long it is', async () => {
  const row = fc.record({
    text: fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant('long '.repeat(70_000))),
    label: fc.option(fc.constantFrom('a', 'b'), { nil: undefined }),
    split: fc.constantFrom(undefined, 'train', 'validation', 'test'),
    id: fc.option(fc.string(), { nil: undefined }),
    group: fc.option(fc.string(), { nil: undefined }),
    place: fc.record({ file: fc.constantFrom('x', 'y'), line: fc.nat() }),
  });
  const run = fc.asyncProperty(fc.array(row, { maxLength: 12 }), async (rows) => {
    await withTable((table) => {
      for (const each of rows) table.add(each);
      expect(table.rows.map(copyOf)).toEqual(rows.map(copyOf));
      expect(table.rows.toReversed().map(copyOf)).toEqual(rows.toReversed().map(copyOf));
      expect(table.rows.map(textLengthOf)).toEqual(rows.map(({ text }) => text.length));
    });
  });
  await fc.assert(run, { numRuns: 60 });
});

test('more rows than the first columns hold are kept, and rows can follow what was read', async () => {
  await withTable((table) => {
    const place = { file: 'a', line: 1 };
    for (let index = 0; index < 5000; index++)
      table.add({ text: `text ${index}`, place, label: `l${index % 7}` });
    expect([table.rows[4999]?.text, table.rows[4999]?.label]).toEqual(['text 4999', 'l1']);
    table.add({ text: 'later', place });
    expect([table.rows.at(-1)?.text, table.rows[4998]?.text]).toEqual(['later', 'text 4998']);
  });
});

test('a row says what it is, and takes another text and label', async () => {
  await withTable((table) => {
    const place = { file: 'a', line: 1 };
    table.add({ text: 'user: hi', messages: [{ role: 'user', content: 'hi' }], place });
    table.add({ text: '1 2', tokens: { ids: [1, 2] }, place });
    table.add({ text: 'x', label: 'a', place }, { text: 'y', label: 'b' });
    expect(table.rows.map(kindOf)).toEqual(['chat', 'tokens', 'text']);
    expect([table.rows[2]?.text, table.rows[2]?.label]).toEqual(['y', 'b']);
  });
});

test('its file is removed', async () => {
  await withTable((table, file) => {
    table.add({ text: 'x', place: { file: 'a', line: 1 } });
    expect(table.rows[0]?.text).toBe('x');
    expect(existsSync(file)).toBe(true);
    table.dispose();
    expect(existsSync(file)).toBe(false);
  });
});

test('an index of digests knows what a map knows, also after it has grown', () => {
  const index = new DigestIndex(1);
  const map = new Map<string, number>();
  for (let at = 0; at < 5000; at++) {
    const key = `key ${at % 3000}`;
    expect(index.getOrSet(key, at)).toBe(map.get(key));
    if (!map.has(key)) map.set(key, at);
    if (at % 10 === 0) {
      index.set(key, at);
      map.set(key, at);
    }
  }
  for (const [key, value] of map) expect(index.get(key)).toBe(value);
  expect(index.get('another')).toBeUndefined();
});
