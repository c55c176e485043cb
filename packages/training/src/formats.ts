import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AdapterSpec } from '@joyul/models';
import type { Endpoint } from './language/prompt.ts';

/** How a model is adapted. Only the first three change pretrained weights. */
export type Method = 'full' | 'repurpose' | 'lora' | 'extract' | 'prompt';

/** `strategy.json`: what is tuned and why. */
export interface Strategy {
  readonly version: 1;
  readonly method: Method;
  /** False for methods that change no pretrained weight. */
  readonly isFineTuning: boolean;
  /** The pretrained blocks whose weights are trained; the head always is. */
  readonly blocks: readonly string[];
  /** For `lora`: the adapters that are trained beside frozen weights. */
  readonly adapters?: AdapterSpec;
  /** For `prompt`: who is asked in the place of the model. */
  readonly endpoint?: Endpoint;
  readonly pooling: 'mean' | 'cls';
  /** In words. */
  readonly reason: string;
  /** Measurements that the choice rests on. */
  readonly evidence: Readonly<Record<string, unknown>>;
  /** What else was considered, with its price. */
  readonly alternatives: readonly StrategyAlternative[];
}

/** A way that could have been chosen. */
export interface StrategyAlternative {
  readonly method: Method;
  readonly blocks: readonly string[];
  /** Pretrained weights that would be trained; for `lora` the adapters' own. */
  readonly trainableWeights: number;
  /** Training cost of one epoch, in units of one forward pass over the training split. */
  readonly relativeCost: number;
  readonly note: string;
}

/** Values that a search may change. Names are those of Hugging Face's TrainingArguments where it has one. */
export interface Hparams {
  /** Peak learning rate of pretrained weights. */
  readonly learning_rate: number;
  /** Peak learning rate of the head. */
  readonly head_learning_rate: number;
  /** Texts that go through the model together. */
  readonly batch_size: number;
  readonly epochs: number;
  readonly weight_decay: number;
  /** Share of all iterations in which the learning rate rises from 0. */
  readonly warmup_ratio: number;
  /** Iterations in which the learning rate rises from 0, whatever their share; 0 means by `warmup_ratio`. */
  readonly warmup_steps: number;
  /** `constant` has a warm-up too; the others are named as in TrainingArguments. */
  readonly lr_scheduler:
    'constant' | 'linear' | 'cosine' | 'cosine_with_min_lr' | 'inverse_sqrt' | 'warmup_stable_decay';
  /** The share of the peak learning rate that `cosine_with_min_lr` and `warmup_stable_decay` end at. */
  readonly min_lr_rate: number;
  /** The share of all iterations over which `warmup_stable_decay` falls. */
  readonly decay_ratio: number;
  readonly optimizer: 'adamw' | 'sgd' | 'adafactor' | 'lion';
  /** Of `sgd`. */
  readonly momentum: number;
  /** Whether `sgd` looks ahead along its momentum. */
  readonly nesterov: boolean;
  /** Batches that add up to one update; the result is that of one batch as large as all of them. */
  readonly gradient_accumulation_steps: number;
  /** Each layer's learning rate is that of the layer above times this; 1 means all the same. */
  readonly layer_lr_decay: number;
  /** Which weights decay: `matrices` leaves biases and norms out. */
  readonly decay: 'all' | 'matrices';
  /** The element type inside matrix products; `auto` takes the faster one, measured when training starts. */
  readonly precision: 'float32' | 'bfloat16' | 'auto';
  /** Gradients are scaled down to this joint norm; 0 means never. */
  readonly max_grad_norm: number;
  /** Tokens of a text that count. */
  readonly max_length: number;
  readonly evals_per_epoch: number;
  /** Evaluations without a better validation loss before training stops; 0 means never. */
  readonly early_stopping_patience: number;
  readonly label_smoothing: number;
  /** `balanced` weighs each class by the inverse of its share. */
  readonly class_weights: 'none' | 'balanced';
  /** Whether layers are computed again in the backward pass, which takes less memory and more time. */
  readonly gradient_checkpointing: boolean;
}

