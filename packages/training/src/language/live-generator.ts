/**
 * Continues texts that come and go: each joins those at work as soon as a row is free, and leaves when it ends
 * (continuous batching, after Yu et al. 2022).
 *
 *   row 0  ··[ prompt ][ new tokens …      all texts end at the same place `at`,
 *   row 1  ·······[ prompt ][ new …        so that one pass makes a token of each
 *                           ^ at
 */
import { setImmediate } from 'node:timers/promises';
import { Program } from '@joyul/compute';
import type { ChosenPrecision, Session } from '@joyul/compute';
import { Llama, LlamaCache } from '@joyul/models';
import type { CacheShape, LlamaConfig } from '@joyul/models';
import {
  Text,
  checkPrompts,
  chooseContexts,
  declareNext,
  entries,
  openGeneratorSession,
  runForLogits,
} from './generator.ts';
import type { GenerateOptions, Generation, GeneratorOptions, Prompt } from './generator.ts';

/** What is asked of one text. */
export interface LiveOptions extends Omit<GenerateOptions, 'onToken'> {
  /** Told each token when it is made. */
  readonly onToken?: (id: number) => void;
  /** Ends the text early; what was made until then is its result. */
  readonly signal?: AbortSignal;
}

/** A language model that continues texts which arrive at any time. */
export interface LiveGenerator {
  readonly context: number;
  readonly precision: ChosenPrecision;
  /** Texts that are continued now, and those that wait for a row. */
  readonly load: { readonly live: number; readonly waiting: number };
  /**
   * Continues a prompt beside others, as it would be alone; texts begin in the order of their arrival.
   *
   * @throws RangeError when the prompt is empty, or leaves no room in the context.
   */
  generate(prompt: Prompt, options: LiveOptions): Promise<Generation>;
  dispose(): void;
}

function makeLiveProgram(config: LlamaConfig, shape: CacheShape): Program {
  const program = new Program();
  const cache = LlamaCache.declare(program, Llama.declare(program, config), shape);
  for (const length of chooseContexts(shape.context)) {
    program.entry(entries.join(length), (builder) => {
      const place = (name: string): ReturnType<typeof builder.input> => builder.input(name, 'int32', []);
      const { logits, updates } = cache.join(
        builder.input('ids', 'int32', [1, length]),
        { start: builder.input('start', 'int32', [1]), last: place('last') },
        { row: place('row'), offset: place('offset') },
      );
      return { outputs: { logits }, updates };
    });
    declareNext(program, cache, { batch: shape.batch, context: length });
  }
  return program;
}

/** Opens a language model to continue texts that arrive at any time; up to `batchSize`, 8 by default, at once. */
export async function openLiveGenerator(options: GeneratorOptions): Promise<LiveGenerator> {
  const { session, shape, precision } = await openGeneratorSession(
    { batchSize: 8, ...options },
    makeLiveProgram,
  );
  const queue = new LiveQueue(session, shape);
  return {
    context: shape.context,
    precision,
    get load() {
      return queue.load;
    },
    async generate(prompt, settings) {
      checkPrompts([prompt], shape.context);
      return queue.add(prompt, settings);
    },
    dispose() {
      session.dispose();
    },
  };
}

/** A text with who waits for it. */
interface Request {
  readonly text: Text;
  /** All of its tokens so far. */
  readonly ids: number[];
  readonly signal: AbortSignal | undefined;
  readonly resolve: (generation: Generation) => void;
  readonly reject: (error: unknown) => void;
}

const isOver = ({ text, signal }: Request): boolean => text.isEnded || signal?.aborted === true;

/** Rows of texts at work, and a queue before them. */
class LiveQueue {
  readonly #session: Session;
  readonly #shape: CacheShape;
  readonly #lengths: readonly number[];
  readonly #rows: (Request | undefined)[];
  readonly #starts: Int32Array;
  readonly #waiting: Request[] = [];
  /** Whoever has no answer yet. */
  readonly #open = new Set<Request>();
  /** Where all texts at work end. */
  #at = 0;
  #isWorking = false;

  constructor(session: Session, shape: CacheShape) {
    this.#session = session;
    this.#shape = shape;
    this.#lengths = chooseContexts(shape.context);
    this.#rows = new Array<Request | undefined>(shape.batch).fill(undefined);
    this.#starts = new Int32Array(shape.batch);
  }

