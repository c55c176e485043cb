import type { StepContext } from '@joyul/plugin-api';
import type { EvaluateParams } from './index.ts';

type Ports = {
  readonly trained: { readonly type: 'trained-model' };
  readonly dataset: { readonly type: 'dataset' };
  readonly model: { readonly type: 'base-model'; readonly optional: true };
  readonly general: { readonly type: 'dataset'; readonly optional: true };
};
/** What the step's files use of its context. */
export type Context = StepContext<EvaluateParams, Ports, { readonly metrics: { readonly type: 'metrics' } }>;
