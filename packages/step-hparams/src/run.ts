import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepContext } from '@joyul/plugin-api';
import { openTokenizer, readDataset } from '@joyul/data';
import type { DatasetHeader } from '@joyul/data';
import { writeModel } from '@joyul/models';
import type { BertFolder } from '@joyul/models';
import {
  TrainingError,
  Workshop,
  defaultHparams,
  describeTrunk,
  drawAdapter,
  encodeRows,
  fitHead,
  openEncoder,
  readStrategy,
  trainClassifier,
  writeHparams,
} from '@joyul/training';
import type { Example, Hparams, Strategy, TrainOptions, TrainingStart, Trial } from '@joyul/training';
import type { HparamsParams } from './index.ts';
import { prepareLanguageTrials } from './language.ts';
import { choosePrompts } from './prompts.ts';
import { sampleRows } from './sample-rows.ts';

type Ports = {
  readonly dataset: { readonly type: 'dataset' };
  readonly model: { readonly type: 'base-model' };
  readonly strategy: { readonly type: 'strategy' };
};
/** What the step's files use of its context, and what its trials share. */
export type Context = StepContext<
  HparamsParams,
  Ports,
  { readonly hparams: { readonly type: 'hparams' } }
> & { readonly workshop: Workshop };

/** How good a trial's model is at its end. */
interface TrialResult {
  /** On the validation split. */
  readonly loss: number;
  /** The mean grade of answers; absent where the loss judges. */
  readonly grade?: number;
}

/** Trains for a trial. */
export type TrialRunner = (
  hparams: Hparams,
  onIteration: NonNullable<TrainOptions['onIteration']>,
) => Promise<TrialResult>;

/** What a data set is for. */
type Task = DatasetHeader['task'] | 'unlabelled';

const given = <T>(value: T | 'auto', fallback: T): T => (value === 'auto' ? fallback : value);

/** What the params say, and the method's defaults where they say auto. */
function resolve(params: HparamsParams, strategy: Strategy, task: Task): Hparams {
  const {
    trials: _trials,
    trial_rows: _rows,
    instructions: _instructions,
    shots: _shots,
    prompt_questions: _questions,
    max_new_tokens: _tokens,
    context: _context,
    data: _data,
    grader: _grader,
    grader_questions: _graderQuestions,
    grader_tokens: _graderTokens,
    ...values
  } = params;
  const defaults = defaultHparams(strategy.method, task);
  return {
    ...defaults,
    ...values,
    learning_rate: given(params.learning_rate, defaults.learning_rate),
    head_learning_rate: given(params.head_learning_rate, defaults.head_learning_rate),
    batch_size: given(params.batch_size, defaults.batch_size),
    epochs: given(params.epochs, defaults.epochs),
    max_length: given(params.max_length, defaults.max_length),
  };
}

/** Learning rates around a middle one, a factor of √10 apart. */
export function spreadRates(middle: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) =>
    Number((middle * 10 ** ((index - Math.floor(count / 2)) / 2)).toPrecision(2)),
  );
}

/** The base model with a head fitted on its frozen features, as the init step makes it by default. */
async function addHead(
  base: BertFolder,
  train: readonly Example[],
  {
    labels,
    pooling,
    padId,
  }: { readonly labels: readonly string[]; readonly pooling: Strategy['pooling']; readonly padId: number },
  { scratch, signal, backend, sharedDir }: Context,
): Promise<BertFolder> {
  const dir = join(scratch, 'start');
  const tensors = await base.readTensors((name) => !name.startsWith('classifier.'));
  const head = await fitHead(base, train, {
    classes: labels.length,
    pooling,
    padId,
    signal,
    sharedDir,
    ...(backend === undefined ? {} : { backend }),
  });
  await writeModel(dir, {
    rawConfig: base.rawConfig,
    tensors: [...tensors.values(), ...head],
    labels,
    tokenizerFrom: base.path,
  });
  return openEncoder(dir);
}

/** What trains a classifier on a sample of the rows for each trial. */
async function prepareTrials(values: Hparams, strategy: Strategy, context: Context): Promise<TrialRunner> {
  const { inputs, seed, backend, signal, sharedDir, workshop, emit } = context;
  const tokenizer = await openTokenizer(inputs.model);
  const rows = await sampleRows(context);
  const { labels } = rows.dataset.header;
  const train = encodeRows(rows.train, tokenizer, labels, values.max_length);
  const validation = encodeRows(rows.validation, tokenizer, labels, values.max_length);
  const settings = { labels, pooling: strategy.pooling, padId: tokenizer.padId };
  const model = await addHead(await openEncoder(inputs.model), train, settings, context);
  const { adapters } = strategy;
  const adapter =
    adapters === undefined ? undefined : drawAdapter(model.config, adapters, await model.readTensors(), seed);
  let isTold = false;
  const onStart = ({ trunk, cut }: TrainingStart): void => {
    if (!isTold && trunk !== undefined && cut !== undefined)
      emit({ type: 'finding', text: `${describeTrunk(trunk, cut)} They serve all trials.` });
    isTold = true;
  };
  return async (hparams, onIteration) => {
    const { evaluations } = await trainClassifier({
      model,
      labels,
      train,
      validation,
      padId: tokenizer.padId,
      strategy,
      hparams,
      ...(adapter === undefined ? {} : { adapter }),
      seed,
      signal,
      sharedDir,
      workshop,
      ...(backend === undefined ? {} : { backend }),
      onStart,
      onIteration,
    });
    return { loss: evaluations.at(-1)?.loss ?? Number.POSITIVE_INFINITY };
  };
}

