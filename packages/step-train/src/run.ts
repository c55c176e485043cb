import { percent } from '@joyul/metrics';
import { StepFailure } from '@joyul/plugin-api';
import { readDataset } from '@joyul/data';
import type { Dataset } from '@joyul/data';
import { writeModel } from '@joyul/models';
import { describeMemory, describeTrunk, encodeRows, readStrategy, trainClassifier } from '@joyul/training';
import type { Evaluation, Strategy, TrainOptions, TrainResult, TrainingStart } from '@joyul/training';
import { keepAdapter, openAdapter } from './adapters.ts';
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
import { trainOnTexts } from './encoder.ts';
import { trainLanguage } from './language.ts';
import { searchForPrompt } from './prompt.ts';

/** What was trained; undefined for a head alone. */
function nameTrained({ blocks, adapters }: Strategy): string | undefined {
  if (adapters !== undefined) return 'adapters and the head';
  return blocks.length === 0 ? undefined : `${blocks.join(', ')} and the head`;
}

function tell(context: Context, strategy: Strategy, result: TrainResult, perIteration: number): void {
  const { trainability, best, evaluations, iterations } = result;
  const [first] = evaluations;
  const kind =
    trainability.isFineTuning || best.iteration === 0
      ? ''
      : 'No pretrained weight changed: this is feature extraction, not fine-tuning. ';
  const what = nameTrained(strategy);
  tellOutcome(context, result, {
    headline: `${kind}Validation accuracy ${percent(best.accuracy)} (loss ${best.loss.toFixed(3)}) after ${best.iteration} of ${iterations} iterations; before training ${percent(first?.accuracy ?? 0)} (loss ${(first?.loss ?? 0).toFixed(3)}).`,
    ...(what === undefined ? {} : { what }),
    kept: 'the weights with the highest validation accuracy are kept (of equals those with the lowest loss)',
    perIteration,
  });
}

/** Tells what was done before the first iteration. */
function tellStart(start: TrainingStart, context: Pick<Context, 'emit'>): void {
  const { emit } = context;
  const { cut, trunk, memory } = start;
  emit({ type: 'finding', text: `Training is expected to take ${describeMemory(memory)}.` });
  if (cut !== undefined && trunk !== undefined)
    emit({ type: 'finding', text: `${describeTrunk(trunk, cut)} They serve every epoch.` });
  tellBefore(start, context, accuracyOf);
}

/** What is drawn besides the losses. */
const accuracyOf = ({ accuracy }: Evaluation): Readonly<Record<string, number>> => ({
  'validation accuracy': accuracy,
});

/** Tells what happens before the first iteration. */
function tellActivity({ emit }: Pick<Context, 'emit'>, { blocks }: Pick<Strategy, 'blocks'>): void {
  const activity = blocks.includes('embeddings') ? 'starting' : 'computing frozen layers';
  emit({ type: 'progress', activity, done: 0 });
}

/** Trains and writes the model. */
export async function runTrain(context: Context): Promise<void> {
  const dataset = await readDataset(context.inputs.dataset);
  const strategy = await readStrategy(context.inputs.strategy);
  if (strategy.method === 'prompt') return searchForPrompt(dataset, strategy, context);
  if (dataset.header.task !== 'classification') {
    refuseObjective(context);
    return trainLanguage(dataset, strategy, context);
  }
  return context.params.data === 'unlabelled'
    ? trainOnTexts(dataset, strategy, context)
    : trainOnLabels(dataset, strategy, context);
}

/** Objectives are an encoder's: a decoder guesses the next token of labelled and unlabelled texts alike. */
function refuseObjective({ params: { objective } }: Context): void {
  if (objective === 'auto') return;
  throw new StepFailure(
    'NOT_AN_ENCODER',
    `objective: ${objective} is for encoders, but these rows are for a language model.`,
    { help: 'Take objective out, or prepare labelled texts with format: classification.' },
  );
}

async function trainOnLabels(dataset: Dataset, strategy: Strategy, context: Context): Promise<void> {
  const { outputs, seed, backend, signal, scratch, sharedDir } = context;
  const { hparams, model, tokenizer } = await openEncoderInputs(context);
  const { labels } = dataset.header;
  const encode = async (split: 'train' | 'validation'): Promise<TrainOptions['train']> =>
    encodeRows(await dataset.rows(split), tokenizer, labels, hparams.max_length);
  const [train, validation] = [await encode('train'), await encode('validation')];
  const adapter = await openAdapter(model, strategy);
  tellBackend(context);
  const watch = new StartWatch<Evaluation>(context, hparams);
  tellActivity(context, strategy);
  const result = await trainClassifier({
    model,
    labels,
    train,
    validation,
    padId: tokenizer.padId,
    strategy,
    ...adapter,
    hparams,
    seed,
    scratchDir: scratch,
    sharedDir,
    takePrefix: makeTakePrefix(hparams, context),
    signal,
    ...(backend === undefined ? {} : { backend }),
    onStart: (start) => {
      watch.begin(start);
      tellStart(start, context);
    },
    ...makeListeners(context, accuracyOf),
  }).catch(throwAsFailure);
  checkTrainability(result);
  const rawConfig = {
    ...model.rawConfig,
    joyul: { maxLength: hparams.max_length, pooling: strategy.pooling, tokenizerDigest: tokenizer.digest },
  };
  await writeModel(outputs.trained, {
    rawConfig,
    tensors: [...result.weights.values()],
    labels,
    tokenizerFrom: model.path,
  });
  await keepAdapter(context, result, {
    model,
    classes: labels.length,
    pooling: strategy.pooling,
    padId: tokenizer.padId,
    examples: validation,
  });
  await writeHistory(outputs.trained, result, {
    strategy,
    hparams,
    perEpoch: watch.perEpoch,
    metricsOf: ({ accuracy }) => ({ eval_accuracy: accuracy }),
  });
  tellMemory(context, watch.predictedBytes);
  tell(context, strategy, result, watch.secondsEach(result.iterations));
}
