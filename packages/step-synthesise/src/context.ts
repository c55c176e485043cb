import type { StepContext } from '@joyul/plugin-api';
import type { SynthesiseParams } from './index.ts';

type Ports = {
  readonly dataset: { readonly type: 'dataset' };
  readonly model: { readonly type: 'base-model' };
  readonly trained: { readonly type: 'trained-model'; readonly optional: true };
};
/** What the step's files use of its context. */
export type Context = StepContext<
  SynthesiseParams,
  Ports,
  { readonly dataset: { readonly type: 'dataset' } }
>;
