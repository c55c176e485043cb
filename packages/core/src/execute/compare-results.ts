import { isDeepStrictEqual } from 'node:util';
import type { FileDifference, ValueDifference } from '../events/event.ts';
import type { Artifact, ArtifactFile } from '../store/artifact.ts';
import type { ActionRecord, Store } from '../store/store.ts';
import type { Secrets } from './secrets.ts';

/** Files and values that are told; the rest is counted. */
const maxTold = 20;
/** Larger files are told by their sizes alone. */
const maxTextBytes = 1_000_000;

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Which files of a step's outputs are not as they are stored: the first of them, and how many. */
export function compareResults(
  stored: ActionRecord,
  again: ActionRecord,
  { store, secrets }: { readonly store: Store; readonly secrets: Secrets },
): { readonly differences: readonly FileDifference[]; readonly differing: number } {
  const found = Object.entries(stored.outputs).flatMap(([port, before]) => {
    const after = again.outputs[port];
    if (after === undefined || after.digest === before.digest) return [];
    return pairFiles(before, after).map((pair) => ({ port, artifacts: { before, after }, pair }));
  });
  return {
    differences: found.slice(0, maxTold).map(({ port, artifacts, pair }) => ({
      port,
      ...describePair(pair),
      // Masked before it is cut: a part of a secret would not be found any more.
      ...lookInside(pair, (side) => secrets.mask(store.readText(artifacts[side], pair.path))),
    })),
    differing: found.length,
  };
}

interface Pair {
  readonly path: string;
  readonly before: ArtifactFile | undefined;
  readonly after: ArtifactFile | undefined;
}

/** Files of two artifacts that are not the same in both, in code-unit order of their paths. */
function pairFiles(before: Artifact, after: Artifact): readonly Pair[] {
  const [left, right] = [before, after].map(({ files }) => new Map(files.map((file) => [file.path, file])));
  const paths = [...new Set([...(left?.keys() ?? []), ...(right?.keys() ?? [])])].sort();
  return paths
    .map((path) => ({ path, before: left?.get(path), after: right?.get(path) }))
    .filter((pair) => !isDeepStrictEqual(pair.before, pair.after));
}

function describePair({ path, before, after }: Pair): Pick<FileDifference, 'path' | 'before' | 'after'> {
  const side = (file: ArtifactFile | undefined): { digest: string; sizeBytes: number } | undefined =>
    file === undefined ? undefined : { digest: file.digest, sizeBytes: file.sizeBytes };
  const [stored, given] = [side(before), side(after)];
  return {
    path,
    ...(stored === undefined ? {} : { before: stored }),
    ...(given === undefined ? {} : { after: given }),
  };
}

type Inside = Pick<FileDifference, 'line' | 'values' | 'valueCount'>;

/** What differs in two texts; nothing where one of them is no text, or not there. */
function lookInside(
  { path, before, after }: Pair,
  read: (side: 'before' | 'after') => string | undefined,
): Inside {
  if (Math.max(before?.sizeBytes ?? Infinity, after?.sizeBytes ?? Infinity) > maxTextBytes) return {};
  const [left, right] = [read('before'), read('after')];
  if (left === undefined || right === undefined || !isText(left) || !isText(right)) return {};
  const values = path.endsWith('.json') ? compareJson(left, right) : [];
  // The same values in another order or layout: the line says more.
  if (values.length === 0) return compareLines(left, right);
  return { values: values.slice(0, maxTold), valueCount: values.length };
}

/** A file that is not UTF-8 was read with replacement characters. */
const isText = (text: string): boolean => !/[\0\ufffd]/.test(text);

function compareJson(left: string, right: string): readonly ValueDifference[] {
  try {
    return [...compareValues('', JSON.parse(left), JSON.parse(right))];
  } catch {
    return []; // It is a text like any other.
  }
}

function* compareValues(key: string, before: unknown, after: unknown): Generator<ValueDifference> {
  if (isFields(before) && isFields(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)]))
      yield* compareValues(key === '' ? name : `${key}.${name}`, before[name], after[name]);
    return;
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    for (const [index, item] of before.entries())
      yield* compareValues(key === '' ? String(index) : `${key}.${index}`, item, after[index]);
    return;
  }
  if (isDeepStrictEqual(before, after)) return;
  yield { key, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}

function compareLines(left: string, right: string): Inside {
  const [before, after] = [left.split('\n'), right.split('\n')];
  const at = before.findIndex((line, index) => line !== after[index]);
  const index = at === -1 ? before.length : at;
  const [old, now] = [before[index], after[index]];
  // Only a permission differs.
  if (old === undefined && now === undefined) return {};
  const from = findWindow(old ?? '', now ?? '');
  return {
    line: {
      number: index + 1,
      ...(old === undefined ? {} : { before: cutLine(old, from) }),
      ...(now === undefined ? {} : { after: cutLine(now, from) }),
    },
  };
}

/** What is shown of a line at most, and of that what stands before the difference. */
const shownLength = { all: 160, before: 40 } as const;

/** Where to begin showing two lines, so that their difference is seen. */
function findWindow(left: string, right: string): number {
  let same = 0;
  while (same < left.length && left[same] === right[same]) same++;
  return Math.max(left.length, right.length) <= shownLength.all ? 0 : Math.max(0, same - shownLength.before);
}

function cutLine(line: string, from: number): string {
  const to = from + shownLength.all;
  return `${from > 0 ? '…' : ''}${line.slice(from, to)}${line.length > to ? '…' : ''}`;
}
