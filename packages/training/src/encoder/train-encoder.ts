import { createHash } from 'node:crypto';
import { chooseBackend, choosePrecision, predictMemory } from '@joyul/compute';
import type { ChosenPrecision, MemoryPrediction } from '@joyul/compute';
import { bertWeightSpecs, blockOf, isAdapterName, isMaskedHead, maskedHeadSpecs } from '@joyul/models';
import type { BertDropout, NamedTensor } from '@joyul/models';
import { chooseBuckets } from '../batches.ts';
import type { Example } from '../batches.ts';
import { checkMemory, countCopies } from '../memory-plan.ts';
import { runTraining } from '../run-training.ts';
import { TrainingError, requireRows } from '../train-options.ts';
import type { UpdateOptions } from '../training-entries.ts';
import { optimizerOf, rateShareOf } from '../update-rule.ts';
import { withWorkshop } from '../workshop.ts';
import type { ToolPlan, Workshop } from '../workshop.ts';
import type { EncoderTrainOptions, EncoderTrainResult } from './encoder-options.ts';
import { makeEncoderProgram } from './encoder-program.ts';
import type { EncoderOptions } from './encoder-program.ts';
import { makeEncoderTask } from './encoder-task.ts';
import type { Words } from './mask-words.ts';

function digestExamples(examples: readonly Example[]): string {
  const hash = createHash('sha256');
  for (const { ids } of examples)
    hash.update(String(ids.length)).update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
  return hash.digest('hex');
}

/** The texts of a split, cut to the length that counts; those without a word are left out. */
function prepareSplit(
  { hparams, tokenizer, onWarning, ...splits }: EncoderTrainOptions,
  split: 'train' | 'validation',
): readonly Example[] {
  const kept = splits[split]
    .map(({ ids, label }) => ({ ids: ids.subarray(0, hparams.max_length), label }))
    .filter(({ ids }) => ids.some((id) => !tokenizer.specialIds.has(id)));
  const lost = splits[split].length - kept.length;
  if (lost > 0)
    onWarning?.(`${lost} of ${splits[split].length} unlabelled texts have no word; they are left out.`);
  return kept;
}

/** What the model's config.json says is dropped; a tenth where it says nothing, as in BERT. */
function dropoutOf({ dropout, model }: EncoderTrainOptions): BertDropout['rates'] {
  const rate = (key: string): number => {
    const given = model.rawConfig[key];
    return typeof given === 'number' && given > 0 && given < 1 ? given : 0.1;
  };
  return dropout ?? { hidden: rate('hidden_dropout_prob'), attention: rate('attention_probs_dropout_prob') };
}

/** What is trained and how, besides the weights. */
interface EncoderPlan {
  readonly options: EncoderOptions;
  readonly update: UpdateOptions;
  readonly tool: ToolPlan;
}

function makePlan(given: EncoderTrainOptions): EncoderPlan {
  const { model, strategy, hparams, adapter, objective, train, validation } = given;
  const { config } = model;
  const { optimizer, momentum, nesterov, layer_lr_decay } = hparams;
  const blocks = [...new Set(strategy.blocks)].sort();
  const longest = Math.min(hparams.max_length, config.maxPositions);
  const lengths = [...train, ...validation].map(({ ids }) => Math.min(ids.length, longest));
  const options: EncoderOptions = {
    config,
    objective,
    pooling: strategy.pooling,
    batchSize: hparams.batch_size,
    times: chooseBuckets(lengths).map((time) => Math.min(time, config.maxPositions)),
    dropout: dropoutOf(given),
    checkpointing: hparams.gradient_checkpointing,
    ...(adapter === undefined ? {} : { adapters: adapter.plan }),
  };
  const update: UpdateOptions = {
    isTrained: (name) => isAdapterName(name) || isMaskedHead(name) || blocks.includes(blockOf(name) ?? ''),
    weightDecay: hparams.weight_decay,
    maxGradNorm: hparams.max_grad_norm,
    optimizer: optimizerOf(hparams),
    rateShareOf: (name) => rateShareOf(name, config.layers, layer_lr_decay),
    decay: hparams.decay,
    accumulates: hparams.gradient_accumulation_steps > 1,
  };
  const key = ['encoder', options, update, blocks, optimizer, momentum, nesterov, layer_lr_decay];
  return { options, update, tool: { key, make: () => makeEncoderProgram(options, update) } };
}

function predict(options: EncoderTrainOptions, precision: ChosenPrecision): MemoryPrediction {
  const { model, scratchDir, backend, objective } = options;
  const { tool, update } = makePlan(options);
  const { program, weights } = tool.make();
  const trained = [...weights.values()].filter(({ name }) => update.isTrained(name));
  const head = objective === 'masked' ? maskedHeadSpecs(model.config) : [];
  return predictMemory(program, {
    backend: chooseBackend(backend).name,
    matmul: precision.name,
    copiedBytes: countCopies([...bertWeightSpecs(model.config), ...head], trained, scratchDir !== undefined),
  });
}

