import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeRandom, openTokenizer, readDataset, shuffle } from '@joyul/data';
import {
  bertWeightSpecs,
  blockOf,
  classifierSpecs,
  drawWeight,
  maskedHeadSpecs,
  writeAdapter,
  writeModel,
} from '@joyul/models';
import type { BertFolder, LazyTensor, NamedTensor } from '@joyul/models';
import { drawAdapter, encodeRows, fitHead, openEncoder, readStrategy } from '@joyul/training';
import type { Context } from './context.ts';
import { chooseDrawn, describeStart } from './drawn.ts';
import { initLanguageModel } from './language.ts';

/** The encoder's weights, those of the chosen blocks drawn anew. */
async function makeEncoder(
  model: BertFolder,
  isDrawn: (block: string) => boolean,
  seed: number,
): Promise<ReadonlyMap<string, NamedTensor>> {
  const pretrained = await model.readTensors((name) => blockOf(name) !== 'classifier');
  return new Map(
    bertWeightSpecs(model.config).map((spec) => {
      const kept = pretrained.get(spec.name);
      if (kept === undefined) throw new Error(`Internal error: the weight ${spec.name} is missing.`);
      return [
        spec.name,
        isDrawn(blockOf(spec.name) ?? '') ? drawWeight(spec, model.config.initializerRange, seed) : kept,
      ];
    }),
  );
}

/** The head that guesses masked words, for a stage on unlabelled texts; nothing where the model has none. */
function makeMaskedHead(
  { maskedHead, config }: BertFolder,
  { params, seed }: Context,
): readonly (NamedTensor | LazyTensor)[] {
  if (params.from === 'pretrained' || maskedHead.length === 0) return maskedHead;
  return maskedHeadSpecs(config).map((spec) => drawWeight(spec, config.initializerRange, seed));
}

/** A head fitted on the frozen features of these weights. */
async function probeHead(
  model: BertFolder,
  weights: ReadonlyMap<string, NamedTensor>,
  labels: readonly string[],
  context: Context,
): Promise<readonly NamedTensor[]> {
  const { params, inputs, seed, backend, signal, sharedDir, emit } = context;
  const [dataset, strategy, tokenizer] = await Promise.all([
    readDataset(inputs.dataset),
    readStrategy(inputs.strategy),
    openTokenizer(inputs.model),
  ]);
  const rows = shuffle(await dataset.rows('train'), makeRandom(seed)).slice(0, params.max_rows);
  return fitHead(model, encodeRows(rows, tokenizer, labels, params.max_length), {
    classes: labels.length,
    pooling: strategy.pooling,
    padId: tokenizer.padId,
    weights,
    signal,
    sharedDir,
    ...(backend === undefined ? {} : { backend }),
    onProgress: (done, total) => {
      emit({ type: 'progress', activity: 'fitting the head', done, total, unit: 'texts' });
    },
  });
}

/** Makes and writes the starting weights. */
export async function runInit(context: Context): Promise<void> {
  const { header } = await readDataset(context.inputs.dataset);
  await (header.task === 'classification'
    ? initClassifier(header.labels, context)
    : initLanguageModel(context));
}

async function initClassifier(labels: readonly string[], context: Context): Promise<void> {
  const { params, inputs, outputs, seed, emit } = context;
  const model = await openEncoder(inputs.earlier ?? inputs.model);
  const drawn = chooseDrawn(model, context);
  const encoder = await makeEncoder(model, (block) => drawn.has(block), seed);
  const head =
    params.head === 'probe'
      ? await probeHead(model, encoder, labels, context)
      : classifierSpecs(model.config, labels.length).map((spec) =>
          drawWeight(spec, model.config.initializerRange, seed),
        );
  const tensors = [...encoder.values(), ...head, ...makeMaskedHead(model, context)];
  await writeModel(outputs.weights, {
    rawConfig: model.rawConfig,
    tensors,
    labels,
    tokenizerFrom: model.path,
  });
  const { adapters } = await readStrategy(inputs.strategy);
  if (adapters !== undefined) {
    await writeAdapter(
      join(outputs.weights, 'adapter'),
      drawAdapter(model.config, adapters, encoder, seed),
      bertWeightSpecs(model.config),
      { taskType: 'SEQ_CLS', baseModel: '..', prefix: 'bert.' },
    );
  }
  const origins = Object.fromEntries(
    tensors.map((tensor) => [
      tensor.name,
      tensor.name.startsWith('classifier.')
        ? params.head
        : params.from === 'random' || drawn.has(blockOf(tensor.name) ?? '')
          ? 'random'
          : 'pretrained',
    ]),
  );
  await writeFile(
    join(outputs.weights, 'init.json'),
    `${JSON.stringify({ version: 1, seed, origins }, null, 2)}\n`,
  );
  const top =
    params.head === 'probe' ? 'the head from a linear probe on frozen features' : 'the head at random';
  const start = describeStart(drawn, adapters !== undefined, context);
  emit({ type: 'finding', weight: 'headline', text: `${start}; ${top}.` });
}
