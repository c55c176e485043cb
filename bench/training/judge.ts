/** Puts runs in short, and judges them by the bars. */
import { median } from '../shared/measure.ts';
import { isDecoding } from './cases.ts';
import type { Case } from './cases.ts';
import type { CaseRuns, Entrant } from './run-case.ts';
import type { Iteration } from './spec.ts';

/** The runs of one contestant in short; rates count tokens that are no padding. */
export interface Summary {
  readonly tool: string;
  readonly precision: string;
  readonly problem?: string;
  readonly count: number;
  /** Tokens a second, of the least disturbed windows. */
  readonly best: number;
  /** Tokens a second, of the median window. */
  readonly median: number;
  /** Tokens a second of processor time, of the least disturbed windows: what is left when the machine is busy. */
  readonly perCpuSecond: number;
  readonly peakMiB: number;
  readonly firstLossS: number;
  /** Cores that other processes kept busy, over all windows; NaN where that is not known. */
  readonly otherCores: number;
  readonly firstLoss: number;
  readonly facts: string;
}

/** Our best beside the best peer. */
export interface Verdict extends Case {
  readonly summaries: readonly Summary[];
  readonly ours: Summary | undefined;
  readonly peer: Summary | undefined;
  /** Ours ÷ the best peer. */
  readonly speed: number;
  /** The same, by processor time. */
  readonly cpuSpeed: number;
  /** Our best contestant's peak ÷ the best peer's. */
  readonly memory: number;
  /** Our least time to a first loss ÷ the peers' least. */
  readonly start: number;
  /** Why the figures do not count. */
  readonly problems: readonly string[];
}

/** Bars of a verdict. */
export const bars = { speed: 1.5, decoding: 2, memory: 1, start: 0.5 };

/** Windows at the start that are not counted: graphs are built, memory is first touched. */
const warmUp = 2;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

interface Rates {
  readonly wall: readonly number[];
  readonly cpu: readonly number[];
}

/** Windows of equal batches are one figure each; of ragged ones the second pass is one figure. */
function ratesOf(iterations: readonly Iteration[], isRagged: boolean): Rates {
  const groups = isRagged
    ? [iterations.slice(iterations.length >> 1)]
    : iterations.slice(warmUp).map((iteration) => [iteration]);
  const rate = (pick: (iteration: Iteration) => number): readonly number[] =>
    groups.map((group) => sum(group.map(({ tokens }) => tokens)) / sum(group.map(pick)));
  return { wall: rate(({ wallS }) => wallS), cpu: rate(({ cpuS }) => cpuS) };
}

/** Puts the runs of one contestant in short. */
export function summarize({ tool, precision, results, problem }: Entrant, isRagged: boolean): Summary {
  const rates = results.map((result) => ratesOf(result.iterations, isRagged));
  const wall = rates.flatMap((rate) => rate.wall);
  const others = results.flatMap(({ iterations }) => iterations.map(({ otherCores }) => otherCores ?? NaN));
  return {
    tool,
    precision,
    ...(problem === undefined ? {} : { problem }),
    count: results.length,
    best: Math.max(...wall),
    median: median(wall),
    perCpuSecond: Math.max(...rates.flatMap((rate) => rate.cpu)),
    peakMiB: Math.max(...results.map(({ peakMiB }) => peakMiB)),
    firstLossS: Math.min(...results.map(({ firstLossS }) => firstLossS)),
    otherCores: sum(others) / others.length,
    firstLoss: results[0]?.iterations[0]?.loss ?? Number.NaN,
    facts: results[0]?.facts ?? '',
  };
}

/** Losses of the first iteration differ by no more than this between equal computations, relatively. */
const tolerance: Readonly<Record<string, number>> = { float32: 1e-3, bfloat16: 2e-2 };

/** On equal batches every contestant's first loss has to be the plain float32 loop's. */
function findDisagreements(summaries: readonly Summary[]): readonly string[] {
  const reference = summaries.find(({ tool, precision }) => tool === 'plain' && precision === 'float32');
  if (reference === undefined || reference.count === 0) return [];
  return summaries
    .filter(({ count, firstLoss, precision }) => {
      const allowed = tolerance[precision] ?? tolerance['bfloat16'] ?? 0;
      return count > 0 && !(Math.abs(firstLoss / reference.firstLoss - 1) <= allowed);
    })
    .map(
      ({ tool, precision, firstLoss }) =>
        `${tool} ${precision} starts with the loss ${firstLoss.toFixed(4)}, the plain loop with ${reference.firstLoss.toFixed(4)}`,
    );
}

const fastest = (summaries: readonly Summary[]): Summary | undefined =>
  summaries.filter(({ count }) => count > 0).toSorted((left, right) => right.best - left.best)[0];

/** Judges one case. */
export function judge(runs: CaseRuns): Verdict {
  const { name, kind, workload, entrants } = runs;
  const summaries = entrants.map((entrant) => summarize(entrant, workload === 'ragged'));
  const mine = summaries.filter(({ tool }) => tool === 'ours');
  const peers = summaries.filter(({ tool }) => tool !== 'ours');
  const [ours, peer] = [fastest(mine), fastest(peers)];
  const ratio = (pick: (summary: Summary) => number): number =>
    ours === undefined || peer === undefined ? Number.NaN : pick(ours) / pick(peer);
  const highest = (list: readonly Summary[]): number =>
    Math.max(...list.filter(({ count }) => count > 0).map(({ perCpuSecond }) => perCpuSecond));
  const soonest = (list: readonly Summary[]): number =>
    Math.min(...list.filter(({ count }) => count > 0).map(({ firstLossS }) => firstLossS));
  return {
    name,
    kind,
    workload,
    summaries,
    ours,
    peer,
    speed: ratio(({ best }) => best),
    cpuSpeed: highest(mine) / highest(peers),
    memory: ratio(({ peakMiB }) => peakMiB),
    start: soonest(mine) / soonest(peers),
    problems: workload === 'equal' && !isDecoding(kind) ? findDisagreements(summaries) : [],
  };
}
