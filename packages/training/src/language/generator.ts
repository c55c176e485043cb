import type { Backend } from '@joyul/plugin-api';
import { Program, chooseBackend, choosePrecision, createSession } from '@joyul/compute';
import type { ChosenPrecision, Feeds, Session } from '@joyul/compute';
import { Llama, LlamaCache, deriveSeed } from '@joyul/models';
import type { CacheShape, LlamaFolder, NamedTensor } from '@joyul/models';
import { cutInto } from '../batches.ts';
import { valuesOf } from '../model-values.ts';
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
  /** The logits [vocabulary] after each prompt. */
  logits(prompts: readonly Prompt[]): Promise<readonly Float32Array[]>;
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

/** Adds what continues texts with a decoder to its program: entries for prompts and texts of some lengths. */
export function addGeneratorEntries(
  program: Program,
  llama: Llama,
  shape: CacheShape,
  lengths = chooseContexts(shape.context),
): void {
  const cache = LlamaCache.declare(program, llama, shape);
  const { batch } = shape;
  for (const length of lengths) {
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
}

/** Opens a language model to continue texts with. */
export async function openGenerator(options: GeneratorOptions): Promise<Generator> {
  const { config } = options.model;
  const context = Math.min(options.context ?? defaultContext, config.maxPositions);
  const { name: backend } = chooseBackend(options.backend);
  const precision = await choosePrecision(options.precision ?? 'auto', backend);
  const shape = { batch: options.batchSize ?? 1, context };
  const program = new Program();
  addGeneratorEntries(program, Llama.declare(program, config), shape);
  const session = await createSession(program, { backend, matmul: precision.name });
  await session.write(valuesOf(program.variables, options.model, options.weights));
  return {
    ...makeGenerator(session, shape),
    precision,
    dispose() {
      session.dispose();
    },
  };
}

/** Continues texts by the entries of a session whose program got them from {@link addGeneratorEntries}. */
export function makeGenerator(
  session: Session,
  shape: CacheShape,
  lengths = chooseContexts(shape.context),
): Pick<Generator, 'context' | 'generate' | 'logits'> {
  const { context } = shape;
  const decoder = new Decoder(session, shape, lengths);
  return {
    context,
    async generate(prompts, settings) {
      checkPrompts(prompts, context);
      const results: Generation[] = [];
      for (const part of group(prompts, shape.batch)) {
        const texts = part.map((index) => new Text(index, prompts[index] ?? [], settings));
        await decoder.run(texts);
        for (const text of texts) results[text.index] = text.end();
      }
      return results;
    },
    async logits(prompts) {
      checkPrompts(prompts, context);
      const results: Float32Array[] = [];
      for (const part of group(prompts, shape.batch)) {
        const { logits } = await decoder.begin(part.map((index) => prompts[index] ?? []));
        for (const [row, index] of part.entries())
          results[index] = logits[row]?.slice() ?? new Float32Array();
      }
      return results;
    },
  };
}

function checkPrompts(prompts: readonly Prompt[], context: number): void {
  const wrong = prompts.find(({ length }) => length === 0 || length >= context);
  if (wrong === undefined) return;
  throw new RangeError(
    `A prompt of ${wrong.length} tokens cannot be continued in a context of ${context}: give 1 to ${context - 1} tokens, or open the model with a larger context.`,
  );
}

/** The indices of prompts in groups of similar length, so that little room is lost. */
function group(prompts: readonly Prompt[], size: number): readonly (readonly number[])[] {
  const lengthOf = (index: number): number => prompts[index]?.length ?? 0;
  const order = [...prompts.keys()].sort((a, b) => lengthOf(a) - lengthOf(b) || a - b);
  return cutInto(order, size);
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

  constructor(session: Session, shape: CacheShape, lengths: readonly number[]) {
    this.#session = session;
    this.#shape = shape;
    this.#lengths = lengths;
  }

  /** Continues texts until all have ended or the longest fills the context. */
  async run(texts: readonly Text[]): Promise<void> {
    const { batch, context } = this.#shape;
    const { logits, starts, longest } = await this.begin(texts.map(({ prompt }) => prompt));
    for (const [row, text] of texts.entries()) text.append(logits[row] ?? new Float32Array());
    for (let at = longest; at < context && texts.some(({ isEnded }) => !isEnded); at++) {
      const ids = new Int32Array(batch);
      for (const [row, { last }] of texts.entries()) ids[row] = last;
      const rows = await this.#step(entries.next(this.#lengthFor(at + 1)), { ids, starts, at });
      for (const [row, text] of texts.entries()) text.append(rows[row] ?? new Float32Array());
    }
  }

  /** Reads prompts, whose ends are laid side by side: the logits after each, and where each begins. */
  async begin(prompts: readonly Prompt[]): Promise<{
    readonly logits: readonly Float32Array[];
    readonly starts: Int32Array;
    readonly longest: number;
  }> {
    const { batch } = this.#shape;
    const longest = Math.max(...prompts.map(({ length }) => length));
    const time = this.#lengthFor(longest);
    const starts = new Int32Array(batch);
    const ids = new Int32Array(batch * time);
    for (const [row, prompt] of prompts.entries()) {
      starts[row] = longest - prompt.length;
      ids.set(Array.from(prompt), row * time + longest - prompt.length);
    }
    const logits = await this.#step(entries.begin(time), { ids, starts, last: longest - 1 });
    return { logits, starts, longest };
  }

  /** The logits of each row. */
  async #step(entry: string, feeds: Feeds): Promise<readonly Float32Array[]> {
    const { logits } = await this.#session.run(entry, feeds);
    if (!(logits instanceof Float32Array)) throw new Error('Internal error: no logits.');
    const { batch } = this.#shape;
    const width = logits.length / batch;
    return Array.from({ length: batch }, (_, row) => logits.subarray(row * width, (row + 1) * width));
  }

  #lengthFor(tokens: number): number {
    return this.#lengths.find((length) => length >= tokens) ?? this.#shape.context;
  }
}
