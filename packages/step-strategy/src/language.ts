import { makeRandom, readDataset, shuffle } from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import { encodeLanguageRows, measureLanguage } from '@joyul/training';
import type { LanguageModel } from '@joyul/training';
import type { Context } from './run.ts';

/** What the choice of a method rests on for a language model. */
export interface LanguageEvidence {
  readonly task: 'chat' | 'text';
  readonly rows: number;
  /** Tokens to learn, of the whole training split. */
  readonly targets: number;
  /** What the untuned model finds new in what it is to learn: the task gap, whatever its tokens are. */
  readonly bitsPerByte: number;
  readonly layers: number;
  readonly weights: number;
}

/** What auto chose for a language model. */
export interface LanguageDecision {
  readonly method: 'full' | 'repurpose' | 'lora';
  /** How many of the top layers are trained. */
  readonly top: number;
  readonly reason: string;
  readonly confidence: 'low' | 'medium';
}

/** A text of which the model finds so much new in a byte is far from what it was pretrained on; books have about 1. */
const farBits = 1.5;
/** Full tuning wants at least a token for so many weights. */
const weightsPerToken = 20;

/** Measures how new the data are to the model, on a sample. */
export async function measureTask(
  { model, encoder }: LanguageModel,
  { params, inputs, seed, backend, emit }: Context,
): Promise<LanguageEvidence> {
  const dataset = await readDataset(inputs.dataset);
  const rows = await dataset.rows('train');
  const { task } = dataset.header;
  if (task === 'classification') throw new Error('Internal error: the task has labels.');
  if (rows.length === 0)
    throw new StepFailure('NO_ROWS', 'There is no training row to measure on.', {
      help: 'Look at what prepare kept.',
    });
  const sample = shuffle(rows, makeRandom(seed)).slice(0, params.max_rows);
  const encoded = encodeLanguageRows(sample, encoder, params.max_length);
  emit({ type: 'progress', activity: 'measuring what is new', done: 0 });
  const loss = await measureLanguage(model, encoded.examples, {
    precision: 'auto',
    ...(backend === undefined ? {} : { backend }),
  });
  const { targets, targetBytes } = encoded;
  return {
    task,
    rows: rows.length,
    targets: Math.round((targets * rows.length) / sample.length),
    bitsPerByte: (loss * targets) / Math.LN2 / Math.max(1, targetBytes),
    layers: model.config.layers,
    weights: model.weightCount,
  };
}

/**
 * Chooses how far a language model is tuned, from the task gap (what it finds new), the size of the data and that of the
 * model. Few tokens go into adapters, which forget least (Biderman et al. 2024, LoRA Learns Less and Forgets Less); much
 * new text needs weights of the model. The thresholds are starting points.
 */
export function decideLanguage({
  task,
  rows,
  targets,
  bitsPerByte,
  layers,
  weights,
}: LanguageEvidence): LanguageDecision {
  const isFar = bitsPerByte > farBits;
  const size = `${targets} tokens to learn`;
  if (targets >= weights / weightsPerToken)
    return {
      method: isFar ? 'full' : 'repurpose',
      top: Math.ceil(layers / 2),
      confidence: 'medium',
      reason: isFar
        ? `the text is far from what the model knows (${bitsPerByte.toFixed(2)} bits a byte), and ${size} carry all its weights`
        : `the text is near to what the model knows (${bitsPerByte.toFixed(2)} bits a byte), so its lower half stays, and ${size} carry the upper`,
    };
  if (task === 'text' && isFar)
    return {
      method: 'repurpose',
      top: Math.ceil(layers / 4),
      confidence: 'low',
      reason: `the text is far from what the model knows (${bitsPerByte.toFixed(2)} bits a byte), and ${size} carry its top quarter`,
    };
  return {
    method: 'lora',
    top: 0,
    confidence: rows < 100 ? 'low' : 'medium',
    reason: `${size} are few beside ${Math.round(weights / 1e6)} M weights: adapters learn them and forget least`,
  };
}
