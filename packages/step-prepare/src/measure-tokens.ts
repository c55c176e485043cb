import type { QualityFinding, Row } from '@joyul/data';
import { makeFinding, openTokenizer } from '@joyul/data';
import type { DatasetHeader } from '@joyul/data';
import { findModelFolder } from '@joyul/sources';
import { StepFailure } from '@joyul/plugin-api';
import type { Context } from './references.ts';
import { fetchModel, listOf } from './references.ts';

/** Lengths in tokens of every row of every split. */
export interface MeasuredTokens {
  readonly tokens: NonNullable<DatasetHeader['tokens']>;
  readonly lengths: readonly number[];
  readonly findings: readonly QualityFinding[];
  /** Which tokenizer was taken, and why not one named before it. */
  readonly note: string;
}

/** A tokenizer's files, converted where the model is a GGUF file. */
async function readFiles(folder: string): Promise<ReadonlyMap<string, string>> {
  // Loaded only here: a step that measures no tokens starts without the code that computes.
  const { ModelConfigError, WeightsError, readTokenizerFiles } = await import('@joyul/models');
  const files = await readTokenizerFiles(folder).catch((error: unknown) => {
    if (error instanceof ModelConfigError || error instanceof WeightsError)
      throw new StepFailure('NO_TOKENIZER', error.message, {
        help: 'Name another model with the same tokenizer.',
        cause: error,
      });
    throw error;
  });
  if (files.has('tokenizer.json')) return files;
  throw new StepFailure('NO_TOKENIZER', 'The model has no tokenizer.json.', {
    help: 'Name a model that has one, such as hf:sentence-transformers/all-MiniLM-L6-v2.',
  });
}

/** Measures rows one after the other. */
export interface TokenMeasure {
  add(row: Row): void;
  result(): MeasuredTokens;
}

/** Opens what measures how many tokens rows have, when params name a tokenizer. */
export async function openMeasure(context: Context): Promise<TokenMeasure | undefined> {
  const { params, emit, signal } = context;
  const references = listOf(params.tokenizer);
  if (references.length === 0) return undefined;
  const source = await fetchModel(references, context);
  const folder = await findModelFolder(source.path);
  if (folder === undefined)
    throw new StepFailure(
      'NO_TOKENIZER',
      `${source.resolved} holds no model folder with config.json, and no GGUF file.`,
      {
        help: 'Name a model, such as hf:sentence-transformers/all-MiniLM-L6-v2.',
      },
    );
  const tokenizer = await openTokenizer(await readFiles(folder));
  const over = source.passedOver.map((line) => ` Passed over ${line}`).join('');
  const lengths: number[] = [];
  return {
    add({ text, tokens }) {
      if (lengths.length % 500 === 0) {
        signal.throwIfAborted();
        emit({ type: 'progress', activity: 'tokenizing', done: lengths.length, unit: 'rows' });
      }
      lengths.push(tokens?.ids.length ?? tokenizer.countTokens(text));
    },
    result: () => ({
      ...summarize(lengths, tokenizer.digest, params.max_length),
      note: `Measured lengths with the tokenizer of ${source.resolved}.${over}`,
    }),
  };
}

function summarize(
  lengths: readonly number[],
  tokenizerDigest: string,
  maxLength: number,
): Omit<MeasuredTokens, 'note'> {
  const truncated = lengths.filter((length) => length > maxLength).length;
  const sum = lengths.reduce((total, length) => total + length, 0);
  const percent = Math.round((truncated / Math.max(1, lengths.length)) * 1000) / 10;
  const message = `${truncated} texts (${percent} %) have more than ${maxLength} tokens; the model sees their first ${maxLength}.`;
  return {
    tokens: {
      tokenizerDigest,
      maxLength,
      truncated,
      longest: lengths.reduce((most, length) => Math.max(most, length), 0),
      mean: Math.round((sum / Math.max(1, lengths.length)) * 10) / 10,
    },
    lengths,
    findings:
      truncated === 0 ? [] : [makeFinding('TRUNCATED', percent > 5 ? 'warning' : 'info', message, [])],
  };
}
