import type { Dataset } from '@joyul/data';
import { mcNemarTest, percent, sayP } from '@joyul/metrics';
import { isMaskedHead, writeModel } from '@joyul/models';
import type { NamedTensor } from '@joyul/models';
import { describeMemory, encodeRows, probeEncoder, readUnlabelled, trainEncoder } from '@joyul/training';
import type {
  EncoderEvaluation,
  EncoderTrainResult,
  Example,
  Objective,
  ProbeScore,
  Strategy,
} from '@joyul/training';
import { openAdapter } from './adapters.ts';
import {
  StartWatch,
  checkTrainability,
  makeListeners,
  makeTakePrefix,
  tellBackend,
  tellBefore,
  tellMemory,
  tellOutcome,
  throwAsFailure,
  writeHistory,
} from './common.ts';
import type { Context } from './common.ts';
import { openEncoderInputs } from './encoder-inputs.ts';
import type { EncoderInputs } from './encoder-inputs.ts';

/** What an objective is, in words. */
const tasks: Readonly<Record<Objective, string>> = {
  contrastive:
    'Contrastive learning (SimCSE): each text goes through the model twice, with other places dropped, and has to be known again among the others of its batch',
  masked:
    'Masked words: 15 % of the words of each text have to be guessed, of which 80 % are hidden, 10 % replaced and 10 % left; others each epoch',
};

/** What is drawn and told besides the loss. */
const measuresOf = ({ measures }: EncoderEvaluation): EncoderEvaluation['measures'] => measures;

/** What this stage trains, with what. */
interface Stage extends EncoderInputs {
  readonly strategy: Strategy;
  readonly objective: Objective;
}

async function openStage(strategy: Strategy, context: Context): Promise<Stage> {
  const opened = await openEncoderInputs(context);
  const { model, tokenizer } = opened;
  const suited = model.maskedHead.length > 0 && tokenizer.maskId !== undefined ? 'masked' : 'contrastive';
  const { objective } = context.params;
  return { ...opened, strategy, objective: objective === 'auto' ? suited : objective };
}

/** Labelled rows that features are probed with. */
const probedRows = 4000;

/** Measures what features are worth for the labels; undefined where there are too few labelled rows. */
async function prepareProbe(
  dataset: Dataset,
  { model, tokenizer, strategy, hparams }: Stage,
  { signal, backend, sharedDir, emit }: Context,
): Promise<((weights: ReadonlyMap<string, NamedTensor>) => Promise<ProbeScore>) | undefined> {
  const { labels } = dataset.header;
  const encode = async (split: 'train' | 'validation'): Promise<readonly Example[]> =>
    encodeRows((await dataset.rows(split)).slice(0, probedRows), tokenizer, labels, hparams.max_length);
  const rows = { train: await encode('train'), validation: await encode('validation') };
  if (rows.train.length < labels.length || rows.validation.length === 0) return undefined;
  return (weights) =>
    probeEncoder(model, rows, {
      classes: labels.length,
      pooling: strategy.pooling,
      padId: tokenizer.padId,
      weights,
      signal,
      sharedDir,
      ...(backend === undefined ? {} : { backend }),
      onProgress: (done, total) => {
        emit({ type: 'progress', activity: 'measuring features', done, total, unit: 'texts' });
      },
    });
}

/** Says what the features were worth for the labels before and are worth now. */
function tellProbe({ emit }: Context, before: ProbeScore, after: ProbeScore): void {
  const share = ({ isRight }: ProbeScore): number => isRight.filter(Boolean).length / isRight.length;
  const { pValue } = mcNemarTest(before.isRight, after.isRight);
  const [first, last] = [share(before), share(after)];
  const sure =
    last === first
      ? ''
      : pValue < 0.05
        ? `, a difference that is not chance (${sayP(pValue)})`
        : `, a difference that may be chance (${sayP(pValue)})`;
  const isWorse = last < first;
  emit({
    type: 'finding',
    ...(isWorse ? { weight: 'warning' as const } : {}),
    text: `A linear head on frozen features answers ${percent(last)} of ${after.isRight.length} labelled validation rows rightly; before this stage ${percent(first)}${sure}.${isWorse ? ' For these labels the stage helps nothing so far: see whether the labelled stage is better without it.' : ''}`,
  });
}

const describe = (point: EncoderEvaluation, objective: Objective): string => {
  const { alignment = 0, uniformity = 0, 'guessed words': guessed = 0 } = point.measures;
  const more =
    objective === 'contrastive'
      ? `alignment ${alignment.toFixed(3)}, uniformity ${uniformity.toFixed(3)}`
      : `${percent(guessed)} of the masked words guessed`;
  return `${point.loss.toFixed(3)} (${more})`;
};

