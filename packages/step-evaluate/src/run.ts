import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readDataset } from '@joyul/data';
import type { Dataset, Row } from '@joyul/data';
import { calibrationError, logLoss, measureClassification, percent, wilsonInterval } from '@joyul/metrics';
import type { ClassificationMetrics } from '@joyul/metrics';
import { openPredictor } from '@joyul/training';
import type { Evaluation, Prediction } from '@joyul/training';
import { advise } from './advise.ts';
import type { Context } from './context.ts';
import { evaluateLanguage } from './language.ts';
import { readTraining } from './training-files.ts';

const shorten = (text: string): string =>
  (text.length > 90 ? `${text.slice(0, 87)}...` : text).replaceAll('\n', ' ');

/** Accuracy of short, middle and long texts. */
function sliceByLength(
  rows: readonly Row[],
  isRight: readonly boolean[],
): readonly { readonly name: string; readonly count: number; readonly accuracy: number }[] {
  const lengths = rows.map((row) => row.text.length).sort((a, b) => a - b);
  const bounds = [1 / 3, 2 / 3].map((share) => lengths[Math.floor(share * lengths.length)] ?? 0);
  const [low = 0, high = 0] = bounds;
  const parts = [
    { name: `short (under ${low} characters)`, fits: (length: number) => length < low },
    { name: 'middle', fits: (length: number) => length >= low && length < high },
    { name: `long (${high} characters or more)`, fits: (length: number) => length >= high },
  ];
  return parts.map(({ name, fits }) => {
    const own = rows.flatMap((row, index) => (fits(row.text.length) ? [isRight[index] === true] : []));
    return { name, count: own.length, accuracy: own.filter(Boolean).length / Math.max(1, own.length) };
  });
}

function findErrors(
  rows: readonly Row[],
  predictions: readonly Prediction[],
  count: number,
): readonly {
  readonly text: string;
  readonly truth: string;
  readonly answer: string;
  readonly confidence: number;
}[] {
  const wrong = rows.flatMap((row, index) => {
    const prediction = predictions[index];
    if (prediction === undefined || prediction.label === row.label) return [];
    return [
      {
        text: row.text,
        truth: row.label ?? '',
        answer: prediction.label,
        confidence: Math.max(...prediction.probabilities),
      },
    ];
  });
  return wrong.sort((left, right) => right.confidence - left.confidence).slice(0, count);
}

function tell(
  context: Context,
  metrics: ClassificationMetrics,
  errors: ReturnType<typeof findErrors>,
  advice: ReturnType<typeof advise>,
): void {
  const { emit } = context;
  const { low, high } = metrics.accuracyInterval;
  emit({
    type: 'finding',
    weight: 'headline',
    text: `Validation accuracy ${percent(metrics.accuracy)} (95 %: ${percent(low)} – ${percent(high)}, ${metrics.count} rows), macro F1 ${metrics.macroF1.toFixed(3)}.`,
  });
  for (const item of advice) emit({ type: 'finding', text: item.text });
  emit({
    type: 'table',
    title: 'Classes on the validation split',
    columns: ['class', 'rows', 'precision', 'recall', 'F1'],
    rows: metrics.classes
      .slice(0, 20)
      .map((item) => [
        item.label,
        item.support,
        percent(item.precision),
        percent(item.recall),
        Number(item.f1.toFixed(3)),
      ]),
  });
  if (errors.length === 0) return;
  emit({
    type: 'table',
    title: 'Most confident errors: a wrong model, or a wrong label?',
    columns: ['truth', 'answer', 'confidence', 'text'],
    rows: errors.map((error) => [error.truth, error.answer, percent(error.confidence), shorten(error.text)]),
  });
}

/** Measures, advises and writes. */
export async function runEvaluate(context: Context): Promise<void> {
  const dataset = await readDataset(context.inputs.dataset);
  if (dataset.header.task !== 'classification') return evaluateLanguage(dataset, context);
  if (context.inputs.general !== undefined)
    context.emit({
      type: 'finding',
      weight: 'warning',
      text: 'The input general is not used: a classifier foresees no texts, so it has no perplexity.',
    });
  return evaluateClassifier(dataset, context);
}

async function evaluateClassifier(dataset: Dataset, context: Context): Promise<void> {
  const { params, inputs, outputs, backend, emit } = context;
  const rows = await dataset.rows('validation');
  emit({ type: 'progress', activity: 'answering', done: 0, total: rows.length, unit: 'texts' });
  const predictor = await openPredictor(inputs.trained, backend === undefined ? {} : { backend });
  const predictions = await predictor.predict(rows.map((row) => row.text));
  predictor.dispose();
  const { labels } = predictor;
  const truth = rows.map((row) => labels.indexOf(row.label ?? ''));
  const answers = predictions.map((prediction) => labels.indexOf(prediction.label));
  const probabilities = predictions.map((prediction) => prediction.probabilities);
  const metrics = measureClassification(truth, answers, labels);
  const training = await readTraining<Evaluation>(inputs.trained);
  const worst = metrics.classes
    .filter((item) => item.support > 0)
    .reduce<ClassificationMetrics['classes'][number] | undefined>(
      (left, right) => (left === undefined || right.recall < left.recall ? right : left),
      undefined,
    );
  const loss = logLoss(truth, probabilities);
  const calibration = calibrationError(truth, probabilities);
  const advice = advise({
    trainLoss: training.trainLoss,
    validationLoss: loss,
    validationLosses: training.evaluations.map((evaluation) => evaluation.loss),
    accuracy: metrics.accuracy,
    majority: Math.max(...metrics.classes.map((item) => item.support)) / Math.max(1, metrics.count),
    calibrationError: calibration,
    worstClass: worst,
    learningRate: training.hparams.learning_rate,
    epochs: training.hparams.epochs,
    method: training.strategy.method,
  });
  const isRight = truth.map((label, row) => label === answers[row]);
  const slices = sliceByLength(rows, isRight).map((slice) => ({
    ...slice,
    interval: wilsonInterval(Math.round(slice.accuracy * slice.count), slice.count),
  }));
  const errors = findErrors(rows, predictions, params.shown_errors);
  await writeFile(
    join(outputs.metrics, 'metrics.json'),
    `${JSON.stringify({ version: 1, split: 'validation', ...metrics, loss, calibrationError: calibration, slices, advice, errors }, null, 2)}\n`,
  );
  tell(context, metrics, errors, advice);
  emit({
    type: 'table',
    title: 'By length',
    columns: ['texts', 'rows', 'accuracy'],
    rows: slices.map((slice) => [slice.name, slice.count, percent(slice.accuracy)]),
  });
}
