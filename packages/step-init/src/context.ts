import type { StepContext } from '@joyul/plugin-api';
import type { InitParams } from './index.ts';

type Ports = {
  readonly dataset: { readonly type: 'dataset' };
  readonly model: { readonly type: 'base-model' };
  readonly strategy: { readonly type: 'strategy' };
  readonly earlier: { readonly type: 'trained-model'; readonly optional: true };
};
/** What the step's files use of its context. */
export type Context = StepContext<InitParams, Ports, { readonly weights: { readonly type: 'weights' } }>;
