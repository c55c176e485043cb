import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StepFailure } from '@joyul/plugin-api';
import type { Dataset, Row } from '@joyul/data';
import { writeModel } from '@joyul/models';
import { encodeLanguageRows, measureLanguage, openLanguageModel } from '@joyul/training';
import type { LanguageModel } from '@joyul/training';
import { fetchModel, sampleRows } from './candidates.ts';
import type { Candidate, Context, Fetched } from './candidates.ts';

/** A language model that is on this machine, with what it finds new in the data. */
interface Scored extends Fetched<LanguageModel> {
  readonly candidate: Candidate;
  /** exp of the mean loss of its own tokens. */
  readonly perplexity: number;
  /** The same for each byte of text, which compares models with different tokens. */
  readonly bitsPerByte: number;
  readonly milliseconds: number;
}

async function score(candidate: Candidate, rows: readonly Row[], context: Context): Promise<Scored> {
  const { params, backend, emit } = context;
  if (candidate.layers !== undefined)
    throw new StepFailure(
      'LAYERS',
      `${candidate.name}: "layers" keeps the lower layers of an encoder; a decoder without its top layers cannot speak.`,
      { help: 'Take `layers` out.' },
    );
  const fetched = await fetchModel(candidate, context, openLanguageModel);
  const { model, encoder } = fetched.opened;
  emit({ type: 'progress', activity: `reading with ${candidate.name}`, done: 0 });
  const encoded = encodeLanguageRows(rows, encoder, params.max_length);
  const startMs = performance.now();
  const loss = await measureLanguage(model, encoded.examples, backend === undefined ? {} : { backend });
  return {
    ...fetched,
    candidate,
    perplexity: Math.exp(loss),
    bitsPerByte: (loss * encoded.targets) / Math.LN2 / Math.max(1, encoded.targetBytes),
    milliseconds: (performance.now() - startMs) / rows.length,
  };
}

function choose(
  scored: readonly Scored[],
  { choose: named, tolerance }: Context['params'],
): { readonly winner: Scored; readonly reason: string } {
  const best = scored.reduce((left, right) => (right.bitsPerByte < left.bitsPerByte ? right : left));
  const given = scored.find(({ candidate }) => candidate.name === named);
  if (given !== undefined) return { winner: given, reason: 'the pipeline names it' };
  if (scored.length === 1) return { winner: best, reason: 'it is the only candidate' };
  const close = scored.filter(({ bitsPerByte }) => bitsPerByte <= best.bitsPerByte * (1 + tolerance));
  const winner = close.reduce((left, right) =>
    right.opened.model.weightCount < left.opened.model.weightCount ? right : left,
  );
  const bits = best.bitsPerByte.toFixed(3);
  return winner === best
    ? { winner, reason: `it finds least new in the data, ${bits} bits a byte` }
    : {
        winner,
        reason: `it is smaller, and finds hardly more new in the data than the best (${bits} bits a byte)`,
      };
}

/** Reads a sample with each candidate, and takes the one that knows the data best. */
export async function selectLanguageModel(dataset: Dataset, context: Context): Promise<void> {
  const { params, outputs, seed, emit } = context;
  const rows = sampleRows(await dataset.rows('train'), params.max_rows, seed);
  if (rows.length === 0)
    throw new StepFailure('NO_ROWS', 'There is no training row to read.', {
      help: 'Look at what prepare kept.',
    });
  const scored: Scored[] = [];
  for (const candidate of params.candidates) scored.push(await score(candidate, rows, context));
  const { winner, reason } = choose(scored, params);
  const { model } = winner.opened;
  await writeModel(outputs.model, {
    rawConfig: model.rawConfig,
    tensors: [...model.tensors.values()],
    tokenizerFrom: model.path,
  });
  const origin = {
    version: 1,
    source: winner.resolved,
    architecture: model.architecture,
    weightsSha256: winner.sha256,
    weights: model.weightCount,
    layers: model.config.layers,
  };
  // Not how long it took, which differs each time: what needs this step would run again for nothing.
  const candidates = scored.map(({ candidate, resolved, opened, perplexity, bitsPerByte }) => ({
    name: candidate.name,
    resolved,
    weights: opened.model.weightCount,
    perplexity,
    bitsPerByte,
  }));
  const write = (name: string, value: unknown): Promise<void> =>
    writeFile(join(outputs.model, name), `${JSON.stringify(value, null, 2)}\n`);
  await write('joyul-model.json', origin);
  await write('decision.json', { chosen: winner.candidate.name, reason, rows: rows.length, candidates });
  emit({
    type: 'finding',
    weight: 'headline',
    text: `Chose ${winner.candidate.name} (${(model.weightCount / 1e6).toFixed(1)} M weights): ${reason}.`,
  });
  emit({
    type: 'table',
    title: `What candidates find new in ${rows.length} training rows`,
    columns: ['model', 'M weights', 'bits a byte', 'perplexity of its tokens', 'ms a row'],
    rows: scored.map(({ candidate, opened, bitsPerByte, perplexity, milliseconds }) => [
      candidate.name,
      Number((opened.model.weightCount / 1e6).toFixed(1)),
      Number(bitsPerByte.toFixed(3)),
      Number(perplexity.toFixed(2)),
      Number(milliseconds.toFixed(1)),
    ]),
  });
}
