import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { blockOf, drawWeight, llamaWeightSpecs, writeAdapter, writeModel } from '@joyul/models';
import { drawLanguageAdapter, openLanguageModel, readStrategy } from '@joyul/training';
import type { Context } from './context.ts';
import { chooseDrawn, describeStart } from './drawn.ts';

/** Writes where each tensor comes from. */
async function writeOrigins(
  { outputs, seed }: Context,
  origins: Readonly<Record<string, string>>,
): Promise<void> {
  const content = `${JSON.stringify({ version: 1, seed, origins }, null, 2)}\n`;
  await writeFile(join(outputs.weights, 'init.json'), content);
}

/** Makes and writes the starting weights of a language model. */
export async function initLanguageModel(context: Context): Promise<void> {
  const { inputs, outputs, seed, emit } = context;
  const { adapters, endpoint } = await readStrategy(inputs.strategy);
  if (endpoint !== undefined) {
    await writeOrigins(context, {});
    const text = `Nothing is prepared: ${endpoint.model} at ${new URL(endpoint.url).host} is asked, and its weights stay there.`;
    emit({ type: 'finding', weight: 'headline', text });
    return;
  }
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
  await writeOrigins(context, origins);
  const start = describeStart(drawn, adapters !== undefined, context);
  emit({ type: 'finding', weight: 'headline', text: `${start}.` });
}
