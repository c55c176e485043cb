import type { Backend } from '@joyul/plugin-api';
import { Program, chooseBackend, choosePrecision, createSession, sizeOf } from '@joyul/compute';
import type { ChosenPrecision, Feeds, Session } from '@joyul/compute';
import { Llama, LlamaCache, deriveSeed } from '@joyul/models';
import type { CacheShape, LlamaConfig, LlamaFolder, NamedTensor } from '@joyul/models';
import { makeTokenChooser } from './choose-token.ts';
import type { Sampling } from './choose-token.ts';

/** Settings of a generator. */
export interface GeneratorOptions {
  readonly model: LlamaFolder;
  /** Weights in place of the model's own, such as those with an adapter merged in. */
  readonly weights?: ReadonlyMap<string, Pick<NamedTensor, 'data'>>;
  readonly backend?: Backend;
  /** Of the matrix products; the default is `auto`. */
  readonly precision?: 'float32' | 'bfloat16' | 'auto';
  /** Tokens of the longest prompt with its answer; the default is 1,024, or what the model can if that is less. */
  readonly context?: number;
  /** Texts that are continued at the same time; up to 16 take hardly longer than one. The default is 1. */
  readonly batchSize?: number;
}

/** What is asked of a generation. */
export interface GenerateOptions extends Sampling {
  /** At most so many tokens are made for each prompt. */
  readonly maxNewTokens: number;
  /** Tokens that end a text; they are part of the result. */
  readonly stopIds?: readonly number[];
  /** Told each token when it is made, with the index of its prompt. */
  readonly onToken?: (id: number, prompt: number) => void;
}

/** A text's continuation. */
export interface Generation {
  readonly ids: readonly number[];
  /** Whether a token of `stopIds` ended it, or no more was asked for, or there was no more room. */
  readonly ending: 'stop' | 'length' | 'context';
}

/** A language model that continues texts, with the keys and values of earlier tokens kept. */
export interface Generator {
  readonly context: number;
  readonly precision: ChosenPrecision;
  /**
   * Continues each prompt, as it would be alone. Draws depend on the seed and the prompt's index.
   *
   * @throws RangeError when a prompt is empty, or leaves no room in the context.
   */
  generate(prompts: readonly Prompt[], options: GenerateOptions): Promise<readonly Generation[]>;
  dispose(): void;
}

/** Ids of tokens. */
type Prompt = ArrayLike<number>;

const shortest = 64;
const defaultContext = 1024;

/** Lengths that programs are made for: 64, 128, … and the whole context. */
export function chooseContexts(context: number): readonly number[] {
  const lengths: number[] = [];
  for (let length = shortest; length < context; length *= 2) lengths.push(length);
  return [...lengths, context];
}

const entries = {
  begin: (time: number): string => `begin-${time}`,
  next: (tokens: number): string => `next-${tokens}`,
};

function makeGeneratorProgram(config: LlamaConfig, shape: CacheShape): Program {
  const program = new Program();
  const llama = Llama.declare(program, config);
  const cache = LlamaCache.declare(program, llama, shape);
  const { batch } = shape;
  for (const length of chooseContexts(shape.context)) {
    program.entry(entries.begin(length), (builder) => {
      const ids = builder.input('ids', 'int32', [batch, length]);
      const starts = builder.input('starts', 'int32', [batch]);
      const { logits, updates } = cache.begin(ids, starts, builder.input('last', 'int32', []));
      return { outputs: { logits }, updates };
    });
    program.entry(entries.next(length), (builder) => {
      const ids = builder.input('ids', 'int32', [batch]);
      const starts = builder.input('starts', 'int32', [batch]);
      const { logits, updates } = cache.next(ids, starts, builder.input('at', 'int32', []), length);
      return { outputs: { logits }, updates };
    });
  }
  return program;
}

/** The value of each variable: the model's weights, others in their place, and empty caches. */
async function* valuesOf(
  program: Program,
  { model, weights }: GeneratorOptions,
): AsyncGenerator<[string, Float32Array]> {
  for (const { name, shape } of program.variables) {
    const own = weights?.get(name)?.data ?? (await model.tensors.get(name)?.readData());
    yield [name, own ?? new Float32Array(sizeOf(shape))];
  }
}

