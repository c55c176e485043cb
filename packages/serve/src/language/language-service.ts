import { randomInt, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { ChatTemplateError } from '@joyul/data';
import type { ChatMessage } from '@joyul/data';
import { makeAsk, openGenerator, openLanguageModel, openLiveGenerator, readPrompt } from '@joyul/training';
import type { LanguageModel, LiveGenerator } from '@joyul/training';
import { changedModel } from '../classifier-service.ts';
import { RequestError, asRequestError, formatError, sendJson } from '../http.ts';
import { ServeError } from '../service.ts';
import type { Exchange, ServeOptions, Service } from '../service.ts';
import { formatChatPage } from './chat-page.ts';
import { parseChatRequest, parseCompletionRequest } from './parse-request.ts';
import type { GenerationRequest } from './parse-request.ts';
import { ReplyText } from './reply-text.ts';

/** What the deploy step wrote of the exported model's logits. */
interface Golden {
  readonly bound: number;
  /** Of what decides the tokens; absent in older folders. */
  readonly encoder?: string;
  readonly rows: readonly { readonly ids: readonly number[]; readonly logits: readonly number[] }[];
}

/** A model at work. */
interface Engine {
  readonly name: string;
  readonly language: LanguageModel;
  readonly generator: LiveGenerator;
  readonly ask: (messages: readonly ChatMessage[]) => readonly ChatMessage[];
}

/** Stored prompts that are asked again before the model is served. */
const replayed = 4;

async function checkGolden({ model, encoding }: LanguageModel, options: ServeOptions): Promise<void> {
  const { dir, backend } = options;
  const text = await readFile(join(dir, 'golden.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const golden = JSON.parse(text) as Golden; // Written by the deploy step.
  if (golden.encoder !== undefined && golden.encoder !== encoding.digest)
    throw new ServeError(
      `The model in ${dir} would be asked with other tokens than it was deployed with: its tokenizer or chat template was changed. Deploy it again.`,
    );
  const rows = golden.rows.slice(0, replayed);
  if (rows.length === 0) return;
  const generator = await openGenerator({
    model,
    precision: 'float32',
    context: Math.max(8, ...rows.map(({ ids }) => ids.length + 1)),
    batchSize: rows.length,
    ...(backend === undefined ? {} : { backend }),
  });
  const logits = await generator.logits(rows.map(({ ids }) => ids)).finally(() => {
    generator.dispose();
  });
  const difference = Math.max(
    ...rows.flatMap((row, index) =>
      row.logits.map((logit, at) => Math.abs(logit - (logits[index]?.[at] ?? Number.NaN))),
    ),
  );
  if (!(difference <= golden.bound)) throw changedModel(dir, difference);
}

/** Opens a language model, when it gives the logits and reads the tokens that were stored at its deployment. */
export async function openLanguageService(options: ServeOptions, name: string): Promise<Service> {
  const { dir, backend, context, maxBatch } = options;
  const prompt = await readPrompt(dir);
  if (prompt?.endpoint !== undefined)
    throw new ServeError(
      `${dir} holds a prompt and no model: ${prompt.endpoint.model} at ${prompt.endpoint.url} answers it. Ask that server.`,
    );
  const language = await openLanguageModel(dir);
  await checkGolden(language, options);
  const generator = await openLiveGenerator({
    model: language.model,
    ...(maxBatch === undefined ? {} : { batchSize: maxBatch }),
    ...(context === undefined ? {} : { context }),
    ...(backend === undefined ? {} : { backend }),
  });
  const wrap = prompt === undefined ? undefined : makeAsk(prompt, prompt.examples);
  const ask: Engine['ask'] = (messages) => wrap?.({ messages }) ?? messages;
  const engine = { name, language, generator, ask };
  return {
    page: formatChatPage(name, { context: generator.context, instruction: prompt?.instruction ?? '' }),
    routes: {
      'POST /v1/chat/completions': (exchange) => answerChat(exchange, engine),
      'POST /v1/completions': (exchange) => complete(exchange, engine),
    },
    gauges: () => ({ queue_depth: generator.load.waiting, live_texts: generator.load.live }),
    example: (url) =>
      `curl ${url}/v1/chat/completions -H 'content-type: application/json' -d '{"messages": [{"role": "user", "content": "Hello"}]}'`,
    dispose() {
      generator.dispose();
    },
  };
}

/** What a model said to one prompt. */
interface Reply {
  readonly text: string;
  readonly finish: 'stop' | 'length';
  readonly promptTokens: number;
  readonly newTokens: number;
}

function encodeChat({ language, ask }: Engine, messages: readonly ChatMessage[]): Int32Array {
  try {
    return language.encoder.encodePrompt(ask(messages));
  } catch (error) {
    if (error instanceof ChatTemplateError)
      throw new RequestError(400, 'chat_template', error.message, { param: 'messages' });
    throw error;
  }
}

/** The tokens of a text that goes on: those that training begins it with, without the end. */
function encodeBeginning({ language }: Engine, text: string): Int32Array {
  const [whole] = language.encoder.encodeText(text, Number.MAX_SAFE_INTEGER);
  return (whole?.ids ?? new Int32Array()).slice(0, -1);
}

function checkRoom({ generator }: Engine, ids: Int32Array, param: string): void {
  if (ids.length === 0)
    throw new RequestError(400, 'invalid_request', `"${param}" is empty; give at least one token.`, {
      param,
    });
  if (ids.length >= generator.context)
    throw new RequestError(
      400,
      'context_length_exceeded',
      `The prompt has ${ids.length} tokens, but prompt and answer have room for ${generator.context}; shorten it, or serve with a larger --context.`,
      { param },
    );
}

/** Aborts when the client goes away before it has its answer. */
function watchClient(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableEnded) controller.abort();
  });
  return controller.signal;
}

