/** Asks a server that speaks OpenAI's chat completions. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChatMessage } from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import type { Generation } from './generator.ts';
import type { Endpoint } from './prompt.ts';

/** How a server is asked. */
export interface ChatEndpointOptions {
  /** Environment of the step, which holds the key where the endpoint needs one. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** How long one answer may take; the default is 120 s. */
  readonly timeoutMs?: number;
  /** The wait before the second attempt, where the server names none; it doubles each time. The default is 1 s. */
  readonly retryDelayMs?: number;
}

/** What a server answered. */
export interface ChatReply {
  readonly text: string;
  /** As the server counts; where it does not tell, a token for four characters. */
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly ending: Generation['ending'];
}

/** The fields of an answer that are read; whatever else speaks the protocol may leave any of them out. */
interface Completion {
  readonly choices?: readonly {
    readonly message?: { readonly content?: string | null };
    readonly finish_reason?: string;
  }[];
  readonly usage?: { readonly prompt_tokens?: number; readonly completion_tokens?: number };
  readonly error?: { readonly message?: string; readonly code?: string | null } | string;
  readonly message?: string;
}

/** Another attempt may help. */
class BusyError extends Error {
  /** What the server asks to be waited for. */
  readonly waitMs: number | undefined;

  constructor(message: string, waitMs?: number, options?: ErrorOptions) {
    super(message, options);
    this.waitMs = waitMs;
  }
}

const attempts = 5;
const longestWaitMs = 60_000;
const charactersPerToken = 4;

/** How long to wait, of a header that names seconds or a date. */
function readRetryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = Number(header);
  const waitMs = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : 1000 * seconds;
  return Number.isNaN(waitMs) ? undefined : Math.min(longestWaitMs, Math.max(0, waitMs));
}

/** What is asked besides the conversation; newer models of OpenAI's refuse the first two forms. */
type Form = 'max_tokens' | 'max_completion_tokens' | 'without temperature';
const formAfter = {
  max_tokens: 'max_completion_tokens',
  max_completion_tokens: 'without temperature',
} as const;

const describeForm = (form: Form, count: number): Readonly<Record<string, number>> => ({
  [form === 'max_tokens' ? 'max_tokens' : 'max_completion_tokens']: count,
  ...(form === 'without temperature' ? {} : { temperature: 0 }),
});

/** A model behind an OpenAI-compatible API. */
export class ChatEndpoint {
  readonly #endpoint: Endpoint;
  readonly #address: string;
  readonly #key: string | undefined;
  readonly #options: ChatEndpointOptions;
  #form: Form = 'max_tokens';
  #hasAnswered = false;

