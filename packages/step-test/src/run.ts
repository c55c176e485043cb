import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StepFailure } from '@joyul/plugin-api';
import { readDataset, readTestSplit } from '@joyul/data';
import type { Row } from '@joyul/data';
import {
  calibrationError,
  formatP,
  holmAdjust,
  logLoss,
  mcNemarTest,
  measureClassification,
  percent,
  sayP,
  smallestDetectable,
} from '@joyul/metrics';
import type { ClassificationMetrics, McNemar } from '@joyul/metrics';
import { openPredictor } from '@joyul/training';
import type { Predictor, Trainability } from '@joyul/training';
import { runBaselines } from './baselines.ts';
import type { Baseline } from './baselines.ts';
import type { Context } from './context.ts';
import type { TestParams } from './index.ts';
import { testLanguage } from './language.ts';
import { countOpening, tellOpenings } from './openings.ts';
import { perturbations } from './perturb.ts';

/** A baseline beside the tuned model. */
interface Comparison {
  readonly id: Baseline['id'];
  readonly name: string;
  readonly metrics: ClassificationMetrics;
  readonly paired: McNemar;
  /** Corrected for the number of comparisons. */
  readonly pValue: number;
}

const shownExamples = 3;

function compare(
  baselines: readonly Baseline[],
  truth: readonly number[],
  answers: readonly number[],
  labels: readonly string[],
): readonly Comparison[] {
  const isRight = answers.map((answer, row) => answer === truth[row]);
  const paired = baselines.map((baseline) =>
    mcNemarTest(
      isRight,
      baseline.answers.map((answer, row) => answer === truth[row]),
    ),
  );
  const adjusted = holmAdjust(paired.map((item) => item.pValue));
  return baselines.map((baseline, index) => ({
    id: baseline.id,
    name: baseline.name,
    metrics: measureClassification(truth, baseline.answers, labels),
    paired: paired[index] ?? { onlyFirst: 0, onlySecond: 0, pValue: 1 },
    pValue: adjusted[index] ?? 1,
  }));
}

/** How often the answer stays when the text changes in ways that do not matter. */
async function measureConsistency(
  predictor: Predictor,
  rows: readonly Row[],
  answers: readonly string[],
  seed: number,
): Promise<readonly { readonly name: string; readonly agreement: number }[]> {
  const results: { name: string; agreement: number }[] = [];
  for (const { name, apply } of perturbations) {
    const changed = await predictor.predict(rows.map((row, index) => apply(row.text, seed + index)));
    results.push({
      name,
      agreement:
        changed.filter((prediction, row) => prediction.label === answers[row]).length /
        Math.max(1, rows.length),
    });
  }
  return results;
}

/** Whether tuning pays on this data, in words. */
export function formVerdict(
  isFineTuning: boolean,
  comparisons: readonly Comparison[],
  accuracy: number,
): string {
  const subject = isFineTuning ? 'Fine-tuning' : 'A new head on frozen features (which is not fine-tuning)';
  const rivals = comparisons.filter((item) => item.id !== 'majority');
  const strongest = rivals.reduce<Comparison | undefined>(
    (left, right) => (left === undefined || right.metrics.accuracy > left.metrics.accuracy ? right : left),
    undefined,
  );
  if (strongest === undefined) return `${subject} reaches ${percent(accuracy)}.`;
  const gain = accuracy - strongest.metrics.accuracy;
  const points = `${Math.abs(100 * gain).toFixed(1)} points`;
  if (gain > 0 && strongest.pValue < 0.05)
    return `${subject} pays here: ${points} better than the best simple way (${strongest.name}), and that is no chance (${sayP(strongest.pValue)}).`;
  if (gain > 0)
    return `${subject} is ${points} better than the best simple way (${strongest.name}), but on this many rows that may be chance (${sayP(strongest.pValue)}).`;
  const margin =
    gain === 0
      ? 'as good'
      : `${points} better${strongest.pValue < 0.05 ? '' : ` (which may be chance, ${sayP(strongest.pValue)})`}`;
  const beaten = rivals.filter((item) => item.metrics.accuracy < accuracy && item.pValue < 0.05);
  const gains = beaten.map(
    (item) =>
      ` It does beat ${item.name}: ${(100 * (accuracy - item.metrics.accuracy)).toFixed(1)} points, ${sayP(item.pValue)}.`,
  );
  return `${subject} does not pay here: ${strongest.name} is ${margin} and costs less.${gains.join('')}`;
}