  get load(): LiveGenerator['load'] {
    return { live: this.#live().length, waiting: this.#waiting.length };
  }

  add(prompt: Prompt, { onToken, signal, ...settings }: LiveOptions): Promise<Generation> {
    return new Promise((resolve, reject) => {
      const ids = Array.from(prompt);
      const text = new Text(0, prompt, {
        ...settings,
        onToken(id) {
          ids.push(id);
          onToken?.(id);
        },
      });
      const request = { text, ids, signal, resolve, reject };
      this.#waiting.push(request);
      this.#open.add(request);
      if (!this.#isWorking) void this.#work();
    });
  }

  /** Makes tokens until nobody waits. */
  async #work(): Promise<void> {
    this.#isWorking = true;
    try {
      while (this.#waiting.length + this.#live().length > 0) {
        await this.#admit();
        if (this.#live().length > 0) await this.#advance();
        // Lets requests arrive and answers leave between two tokens.
        await setImmediate();
      }
    } catch (error) {
      for (const request of this.#open) request.reject(error);
      this.#open.clear();
      this.#waiting.length = 0;
      this.#rows.fill(undefined);
    } finally {
      this.#isWorking = false;
    }
  }

  #live(): readonly Request[] {
    return this.#rows.filter((request) => request !== undefined);
  }

  /** Gives free rows to those who wait, the first first: nobody overtakes a long prompt. */
  async #admit(): Promise<void> {
    for (const gone of this.#waiting.filter(isOver)) this.#settle(gone);
    if (this.#live().length === 0)
      // The first of them decides where the texts end, so that all of them fit before it.
      this.#at = Math.max(0, ...this.#waiting.slice(0, this.#shape.batch).map(({ ids }) => ids.length));
    for (const row of this.#rows.keys()) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      if (this.#rows[row] !== undefined) continue;
      // A prompt longer than what stands before it has to wait until the others are so long, or have ended.
      if (next.ids.length > this.#at) return;
      this.#waiting.shift();
      await this.#join(row, next);
    }
  }

  /** Reads a text into a row, so that it ends where the others do, and makes its next token. */
  async #join(row: number, request: Request): Promise<void> {
    const { ids } = request;
    const at = this.#at;
    const length = this.#lengthFor(ids.length);
    const offset = Math.max(0, at - length);
    const start = at - ids.length - offset;
    const window = new Int32Array(length);
    window.set(ids, start);
    const [logits = new Float32Array()] = await runForLogits(
      this.#session,
      entries.join(length),
      { ids: window, start: Int32Array.of(start), last: at - 1 - offset, row, offset },
      1,
    );
    this.#rows[row] = request;
    this.#starts[row] = at - ids.length;
    this.#append(row, logits);
  }

  /** A token for every text at work. */
  async #advance(): Promise<void> {
    const { batch, context } = this.#shape;
    while (this.#at >= context && this.#live().length > 0) await this.#moveBack();
    const ids = new Int32Array(batch);
    for (const [row, request] of this.#rows.entries()) {
      ids[row] = request?.text.last ?? 0;
      if (request === undefined) this.#starts[row] = this.#at;
    }
    if (this.#live().length === 0) return;
    const entry = entries.next(this.#lengthFor(this.#at + 1));
    const logits = await runForLogits(
      this.#session,
      entry,
      { ids, starts: this.#starts, at: this.#at },
      batch,
    );
    this.#at++;
    for (const row of this.#rows.keys()) this.#append(row, logits[row] ?? new Float32Array());
  }

  /** The room is full: texts that began late are read again, further to the front. */
  async #moveBack(): Promise<void> {
    for (const [row, request] of this.#rows.entries())
      // Its last token has not been read yet, so a text as long as the room can still have it.
      if (request !== undefined && request.ids.length > this.#shape.context) this.#leave(row, request);
    const live = this.#live();
    this.#rows.fill(undefined);
    this.#at = Math.max(0, ...live.map(({ ids }) => ids.length));
    for (const [row, request] of live.entries()) await this.#join(row, request);
  }

  #append(row: number, logits: Float32Array): void {
    const request = this.#rows[row];
    if (request === undefined) return;
    if (!isOver(request)) request.text.append(logits);
    if (isOver(request)) this.#leave(row, request);
  }

  #leave(row: number, request: Request): void {
    this.#rows[row] = undefined;
    this.#settle(request);
  }

  #settle(request: Request): void {
    const at = this.#waiting.indexOf(request);
    if (at !== -1) this.#waiting.splice(at, 1);
    this.#open.delete(request);
    request.resolve(request.text.end());
  }

  #lengthFor(tokens: number): number {
    return this.#lengths.find((length) => length >= tokens) ?? this.#shape.context;
  }
}
