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
