/** Requests in OpenAI's shape, checked: everything that is wrong is told at once. */
import type { ChatMessage } from '@joyul/data';
import { RequestError } from '../http.ts';
import type { RequestProblem } from '../http.ts';

/** What both kinds of requests say. */
export interface GenerationRequest {
  readonly isStreamed: boolean;
  /** Whether a stream ends with the counts of tokens. */
  readonly streamsUsage: boolean;
  readonly temperature: number;
  readonly topP: number;
  /** Absent means as many as there is room for. */
  readonly maxTokens: number | undefined;
  readonly seed: number | undefined;
  /** The answer ends before any of these. */
  readonly stop: readonly string[];
}

/** A conversation to be answered. */
export interface ChatRequest extends GenerationRequest {
  readonly messages: readonly ChatMessage[];
}

/** Texts to be continued. */
export interface CompletionRequest extends GenerationRequest {
  readonly prompts: readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

/** Fields that would change the answer, with the values that change nothing. */
const unsupported: Readonly<Record<string, readonly unknown[]>> = {
  n: [1],
  best_of: [1],
  tools: [],
  tool_choice: ['none', 'auto'],
  functions: [],
  function_call: ['none', 'auto'],
  logprobs: [false],
  top_logprobs: [0],
  logit_bias: [],
  presence_penalty: [0],
  frequency_penalty: [0],
  echo: [false],
  suffix: [''],
  audio: [],
  modalities: [],
};

const roles = ['system', 'developer', 'user', 'assistant', 'tool'] as const;

/** Reads fields of a body, and collects what is wrong with them. */
class BodyReader {
  readonly problems: RequestProblem[] = [];
  readonly #body: Json;

  constructor(body: unknown) {
    if (!isRecord(body)) throw new RequestError(400, 'invalid_json', 'The body must be a JSON object.');
    this.#body = body;
  }

  get(field: string): unknown {
    return this.#body[field] ?? undefined;
  }

  refuse(param: string, message: string): void {
    this.problems.push({ param, message });
  }

  number(
    field: string,
    range: { readonly least: number; readonly most: number; readonly isWhole?: true },
  ): number | undefined {
    const value = this.get(field);
    if (value === undefined) return undefined;
    const { least, most, isWhole } = range;
    if (
      typeof value === 'number' &&
      value >= least &&
      value <= most &&
      (isWhole !== true || Number.isInteger(value))
    )
      return value;
    const kind = isWhole === true ? 'a whole number' : 'a number';
    const limits = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    this.refuse(field, `"${field}" must be ${kind} ${limits}, but is ${show(value)}.`);
    return undefined;
  }

  flag(field: string, value: unknown = this.get(field)): boolean {
    if (value !== undefined && value !== null && typeof value !== 'boolean')
      this.refuse(field, `"${field}" must be true or false, but is ${show(value)}.`);
    return value === true;
  }

  stop(): readonly string[] {
    const value = this.get('stop') ?? [];
    const texts: unknown = typeof value === 'string' ? [value] : value;
    if (
      Array.isArray(texts) &&
      texts.length <= 4 &&
      texts.every((text) => typeof text === 'string' && text !== '')
    )
      return texts;
    this.refuse('stop', `"stop" must be a text or up to 4 texts, none empty, but is ${show(value)}.`);
    return [];
  }

  refuseUnsupported(): void {
    for (const [field, harmless] of Object.entries(unsupported)) {
      const value = this.get(field);
      const isEmpty = Array.isArray(value) && value.length === 0;
      if (value !== undefined && !isEmpty && !harmless.includes(value))
        this.refuse(field, `"${field}" is not supported here, but is ${show(value)}; leave it out.`);
    }
    const format = this.get('response_format');
    if (format !== undefined && !(isRecord(format) && format['type'] === 'text'))
      this.refuse(
        'response_format',
        `"response_format" can only be {"type": "text"}, but is ${show(format)}.`,
      );
  }