/** Below whatever was measured. */
const worstScore = -1e9;
const lossName = 'negative validation loss';
const gradeName = 'mean grade';

/** The negative validation loss after one epoch, or the mean grade where a grader judges. */
async function score(train: () => Promise<TrialResult>): Promise<Pick<Trial, 'score' | 'scoreName'>> {
  try {
    const { loss, grade } = await train();
    if (grade !== undefined) return { score: grade, scoreName: gradeName };
    return { score: Number.isFinite(loss) ? -loss : worstScore, scoreName: lossName };
  } catch (error) {
    // A learning rate at which the loss explodes is a result, not a failure.
    if (error instanceof TrainingError && error.code === 'LOSS_NOT_FINITE')
      return { score: worstScore, scoreName: lossName };
    throw error;
  }
}

/** Trains for one epoch on a sample at each learning rate; the validation loss decides. */
async function search(
  values: Hparams,
  strategy: Strategy,
  task: Task,
  given: Omit<Context, 'workshop'>,
): Promise<readonly Trial[]> {
  const { params, scratch, emit } = given;
  const workshop = new Workshop();
  const trials: Trial[] = [];
  try {
    const prepare = task === 'classification' ? prepareTrials : prepareLanguageTrials;
    const train = await prepare(values, strategy, { ...given, workshop });
    for (const learning_rate of spreadRates(values.learning_rate, params.trials)) {
      const startMs = performance.now();
      const done = trials.length;
      const hparams = { ...values, learning_rate, epochs: 1, evals_per_epoch: 1, early_stopping_patience: 0 };
      const found = await score(() =>
        train(hparams, ({ iteration, total, loss }) => {
          emit({
            type: 'progress',
            activity: `trial ${done + 1} of ${params.trials}, learning rate ${learning_rate}`,
            done: done * total + iteration,
            total: params.trials * total,
            detail: `loss ${loss.toFixed(3)}`,
          });
        }),
      );
      trials.push({
        values: { learning_rate },
        ...found,
        seconds: (performance.now() - startMs) / 1000,
      });
    }
  } finally {
    await workshop.dispose();
  }
  await rm(join(scratch, 'start'), { recursive: true, force: true });
  return trials;
}

/** Whether more is trained than a head. */
const trainsModel = ({ blocks, adapters }: Strategy): boolean => blocks.length > 0 || adapters !== undefined;

/** Chooses and writes hyperparameters. */
export async function runHparams(context: Omit<Context, 'workshop'>): Promise<void> {
  const { params, inputs, outputs, emit } = context;
  const strategy = await readStrategy(inputs.strategy);
  const { header } = await readDataset(inputs.dataset);
  const isEncoder = header.task === 'classification';
  const task: Task = isEncoder && params.data === 'unlabelled' ? 'unlabelled' : header.task;
  const start = resolve(params, strategy, task);
  if (strategy.method === 'prompt') {
    await choosePrompts(start, context);
    return;
  }
  const isSearched =
    task !== 'unlabelled' && params.learning_rate === 'auto' && params.trials > 1 && trainsModel(strategy);
  const trials = isSearched ? await search(start, strategy, task, context) : [];
  const best = trials.reduce<Trial | undefined>(
    (left, right) => (left === undefined || right.score > left.score ? right : left),
    undefined,
  );
  const values: Hparams = { ...start, ...best?.values };
  const isGraded = best?.scoreName === gradeName;
  const reason =
    best === undefined
      ? `given values and the defaults of ${task === 'unlabelled' ? 'a stage on unlabelled texts' : 'the method'}`
      : `the best of ${trials.length} learning rates after one epoch on ${params.trial_rows} rows${isGraded ? ', as the grader judges their answers' : ''}`;
  await writeHparams(outputs.hparams, { version: 1, values, trials, reason });
  const head = task === 'classification' ? ` (head ${values.head_learning_rate})` : '';
  const what = trainsModel(strategy)
    ? `learning rate ${values.learning_rate}${head}`
    : `head learning rate ${values.head_learning_rate}`;
  emit({
    type: 'finding',
    weight: 'headline',
    text: `${what[0]?.toUpperCase() ?? ''}${what.slice(1)}, batches of ${values.batch_size}, at most ${values.epochs} epochs: ${reason}.`,
  });
  if (trials.length === 0) return;
  emit({
    type: 'finding',
    text: 'The best of several trials looks a little better than it is; the test split decides.',
  });
  emit({
    type: 'table',
    title: 'Trials',
    columns: ['learning rate', isGraded ? 'grade' : 'validation loss', 'seconds'],
    rows: trials.map((trial) => [
      String(trial.values.learning_rate),
      Number((isGraded ? trial.score : -trial.score).toFixed(4)),
      Number(trial.seconds.toFixed(1)),
    ]),
  });
}
