import type { Row } from '@joyul/data';
import { encodeLanguageRows } from './encode-language-rows.ts';
import { measureLanguage } from './measure-language.ts';
import type { MeasureOptions } from './measure-language.ts';
import { openLanguageModel } from './open-language-model.ts';
import { promptRows, readPrompt } from './prompt.ts';

/** What a model finds new in rows. */
export interface MeasuredRows {
  /** Mean over the targets, in nats a token. */
  readonly loss: number;
  readonly targets: number;
  readonly targetBytes: number;
}

/**
 * Measures what a trained model finds new in rows, asked by its prompt where it has one: then only the answer to the last
 * question counts. Undefined for an endpoint, whose weights are not here.
 */
export async function measurePrompted(
  dir: string,
  rows: readonly Row[],
  { maxLength, ...options }: MeasureOptions & { readonly maxLength: number },
): Promise<MeasuredRows | undefined> {
  const prompt = await readPrompt(dir);
  if (prompt?.endpoint !== undefined) return undefined;
  const { model, encoder } = await openLanguageModel(dir);
  if (prompt === undefined) {
    const { examples, targets, targetBytes } = encodeLanguageRows(rows, encoder, maxLength);
    return { loss: await measureLanguage(model, examples, options), targets, targetBytes };
  }
  const whole = encodeLanguageRows(promptRows(rows, prompt), encoder, Number.POSITIVE_INFINITY);
  // As when it is asked, too long a prompt loses its beginning: the answer stands at the end.
  const examples = whole.examples.map(({ ids, labels }) => ({
    ids: ids.slice(-maxLength),
    labels: labels.slice(-maxLength),
  }));
  const { targets, targetBytes } = whole;
  return { loss: await measureLanguage(model, examples, { ...options, batchSize: 2 }), targets, targetBytes };
}