/** Opens a language model to continue texts with. */
export async function openGenerator(options: GeneratorOptions): Promise<Generator> {
  const { config } = options.model;
  const context = Math.min(options.context ?? defaultContext, config.maxPositions);
  const { name: backend } = chooseBackend(options.backend);
  const precision = await choosePrecision(options.precision ?? 'auto', backend);
  const shape = { batch: options.batchSize ?? 1, context };
  const program = makeGeneratorProgram(config, shape);
  const session = await createSession(program, { backend, matmul: precision.name });
  await session.write(valuesOf(program, options));
  const decoder = new Decoder(session, shape);
  return {
    context,
    precision,
    async generate(prompts, settings) {
      const lengths = prompts.map(({ length }) => length);
      const wrong = lengths.find((length) => length === 0 || length >= context);
      if (wrong !== undefined)
        throw new RangeError(
          `A prompt of ${wrong} tokens cannot be continued in a context of ${context}: give 1 to ${context - 1} tokens, or open the model with a larger context.`,
        );
      // Prompts of similar length together, so that little room is lost.
      const order = [...lengths.keys()].sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b);
      const results: Generation[] = [];
      for (let from = 0; from < order.length; from += shape.batch) {
        const texts = order
          .slice(from, from + shape.batch)
          .map((index) => new Text(index, prompts[index] ?? [], settings));
        await decoder.run(texts);
        for (const text of texts) results[text.index] = text.end();
      }
      return results;
    },
    dispose() {
      session.dispose();
    },
  };
}

/** A text while it is continued. */
class Text {
  readonly index: number;
  readonly prompt: Prompt;
  readonly #ids: number[] = [];
  readonly #settings: GenerateOptions;
  readonly #choose: (logits: Float32Array) => number;
  #ending: Generation['ending'] | undefined;

  constructor(index: number, prompt: Prompt, settings: GenerateOptions) {
    this.index = index;
    this.prompt = prompt;
    this.#settings = settings;
    this.#choose = makeTokenChooser({ ...settings, seed: deriveSeed(settings.seed ?? 0, `text ${index}`) });
  }

  get isEnded(): boolean {
    return this.#ending !== undefined;
  }

  /** The last token, or 0 before there is one. */
  get last(): number {
    return this.#ids.at(-1) ?? 0;
  }

  /** Goes on by a token. */
  append(logits: Float32Array): void {
    if (this.isEnded) return;
    const { stopIds = [], maxNewTokens, onToken } = this.#settings;
    const id = this.#choose(logits);
    this.#ids.push(id);
    onToken?.(id, this.index);
    if (stopIds.includes(id)) this.#ending = 'stop';
    else if (this.#ids.length >= maxNewTokens) this.#ending = 'length';
  }

  end(): Generation {
    return { ids: this.#ids, ending: this.#ending ?? 'context' };
  }
}

/** Continues as many texts at a time as its cache has rows. */
class Decoder {
  readonly #session: Session;
  readonly #shape: CacheShape;
  readonly #lengths: readonly number[];

  constructor(session: Session, shape: CacheShape) {
    this.#session = session;
    this.#shape = shape;
    this.#lengths = chooseContexts(shape.context);
  }

  /** Continues texts until all have ended or the longest fills the context. */
  async run(texts: readonly Text[]): Promise<void> {
    const { batch, context } = this.#shape;
    const longest = Math.max(...texts.map(({ prompt }) => prompt.length));
    const time = this.#lengthFor(longest);
    const starts = new Int32Array(batch);
    const prompts = new Int32Array(batch * time);
    for (const [row, { prompt }] of texts.entries()) {
      starts[row] = longest - prompt.length;
      prompts.set(Array.from(prompt), row * time + longest - prompt.length);
    }
    await this.#step(texts, entries.begin(time), { ids: prompts, starts, last: longest - 1 });
    for (let at = longest; at < context && texts.some(({ isEnded }) => !isEnded); at++) {
      const ids = new Int32Array(batch);
      for (const [row, { last }] of texts.entries()) ids[row] = last;
      await this.#step(texts, entries.next(this.#lengthFor(at + 1)), { ids, starts, at });
    }
  }

  async #step(texts: readonly Text[], entry: string, feeds: Feeds): Promise<void> {
    const { logits } = await this.#session.run(entry, feeds);
    if (!(logits instanceof Float32Array)) throw new Error('Internal error: no logits.');
    const width = logits.length / this.#shape.batch;
    for (const [row, text] of texts.entries()) text.append(logits.subarray(row * width, (row + 1) * width));
  }

  #lengthFor(tokens: number): number {
    return this.#lengths.find((length) => length >= tokens) ?? this.#shape.context;
  }
}
