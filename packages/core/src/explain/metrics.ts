import type { ActionRecord, Store } from '../store/store.ts';

/** A metric of one step in two runs. */
export interface MetricChange {
  /** Names inside objects are joined by dots. */
  readonly name: string;
  readonly before?: number;
  readonly after?: number;
  /** After less before, where both are there. */
  readonly difference?: number;
  /** The difference as a share of the value before; absent where that is 0. */
  readonly relative?: number;
  readonly direction?: 'up' | 'down' | 'none';
}

/** The file in which steps leave their metrics. */
const metricsFile = 'metrics.json';

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function* numbersOf(content: unknown, path: readonly string[] = []): Generator<readonly [string, number]> {
  if (typeof content === 'number') yield [path.join('.'), content];
  if (!isRecord(content)) return;
  for (const [name, value] of Object.entries(content))
    // The format's version is no metric.
    if (path.length > 0 || name !== 'version') yield* numbersOf(value, [...path, name]);
}

function parseIfJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // A step's own file: what is no JSON holds no metrics.
  }
}

/** Every number that a step left in a `metrics.json`. */
export function readMetrics(store: Store, action: ActionRecord): ReadonlyMap<string, number> {
  const texts = Object.values(action.outputs).flatMap(
    (artifact) => store.readText(artifact, metricsFile) ?? [],
  );
  return new Map(texts.flatMap((text) => [...numbersOf(parseIfJson(text))]));
}

function compareMetric(name: string, before: number | undefined, after: number | undefined): MetricChange {
  if (before === undefined || after === undefined)
    return { name, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
  const difference = after - before;
  return {
    name,
    before,
    after,
    difference,
    ...(before === 0 ? {} : { relative: difference / Math.abs(before) }),
    direction: difference > 0 ? 'up' : difference < 0 ? 'down' : 'none',
  };
}

/** The metrics of either side, those that differ first. */
export function compareMetrics(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): readonly MetricChange[] {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  const changes = names.map((name) => compareMetric(name, before.get(name), after.get(name)));
  const isSame = (change: MetricChange): boolean => change.before === change.after;
  return [...changes.filter((change) => !isSame(change)), ...changes.filter(isSame)];
}
