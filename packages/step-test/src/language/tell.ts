/** What is told of ways on the same questions. */
import { formatP, mean, percent } from '@joyul/metrics';
import type { PairedComparison } from '@joyul/metrics';
import type { Context } from '../context.ts';
import { answersAtOnce, findBest, metricNames } from '../ways.ts';
import type { Metric, Result } from '../ways.ts';
import { breakEven, formatSeconds, formatSize } from './cost.ts';

/** A way, and what the tested model is beside it. */
export interface Comparison extends Result {
  readonly paired: PairedComparison;
  /** Corrected for the number of comparisons. */
  readonly pValue: number;
}

type Emit = Pick<Context, 'emit'>;

/** How good each way is. */
export function tellQuality(
  { emit }: Emit,
  own: Result,
  comparisons: readonly Comparison[],
  metric: Metric,
): void {
  const row = (result: Result, rest: readonly string[]): readonly string[] => [
    result.way.name,
    percent(result.score),
    `${percent(result.interval.low)} – ${percent(result.interval.high)}`,
    ...rest,
  ];
  emit({
    type: 'table',
    title: `Quality on the same ${own.answers.length} test questions; mended, broken and p are ${own.way.name} beside each`,
    columns: ['', metricNames[metric], '95 % interval', 'mended / broken', 'p'],
    rows: [
      row(own, ['', '']),
      ...comparisons.map((item) =>
        row(item, [`${item.paired.better} / ${item.paired.worse}`, formatP(item.pValue)]),
      ),
    ],
  });
}

const formatTraining = (seconds: number | undefined): string =>
  seconds === undefined ? 'not known' : seconds === 0 ? '0 s' : formatSeconds(seconds);

/** What each way takes. */
export function tellCost({ emit }: Emit, results: readonly Result[], prompt: Result | undefined): void {
  emit({
    type: 'table',
    title: `Cost: of a request, ${answersAtOnce} answered at a time, and of getting there`,
    columns: ['', 's each', 'tokens in', 'out', 'trained in', 'on disk', 'pays after'],
    rows: results.map(({ way, cost }) => {
      const requests =
        prompt === undefined || way.kind === 'prompt' ? undefined : breakEven(cost, prompt.cost);
      return [
        way.name,
        Number(cost.secondsPerAnswer.toPrecision(3)),
        Math.round(cost.tokensIn),
        Number(cost.tokensOut.toFixed(1)),
        formatTraining(cost.trainingSeconds),
        cost.diskBytes === 0 ? '0' : formatSize(cost.diskBytes),
        way.kind === 'prompt' ? '' : requests === undefined ? 'never' : `${requests} requests`,
      ];
    }),
  });
}

/** When training has paid for itself, in words. */
export function describeBreakEven(tuned: Result, prompt: Result): string {
  const { trainingSeconds, secondsPerAnswer } = tuned.cost;
  const each = `${secondsPerAnswer.toPrecision(2)} s a request instead of ${prompt.cost.secondsPerAnswer.toPrecision(2)} s of the best prompt (${prompt.way.name})`;
  if (secondsPerAnswer >= prompt.cost.secondsPerAnswer)
    return `${tuned.way.name} takes ${each}: it saves no time, so its training is never paid back in time.`;
  const requests = breakEven(tuned.cost, prompt.cost);
  if (trainingSeconds === undefined || requests === undefined)
    return `${tuned.way.name} takes ${each}; how long it was trained is not known here.`;
  return `${tuned.way.name} takes ${each}: the ${formatSeconds(trainingSeconds)} of its training are paid back after ${requests} requests.`;
}

/** How alike answers stay, in each way that was looked at. */
export function tellConsistency({ emit }: Emit, results: readonly Result[]): void {
  const measured = results.filter(({ consistency }) => consistency !== undefined);
  const changes = [
    ...new Set(measured.flatMap(({ consistency = [] }) => consistency.map(({ name }) => name))),
  ];
  const count = measured[0]?.consistency?.[0]?.values.length ?? 0;
  emit({
    type: 'table',
    title: `Consistency: how alike answers to ${count} questions stay when these are changed, or answers are drawn`,
    columns: ['', ...changes],
    rows: measured.map(({ way, consistency = [] }) => [
      way.name,
      ...changes.map((name) => {
        const own = consistency.find((item) => item.name === name);
        return own === undefined ? '' : percent(mean(own.values));
      }),
    ]),
  });
}

/** The best of the prompts. */
export const findBestPrompt = (results: readonly Result[]): Result | undefined =>
  findBest(results.filter(({ way }) => way.kind === 'prompt'));

/** The tested model's score with its interval, in words. */
export const describeScore = ({ way, score, interval, answers }: Result, metric: Metric): string =>
  `${way.name}: ${metricNames[metric]} ${percent(score)} (95 %: ${percent(interval.low)} – ${percent(interval.high)}, ${answers.length} questions).`;
