import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StepFailure } from '@joyul/plugin-api';
import { readDataset } from '@joyul/data';
import type { Row } from '@joyul/data';
import { AdapterMerger, llamaWeightSpecs, readAdapter, writeAdapter, writeModel } from '@joyul/models';
import type { LlamaFolder, NamedTensor } from '@joyul/models';
import { openGenerator, openLanguageModel, promptRows, questionsOf, readPrompt } from '@joyul/training';
import type { LanguageModel, Prompt } from '@joyul/training';
import { formatLanguageCard } from './language-card.ts';
import type { LanguageCard } from './language-card.ts';
import { exportPrompt } from './prompt.ts';
import { findAdapter, hubName, isSameModel, readMaking, writeJson } from './common.ts';
import type { Context, Export, Making } from './common.ts';

/** Prompts on which the exported model is compared with the tested one. */
const replayed = 20;
/** Tokens of such a prompt that count. */
const promptLength = 512;

type Weights = ReadonlyMap<string, NamedTensor>;

/** The starts of validation conversations or texts, as tokens. */
function makePrompts(rows: readonly Row[], { encoder }: LanguageModel): readonly Int32Array[] {
  const questions = questionsOf(rows);
  const prompts =
    questions.length > 0
      ? questions.map(({ messages, row }) => encoder.encodePrompt(messages, row.tools))
      : rows.flatMap(({ text, tokens }) =>
          tokens === undefined
            ? encoder
                .encodeText(text, 64)
                .slice(0, 1)
                .map(({ ids }) => ids)
            : [Int32Array.from(tokens.ids.slice(0, 64))],
        );
  return prompts.slice(0, replayed).map((ids) => ids.slice(-promptLength));
}

/** The logits after each prompt, in float32. */
async function computeLogits(
  model: LlamaFolder,
  prompts: readonly Int32Array[],
  { backend }: Context,
  weights?: Weights,
): Promise<readonly Float32Array[]> {
  const generator = await openGenerator({
    model,
    precision: 'float32',
    context: Math.max(8, ...prompts.map(({ length }) => length + 1)),
    batchSize: 4,
    ...(weights === undefined ? {} : { weights }),
    ...(backend === undefined ? {} : { backend }),
  });
  try {
    return await generator.logits(prompts);
  } finally {
    generator.dispose();
  }
}

const findLargest = (logits: Float32Array): number =>
  logits.reduce((best, logit, id) => (logit > (logits[best] ?? 0) ? id : best), 0);

/** How two models differ on the same prompts. */
function compare(
  left: readonly Float32Array[],
  right: readonly Float32Array[],
): { readonly difference: number; readonly changed: number } {
  let difference = 0;
  for (const [row, logits] of left.entries())
    for (const [id, logit] of logits.entries())
      difference = Math.max(difference, Math.abs(logit - (right[row]?.[id] ?? Number.NaN)));
  const changed = left.filter(
    (logits, row) => findLargest(logits) !== findLargest(right[row] ?? new Float32Array()),
  );
  return { difference, changed: changed.length };
}

/** Writes the adapter beside the merged weights, when it makes them of the base model. */
async function exportAdapter(
  dir: string,
  source: string | undefined,
  { prompts, logits }: { readonly prompts: readonly Int32Array[]; readonly logits: readonly Float32Array[] },
  context: Context,
): Promise<void> {
  const { params, emit } = context;
  const found = await findAdapter(context);
  if (found === undefined) return;
  const { model: base } = await openLanguageModel(found.base);
  const specs = llamaWeightSpecs(base.config);
  const adapter = await readAdapter(found.from, specs);
  const merger = new AdapterMerger(adapter.plan, adapter.tensors);
  const weights = new Map(
    [...(await base.readTensors())].map(([name, tensor]) => [name, merger.merge(tensor)]),
  );
  const { difference } = compare(logits, await computeLogits(base, prompts, context, weights));
  if (!isSameModel(context, difference, params.max_difference)) return;
  const baseModel = hubName(source) ?? source ?? 'the base model';
  await writeAdapter(join(dir, 'adapter'), adapter, specs, { taskType: 'CAUSAL_LM', baseModel });
  emit({
    type: 'finding',
    text: `adapter/ is the same model as a PEFT adapter for ${baseModel}: on ${prompts.length} prompts logits differ by at most ${difference.toExponential(1)} from the merged weights'.`,
  });
}

function makeCard(
  name: string,
  { header, training, proof, source, test }: Making<NonNullable<LanguageCard['test']>>,
  prompt: Prompt | undefined,
): string {
  return formatLanguageCard({
    name,
    baseModel: source ?? 'an unnamed base model',
    task: header.task === 'chat' ? 'chat' : 'text',
    source: header.source,
    splits: header.splits,
    strategy: training.strategy,
    trainedShare: proof.trainedWeights / proof.totalWeights,
    maxLength: training.hparams.max_length,
    ...(prompt === undefined ? {} : { prompt }),
    ...(test === undefined ? {} : { test }),
  });
}

/** Exports a language model, replays it, and writes the card. */
export async function exportLanguageModel({ dir, name }: Export, context: Context): Promise<void> {
  const { params, inputs, emit } = context;
  const prompt = await readPrompt(inputs.trained);
  const making = await readMaking<NonNullable<LanguageCard['test']>>(context);
  const rows = await (await readDataset(inputs.dataset)).rows('validation');
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'README.md'), makeCard(name, making, prompt));
  if (prompt !== undefined) await exportPrompt(dir, prompt, rows, context);
  if (prompt?.endpoint !== undefined) return;
  const trained = await openLanguageModel(inputs.trained);
  await writeModel(dir, {
    rawConfig: trained.model.rawConfig,
    tensors: [...trained.model.tensors.values()],
    tokenizerFrom: inputs.trained,
    dtype: params.weights === 'float16' ? 'F16' : 'F32',
  });
  const prompts = makePrompts(prompt === undefined ? rows : promptRows(rows, prompt), trained);
  emit({ type: 'progress', activity: 'replaying the exported model', done: 0 });
  const before = await computeLogits(trained.model, prompts, context);
  const exported = await openLanguageModel(dir);
  const after = await computeLogits(exported.model, prompts, context);
  const { difference, changed } = compare(before, after);
  // Half precision rounds weights to 11 bits: its logits are held to a bound of their own.
  const bound = params.weights === 'float16' ? Math.max(params.max_difference, 0.25) : params.max_difference;
  if (!(difference <= bound))
    throw new StepFailure(
      'EXPORT_DIFFERS',
      `The exported model's logits differ by up to ${difference.toExponential(1)} from the tested model's; ${bound} is allowed.`,
      { help: 'Use weights: float32, or raise max_difference.' },
    );
  await exportAdapter(dir, making.source, { prompts, logits: before }, context);
  await writeJson(dir, 'golden.json', {
    version: 1,
    bound: Math.max(bound, 1e-3),
    rows: prompts.map((ids, row) => {
      const logits = after[row] ?? new Float32Array();
      return { ids: [...ids], next: findLargest(logits), logits: Array.from(logits.subarray(0, 16)) };
    }),
  });
  emit({
    type: 'finding',
    weight: 'headline',
    text: `The model is in ${params.to}; Hugging Face transformers opens the folder, and README.md is its model card.`,
  });
  emit({
    type: 'finding',
    text: `Replayed on ${prompts.length} prompts after the export: logits differ by at most ${difference.toExponential(1)}, ${changed === 0 ? 'every next token is the same' : `${changed} next tokens changed`}.`,
  });
}