/** One setting that a search tried. */
export interface Trial {
  readonly values: Partial<Hparams>;
  /** Higher is better. */
  readonly score: number;
  readonly scoreName: string;
  readonly seconds: number;
}

/** The prompts that a search tries: every instruction with every number of examples. */
export interface PromptSpace {
  /** An empty one leaves what the conversation itself says. */
  readonly instructions: readonly string[];
  /** Numbers of similar examples before the question. */
  readonly shots: readonly number[];
  /** Validation questions that the last two are judged on. */
  readonly questions: number;
  /** Tokens of an answer at most. */
  readonly maxNewTokens: number;
  /** Tokens of a prompt with its answer at most. */
  readonly context: number;
}

/** `hparams.json`. */
export interface HparamsFile {
  readonly version: 1;
  readonly values: Hparams;
  /** For `prompt`: what is tried. */
  readonly prompts?: PromptSpace;
  readonly trials: readonly Trial[];
  readonly reason: string;
}

/** Peak learning rates of methods by task; where nothing is trained they stand for nothing. */
const learningRates: Readonly<
  Record<'classification' | 'language' | 'unlabelled', Readonly<Record<Method, number>>>
> = {
  classification: { full: 5e-5, repurpose: 2e-4, lora: 1e-3, extract: 0, prompt: 0 },
  language: { full: 2e-5, repurpose: 1e-4, lora: 5e-4, extract: 0, prompt: 0 },
  unlabelled: { full: 3e-5, repurpose: 5e-5, lora: 3e-4, extract: 0, prompt: 0 },
};

/**
 * Values for a method when nothing is known yet. For classifiers those of the BERT paper for full tuning, higher for
 * fewer weights; for language models (`text` and `chat`) lower rates and longer texts; for encoders on `unlabelled` texts
 * those of SimCSE (Gao et al. 2021): large batches, so that a text is told from many, and one epoch.
 */
export function defaultHparams(
  method: Method,
  task: 'classification' | 'text' | 'chat' | 'unlabelled' = 'classification',
): Hparams {
  const isLanguage = task === 'text' || task === 'chat';
  const isUnlabelled = task === 'unlabelled';
  return {
    learning_rate: learningRates[isLanguage ? 'language' : isUnlabelled ? task : 'classification'][method],
    head_learning_rate: method === 'extract' ? 1e-2 : 1e-3,
    batch_size: isLanguage ? 8 : isUnlabelled ? 64 : 16,
    epochs: isUnlabelled ? 1 : method === 'extract' ? 10 : 3,
    weight_decay: 0.01,
    warmup_ratio: 0.1,
    warmup_steps: 0,
    lr_scheduler: 'linear',
    min_lr_rate: 0.1,
    decay_ratio: 0.2,
    optimizer: 'adamw',
    momentum: 0.9,
    nesterov: false,
    gradient_accumulation_steps: 1,
    layer_lr_decay: 1,
    decay: 'all',
    precision: 'float32',
    max_grad_norm: 1,
    max_length: isLanguage ? 512 : 128,
    evals_per_epoch: 2,
    early_stopping_patience: 4,
    label_smoothing: 0,
    class_weights: 'none',
    gradient_checkpointing: false,
  };
}

async function readJson<T>(dir: string, name: string): Promise<T> {
  return JSON.parse(await readFile(join(dir, name), 'utf8')) as T; // Written by the functions below.
}

async function writeJson(dir: string, name: string, value: unknown): Promise<void> {
  await writeFile(join(dir, name), `${JSON.stringify(value, null, 2)}\n`);
}

/** Reads a strategy artifact. */
export const readStrategy = (dir: string): Promise<Strategy> => readJson(dir, 'strategy.json');
/** Writes a strategy artifact. */
export const writeStrategy = (dir: string, strategy: Strategy): Promise<void> =>
  writeJson(dir, 'strategy.json', strategy);
/** Reads an hparams artifact. */
export const readHparams = (dir: string): Promise<HparamsFile> => readJson(dir, 'hparams.json');
/** Writes an hparams artifact. */
export const writeHparams = (dir: string, hparams: HparamsFile): Promise<void> =>
  writeJson(dir, 'hparams.json', hparams);
