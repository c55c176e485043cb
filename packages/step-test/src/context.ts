import type { StepContext } from '@joyul/plugin-api';
import type { TestParams } from './index.ts';

type Ports = {
  readonly trained: { readonly type: 'trained-model' };
  readonly rivals: { readonly type: 'trained-model'; readonly many: true; readonly optional: true };
  readonly test: { readonly type: 'test-split' };
  readonly dataset: { readonly type: 'dataset' };
  readonly model: { readonly type: 'base-model' };
};
/** What the step's files use of its context. */
export type Context = StepContext<TestParams, Ports, { readonly metrics: { readonly type: 'test-metrics' } }>;
