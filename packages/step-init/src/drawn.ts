import { StepFailure } from '@joyul/plugin-api';
import type { ModelFolder } from '@joyul/models';
import type { Context } from './context.ts';

/** The blocks whose weights are drawn anew; more layers than there are cannot be. */
export function chooseDrawn({ config, blocks }: ModelFolder, { params }: Context): ReadonlySet<string> {
  const { layers } = config;
  const { from, reinit_top_layers: count } = params;
  if (count > layers)
    throw new StepFailure(
      'TOO_MANY_LAYERS',
      `reinit_top_layers is ${count}, but the model has ${layers} layers.`,
      { help: `Write a number up to ${layers}.` },
    );
  if (from === 'random') return new Set(blocks);
  return new Set(Array.from({ length: count }, (_, index) => `layer.${layers - 1 - index}`));
}

/** What the layers start from, and what is put beside them, in words. */
export function describeStart(
  drawn: ReadonlySet<string>,
  hasAdapters: boolean,
  { params, inputs }: Context,
): string {
  const beside = hasAdapters ? '; adapters that change nothing yet beside them' : '';
  if (params.from === 'random') return `Every layer is drawn anew${beside}`;
  if (drawn.size > 0)
    return `${drawn.size} top layer${drawn.size === 1 ? '' : 's'} drawn anew, the rest pretrained${beside}`;
  const start = inputs.earlier === undefined ? 'pretrained weights' : 'what an earlier stage trained';
  return `Every layer starts from ${start}${beside}`;
}