/** Below this loss a model knows nearly every text again before it has learned anything. */
const solvedLoss = 0.05;

/** Warns where the objective has next to nothing to teach: MiniLM lost features by it in the trial of few-labels.yaml. */
function tellSolved(
  { emit }: Context,
  { objective }: Stage,
  { evaluations: [first] }: EncoderTrainResult,
): void {
  if (objective !== 'contrastive' || first === undefined || first.loss >= solvedLoss) return;
  emit({
    type: 'finding',
    weight: 'warning',
    text: `Before training the model already knows nearly every text again (loss ${first.loss.toFixed(3)}), as one that was pretrained to compare sentences does: this objective has little to teach it, and may cost features.`,
  });
}

function tell(context: Context, stage: Stage, result: EncoderTrainResult, perIteration: number): void {
  const { objective, strategy } = stage;
  const { best, evaluations, iterations } = result;
  const [first] = evaluations;
  const before = first === undefined ? '' : `; before training ${describe(first, objective)}`;
  tellSolved(context, stage, result);
  const blocks = strategy.adapters === undefined ? strategy.blocks.join(', ') : 'adapters';
  tellOutcome(context, result, {
    headline: `On texts kept aside the ${objective} loss is ${describe(best, objective)} after ${best.iteration} of ${iterations} iterations${before}.`,
    what: objective === 'masked' ? `${blocks} and the head that guesses words` : blocks,
    kept: 'the weights with the lowest loss on texts kept aside are kept',
    perIteration,
  });
}

/** Writes the encoder without a classifier's head, with the one that guesses words where that was trained. */
async function writeEncoder(
  dir: string,
  { model, hparams, strategy, tokenizer, objective }: Stage,
  { weights }: EncoderTrainResult,
): Promise<void> {
  const { joyul_head: _head, id2label: _labels, label2id: _ids, ...rest } = model.rawConfig;
  const isMasked = objective === 'masked';
  // transformers wants the encoder's names under `bert.` where there is a head beside it.
  const tensors = [...weights.values()].map((tensor) =>
    isMasked && !isMaskedHead(tensor.name) ? { ...tensor, name: `bert.${tensor.name}` } : tensor,
  );
  await writeModel(dir, {
    rawConfig: {
      ...rest,
      architectures: [isMasked ? 'BertForMaskedLM' : 'BertModel'],
      joyul: { maxLength: hparams.max_length, pooling: strategy.pooling, tokenizerDigest: tokenizer.digest },
    },
    tensors,
    tokenizerFrom: model.path,
  });
}

/** Trains an encoder on the unlabelled texts of a data set, and writes it. */
export async function trainOnTexts(dataset: Dataset, strategy: Strategy, context: Context): Promise<void> {
  const { outputs, seed, backend, signal, scratch, emit } = context;
  const stage = await openStage(strategy, context);
  const { model, tokenizer, hparams, objective } = stage;
  const rows = await readUnlabelled(dataset, seed);
  const encode = (split: 'train' | 'validation'): readonly Example[] =>
    encodeRows(rows[split], tokenizer, [], hparams.max_length);
  emit({
    type: 'finding',
    text: `${tasks[objective]}. ${rows.train.length} unlabelled texts are learned from, ${rows.validation.length} kept aside.`,
  });
  tellBackend(context);
  const probe = await prepareProbe(dataset, stage, context);
  const before = await probe?.(await model.readTensors());
  const watch = new StartWatch<EncoderEvaluation>(context, hparams);
  emit({ type: 'progress', activity: 'starting', done: 0 });
  const result = await trainEncoder({
    ...stage,
    train: encode('train'),
    validation: encode('validation'),
    ...(await openAdapter(model, strategy)),
    seed,
    scratchDir: scratch,
    takePrefix: makeTakePrefix(hparams, context),
    signal,
    ...(backend === undefined ? {} : { backend }),
    onStart: (start) => {
      watch.begin(start);
      emit({ type: 'finding', text: `Training is expected to take ${describeMemory(start.memory)}.` });
      tellBefore(start, context, measuresOf);
    },
    ...makeListeners(context, measuresOf),
  }).catch(throwAsFailure);
  const secondsEach = watch.secondsEach(result.iterations);
  checkTrainability(result);
  await writeEncoder(outputs.trained, stage, result);
  await writeHistory(outputs.trained, result, {
    strategy,
    hparams,
    perEpoch: watch.perEpoch,
    metricsOf: ({ measures }) =>
      Object.fromEntries(Object.entries(measures).map(([name, value]) => [`eval_${name.replaceAll(' ', '_')}`, value])), // prettier-ignore
  });
  tellMemory(context, watch.predictedBytes);
  tell(context, stage, result, secondsEach);
  if (before !== undefined && probe !== undefined) tellProbe(context, before, await probe(result.weights));
}