/** Continues tokens as a request wants it. */
async function reply(
  { language, generator }: Engine,
  ids: Int32Array,
  request: GenerationRequest,
  { gone, onText }: { readonly gone: AbortSignal; readonly onText?: (text: string) => void },
): Promise<Reply> {
  const { endId, tokenizer } = language.encoder;
  const stopped = new AbortController();
  const words = new ReplyText(tokenizer, request.stop);
  let text = '';
  const tell = (more: string): void => {
    text += more;
    if (more !== '') onText?.(more);
  };
  const generation = await generator.generate(ids, {
    temperature: request.temperature,
    topP: request.topP,
    seed: request.seed ?? randomInt(2 ** 32),
    maxNewTokens: request.maxTokens ?? generator.context,
    stopIds: [endId],
    signal: AbortSignal.any([gone, stopped.signal]),
    onToken(id) {
      if (id === endId) return;
      tell(words.add(id));
      if (words.isStopped) stopped.abort();
    },
  });
  tell(words.finish());
  return {
    text,
    finish: words.isStopped || generation.ending === 'stop' ? 'stop' : 'length',
    promptTokens: ids.length,
    newTokens: generation.ids.length,
  };
}

function describeUsage(replies: readonly Reply[]): unknown {
  const prompt = replies.reduce((sum, { promptTokens }) => sum + promptTokens, 0);
  const completion = replies.reduce((sum, { newTokens }) => sum + newTokens, 0);
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

/** How the answers to a kind of request look. */
interface Shape {
  readonly prefix: string;
  readonly whole: string;
  readonly part: string;
  formatWhole(reply: Reply): object;
  formatPart(text: string): object;
  /** The last part of each answer, and the first, where there is one. */
  readonly end: object;
  readonly start?: object;
}

const chatShape: Shape = {
  prefix: 'chatcmpl',
  whole: 'chat.completion',
  part: 'chat.completion.chunk',
  formatWhole: ({ text }) => ({ message: { role: 'assistant', content: text, refusal: null } }),
  formatPart: (text) => ({ delta: { content: text } }),
  start: { delta: { role: 'assistant', content: '' } },
  end: { delta: {} },
};

const textShape: Shape = {
  prefix: 'cmpl',
  whole: 'text_completion',
  part: 'text_completion',
  formatWhole: ({ text }) => ({ text }),
  formatPart: (text) => ({ text }),
  end: { text: '' },
};

/** Answers prompts whole, or in parts as they come. */
async function send(
  { response, metrics }: Pick<Exchange, 'response' | 'metrics'>,
  engine: Engine,
  prompts: readonly Int32Array[],
  { request, shape }: { readonly request: GenerationRequest; readonly shape: Shape },
): Promise<void> {
  const gone = watchClient(response);
  const common = {
    id: `${shape.prefix}-${randomUUID().replaceAll('-', '')}`,
    created: Math.floor(Date.now() / 1000),
    model: engine.name,
    system_fingerprint: `joyul-${engine.language.encoding.digest.slice(0, 12)}`,
  };
  const count = (replies: readonly Reply[]): void => {
    for (const { promptTokens, newTokens } of replies) metrics.countTokens(promptTokens, newTokens);
  };
  if (!request.isStreamed) {
    const replies = await Promise.all(prompts.map((ids) => reply(engine, ids, request, { gone })));
    count(replies);
    const choices = replies.map((item, index) => ({
      index,
      ...shape.formatWhole(item),
      logprobs: null,
      finish_reason: item.finish,
    }));
    sendJson(response, 200, { ...common, object: shape.whole, choices, usage: describeUsage(replies) });
    return;
  }
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
  });
  const write = (content: object): void => {
    const usage = request.streamsUsage ? { usage: null } : {};
    response.write(`data: ${JSON.stringify({ ...common, object: shape.part, ...usage, ...content })}\n\n`);
  };
  const writeChoice = (index: number, part: object, finish: Reply['finish'] | null = null): void => {
    write({ choices: [{ index, ...part, logprobs: null, finish_reason: finish }] });
  };
  const stream = async (ids: Int32Array, index: number): Promise<Reply> => {
    if (shape.start !== undefined) writeChoice(index, shape.start);
    const onText = (text: string): void => {
      writeChoice(index, shape.formatPart(text));
    };
    const done = await reply(engine, ids, request, { gone, onText });
    writeChoice(index, shape.end, done.finish);
    return done;
  };
  try {
    const replies = await Promise.all(prompts.map(stream));
    count(replies);
    if (request.streamsUsage) write({ choices: [], usage: describeUsage(replies) });
  } catch (error) {
    response.write(`data: ${JSON.stringify(formatError(asRequestError(error)))}\n\n`);
  }
  response.end('data: [DONE]\n\n');
}

async function answerChat(exchange: Exchange, engine: Engine): Promise<void> {
  const request = parseChatRequest(await exchange.readBody(), engine.name);
  const ids = encodeChat(engine, request.messages);
  checkRoom(engine, ids, 'messages');
  await send(exchange, engine, [ids], { request, shape: chatShape });
}

/** Tokens of a completion where the request does not say, as OpenAI has it. */
const defaultCompletion = 16;

async function complete(exchange: Exchange, engine: Engine): Promise<void> {
  const { prompts, ...request } = parseCompletionRequest(await exchange.readBody(), engine.name);
  const texts = prompts.map((text) => encodeBeginning(engine, text));
  for (const ids of texts) checkRoom(engine, ids, 'prompt');
  const { maxTokens = defaultCompletion } = request;
  await send(exchange, engine, texts, { request: { ...request, maxTokens }, shape: textShape });
}
