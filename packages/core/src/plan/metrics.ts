import type { ActionRecord, Store } from '../store/store.ts';

/** Numbers by name; those of nested objects have dots, such as `per_class.card.f1`. */
export type Metrics = Readonly<Record<string, number>>;

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

/** The numbers in the contents of `metrics.json` files; a later file wins. */
export const flattenMetrics = (contents: readonly unknown[]): Metrics =>
  Object.fromEntries(contents.filter(isRecord).flatMap((content) => [...numbersOf(content)]));

function parseIfJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // A step's own file: what is no JSON holds no metrics.
  }
}

/** Every number that a step left in a `metrics.json`. */
export function readMetrics(store: Store, action: Pick<ActionRecord, 'outputs'>): Metrics {
  const texts = Object.values(action.outputs).flatMap(
    (artifact) => store.readText(artifact, metricsFile) ?? [],
  );
  return flattenMetrics(texts.map(parseIfJson));
}
