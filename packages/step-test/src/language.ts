import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Row } from '@joyul/data';
import { makeRandom, readDataset } from '@joyul/data';
import {
  answerMetricNames as metricNames,
  chooseAnswerMetric,
  comparePaired,
  holmAdjust,
} from '@joyul/metrics';
import type { AnswerMetric as Metric, Interval } from '@joyul/metrics';
import { encodeLanguageRows, measureLanguage, openLanguageModel, questionsOf } from '@joyul/training';
import type { LanguageModel } from '@joyul/training';
import { StepFailure } from '@joyul/plugin-api';
import type { Context } from './context.ts';
import { tellOpenings } from './openings.ts';
import { answerAll, listWays, mean } from './ways.ts';
import type { Answered, Result, Way } from './ways.ts';

/** A rival beside the tuned model, on the same questions. */
interface Comparison extends Result {
  /** Of the tuned model over it, with its 95 % interval. */
  readonly gain: number;
  readonly gainInterval: Interval;
  /** Corrected for the number of comparisons. */
  readonly pValue: number;
  readonly mended: number;
  readonly broken: number;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function compare(
  own: Result,
  rivals: readonly Result[],
  metric: Metric,
  seed: number,
): readonly Comparison[] {
  const valuesOf = ({ scores }: Result): readonly number[] => scores.map((item) => item[metric]);
  const pairs = rivals.map((rival) =>
    comparePaired(valuesOf(own), valuesOf(rival), {
      makeRandom: () => makeRandom(seed),
      isRightOrWrong: metric === 'exactMatch',
    }),
  );
  const adjusted = holmAdjust(pairs.map(({ pValue }) => pValue));
  return rivals.flatMap((rival, index) => {
    const pair = pairs[index];
    if (pair === undefined) return [];
    const { gain, gainInterval, better: mended, worse: broken } = pair;
    return [{ ...rival, gain, gainInterval, pValue: adjusted[index] ?? 1, mended, broken }];
  });
}

/** Whether tuning pays on this data, in words. */
function formVerdict(own: Result, comparisons: readonly Comparison[], metric: Metric): string {
  const best = comparisons.reduce<Comparison | undefined>(
    (left, right) => (left === undefined || right.score > left.score ? right : left),
    undefined,
  );
  if (best === undefined) return '';
  const p = `p = ${best.pValue.toPrecision(2)}`;
  const points = `${Math.abs(100 * best.gain).toFixed(1)} points of ${metricNames[metric]}`;
  const isCertain = best.pValue < 0.05;
  if (best.gain > 0 && isCertain)
    return `Fine-tuning pays here: ${points} better than the best prompt (${best.way.name}), and that is no chance (${p}).`;
  if (best.gain > 0)
    return `Fine-tuning is ${points} better than the best prompt (${best.way.name}), but on so few rows that may be chance (${p}).`;
  return `Fine-tuning does not pay here: the best prompt (${best.way.name}) is ${best.gain === 0 ? 'as good' : `${points} better${isCertain ? '' : ` (which may be chance, ${p})`}`}.`;
}

/** What is told of the answers. */
interface Told {
  readonly own: Result;
  readonly comparisons: readonly Comparison[];
  readonly metric: Metric;
  readonly verdict: string;
  readonly consistency: Answered['consistency'];
  /** What was found besides. */
  readonly found: string;
}

function tell(
  { emit }: Pick<Context, 'emit'>,
  { own, comparisons, metric, verdict, consistency, found }: Told,
): void {
  const name = metricNames[metric];
  const { score, interval, answers } = own;
  emit({
    type: 'finding',
    weight: 'headline',
    text: `${name[0]?.toUpperCase() ?? ''}${name.slice(1)} ${percent(score)} (95 %: ${percent(interval.low)} – ${percent(interval.high)}, ${answers.length} questions). ${verdict}`,
  });
  emit({ type: 'finding', text: found });
  const row = (result: Result, rest: readonly string[]): readonly (string | number)[] => [
    result.way.name,
    percent(result.score),
    `${percent(result.interval.low)} – ${percent(result.interval.high)}`,
    Math.round(mean(result.answers.map(({ promptTokens }) => promptTokens))),
    Number(mean(result.answers.map(({ newTokens }) => newTokens)).toFixed(1)),
    Number(result.secondsPerAnswer.toFixed(3)),
    ...rest,
  ];
  const rivals = comparisons.map((item) =>
    row(item, [
      `${item.mended} / ${item.broken}`,
      item.pValue < 0.001 ? '< 0.001' : item.pValue.toPrecision(2),
    ]),
  );
  emit({
    type: 'table',
    title: `On the same ${answers.length} test questions`,
    columns: ['', name, '95 % interval', 'tokens in', 'out', 's each', 'mended / broken', 'p'],
    rows: [row(own, ['', '']), ...rivals],
  });
  emit({
    type: 'table',
    title: 'Consistency: how alike the answer stays when the question is changed to',
    columns: ['change', name],
    rows: consistency.map((item) => [item.name, percent(item.agreement)]),
  });
}

/** What both models find new in the test rows. */
interface Losses {
  readonly tuned: number;
  readonly base: number;
}

async function measureLosses(
  rows: readonly Row[],
  models: Readonly<Record<Way['model'], LanguageModel>>,
  { params, backend, emit }: Context,
): Promise<Losses> {
  const measure = async ({ model, encoder }: LanguageModel): Promise<number> => {
    const { examples } = encodeLanguageRows(rows, encoder, params.context);
    return measureLanguage(model, examples, backend === undefined ? {} : { backend });
  };
  emit({ type: 'progress', activity: 'measuring', done: 0 });
  return { tuned: await measure(models.tuned), base: await measure(models.base) };
}

/** Everything that was found, as metrics.json has it. */
const describeLosses = ({ tuned, base }: Losses) => ({
  version: 1,
  split: 'test',
  loss: tuned,
  perplexity: Math.exp(tuned),
  base_loss: base,
  base_perplexity: Math.exp(base),
});

function describeAnswers(own: Result, comparisons: readonly Comparison[], metric: Metric, verdict: string) {
  return {
    metric: metricNames[metric],
    score: own.score,
    interval: own.interval,
    exact_match: mean(own.scores.map(({ exactMatch }) => exactMatch)),
    f1: mean(own.scores.map(({ f1 }) => f1)),
    rouge_l: mean(own.scores.map(({ rougeL }) => rougeL)),
    questions: own.answers.length,
    best_prompt: Math.max(...comparisons.map(({ score }) => score)),
    verdict,
    comparisons: comparisons.map(
      ({ way, answers: _answers, scores: _scores, secondsPerAnswer: _seconds, ...rest }) => ({
        name: way.name,
        ...rest,
      }),
    ),
  };
}

function checkGate(own: Result, metric: Metric, { min_accuracy: least }: Context['params']): void {
  if (own.score >= least) return;
  const message = `Its ${metricNames[metric]} ${percent(own.score)} is below min_accuracy ${percent(least)}.`;
  throw new StepFailure('GATE', 'The gate refuses this model.', {
    problems: [{ message }],
    help: 'Improve the model, or change the gate in the pipeline.',
  });
}

/** Tests a language model on sealed conversations or texts, beside prompts for the untuned one. */
export async function testLanguage(rows: readonly Row[], openings: number, context: Context): Promise<void> {
  const { params, inputs, outputs, seed, emit } = context;
  const models = {
    tuned: await openLanguageModel(inputs.trained),
    base: await openLanguageModel(inputs.model),
  };
  const losses = await measureLosses(rows, models, context);
  const write = (content: unknown): Promise<void> =>
    writeFile(join(outputs.metrics, 'metrics.json'), `${JSON.stringify(content, null, 2)}\n`);
  const found = `Test perplexity ${Math.exp(losses.tuned).toFixed(2)}, of the untuned model ${Math.exp(losses.base).toFixed(2)}.`;
  tellOpenings(context, openings);
  const questions = questionsOf(rows).slice(0, params.max_questions);
  if (questions.length === 0) {
    await write(describeLosses(losses));
    emit({ type: 'finding', weight: 'headline', text: found });
    return;
  }
  const metric = chooseAnswerMetric(
    questions.map(({ expected }) => expected),
    params.metric,
  );
  const ways = listWays(await (await readDataset(inputs.dataset)).rows('train'), context);
  const dirs = { tuned: inputs.trained, base: inputs.model };
  const { results, consistency } = await answerAll(ways, dirs, questions, metric, context);
  const [own, ...rivals] = results;
  if (own === undefined) throw new Error('Internal error: nobody answered.');
  const comparisons = compare(own, rivals, metric, seed);
  const verdict = formVerdict(own, comparisons, metric);
  await write({
    ...describeLosses(losses),
    ...describeAnswers(own, comparisons, metric, verdict),
    consistency,
  });
  const lines = questions.map(({ row, expected }, at) => {
    const answers = results.map(({ way, answers: given }) => [way.name, given[at]?.text ?? ''] as const);
    return `${JSON.stringify({ id: row.id, expected, answers: Object.fromEntries(answers) })}\n`;
  });
  await writeFile(join(outputs.metrics, 'answers.jsonl'), lines.join(''));
  tell(context, { own, comparisons, metric, verdict, consistency, found });
  checkGate(own, metric, params);
}