function checkGate(
  params: TestParams,
  metrics: ClassificationMetrics,
  comparisons: readonly Comparison[],
): void {
  const problems: string[] = [];
  if (metrics.accuracy < params.min_accuracy)
    problems.push(
      `The accuracy ${percent(metrics.accuracy)} is below min_accuracy ${percent(params.min_accuracy)}.`,
    );
  for (const id of params.must_beat) {
    const rival = comparisons.find((item) => item.id === id);
    if (rival !== undefined && metrics.accuracy <= rival.metrics.accuracy)
      problems.push(
        `The accuracy ${percent(metrics.accuracy)} does not beat ${rival.name} (${percent(rival.metrics.accuracy)}).`,
      );
  }
  if (problems.length > 0)
    throw new StepFailure('GATE', 'The gate refuses this model.', {
      problems: problems.map((message) => ({ message })),
      help: 'Improve the model, or change the gate in the pipeline.',
    });
}

/** Rows that the tuned model gets right and the frozen probe does not, and the other way round. */
function findChanges(
  rows: readonly Row[],
  truth: readonly number[],
  answers: readonly number[],
  probe: Baseline | undefined,
): { readonly mended: readonly Row[]; readonly broken: readonly Row[] } {
  const pick = (fits: (tuned: boolean, before: boolean) => boolean): readonly Row[] =>
    rows.filter((_, row) => fits(answers[row] === truth[row], probe?.answers[row] === truth[row]));
  return {
    mended: pick((tuned, before) => tuned && !before),
    broken: pick((tuned, before) => !tuned && before),
  };
}

function tell(
  context: Context,
  metrics: ClassificationMetrics,
  comparisons: readonly Comparison[],
  verdict: string,
  openings: number,
): void {
  const { emit } = context;
  const interval = (item: ClassificationMetrics): string =>
    `${percent(item.accuracyInterval.low)} – ${percent(item.accuracyInterval.high)}`;
  emit({
    type: 'finding',
    weight: 'headline',
    text: `Test accuracy ${percent(metrics.accuracy)} (95 %: ${interval(metrics)}, ${metrics.count} rows), macro F1 ${metrics.macroF1.toFixed(3)}. ${verdict}`,
  });
  emit({
    type: 'table',
    title: 'On the same test rows',
    columns: ['', 'accuracy', '95 % interval', 'macro F1', 'mended / broken', 'p'],
    rows: [
      [
        'this model',
        percent(metrics.accuracy),
        interval(metrics),
        Number(metrics.macroF1.toFixed(3)),
        '',
        '',
      ],
      ...comparisons.map((item) => [
        item.name,
        percent(item.metrics.accuracy),
        interval(item.metrics),
        Number(item.metrics.macroF1.toFixed(3)),
        `${item.paired.onlyFirst} / ${item.paired.onlySecond}`,
        formatP(item.pValue),
      ]),
    ],
  });
  emit({
    type: 'finding',
    text: `Differences below about ${(100 * smallestDetectable(metrics.count)).toFixed(1)} points would not show on ${metrics.count} rows. p: exact McNemar test, corrected by Holm.`,
  });
  tellOpenings(context, openings);
}

