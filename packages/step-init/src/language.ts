import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { blockOf, drawWeight, llamaWeightSpecs, writeAdapter, writeModel } from '@joyul/models';
import { drawLanguageAdapter, openLanguageModel, readStrategy } from '@joyul/training';
import type { Context } from './context.ts';
import { chooseDrawn, describeStart } from './drawn.ts';

/** Makes and writes the starting weights of a language model. */
export async function initLanguageModel(context: Context): Promise<void> {
  const { inputs, outputs, seed, emit } = context;
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
  const start = describeStart(drawn, adapters !== undefined, context);
  emit({ type: 'finding', weight: 'headline', text: `${start}.` });
}
