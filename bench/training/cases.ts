/** What is measured: the cases, who runs them, and the bars. */
import type { Kind, Precision } from './spec.ts';

/** `equal`: batches of full-length texts, a loss on every token. `ragged`: texts as they come, padded or packed. */
export type Workload = 'equal' | 'ragged';

/** One way to run a case. */
export interface Contestant {
  /** `ours`, or a tool of python/train.py. */
  readonly tool: string;
  readonly precision: Precision;
  /** The release of TensorFlow that our side runs on; absent means the pinned one. */
  readonly tensorflow?: string;
}

/** One row of results. */
export interface Case {
  readonly name: string;
  readonly kind: Kind;
  readonly workload: Workload;
}

/** Whether texts are continued. */
export const isDecoding = (kind: Kind): boolean => kind === 'decode' || kind === 'decode8';

/** Every kind that trains or evaluates, in the order of the tables. */
const kinds: readonly Kind[] = ['full', 'lora_qv', 'lora_all', 'top6', 'forward', 'minilm'];

/** Every case: each kind with both workloads, and generation. */
export const cases: readonly Case[] = [
  ...(['equal', 'ragged'] as const).flatMap((workload) =>
    kinds.map((kind) => ({ name: `${kind}-${workload}`, kind, workload })),
  ),
  { name: 'decode', kind: 'decode', workload: 'equal' },
  { name: 'decode-8', kind: 'decode8', workload: 'equal' },
];

const precisions: readonly Precision[] = ['float32', 'bfloat16'];

const both = (tool: string): readonly Contestant[] => precisions.map((precision) => ({ tool, precision }));

/**
 * The peers of a case. TRL's trainer has no encoders and no bare forward pass; nor has the HF Trainer the latter
 * without its own gathering of logits. Frozen weights in bfloat16 are what many do for LoRA.
 */
export function peersOf({ kind, workload }: Case, isCompiled: boolean): readonly Contestant[] {
  if (isDecoding(kind)) return both('generate');
  const isFrozen = kind === 'lora_qv' || kind === 'lora_all' || kind === 'forward';
  const isTuned = kind !== 'minilm' && kind !== 'forward';
  const isRagged = workload === 'ragged';
  return [
    ...both('plain'),
    ...(isFrozen ? [{ tool: 'plain', precision: 'bfloat16-weights' } as const] : []),
    ...(isCompiled && !isRagged ? both('compile') : []),
    ...(kind === 'forward' ? [] : both('trainer')),
    ...(kind === 'forward' || !isRagged ? [] : both('trainer-grouped')),
    ...(isTuned ? [{ tool: 'sft', precision: 'bfloat16' } as const, ...both('sft-plain')] : []),
    ...(isTuned && isRagged ? both('sft-packed') : []),
  ];
}

/** Our side, in both precisions. */
export const ours: readonly Contestant[] = both('ours');
