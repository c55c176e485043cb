import { cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { StepFailure } from '@joyul/plugin-api';
import { readDataset } from '@joyul/data';
import { readTensors, copyTokenizer, writeTensors } from '@joyul/models';
import type { NamedTensor } from '@joyul/models';
import { openEncoder, openPredictor } from '@joyul/training';
import type { Prediction } from '@joyul/training';
import { exportAdapter } from './adapters.ts';
import { readMaking, writeJson } from './common.ts';
import type { Context, Export, Making } from './common.ts';
import { exportLanguageModel } from './language.ts';
import { formatModelCard } from './model-card.ts';
import type { CardContent } from './model-card.ts';
import { modelingFile } from './modeling.ts';

const goldenRows = 16;

/** Files that make sentence-transformers open the folder: encoder, pooling, and the head as a dense layer. */
async function writeSentenceTransformers(
  dir: string,
  settings: {
    readonly hidden: number;
    readonly labels: number;
    readonly pooling: string;
    readonly maxLength: number;
    readonly head: readonly NamedTensor[];
  },
): Promise<void> {
  const { hidden, labels, pooling, maxLength, head } = settings;
  await mkdir(join(dir, '1_Pooling'));
  await mkdir(join(dir, '2_Dense'));
  await writeJson(dir, 'modules.json', [
    { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
    { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
    { idx: 2, name: '2', path: '2_Dense', type: 'sentence_transformers.models.Dense' },
  ]);
  await writeJson(dir, 'sentence_bert_config.json', { max_seq_length: maxLength, do_lower_case: false });
  await writeJson(join(dir, '1_Pooling'), 'config.json', {
    word_embedding_dimension: hidden,
    pooling_mode_cls_token: pooling === 'cls',
    pooling_mode_mean_tokens: pooling !== 'cls',
    pooling_mode_max_tokens: false,
    pooling_mode_mean_sqrt_len_tokens: false,
  });
  await writeJson(join(dir, '2_Dense'), 'config.json', {
    in_features: hidden,
    out_features: labels,
    bias: true,
    activation_function: 'torch.nn.modules.linear.Identity',
  });
  await writeTensors(
    join(dir, '2_Dense', 'model.safetensors'),
    head.map((tensor) => ({ ...tensor, name: tensor.name.replace('classifier.', 'linear.') })),
  );
}

/** Largest difference between two sets of logits. */
function largestDifference(left: readonly Prediction[], right: readonly Prediction[]): number {
  return Math.max(
    0,
    ...left.flatMap((prediction, row) =>
      [...prediction.logits].map((logit, index) =>
        Math.abs(logit - (right[row]?.logits[index] ?? Number.NaN)),
      ),
    ),
  );
}

async function predictWith(
  dir: string,
  texts: readonly string[],
  context: Context,
): Promise<readonly Prediction[]> {
  const predictor = await openPredictor(
    dir,
    context.backend === undefined ? {} : { backend: context.backend },
  );
  try {
    return await predictor.predict(texts);
  } finally {
    predictor.dispose();
  }
}

/** Writes the model's own files. */
async function writeModelFolder(dir: string, context: Context): Promise<void> {
  const { inputs, params } = context;
  const trained = await openEncoder(inputs.trained);
  const settings = trained.rawConfig['joyul'] as { readonly maxLength: number; readonly pooling: string }; // Written by the train step.
  const tensors = await readTensors(join(inputs.trained, 'model.safetensors'));
  const head = tensors.filter((tensor) => tensor.name.startsWith('classifier.'));
  const prefixed = tensors.map((tensor) =>
    tensor.name.startsWith('classifier.') ? tensor : { ...tensor, name: `bert.${tensor.name}` },
  );
  await mkdir(dir, { recursive: true });
  await writeTensors(join(dir, 'model.safetensors'), prefixed, {
    dtype: params.weights === 'float16' ? 'F16' : 'F32',
  });
  await writeJson(dir, 'config.json', {
    ...trained.rawConfig,
    architectures: ['JoyulForSequenceClassification'],
    auto_map: { AutoModelForSequenceClassification: 'modeling_joyul.JoyulForSequenceClassification' },
    problem_type: 'single_label_classification',
    dtype: params.weights,
  });
  await writeFile(join(dir, 'modeling_joyul.py'), modelingFile);
  await copyTokenizer(inputs.trained, dir);
  await writeSentenceTransformers(dir, {
    hidden: trained.config.hiddenSize,
    labels: trained.labels.length,
    pooling: settings.pooling,
    maxLength: settings.maxLength,
    head,
  });
}

function makeCard(
  name: string,
  { header, training, proof, source, test }: Making<NonNullable<CardContent['test']>>,
): string {
  const { strategy, hparams } = training;
  return formatModelCard({
    name,
    baseModel: source ?? 'an unnamed base model',
    labels: header.labels,
    source: header.source,
    splits: header.splits,
    method: strategy.method,
    isFineTuning: proof.isFineTuning,
    blocks: strategy.blocks,
    ...(strategy.adapters === undefined ? {} : { adapters: strategy.adapters }),
    strategyReason: strategy.reason,
    trainedShare: proof.trainedWeights / proof.totalWeights,
    maxLength: hparams.max_length,
    pooling: strategy.pooling,
    ...(test === undefined ? {} : { test }),
  });
}

/** The file that says that a folder was written by this step. */
const markFile = 'serving.json';

/** Refuses a folder whose files this step did not write: they would be lost. */
async function checkTarget(target: string, shown: string): Promise<void> {
  const names = await readdir(target).catch((): string[] => []);
  if (names.length === 0 || names.includes(markFile)) return;
  throw new StepFailure(
    'NOT_A_DEPLOYMENT',
    `${shown} holds files that no deploy step wrote, such as ${names[0] ?? ''}; nothing was changed there.`,
    { help: 'Set `to` to a folder of its own, such as models/NAME.' },
  );
}

/** Puts a finished folder in the place of another; a crash leaves the old one, the new one, or none, never a mixture. */
async function replaceFolder(finished: string, target: string): Promise<void> {
  const [next, old] = [`${target}.next`, `${target}.old`];
  await rm(next, { recursive: true, force: true });
  await rm(old, { recursive: true, force: true });
  await cp(finished, next, { recursive: true });
  await rename(target, old).catch(() => undefined); // The first deployment has nothing to replace.
  await rename(next, target);
  await rm(old, { recursive: true, force: true });
}

/** Exports the model, replays it, and writes the card. */
export async function runDeploy(context: Context): Promise<void> {
  const { params, inputs, outputs, scratch, emit } = context;
  await checkTarget(outputs.deployment, params.to);
  const dir = join(scratch, 'export');
  await rm(dir, { recursive: true, force: true });
  const name = params.name ?? basename(params.to);
  emit({ type: 'progress', activity: 'exporting', done: 0 });
  const { header } = await readDataset(inputs.dataset);
  const task = header.task === 'classification' ? 'text-classification' : 'text-generation';
  await (header.task === 'classification' ? exportClassifier : exportLanguageModel)({ dir, name }, context);
  await writeJson(dir, markFile, { version: 1, name, task });
  await replaceFolder(dir, outputs.deployment);
}

async function exportClassifier({ dir, name }: Export, context: Context): Promise<void> {
  const { params, inputs, emit } = context;
  await writeModelFolder(dir, context);
  const making = await readMaking<NonNullable<CardContent['test']>>(context);
  await writeFile(join(dir, 'README.md'), makeCard(name, making));
  const rows = (await (await readDataset(inputs.dataset)).rows('validation')).slice(0, goldenRows);
  const texts = rows.map((row) => row.text);
  emit({ type: 'progress', activity: 'replaying the exported model', done: 0 });
  const before = await predictWith(inputs.trained, texts, context);
  const after = await predictWith(dir, texts, context);
  const difference = largestDifference(before, after);
  // Half precision rounds weights to 11 bits: its logits are held to a bound of their own.
  const bound = params.weights === 'float16' ? Math.max(params.max_difference, 0.05) : params.max_difference;
  if (!(difference <= bound)) {
    throw new StepFailure(
      'EXPORT_DIFFERS',
      `The exported model's logits differ by up to ${difference.toExponential(1)} from the tested model's; ${bound} is allowed.`,
      { help: 'Use weights: float32, or raise max_difference.' },
    );
  }
  await exportAdapter(context, { dir, source: making.source, rows, bound: params.max_difference });
  await writeJson(dir, 'golden.json', {
    version: 1,
    bound: Math.max(bound, 1e-3),
    rows: texts.map((text, row) => ({ text, logits: [...(after[row]?.logits ?? [])] })),
  });
  const changed = after.filter((prediction, row) => prediction.label !== before[row]?.label).length;
  emit({
    type: 'finding',
    weight: 'headline',
    text: `The model is in ${params.to}; \`joyul serve ${params.to}\` answers over HTTP.`,
  });
  emit({
    type: 'finding',
    text: `Replayed on ${texts.length} texts after the export: logits differ by at most ${difference.toExponential(1)}, ${changed === 0 ? 'every answer is the same' : `${changed} answers changed`}.`,
  });
  emit({
    type: 'finding',
    text: 'Hugging Face transformers and sentence-transformers open the folder; README.md is its model card.',
  });
}
