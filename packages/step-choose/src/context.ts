import type { StepContext } from '@joyul/plugin-api';
import type { ChooseParams } from './index.ts';

type Ports = {
  readonly candidate: { readonly type: 'trained-model' };
  readonly simpler: { readonly type: 'trained-model' };
  readonly dataset: { readonly type: 'dataset' };
};
type Outputs = {
  readonly trained: { readonly type: 'trained-model' };
  readonly metrics: { readonly type: 'metrics' };
};
/** What the step's files use of its context. */
export type Context = StepContext<ChooseParams, Ports, Outputs>;
