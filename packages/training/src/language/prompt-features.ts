import { chooseBackend, choosePrecision } from '@joyul/compute';
import type { Backend } from '@joyul/plugin-api';
import { encodeFeatures } from '../trunk/features.ts';
import type { Question } from './answer-rows.ts';
import type { LanguageModel } from './open-language-model.ts';

/** Settings of {@link encodePrompts}. */
export interface PromptFeatureOptions {
  /** 0 is after the embeddings, n after n layers. */
  readonly layers: readonly number[];
  /** Tokens of a prompt that count: its last ones. */
  readonly context: number;
  readonly backend?: Backend;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What a frozen model has made of prompts. */
export interface PromptFeatures {
  readonly width: number;
  /** By layer: [prompts × width], the states of the prompts' last tokens. */
  readonly byLayer: ReadonlyMap<number, Float32Array>;
  /** Tokens of each prompt. */
  readonly tokens: readonly number[];
}

/** The states in a frozen model where its answers would begin. */
export async function encodePrompts(
  { model, encoder }: LanguageModel,
  questions: readonly Question[],
  { layers, context, backend, signal, onProgress }: PromptFeatureOptions,
): Promise<PromptFeatures> {
  const texts = questions.map(({ messages }) => ({ ids: encoder.encodePrompt(messages).slice(-context) }));
  const { name: matmul } = await choosePrecision('auto', chooseBackend(backend).name);
  const { width, byLayer } = await encodeFeatures(model, texts, {
    layers,
    pooling: 'last',
    padId: encoder.endId,
    matmul,
    ...(backend === undefined ? {} : { backend }),
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return { width, byLayer, tokens: texts.map(({ ids }) => ids.length) };
}