/** What tuning mended and what it broke, beside the frozen features. */
function tellChanges({ emit }: Pick<Context, 'emit'>, mended: readonly Row[], broken: readonly Row[]): void {
  const quote = (row: Row): string => `"${row.text.replaceAll('\n', ' ').slice(0, 80)}" (${row.label ?? ''})`;
  if (mended.length > 0)
    emit({
      type: 'finding',
      text: `Errors of the frozen features that are mended: ${mended.length}, such as ${mended.slice(0, shownExamples).map(quote).join('; ')}.`,
    });
  if (broken.length > 0)
    emit({ type: 'finding', text: `Answers that were right and are wrong now: ${broken.length}.` });
}

/** The model's answers to the test texts, and how often they stay when the texts are changed a little. */
async function answerTest(
  { inputs, seed, backend }: Pick<Context, 'inputs' | 'seed' | 'backend'>,
  rows: readonly Row[],
) {
  const predictor = await openPredictor(inputs.trained, backend === undefined ? {} : { backend });
  try {
    const predictions = await predictor.predict(rows.map((row) => row.text));
    const { labels } = predictor;
    const given = predictions.map((prediction) => prediction.label);
    return {
      labels,
      truth: rows.map((row) => labels.indexOf(row.label ?? '')),
      answers: given.map((label) => labels.indexOf(label)),
      probabilities: predictions.map((prediction) => prediction.probabilities),
      consistency: await measureConsistency(predictor, rows, given, seed),
    };
  } finally {
    predictor.dispose();
  }
}

/** Tests and writes. */
export async function runTest(context: Context): Promise<void> {
  const { rows, header } = await readTestSplit(context.inputs.test);
  if (rows.length === 0)
    throw new StepFailure('NO_ROWS', 'The test split is empty.', {
      help: 'Give prepare a share for the test split.',
    });
  const openings = await countOpening(rows, context.downloadDir);
  if (header.task === 'classification') await testClassifier(rows, header.source, openings, context);
  else await testLanguage(rows, openings, context);
}

async function testClassifier(
  rows: readonly Row[],
  source: string,
  openings: number,
  context: Context,
): Promise<void> {
  const { params, inputs, outputs, seed, backend, signal, emit } = context;
  const dataset = await readDataset(inputs.dataset);
  emit({ type: 'progress', activity: 'answering', done: 0, total: rows.length, unit: 'texts' });
  const { labels, truth, answers, probabilities, consistency } = await answerTest(context, rows);
  const metrics = measureClassification(truth, answers, labels);
  const baselines = await runBaselines({
    train: await dataset.rows('train'),
    test: rows,
    labels,
    baseModelDir: inputs.model,
    maxLength: params.max_length,
    probeRows: params.probe_rows,
    seed,
    signal,
    emit,
    ...(backend === undefined ? {} : { backend }),
  });
  const comparisons = compare(baselines, truth, answers, labels);
  const proof = JSON.parse(await readFile(join(inputs.trained, 'trainability.json'), 'utf8')) as Trainability; // Written by the train step.
  const verdict = formVerdict(proof.isFineTuning, comparisons, metrics.accuracy);
  const { mended, broken } = findChanges(
    rows,
    truth,
    answers,
    baselines.find((item) => item.id === 'frozen_probe'),
  );
  const content = {
    version: 1,
    split: 'test',
    source,
    ...metrics,
    loss: logLoss(truth, probabilities),
    calibrationError: calibrationError(truth, probabilities),
    isFineTuning: proof.isFineTuning,
    verdict,
    comparisons,
    consistency,
    mended: mended.map((row) => row.id),
    broken: broken.map((row) => row.id),
  };
  await writeFile(join(outputs.metrics, 'metrics.json'), `${JSON.stringify(content, null, 2)}\n`);
  tell(context, metrics, comparisons, verdict, openings);
  emit({
    type: 'table',
    title: 'Consistency: the answer stays when the text is changed to',
    columns: ['change', 'same answer'],
    rows: consistency.map((item) => [item.name, percent(item.agreement)]),
  });
  tellChanges(context, mended, broken);
  checkGate(params, metrics, comparisons);
}
