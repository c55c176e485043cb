import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StepFailure } from '@joyul/plugin-api';
import type { ChatMessage, LanguageEncoder } from '@joyul/data';
import type { Generator } from '@joyul/training';
import type { Context } from './context.ts';
import type { Written } from './filter.ts';

/** What is asked of a writer. */
interface WriteRequest {
  /** Names the file that keeps what is done, and what progress is called. */
  readonly activity: string;
  readonly prompts: readonly (readonly ChatMessage[])[];
  readonly maxNewTokens: number;
}

/** What a writer uses of the step's context. */
type WriterContext = Pick<Context, 'scratch' | 'seed' | 'signal' | 'emit'> & {
  readonly params: Pick<Context['params'], 'temperature' | 'top_p'>;
};

/** Prompts between two times that what is done is kept. */
const atOnce = 16;

/** Continues conversations by drawing; what is done is kept in scratch, so that an interrupted step goes on. */
export class Writer {
  readonly #generator: Generator;
  readonly #encoder: LanguageEncoder;
  readonly #context: WriterContext;

  constructor(generator: Generator, encoder: LanguageEncoder, context: WriterContext) {
    this.#generator = generator;
    this.#encoder = encoder;
    this.#context = context;
  }

  /** What the model says to each conversation; draws depend on the seed and the place of a conversation in the list. */
  async write({ activity, prompts, maxNewTokens }: WriteRequest): Promise<readonly Written[]> {
    const { scratch, signal, emit } = this.#context;
    const file = join(scratch, `${activity.replaceAll(' ', '-')}.jsonl`);
    const done = await readDone(file);
    while (done.length < prompts.length) {
      if (signal.aborted)
        throw new StepFailure('CHECKPOINTED', `Stopped after ${done.length} of ${prompts.length} rows.`);
      const from = done.length;
      const part = await this.#continue(prompts.slice(from, from + atOnce), maxNewTokens, from);
      await appendFile(file, part.map((item) => `${JSON.stringify(item)}\n`).join(''));
      done.push(...part);
      emit({ type: 'progress', activity, done: done.length, total: prompts.length, unit: 'rows' });
    }
    return done;
  }

  async #continue(
    prompts: readonly (readonly ChatMessage[])[],
    maxNewTokens: number,
    from: number,
  ): Promise<readonly Written[]> {
    const { params, seed } = this.#context;
    const encoder = this.#encoder;
    const room = Math.max(1, this.#generator.context - maxNewTokens);
    const generations = await this.#generator.generate(
      prompts.map((messages) => encoder.encodePrompt(messages).slice(-room)),
      {
        maxNewTokens,
        stopIds: [encoder.endId],
        temperature: params.temperature,
        topP: params.top_p,
        // Each part draws anew: the generator counts prompts from 0.
        seed: (seed + from) >>> 0,
      },
    );
    return generations.map(({ ids, ending }) => ({
      text: encoder.tokenizer.decode(ids).trim(),
      isEnded: ending === 'stop',
    }));
  }
}

/** What an earlier attempt kept; a line that its end cut off is taken out and written again. */
async function readDone(file: string): Promise<Written[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole !== text) await writeFile(file, whole);
  const lines = whole.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Written); // Written by the class above.
}
