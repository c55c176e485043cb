import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StepFailure } from '@joyul/plugin-api';
import { blockOf, drawWeight, llamaWeightSpecs, writeAdapter, writeModel } from '@joyul/models';
import type { LlamaFolder } from '@joyul/models';
import { drawLanguageAdapter, openLanguageModel, readStrategy } from '@joyul/training';
import type { Context } from './run.ts';

/** The blocks whose weights are drawn anew. */
function chooseDrawn(model: LlamaFolder, { params }: Context): ReadonlySet<string> {
  const { layers } = model.config;
  if (params.from === 'random') return new Set(model.blocks);
  if (params.reinit_top_layers > layers)
    throw new StepFailure(
      'TOO_MANY_LAYERS',
      `reinit_top_layers is ${params.reinit_top_layers}, but the model has ${layers} layers.`,
      { help: `Write a number up to ${layers}.` },
    );
  return new Set(
    Array.from({ length: params.reinit_top_layers }, (_, index) => `layer.${layers - 1 - index}`),
  );
}

/** Makes and writes the starting weights of a language model. */
export async function initLanguageModel(context: Context): Promise<void> {
  const { params, inputs, outputs, seed, emit } = context;
  const { model } = await openLanguageModel(inputs.earlier ?? inputs.model);
  const drawn = chooseDrawn(model, context);
  const isDrawn = (name: string): boolean => drawn.has(blockOf(name) ?? '');
  const specs = llamaWeightSpecs(model.config);
  const tensors = specs.map((spec) => {
    const stored = model.tensors.get(spec.name);
    if (isDrawn(spec.name) || stored === undefined)
      return drawWeight(spec, model.config.initializerRange, seed);
    return stored;
  });
  await writeModel(outputs.weights, { rawConfig: model.rawConfig, tensors, tokenizerFrom: model.path });
  const { adapters } = await readStrategy(inputs.strategy);
  if (adapters !== undefined) {
    const weights = adapters.variant === 'dora' ? await model.readTensors() : new Map<string, never>();
    await writeAdapter(
      join(outputs.weights, 'adapter'),
      drawLanguageAdapter(model.config, adapters, weights, seed),
      specs,
      { taskType: 'CAUSAL_LM', baseModel: '..' },
    );
  }
  const origins = Object.fromEntries(
    specs.map(({ name }) => [name, isDrawn(name) ? 'random' : 'pretrained']),
  );
  await writeFile(
    join(outputs.weights, 'init.json'),
    `${JSON.stringify({ version: 1, seed, origins }, null, 2)}\n`,
  );
  const body =
    params.from === 'random'
      ? 'Every layer is drawn anew'
      : drawn.size === 0
        ? `Every layer starts from ${inputs.earlier === undefined ? 'pretrained weights' : 'what an earlier stage trained'}`
        : `${drawn.size} top layer${drawn.size === 1 ? '' : 's'} drawn anew, the rest pretrained`;
  const beside = adapters === undefined ? '' : '; adapters that change nothing yet beside them';
  emit({ type: 'finding', weight: 'headline', text: `${body}${beside}.` });
}