  /** @throws StepFailure where the key that it needs is not in the environment. */
  constructor(endpoint: Endpoint, options: ChatEndpointOptions = {}) {
    const { url, keyVariable } = endpoint;
    this.#endpoint = endpoint;
    this.#address = `${url.replace(/\/+$/, '')}/chat/completions`;
    this.#options = options;
    this.#key = keyVariable === undefined ? undefined : options.env?.[keyVariable];
    if (keyVariable !== undefined && (this.#key ?? '') === '')
      throw new StepFailure(
        'ENDPOINT_KEY',
        `The endpoint ${this.#host} needs a key in the variable ${keyVariable}, which this step does not have.`,
        {
          help: `Give it to every step that asks: environment: { ${keyVariable}: '\${{ secrets.NAME }}' }, in the step or in the pipeline's defaults.`,
        },
      );
  }

  get #host(): string {
    return URL.parse(this.#address)?.host ?? this.#address;
  }

  /** Answers a conversation greedily, as far as the server can; tries again when it is busy. */
  async reply(messages: readonly ChatMessage[], maxNewTokens: number): Promise<ChatReply> {
    const { signal, retryDelayMs = 1000 } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        const completion = await this.#ask(messages, maxNewTokens);
        this.#hasAnswered = true;
        return readReply(completion, messages);
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof BusyError)) throw error;
        if (attempt === attempts)
          throw new StepFailure(
            'ENDPOINT_BUSY',
            this.#clean(`${error.message} (attempt ${attempt} of ${attempts})`),
            {
              help: 'Run again later: what was answered until now is kept.',
              cause: error,
            },
          );
        const waitMs = error.waitMs ?? Math.min(longestWaitMs, retryDelayMs * 2 ** (attempt - 1));
        await sleep(waitMs, undefined, signal === undefined ? {} : { signal });
      }
    }
  }

  /** A text without the key, which servers like to repeat. */
  #clean(text: string): string {
    return this.#key === undefined ? text : text.replaceAll(this.#key, '***');
  }

  async #ask(messages: readonly ChatMessage[], maxNewTokens: number): Promise<Completion> {
    const { timeoutMs = 120_000 } = this.#options;
    const form = this.#form;
    const body = {
      model: this.#endpoint.model,
      messages: messages.map(({ role, content }) => ({ role, content })),
      ...describeForm(form, maxNewTokens),
    };
    const response = await this.#post(JSON.stringify(body), timeoutMs);
    const text = await response.text().catch((cause: unknown) => {
      throw new BusyError(`${this.#host} broke off its answer`, undefined, { cause });
    });
    const content = parseCompletion(text);
    const said = this.#clean(describeRefusal(content, text));
    if (response.ok && content?.choices !== undefined) return content;
    const next = form === 'without temperature' ? undefined : formAfter[form];
    if (response.status === 400 && next !== undefined && /max_tokens|temperature/.test(said)) {
      this.#form = next;
      return this.#ask(messages, maxNewTokens);
    }
    throw this.#refuse(response, said);
  }

  async #post(body: string, timeoutMs: number): Promise<Response> {
    const { signal } = this.#options;
    const limit = AbortSignal.timeout(timeoutMs);
    try {
      return await fetch(this.#address, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(this.#key === undefined ? {} : { authorization: `Bearer ${this.#key}` }),
        },
        body,
        signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
      });
    } catch (cause) {
      if (limit.aborted)
        throw new BusyError(`${this.#host} gave no answer in ${timeoutMs / 1000} s`, undefined, { cause });
      if (this.#hasAnswered)
        throw new BusyError(`${this.#host} cannot be reached any more`, undefined, { cause });
      throw new StepFailure('ENDPOINT_UNREACHABLE', `${this.#address} cannot be reached.`, {
        help: 'Check the url of the endpoint, such as http://127.0.0.1:11434/v1, and that its server runs.',
        cause,
      });
    }
  }

  /** What a refusal means for the user. */
  #refuse(response: Response, said: string): Error {
    const { model, keyVariable } = this.#endpoint;
    const host = this.#host;
    const { status } = response;
    if (status === 429 || status >= 500)
      return new BusyError(
        `${host} answered ${status}: ${said}`,
        readRetryAfter(response.headers.get('retry-after')),
      );
    if (status === 401 || status === 403)
      return new StepFailure('ENDPOINT_KEY', `${host} refuses the key (${status}): ${said}`, {
        help:
          keyVariable === undefined
            ? "Name a variable with the key, api_key_from: API_KEY, and give it to the steps: environment: { API_KEY: '${{ secrets.NAME }}' }."
            : `Check the secret that the variable ${keyVariable} gets.`,
      });
    if (status === 404)
      return new StepFailure('ENDPOINT_MODEL', `${host} has no model ${model} there (404): ${said}`, {
        help: 'Check model and url of the endpoint; the url ends before /chat/completions, mostly with /v1.',
      });
    if (response.ok)
      return new StepFailure(
        'ENDPOINT_PROTOCOL',
        `${this.#address} does not answer as a chat API does: ${said}`,
        {
          help: 'Check the url of the endpoint; it ends before /chat/completions, mostly with /v1.',
        },
      );
    return new StepFailure('ENDPOINT_REFUSED', `${host} refuses the question (${status}): ${said}`, {
      help: `Check what the model ${model} accepts.`,
    });
  }
}

function parseCompletion(text: string): Completion | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What the server itself says is wrong, in one line. */
function describeRefusal(content: Completion | undefined, text: string): string {
  const { error, message } = content ?? {};
  const said = (typeof error === 'string' ? error : error?.message) ?? message ?? text;
  const line = said.replaceAll(/\s+/g, ' ').trim();
  return line === '' ? 'it says nothing more.' : line.length > 200 ? `${line.slice(0, 197)}...` : line;
}

const estimateTokens = (text: string): number => Math.ceil(text.length / charactersPerToken);

function readReply({ choices = [], usage }: Completion, messages: readonly ChatMessage[]): ChatReply {
  const [choice] = choices;
  const text = choice?.message?.content ?? '';
  return {
    text: text.trim(),
    promptTokens: usage?.prompt_tokens ?? estimateTokens(messages.map(({ content }) => content).join('\n')),
    newTokens: usage?.completion_tokens ?? estimateTokens(text),
    ending: choice?.finish_reason === 'length' ? 'length' : 'stop',
  };
}