  /** Throws when anything was wrong. */
  finish(): void {
    const { problems } = this;
    if (problems.length === 0) return;
    throw new RequestError(400, 'invalid_request', problems.map(({ message }) => message).join(' '), {
      problems,
    });
  }
}

function checkModel(fields: BodyReader, name: string): void {
  const model = fields.get('model');
  if (model === undefined || model === name) return;
  if (typeof model !== 'string') {
    fields.refuse('model', `"model" must be a text, but is ${show(model)}.`);
    return;
  }
  throw new RequestError(
    404,
    'model_not_found',
    `There is no model ${show(model)} here; "${name}" is served.`,
    {
      param: 'model',
    },
  );
}

function readSettings(fields: BodyReader): GenerationRequest {
  const whole = { least: 1, most: Number.MAX_SAFE_INTEGER, isWhole: true } as const;
  const older = fields.number('max_tokens', whole);
  const options = fields.get('stream_options');
  if (options !== undefined && !isRecord(options))
    fields.refuse('stream_options', `"stream_options" must be an object, but is ${show(options)}.`);
  fields.refuseUnsupported();
  const span = Number.MAX_SAFE_INTEGER;
  return {
    isStreamed: fields.flag('stream'),
    streamsUsage:
      isRecord(options) && fields.flag('stream_options.include_usage', options['include_usage'] ?? false),
    temperature: fields.number('temperature', { least: 0, most: 2 }) ?? 1,
    topP: fields.number('top_p', { least: 0, most: 1 }) ?? 1,
    maxTokens: fields.number('max_completion_tokens', whole) ?? older,
    seed: fields.number('seed', { least: -span, most: span, isWhole: true }),
    stop: fields.stop(),
  };
}

/** What a turn says: a text, or parts that are texts. */
function readContent(value: unknown, at: string, fields: BodyReader): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.length > 0) {
    const texts = value.map((part: unknown, index) => {
      if (isRecord(part) && part['type'] === 'text' && typeof part['text'] === 'string') return part['text'];
      fields.refuse(
        `${at}[${index}]`,
        `"${at}[${index}]" must be {"type": "text", "text": "…"}, but is ${show(part)}.`,
      );
      return '';
    });
    return texts.join('');
  }
  fields.refuse(at, `"${at}" must be a text, but is ${show(value)}.`);
  return '';
}

function readMessages(fields: BodyReader): readonly ChatMessage[] {
  const value = fields.get('messages');
  if (!Array.isArray(value) || value.length === 0) {
    fields.refuse('messages', `"messages" must be a list of at least one turn, but is ${show(value)}.`);
    return [];
  }
  return value.flatMap((message: unknown, index): readonly ChatMessage[] => {
    const at = `messages[${index}]`;
    if (!isRecord(message)) {
      fields.refuse(at, `"${at}" must be an object with a role and a content, but is ${show(message)}.`);
      return [];
    }
    const role = roles.find((known) => known === message['role']);
    if (role === undefined)
      fields.refuse(
        `${at}.role`,
        `"${at}.role" must be one of ${roles.join(', ')}, but is ${show(message['role'])}.`,
      );
    const content = readContent(message['content'], `${at}.content`, fields);
    return role === undefined ? [] : [{ role, content }];
  });
}

/** The body of `POST /v1/chat/completions`. */
export function parseChatRequest(body: unknown, name: string): ChatRequest {
  const fields = new BodyReader(body);
  checkModel(fields, name);
  const request = { ...readSettings(fields), messages: readMessages(fields) };
  fields.finish();
  return request;
}

const maxPrompts = 64;

/** The body of `POST /v1/completions`. */
export function parseCompletionRequest(body: unknown, name: string): CompletionRequest {
  const fields = new BodyReader(body);
  checkModel(fields, name);
  const settings = readSettings(fields);
  const value = fields.get('prompt');
  const prompts: unknown = typeof value === 'string' ? [value] : value;
  const areTexts =
    Array.isArray(prompts) &&
    prompts.length > 0 &&
    prompts.every((text): text is string => typeof text === 'string');
  if (!areTexts)
    fields.refuse('prompt', `"prompt" must be a text or a list of texts, but is ${show(value)}.`);
  else if (prompts.length > maxPrompts)
    fields.refuse(
      'prompt',
      `At most ${maxPrompts} prompts fit in a request, but there are ${prompts.length}.`,
    );
  fields.finish();
  return { ...settings, prompts: areTexts ? prompts : [] };
}