/** The encoder's weights, and those of the head that the objective needs. */
async function readWeights(
  workshop: Workshop,
  { model, objective, adapter }: EncoderTrainOptions,
): Promise<ReadonlyMap<string, NamedTensor>> {
  const encoder = [...(await workshop.readWeights(model))].filter(([name]) => blockOf(name) !== 'classifier');
  const head = objective === 'masked' ? model.maskedHead : [];
  const tensors = head.map(async ({ name, shape, readData }) => ({ name, shape, data: await readData() }));
  const own = (await Promise.all(tensors)).map((tensor) => [tensor.name, tensor] as const);
  return new Map([...encoder, ...own, ...(adapter?.tensors ?? [])]);
}

/** Refuses a strategy that trains nothing of the encoder. */
function requireTrained({ model, strategy, adapter }: EncoderTrainOptions): void {
  if (adapter !== undefined || strategy.blocks.some((block) => model.blocks.includes(block))) return;
  throw new TrainingError(
    'NO_GRADIENT',
    'The strategy trains no block of the encoder, and texts without labels train no head.',
    'Write method: full, repurpose or lora in the strategy of this stage.',
  );
}

/** The words that can be masked; absent where none are. */
function findWords({ objective, model, tokenizer }: EncoderTrainOptions): Words | undefined {
  if (objective === 'contrastive') return undefined;
  const { maskId, specialIds } = tokenizer;
  if (maskId === undefined || model.maskedHead.length === 0)
    throw new TrainingError(
      'NO_MASKED_HEAD',
      `The model has no ${maskId === undefined ? 'token for a masked word' : 'head that guesses masked words (cls.predictions)'}.`,
      'Write objective: contrastive, which needs none, or name a model with that head, such as hf:google-bert/bert-base-uncased.',
    );
  return { maskId, specialIds, vocabSize: model.config.vocabSize };
}

/**
 * Trains an encoder on texts without labels, from the model's weights: some of its blocks, or an adapter, and the head that
 * guesses masked words where they are guessed. The weights of the evaluation with the lowest loss are kept.
 *
 * What is dropped and masked follows from the seed and the place in training, so that a run that finds its own checkpoint
 * in `scratchDir` goes on exactly, and so does one that `takePrefix` gives the end of a run with fewer epochs.
 *
 * @throws TrainingError when memory would run out, the loss is not finite, or nothing can be learned.
 */
export async function trainEncoder(options: EncoderTrainOptions): Promise<EncoderTrainResult> {
  requireTrained(options);
  const words = findWords(options);
  const train = prepareSplit(options, 'train');
  const validation = prepareSplit(options, 'validation');
  requireRows(train, validation);
  if (words === undefined && Math.min(train.length, validation.length, options.hparams.batch_size) < 2)
    throw new TrainingError(
      'NO_ROWS',
      `A text is told from others beside it, but there are ${train.length} texts to train on and ${validation.length} to validate on, in batches of ${options.hparams.batch_size}.`,
      'Give prepare more unlabelled texts, and hparams a batch_size of 2 or more; 64 is usual.',
    );
  return withWorkshop(options.workshop, (workshop) =>
    trainIn(workshop, { ...options, train, validation }, words),
  );
}

async function trainIn(
  workshop: Workshop,
  options: EncoderTrainOptions,
  words: Words | undefined,
): Promise<EncoderTrainResult> {
  const { hparams, train, validation, backend, adapter, strategy, objective, seed } = options;
  const precision = await choosePrecision(hparams.precision, chooseBackend(backend).name);
  const memory = checkMemory(options, (changed) => predict(changed, precision));
  const before = await readWeights(workshop, options);
  const { options: shape, update, tool: plan } = makePlan(options);
  const tool = await workshop.openTool(plan, {
    matmul: precision.name,
    ...(backend === undefined ? {} : { backend }),
  });
  const task = makeEncoderTask({ options, session: tool.session, buckets: shape.times, words });
  if (task.makeEpoch(seed).length === 0)
    throw new TrainingError(
      'NO_ROWS',
      'No two unlabelled texts are of about the same length, so none can be told from another in its batch.',
      'Give prepare more unlabelled texts.',
    );
  return runTraining({
    options,
    task,
    tool,
    isTrained: update.isTrained,
    before,
    adapters: adapter?.plan,
    identity: [strategy, objective, shape.dropout, digestExamples(train), digestExamples(validation)],
    precision,
    memory,
    onStart: (start) => options.onStart?.(start),
  });
}
